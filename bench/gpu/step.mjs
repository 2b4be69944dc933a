/**
 * One optimiser step of latent-prefix training against a frozen decoder, the same work as the PyTorch peer: pooled text
 * states -> latents -> adapter -> frozen decoder on [latents | anchor | answer], cross-entropy on the answer and KD on its
 * first K tokens from a cached teacher, gradient of encoder and adapter, clip, AdamW.
 * Ways: plain (operators issued one by one) and graph (captured), both with our fused kernels; with `-unfused`, torch's own
 * operators. With --peer, the step of peer.py (eager, compiled, and eager with a teacher that reads the text in every step)
 * runs in the same call, and the ratios of our fastest way to each of them stand in the result. One JSON line per model and
 * way; all of them go to bench/results/NAME.json, written again after each, so that a run that is cut off leaves what it has.
 *
 *   node bench/gpu/step.mjs [--models a,b] [--ways plain,graph] [--peer python3] [--device cuda] [--name gpu/step]
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as t from '@latentwire/torch';
import { answerTerms } from '../../packages/latentwire/dist/objective/index.js';
import { compose, poolWindows } from '../../packages/latentwire/dist/wire/index.js';
import { peerEnvironment } from '../python.mjs';
import { save } from '../report.mjs';
import { randomModel } from './shapes.mjs';

const { values: o } = parseArgs({
  options: {
    models: { type: 'string', default: 'smollm2-135m,qwen-7b,llama-8b' },
    ways: { type: 'string', default: 'plain,graph' },
    device: { type: 'string', default: 'cuda' },
    batch: { type: 'string', default: '64' },
    steps: { type: 'string', default: '20' },
    peer: { type: 'string', default: '' },
    name: { type: 'string', default: 'gpu/step' },
  },
});
const device = t.parseDevice(o.device);
const dtype = device === 'cpu' ? 'float32' : 'bfloat16';
const B = Number(o.batch);
const [TEXT, M, DZ, ANCHOR, ANSWER, K, DENC, TOPK] = [246, 32, 256, 3, 8, 4, 512, 32];
t.setMatmulPrecision('high');
t.manualSeed(0);

class Wire extends t.nn.Module {
  constructor(width, options) {
    super();
    this.encoder = new t.nn.MLP(DENC, 1024, DZ, options);
    this.norm = new t.nn.RMSNorm(DZ, 1e-6, options);
    this.adapter = new t.nn.MLP(DZ, 2 * DZ, width, options);
    this.scale = t.nn.constantParameter([], 0.02, options);
  }
  forward(states, lengths) {
    const z = this.norm.forward(this.encoder.forward(poolWindows(states, lengths, M)));
    return t.mul(this.adapter.forward(z), this.scale);
  }
}

function bench(name, way) {
  t.manualSeed(0);
  t.nn.setFusedKernels(!way.endsWith('-unfused'));
  const model = randomModel(name, device, dtype);
  const { hiddenSize: d, vocabSize: V } = model.config;
  const generator = new t.Generator('cpu', 1);
  const wire = new Wire(d, { generator, device });
  const params = wire.parameters();
  const adamw = new t.optim.AdamW([{ params: new Map(wire.namedParameters()), lr: 1e-4 }]);
  const states = t.keep(t.randn([B, TEXT, DENC], { device }));
  const lengths = new Int32Array(B).fill(TEXT);
  const random = (n) => Int32Array.from({ length: n }, (_, i) => (i * 7919 + 13) % V);
  const composed = compose(
    Array.from({ length: B }, (_, r) => [
      { kind: 'latents' },
      { kind: 'tokens', ids: random(ANCHOR + r).subarray(0, ANCHOR) },
      { kind: 'target', ids: random(ANSWER + r).subarray(r) },
    ]),
    'right',
    M,
  );
  const places = Int32Array.from({ length: B * K }, (_, i) => Math.floor(i / K) * ANSWER + (i % K));
  const teacher = {
    targets: places,
    tau: 2,
    topK: TOPK,
    ids: random(B * K * TOPK),
    logProbs: new Float32Array(B * K * (TOPK + 1)).fill(-Math.log(TOPK + 1)),
  };
  const counts = { targets: B * ANSWER, examples: B, kTokens: B * K, kdPositions: B * K };
  const objective = {
    weights: { answer: 1, firstToken: 0, kToken: 0, kd: 1, manifold: 0 },
    k: K,
    counts,
    teacher,
    statistics: null,
    share: 1,
  };
  const steps = new t.cuda.RecordedSteps({ mode: way.startsWith('graph') ? 'capture' : 'off' });
  t.optim.allocateGradients(params);
  const body = () =>
    t.scope(() => {
      const prefix = wire.forward(states, lengths);
      const { loss, values } = answerTerms(model, composed, prefix, objective);
      t.backward(loss);
      return values;
    });
  const step = () =>
    t.scope(() => {
      const values = steps.run('step', body);
      t.optim.clipGradNorm(params, 1);
      adamw.step();
      t.optim.zeroGradients(params);
      return values.toArray()[0];
    });
  const losses = [];
  for (let i = 0; i < 4; i++) losses.push(step());
  t.synchronize(device);
  if (device !== 'cpu') t.resetPeakMemory(device);
  const seconds = [];
  for (let i = 0; i < Number(o.steps); i++) {
    const start = performance.now();
    losses.push(step());
    t.synchronize(device);
    seconds.push((performance.now() - start) / 1000);
  }
  const s = seconds.toSorted((a, b) => a - b)[seconds.length >> 1];
  const { config } = model;
  const body_ =
    config.layers *
    (d * (config.heads + 2 * config.kvHeads) * config.headDim + d * d + 3 * d * config.intermediateSize);
  const flop = 4 * body_ * B * (M + ANCHOR + ANSWER) + 4 * d * V * B * ANSWER;
  const row = {
    model: name,
    way,
    batch: B,
    samples_per_s: +(B / s).toFixed(1),
    step_ms: +(s * 1000).toFixed(3),
    best_ms: +(Math.min(...seconds) * 1000).toFixed(3),
    tflops: +(flop / s / 1e12).toFixed(1),
    mfu: +(flop / s / 989e12).toFixed(3),
    peak_gb: device === 'cpu' ? null : +(t.memoryStatistics(device).peakAllocated / 1e9).toFixed(1),
    losses: [losses[0], losses[5], losses.at(-1)],
    counts: steps.counts,
  };
  print(row);
  steps.dispose();
  adamw.dispose();
  wire.dispose();
  model.dispose();
  states.dispose();
  if (device !== 'cpu') t.emptyCache(device);
}

/** The same step in PyTorch and transformers. */
function benchPeer(name, mode) {
  const script = fileURLToPath(new URL('peer.py', import.meta.url));
  const { stdout, status } = spawnSync(o.peer, [script, name, mode, o.device, o.batch, o.steps], {
    encoding: 'utf8',
    env: peerEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status === 0) return print(JSON.parse(stdout.trim().split('\n').at(-1)));
  print({ model: name, way: `peer ${mode}`, failed: status });
  process.exitCode = 1;
}

const rows = [];
function print(row) {
  rows.push(row);
  console.log(JSON.stringify(row));
  save(o.name, { device, ratios: ratios(), rows });
}

/** Samples per second of our fastest way over those of each peer. */
function ratios() {
  return [...new Set(rows.map(({ model }) => model))].map((model) => {
    const own = rows.filter((row) => row.model === model && row.samples_per_s !== undefined);
    const ours = own.filter(({ way }) => !way.startsWith('peer'));
    const fastest = ours.toSorted((a, b) => b.samples_per_s - a.samples_per_s)[0];
    const over = (peer) => {
      const row = own.find(({ way }) => way === peer);
      return row && fastest && +(fastest.samples_per_s / row.samples_per_s).toFixed(3);
    };
    return {
      ...{ model, ours: fastest?.way, over_eager: over('peer eager'), over_compiled: over('peer compile') },
      over_eager_live: over('peer live'),
    };
  });
}

for (const name of o.models.split(',')) {
  for (const way of o.ways.split(',')) bench(name, way);
  if (o.peer !== '') for (const mode of ['eager', 'compile', 'live']) benchPeer(name, mode);
}
console.table(ratios());
