/**
 * One wire trained for two frozen readers that are both resident in one process: Llama-3.1-8B and Qwen2.5-7B shapes with
 * random weights, a trained encoder of the SmolLM2-135M shape, the training step of `latentwire train` in its last stage
 * (answers, first and early tokens, distillation from a cached teacher, repetition of a window of the text). Both readers in
 * every step, and one drawn per step. Steps are issued plainly, as training does where the device is the slower one; with
 * --graphs they are captured. Samples per second and peak memory; a batch that does not fit is told and ends the list.
 *
 *   node bench/gpu/two-readers.mjs [--readers llama-8b,qwen-7b] [--batches 16,32,64] [--steps 12] [--graphs] [--device cuda]
 */
import { parseArgs } from 'node:util';
import * as t from '@latentwire/torch';
import { applyAssignments } from '../../packages/latentwire/dist/config/index.js';
import { LanguageModel } from '../../packages/latentwire/dist/models/index.js';
import { teacherTargets } from '../../packages/latentwire/dist/objective/index.js';
import { initialiseDecoder } from '../../packages/latentwire/dist/pretraining/initialise.js';
import { wireOptimizer } from '../../packages/latentwire/dist/training/optimizer.js';
import { meanTextTokens } from '../../packages/latentwire/dist/training/prepare.js';
import { stageAt, stagePlan } from '../../packages/latentwire/dist/training/stages.js';
import { trainStep } from '../../packages/latentwire/dist/training/step.js';
import { StepLauncher } from '../../packages/latentwire/dist/training/step-launcher.js';
import { buildWire, PromptFormat } from '../../packages/latentwire/dist/wire/index.js';
import { median, save } from '../report.mjs';
import { configOf, randomModel } from './shapes.mjs';

const { values: o } = parseArgs({
  options: {
    readers: { type: 'string', default: 'llama-8b,qwen-7b' },
    encoder: { type: 'string', default: 'smollm2-135m' },
    batches: { type: 'string', default: '16,32,64' },
    steps: { type: 'string', default: '12' },
    texts: { type: 'string', default: '256' },
    latents: { type: 'string', default: '32' },
    'text-tokens': { type: 'string', default: '246' },
    'reading-tokens': { type: 'string', default: '64' },
    graphs: { type: 'boolean', default: false },
    device: { type: 'string', default: 'cuda' },
    name: { type: 'string', default: 'gpu/two-readers' },
  },
});
const device = t.parseDevice(o.device);
const dtype = device === 'cpu' ? 'float32' : 'bfloat16';
const [texts, textTokens, readingTokens] = [o.texts, o['text-tokens'], o['reading-tokens']].map(Number);
t.setMatmulPrecision('high');
t.manualSeed(0);

const config = applyAssignments(
  Object.entries({
    'wire.latent_len': Number(o.latents),
    'wire.d_z': 256,
    'objective.reading_tokens': readingTokens,
  }).map(([path, value]) => ({ path, value, origin: 'bench' })),
);
const names = o.readers.split(',');
const models = names.map((name) => randomModel(name, device, dtype));
const generator = new t.Generator('cpu', 1);
const encoderConfig = configOf(o.encoder);
const encoder = new LanguageModel(encoderConfig, initialiseDecoder(encoderConfig, generator, device));
const wire = buildWire(
  config,
  models,
  { tokenizer: null, model: encoder, device, computeDtype: dtype },
  generator,
);

const range = Array.from({ length: texts }, (_, i) => i);
const ids = (length, i, vocab) =>
  Int32Array.from({ length }, (_, k) => 2 + ((i * 7919 + k * 104_729) % (vocab - 2)));
