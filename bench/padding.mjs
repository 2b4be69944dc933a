/**
 * How much of a training step is padding: positions that encoder and reader compute and nobody asked for, per stage. It
 * tells what packing rows of different lengths into one (varlen attention) could save at most. Nothing is computed.
 *
 *   node bench/padding.mjs --tokenizer FOLDER --train train-v1.1.json.gz [--samples 20000] [--batch 64]
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { random } from '@latentwire/torch';
import { BatchPlan, loadDataset } from '../packages/latentwire/dist/data/index.js';
import { loadTokenizer } from '../packages/latentwire/dist/models/tokenizer/index.js';
import { prepareData } from '../packages/latentwire/dist/training/prepare.js';
import { composeStep } from '../packages/latentwire/dist/training/step-batches.js';
import { LatentLayout, PromptFormat } from '../packages/latentwire/dist/wire/index.js';
import { saveResult } from './save-result.mjs';

const { values: o } = parseArgs({
  options: {
    tokenizer: { type: 'string' },
    train: { type: 'string' },
    samples: { type: 'string', default: '20000' },
    batch: { type: 'string', default: '64' },
    steps: { type: 'string', default: '300' },
  },
});
const tokenizer = loadTokenizer(resolve(o.tokenizer));
const format = new PromptFormat({ renderChat: null, stopIds: [0], bosId: null });
const { examples: all } = await loadDataset('squad', [resolve(o.train)]);
// Every n-th: questions on one text stand side by side in the file.
const every = Math.max(1, Math.floor(all.length / Number(o.samples)));
const examples = all.filter((_, i) => i % every === 0).slice(0, Number(o.samples));
const data = await prepareData(examples, {
  ...{ encoderTokenizer: tokenizer, maxContextTokens: 512, maxAnswerTokens: 32, reconstruction: true },
  readers: [{ name: 'reader', tokenizer, format, model: null }],
});
const layout = new LatentLayout({ slots: 32, ratio: null, privateLen: 0, readers: 1 });
const stream = new random.RandomRoot(42).stream('data-order');
const lengths = data.contexts.map(({ length }) => length);

const STAGES = {
  answers: { answer: 1, reconstruction: 0 },
  'answers and whole texts': { answer: 1, reconstruction: 0.3 },
};
/** How batches are made: as they come; of like length, as training does; and rounded as it does for captured steps. */
const WAYS = {
  'any order': { windowBatches: 1, multiples: {} },
  'like lengths together': { windowBatches: 32, multiples: {} },
  'the same, rounded up for captured steps': {
    windowBatches: 32,
    multiples: { texts: 64, positions: 32, targets: 128, rows: 16 },
  },
};

/** @param {{ batch: number, length: number, valid: Uint8Array | null } | null | undefined} rows */
const placesOf = (rows) => (rows == null ? [0, 0] : [rows.batch * rows.length, real(rows)]);
const real = ({ batch, length, valid }) =>
  valid === null ? batch * length : valid.reduce((a, b) => a + b, 0);

const rows = [];
for (const [stage, weights] of Object.entries(STAGES)) {
  for (const [way, { windowBatches, multiples }] of Object.entries(WAYS)) {
    const plan = new BatchPlan({ lengths, batchSize: Number(o.batch), stream, windowBatches });
    const sums = { encoder: [0, 0], reader: [0, 0] };
    const steps = Math.min(Number(o.steps), plan.batchesPerEpoch);
    for (let step = 0; step < steps; step++) {
      const { batches } = composeStep(data, layout, [plan.batch(0, step)], {
        stage: {
          expansion: 1,
          weights: { alignment: 0, firstToken: 0, kToken: 0, kd: 0, manifold: 0, ...weights },
        },
        ...{ k: 4, active: [0], continues: () => false, multiples },
        readingWindow: (_, length) => [0, length],
      });
      for (const { texts, readers } of batches) {
        sums.encoder[0] += texts.batch * texts.length;
        sums.encoder[1] += texts.lengths.reduce((a, b) => a + b, 0);
        for (const { answers, reading } of readers) {
          for (const [all, used] of [placesOf(answers?.composed), placesOf(reading)]) {
            sums.reader[0] += all;
            sums.reader[1] += used;
          }
        }
      }
    }
    const share = ([all, used]) => +(1 - used / all).toFixed(4);
    rows.push({
      stage,
      way,
      steps,
      encoder_padding: share(sums.encoder),
      reader_padding: share(sums.reader),
    });
  }
}
console.table(rows);
saveResult('padding', { rows }, { samples: examples.length, batch: Number(o.batch) });
