/**
 * What `--batch_size auto` tries, against what a training on SQuAD really has: encoded positions, reader positions and
 * answer targets of the longest examples at once (tried until 2026-11-27), of the heaviest micro-batches of the run (tried now), and
 * of the run's own micro-batches with their own draws. Composed and padded as on a GPU, nothing is computed.
 *
 *   node bench/batch-size-shapes.mjs --models smollm2.gguf,gemma3.gguf [--train FILE] [--samples 87599] [--sizes 64,128,256]
 *
 * Encoder and readers as in bench/gpu/utilisation.mjs; the first model's tokenizer is the encoder's too. Of the models only
 * tokenizer and sizes are read.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { random } from '@latentwire/torch';
import { runConfigSchema } from '../packages/latentwire/dist/config/index.js';
import { loadDataset } from '../packages/latentwire/dist/data/index.js';
import { readGgufConfig } from '../packages/latentwire/dist/models/config/index.js';
import { readGguf } from '../packages/latentwire/dist/models/gguf/index.js';
import { ggufTokenizer } from '../packages/latentwire/dist/models/tokenizer/index.js';
import { heaviestBatches } from '../packages/latentwire/dist/training/batch-size/heaviest.js';
import { batchPolicy } from '../packages/latentwire/dist/training/batch-size/policy.js';
import { searchBatchSize } from '../packages/latentwire/dist/training/batch-size/search.js';
import { longestWindow, stepLoad } from '../packages/latentwire/dist/training/batch-size/step-load.js';
import { firstMicroBatches, stepOrder } from '../packages/latentwire/dist/training/batch-size/step-order.js';
import { longestExamples } from '../packages/latentwire/dist/training/batch-size/worst-case.js';
import { stepDraws } from '../packages/latentwire/dist/training/draws.js';
import { meanTextTokens, prepareData } from '../packages/latentwire/dist/training/prepare.js';
import { composeStep } from '../packages/latentwire/dist/training/step-batches.js';
import { shapeMultiples } from '../packages/latentwire/dist/training/step-launcher.js';
import { LatentLayout, PromptFormat } from '../packages/latentwire/dist/wire/index.js';
import { saveResult } from './save-result.mjs';

const shared = fileURLToPath(new URL('../../shared/data/squad/train-v1.1.json.gz', import.meta.url));
const { values: o } = parseArgs({
  options: {
    models: { type: 'string', default: '' },
    train: { type: 'string', default: shared },
    samples: { type: 'string', default: '87599' },
    sizes: { type: 'string', default: '64,128,256' },
    epochs: { type: 'string', default: '12' },
  },
});
const files = o.models.split(',').filter(Boolean);
if (!existsSync(o.train) || files.length === 0 || !files.every((file) => existsSync(file))) {
  console.log('skipped: needs SQuAD (--train) and GGUF files (--models)');
  process.exit(0);
}

const models = files.map((file) => {
  const gguf = readGguf(resolve(file));
  return { tokenizer: ggufTokenizer(gguf), config: readGgufConfig(gguf) };
});
const config = runConfigSchema.parse({
  data: { questions_together: true },
  encoder: { max_tokens: 320 },
  wire: { latent_len: 32 },
  objective: { reading_tokens: 64, max_answer_tokens: 24, disable_kd: true },
  training: { epochs: Number(o.epochs) },
});
const root = new random.RandomRoot(config.run.seed);
const { examples } = await loadDataset('squad', [resolve(o.train)]);
const data = await prepareData(examples.slice(0, Number(o.samples)), {
  encoderTokenizer: models[0].tokenizer,
  readers: models.map(({ tokenizer, config }, k) => ({
    ...{ name: `reader-${k}`, tokenizer, model: { config } },
    format: new PromptFormat({ renderChat: null, stopIds: [config.eosIds[0] ?? 1], bosId: config.bosId }),
  })),
  maxContextTokens: config.encoder.max_tokens,
  maxAnswerTokens: config.objective.max_answer_tokens,
  reconstruction: true,
});
const layout = new LatentLayout({ slots: 32, ratio: null, privateLen: 0, readers: models.length });
const draws = stepDraws(config, root, models.length);
const multiples = shapeMultiples(null, 'cuda:0');
const { k, reading_tokens: readingTokens } = config.objective;
const readers = models.map((_, at) => at);
const off = { alignment: 0, firstToken: 0, kToken: 0, kd: 0, manifold: 0 };
const STAGES = {
  descent: {
    expansion: layout.fullExpansion(meanTextTokens(data)),
    weights: { ...off, answer: 0, reconstruction: 1 },
  },
  answers: { expansion: 1, weights: { ...off, answer: 1, reconstruction: 0.3 } },
};

/** What one micro-batch takes, as it is composed. */
function shapeOf(stage, indices, readingWindow) {
  const spec = {
    stage,
    k,
    active: readers,
    continues: () => false,
    readOnce: true,
    multiples,
    readingWindow,
  };
  const [batch] = composeStep(data, layout, [indices], spec).batches;
  const positions = (rows) => (rows == null ? 0 : rows.batch * rows.length);
  const sum = (of) => batch.readers.reduce((total, reader) => total + of(reader), 0);
  return {
    encoded: batch.texts.batch * batch.texts.length,
    read: sum(({ answers, reading }) => positions(answers?.composed) + positions(reading)),
    targets: sum(({ answers }) => answers?.composed.targetIds.length ?? 0),
  };
}