/** Token ids as `prepareData` makes them, all texts of one length. */
async function preparedReader(model, index) {
  const vocab = model.config.vocabSize;
  const format = new PromptFormat({ renderChat: null, stopIds: [1], bosId: null });
  const own = range.map((i) => ids(textTokens, i + 17 * index, vocab));
  const targets = range.map((i) => Int32Array.from([...ids(7, i + 5, vocab), 1]));
  const rows = range.map((i) => ({ prompt: own[i], target: targets[i] }));
  const plan = { positions: config.objective.k, topK: config.objective.kd_top_k ?? 32, tau: 2 };
  const teacher = await teacherTargets(model, rows, {
    plan,
    folder: null,
    identity: { model: '', tokenizer: '' },
  });
  return {
    reader: { name: names[index], model, tokenizer: null, format },
    head: ids(8, 1, vocab),
    tails: range.map((i) => ids(24, i + 3, vocab)),
    targets,
    texts: own,
    repeat: { tail: ids(6, 2, vocab), targets: own },
    continuation: null,
    teacher,
    statistics: null,
  };
}
const readers = [];
for (const [index, model] of models.entries()) readers.push(await preparedReader(model, index));
const contexts = range.map((i) => ids(textTokens, i, encoderConfig.vocabSize));
const data = {
  examples: range.map((i) => ({
    id: String(i),
    context: '',
    question: '',
    answers: [],
    title: '',
    contextId: String(i),
  })),
  ...{ contexts, firstParts: null, truncatedContexts: 0, readers },
};
if (device !== 'cpu') t.emptyCache(device);
const stage = stageAt(stagePlan(config, wire.layout, meanTextTokens(data), wire.encoder.finest), 0.999);
const resident = device === 'cpu' ? null : +(t.memoryStatistics(device).allocated / 1e9).toFixed(2);
console.log(JSON.stringify({ stage: stage.name, weights: stage.weights, resident_gb: resident }));

const optimizer = wireOptimizer(wire, { lr: 1e-4, encoderLr: 1e-5, weightDecay: 0.01 });
const rows = [];
for (const decoders of ['all', 'one']) {
  for (const batch of o.batches.split(',').map(Number)) {
    try {
      add(measure(decoders, batch));
    } catch (error) {
      if (!(error instanceof t.TorchError) || !error.outOfMemory) throw error;
      add({ decoders, batch, out_of_memory: true });
      break;
    } finally {
      if (device !== 'cpu') t.emptyCache(device);
    }
  }
}

/** Saved after each row: what is cut off leaves what it has. */
function add(row) {
  rows.push(row);
  console.log(JSON.stringify(row));
  save(o.name, { device, readers: names, resident_gb: resident, weights: stage.weights, rows });
}

function measure(decoders, batch) {
  const launcher = StepLauncher.forRun(wire, { disabled: !o.graphs, records: 'at once' });
  const step = (i) => {
    const indices = Array.from({ length: batch }, (_, k) => (i * batch + k) % texts);
    return trainStep(wire, data, optimizer, [indices], {
      ...{ maxGradNorm: 1, stage, k: config.objective.k, launcher },
      readers: decoders === 'all' ? [0, 1] : [i % 2],
      readingWindow: (_, length) => [0, Math.min(length, readingTokens)],
    });
  };
  try {
    const warmup = decoders === 'all' ? 4 : 8;
    if (device !== 'cpu') t.resetPeakMemory(device);
    for (let i = 0; i < warmup; i++) step(i);
    const seconds = [];
    let last;
    for (let i = 0; i < Number(o.steps); i++) {
      const start = performance.now();
      last = step(warmup + i);
      t.synchronize(device);
      seconds.push((performance.now() - start) / 1000);
    }
    const mean = seconds.reduce((a, b) => a + b, 0) / seconds.length;
    const memory = device === 'cpu' ? null : t.memoryStatistics(device);
    return {
      ...{ decoders, batch },
      samples_per_s: +(batch / mean).toFixed(1),
      step_ms: +(1000 * median(seconds)).toFixed(1),
      peak_gb: memory && +(memory.peakAllocated / 1e9).toFixed(2),
      reserved_gb: memory && +(memory.peakReserved / 1e9).toFixed(2),
      loss: last.loss,
      counts: launcher?.steps.counts ?? null,
    };
  } finally {
    launcher?.[Symbol.dispose]();
    t.zeroGrad(wire.parameters());
  }
}
