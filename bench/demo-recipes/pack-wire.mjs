/**
 * The weights of a trained wire as the file that `--init-from` reads, small enough to be bundled: without the optimiser, the
 * encoder's language model rounded to bf16. Writes wire.safetensors and training.json, how it was made and what it scored.
 *   node bench/demo-recipes/pack-wire.mjs RUN FOLDER
 */
import fs from 'node:fs';
import path from 'node:path';
import * as t from '../../packages/torch/dist/index.js';

const [run, folder] = process.argv.slice(2);
const file = t.openSafetensors(path.join(run, 'preempt_checkpoint', 'checkpoint_current.safetensors'));
const { format, version, ...metadata } = file.metadata;
const identity = JSON.parse(metadata.identity);
// Models by name, not by where they were.
const models = `${path.dirname(identity.config.encoder.id)}/`;
const { config, facts } = JSON.parse(JSON.stringify(identity).replaceAll(models, ''));
config.run.save_dir = path.basename(config.run.save_dir);
const state = { ...JSON.parse(metadata.state), digests: null };
t.scope(() => {
  const tensors = file.names
    .filter((name) => !name.startsWith('optimizer.'))
    .map((name) => {
      const tensor = file.load(name);
      return [name, name.startsWith('encoder.tokens.') ? tensor.to({ dtype: 'bfloat16' }) : tensor];
    });
  t.writeSafetensors(path.join(folder, 'wire.safetensors'), tensors, {
    metadata: { format, version, state: JSON.stringify(state), identity: JSON.stringify({ config, facts }) },
    digest: true,
  });
});
const card = {
  steps: state.step,
  samples: state.samples,
  seconds: Math.round(state.elapsed_seconds),
  settings: config,
  facts,
};
fs.writeFileSync(path.join(folder, 'training.json'), `${JSON.stringify(card, null, 2)}\n`);