/** As in the trials (training/batch-size/trial.ts). */
const LOOKED_AT = { examples: 2 ** 19, batches: 2 ** 15 };
const EVERYTHING = { examples: Number.POSITIVE_INFINITY, batches: Number.POSITIVE_INFINITY };
const MEASURES = ['encoded', 'read', 'targets'];
const each = (of) => Object.fromEntries(MEASURES.map((name) => [name, of(name)]));
const most = (shapes) => each((name) => Math.max(...shapes.map((shape) => shape[name])));
const mean = (shapes) =>
  each((name) => Math.round(shapes.reduce((n, shape) => n + shape[name], 0) / shapes.length));
const p99 = (shapes) =>
  each((name) => shapes.map((shape) => shape[name]).sort((a, b) => a - b)[Math.floor(0.99 * shapes.length)]);

/** Micro-batches of the run that the trials look at, and the load of one in a stage. */
function lookAt(size, most = LOOKED_AT) {
  const policy = batchPolicy(config.training, size);
  const order = stepOrder({ config, root }, data, policy);
  return { order, seen: firstMicroBatches(order, policy, most) };
}
const loadIn = (stage) =>
  stepLoad(data, layout, {
    ...{ stage, readers, continues: false, readOnce: true, readingTokens },
    ...{ keepsLogits: { answers: true, reading: false }, multiples },
  });

const rows = [];
const covers = [];
for (const size of o.sizes.split(',').map(Number)) {
  const began = performance.now();
  const { order, seen } = lookAt(size);
  const listed = performance.now();
  for (const [name, stage] of Object.entries(STAGES)) {
    const load = loadIn(stage);
    const started = performance.now();
    const heaviest = heaviestBatches(seen, load);
    const scored = performance.now();
    const first = longestExamples(data, size);
    const real = [];
    for (let step = 0; step < order.stepsPerEpoch; step++) {
      const [indices] = order.microBatchesAt(step);
      real.push(shapeOf(stage, indices, (example, length) => draws.readingWindow(step, example, length)));
    }
    const tell = (what, shape) => rows.push({ size, stage: name, what, ...shape });
    tell(
      'longest examples at once, tried before',
      shapeOf(stage, first, (_, n) => [0, Math.min(n, readingTokens)]),
    );
    const tried = heaviest.map((batch) => shapeOf(stage, batch, (_, n) => longestWindow(n, readingTokens)));
    tell(`most of the ${heaviest.length} tried now`, most(tried));
    tell('one epoch of the run: most', most(real));
    tell('one epoch of the run: 99 %', p99(real));
    tell('one epoch of the run: mean', mean(real));

    // All epochs, with the longest windows: what was not looked at, and any way in which loads may add up to memory.
    const whole = lookAt(size, EVERYTHING).seen.map(load);
    const kinds = ['encoded', 'read', 'logits'];
    const top = kinds.map((kind) => whole.reduce((n, of) => Math.max(n, of[kind]), 1));
    const normal = (of) => kinds.map((kind, n) => of[kind] / top[n]);
    const [all, few] = [whole.map(normal), heaviest.map(load).map(normal)];
    const drawn = root.stream('weights');
    const shares = Array.from({ length: 500 }, (_, i) => {
      const weights = kinds.map((_, n) => drawn.uniformAt(3 * i + n));
      const heavy = (list) =>
        list.reduce(
          (n, of) =>
            Math.max(
              n,
              of.reduce((sum, x, at) => sum + weights[at] * x, 0),
            ),
          0,
        );
      return heavy(few) / heavy(all);
    });
    const of = (kind) => Math.max(...few.map((loads) => loads[kinds.indexOf(kind)]));
    covers.push({
      ...{ size, stage: name, epochs: Number(o.epochs), batches: whole.length, tried: heaviest.length },
      ...Object.fromEntries(kinds.map((kind) => [kind, +of(kind).toFixed(3)])),
      least_of_500_mixtures: +Math.min(...shares).toFixed(3),
      list_ms: Math.round(listed - began),
      score_ms: Math.round(scored - started),
    });
  }
}

// The search on a device of 80 GB whose memory is made up of these loads: bytes of what is always there, of a position of the
// encoder, of one number of a reader's position in one layer, of one logit. No real device: does the search end, and where?
const searches = [
  [4e9, 1.1e6, 40, 10],
  [2e9, 2e6, 20, 4],
  [8e9, 0.3e6, 60, 16],
  [1e9, 0.5e6, 10, 3],
].map(([always, encoded, read, logits]) => {
  const bytes = (load) => always + encoded * load.encoded + read * load.read + logits * load.logits;
  const { size, measured, predicted, measurements } = searchBatchSize({
    ...{ capacity: 80e9, target: 0.8, most: data.examples.length },
    measure(tried) {
      const { seen } = lookAt(tried);
      const loads = Object.values(STAGES).map(loadIn);
      return Math.max(
        ...loads.flatMap((load) => heaviestBatches(seen, load).map((batch) => bytes(load(batch)))),
      );
    },
  });
  return {
    ...{ always, encoded, read, logits, size, trials: measurements.length },
    share: +(measured / 80e9).toFixed(3),
    predicted_over_measured: +(predicted / measured).toFixed(3),
  };
});
console.table(rows);
console.log('share of the heaviest micro-batch of all epochs that those tried now have');
console.table(covers);
console.log('the search, with memory made up of these loads');
console.table(searches);
saveResult(
  'batch-size-shapes',
  { rows, covers },
  { samples: data.examples.length, epochs: Number(o.epochs) },
);
