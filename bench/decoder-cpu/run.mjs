/**
 * A frozen SmolLM2-135M (random weights, fp32) on the CPU: forward and backward to the input embeddings, ours against
 * transformers' LlamaForCausalLM (sdpa attention) in Python, the same libtorch and threads, step by step in turns.
 * Processor seconds stand beside wall seconds: on a shared machine they do not count the time others had the cores
 * (with one thread; several threads also spin while they wait for each other).
 * Writes bench/results/decoder-cpu.json.
 * Usage: node bench/decoder-cpu/run.mjs [--rounds 15] [--threads 2] [--batch 2] [--length 128]
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as t from '@latentwire/torch';
import { parseHuggingFaceConfig } from '../../packages/latentwire/dist/models/config/index.js';
import { LanguageModel } from '../../packages/latentwire/dist/models/decoder/index.js';
import { PythonPeer } from '../python.mjs';
import { median, quantile, save } from '../report.mjs';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    threads: { type: 'string', default: String(cpus().length) },
    batch: { type: 'string', default: '2' },
    length: { type: 'string', default: '128' },
  },
});
const [rounds, threads, batch, length] = [options.rounds, options.threads, options.batch, options.length].map(
  Number,
);
const configFile = fileURLToPath(new URL('smollm2-135m.json', import.meta.url));

/** A model of the shape of `config`; speed does not depend on the values. */
function randomModel(config) {
  const generator = new t.Generator('cpu', 0);
  const random = (/** @type {number[]} */ ...shape) =>
    t.keep(t.scope(() => t.mul(t.randn(shape, { generator }), 0.02)));
  const ones = () => t.keep(t.ones([config.hiddenSize]));
  const width = config.hiddenSize;
  const attention = config.heads * config.headDim;
  const layers = config.layerAttention.map(() => ({
    attnNorm: ones(),
    qkv: random(attention + 2 * config.kvHeads * config.headDim, width),
    qkvBias: null,
    qkNorm: null,
    output: random(width, attention),
    postAttnNorm: null,
    ffnNorm: ones(),
    gateUp: random(2 * config.intermediateSize, width),
    down: random(width, config.intermediateSize),
    postFfnNorm: null,
  }));
  const embed = random(config.vocabSize, width);
  return new LanguageModel(config, { embed, layers, norm: ones(), head: embed });
}

/** Wall seconds, processor seconds and loss of one step. */
function step(model, ids, labels) {
  const start = process.hrtime.bigint();
  const cpuStart = process.cpuUsage();
  const loss = t.scope(() => {
    const embeds = model.embed(ids).detach().setRequiresGrad();
    const logits = model.logits(model.hidden(embeds));
    const crossEntropy = t.crossEntropy(t.view(logits, [-1, logits.size(-1)]), labels);
    t.backward(crossEntropy);
    if (embeds.grad === null) throw new Error('no gradient reached the embeddings');
    return crossEntropy.item();
  });
  const cpu = process.cpuUsage(cpuStart);
  return { seconds: Number(process.hrtime.bigint() - start) / 1e9, cpu: (cpu.user + cpu.system) / 1e6, loss };
}

t.setNumThreads(threads);
const config = parseHuggingFaceConfig(JSON.parse(readFileSync(configFile, 'utf8')), configFile);
const model = randomModel(config);
const tokens = t.randint(0, config.vocabSize, [batch, length]);
// The label of a position is the next token; the last position has none.
const labels = t.reshape(
  t.cat([t.slice(tokens, 1, 1), t.full([batch, 1], -100, { dtype: 'int64' })], 1),
  [-1],
);

const measured = { ours: [], python: [] };
const peer = fileURLToPath(new URL('peer.py', import.meta.url));
const python = new PythonPeer(peer, [configFile, String(batch), String(length), String(threads)]);
for (let round = -2; round < rounds; round++) {
  // Two rounds of warm-up; who goes first changes.
  const order = round % 2 === 0 ? ['ours', 'python'] : ['python', 'ours'];
  const now = {};
  for (const side of order) now[side] = side === 'ours' ? step(model, tokens, labels) : await python.ask({});
  if (Math.abs(now.ours.loss - now.python.loss) > 0.5) {
    throw new Error(`losses differ: ours ${now.ours.loss}, transformers ${now.python.loss}`);
  }
  if (round >= 0) for (const side of order) measured[side].push(now[side]);
}
python.close();

/** Median and least of one clock on both sides, with ratios. @param {'seconds' | 'cpu'} clock */
function compare(clock) {
  const [ours, theirs] = [measured.ours, measured.python].map((steps) => steps.map((one) => one[clock]));
  const of = (/** @type {(values: number[]) => number} */ pick) => ({
    ours: pick(ours),
    python: pick(theirs),
    ratio: pick(ours) / pick(theirs),
  });
  return { median: of(median), least: of((values) => quantile(values, 0)) };
}

const result = { batch, length, rounds, wall: compare('seconds'), processor: compare('cpu') };
console.log(`batch ${batch}, length ${length}, ${threads} thread(s), ${rounds} rounds`);
for (const [clock, { median: middle, least }] of [
  ['wall', result.wall],
  ['processor', result.processor],
]) {
  for (const [what, { ours, python: theirs, ratio }] of [
    ['median', middle],
    ['least', least],
  ]) {
    console.log(
      `${clock.padEnd(10)} ${what.padEnd(7)} ours ${ours.toFixed(3)} s, transformers ${theirs.toFixed(3)} s, ratio ${ratio.toFixed(3)}`,
    );
  }
}
save(`decoder-cpu-${threads}-threads`, result);
