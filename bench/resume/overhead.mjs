/**
 * What the run system (tee, diagnostics, event files, digests, progress, lock, periodic saves) costs: the time of a
 * whole training that is not spent in its steps, with the settings a user gets by default.
 *
 *   node bench/resume/overhead.mjs [--steps 220] [--batch 32] [--device cpu]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runConfigSchema } from '../../packages/latentwire/dist/config/index.js';
import { createLogger, readDiagnostics } from '../../packages/latentwire/dist/telemetry/index.js';
import { train } from '../../packages/latentwire/dist/training/index.js';
import { median, save } from '../report.mjs';

const { values: options } = parseArgs({
  options: {
    steps: { type: 'string', default: '220' },
    batch: { type: 'string', default: '32' },
    device: { type: 'string', default: 'cpu' },
    name: { type: 'string', default: 'run-system-overhead' },
  },
});
const folder = mkdtempSync(join(tmpdir(), 'overhead-'));
const config = runConfigSchema.parse({
  model: { ids: ['bundled:tiny-llama'] },
  encoder: { id: 'bundled:tiny-llama' },
  data: { dataset: 'facts', samples: 4000 },
  wire: { latent_len: 4, d_z: 64 },
  adapter: { hidden: 256 },
  objective: { disable_kd: true },
  training: { batch_size: Number(options.batch), max_steps: Number(options.steps), epochs: 10 },
  // One periodic save in the middle, as each 5 minutes of a longer run; its share is scaled to 300 s below.
  evaluation: { eval_samples: 4, max_new_tokens: 2, eval_modes: ['no_context'] },
  system: { device: options.device },
  run: { save_dir: join(folder, 'run') },
});
const saves = [];
const logger = createLogger({ level: 'info' });
const watched = {
  ...logger,
  info(message, fields) {
    if (message === 'saved checkpoint') saves.push(fields);
    logger.info(message, fields);
  },
};
await train(config, { logger: watched });
const rows = readDiagnostics(join(folder, 'run', 'logs', 'diagnostics.jsonl'));
// The clock time from the first row to the last holds all steps but the first, and everything between them.
const spanned = (Date.parse(rows.at(-1).time) - Date.parse(rows[0].time)) / 1000;
const inSteps = rows.slice(1).reduce((sum, { seconds }) => sum + seconds, 0);
const between = (spanned - inSteps) / spanned;
const blocked = median(saves.map((fields) => fields.blocked_seconds)) / 300;
const result = {
  steps: rows.length,
  step_s: median(rows.map(({ seconds }) => seconds)),
  share_between_steps: between,
  share_of_a_save_each_5_minutes: blocked,
  overhead: between + blocked,
};
console.log(result);
save(options.name, { device: options.device, ...result });
rmSync(folder, { recursive: true, force: true });
