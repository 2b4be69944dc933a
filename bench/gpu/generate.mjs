/**
 * Greedy generation for evaluation against transformers: tokens per second of a batch of prompts, prefill included, with
 * captured steps and with operators issued one by one. The peer (generate_peer.py) is `generate` of transformers with its
 * dynamic cache, and with a static cache and torch.compile. Same shapes, random weights, same number of new tokens; nothing
 * stops early. Prompts of 32 + 3 positions (latents) and of 250 (text).
 *
 *   node bench/gpu/generate.mjs [--models a,b] [--batches 64,256] [--prompts 35,250] [--peer python3] [--device cuda]
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as t from '@latentwire/torch';
import { generate, releaseGeneration } from '../../packages/latentwire/dist/models/decoder/index.js';
import { peerEnvironment } from '../python.mjs';
import { save } from '../report.mjs';
import { randomModel } from './shapes.mjs';

const { values: o } = parseArgs({
  options: {
    models: { type: 'string', default: 'smollm2-135m,llama-8b' },
    batches: { type: 'string', default: '64,256' },
    prompts: { type: 'string', default: '35,250' },
    ways: { type: 'string', default: 'capture,plain' },
    tokens: { type: 'string', default: '32' },
    runs: { type: 'string', default: '5' },
    device: { type: 'string', default: 'cuda' },
    peer: { type: 'string', default: '' },
    'peer-modes': { type: 'string', default: 'dynamic,static' },
    name: { type: 'string', default: 'gpu/generate' },
  },
});
const device = t.parseDevice(o.device);
const dtype = device === 'cpu' ? 'float32' : 'bfloat16';
const [newTokens, runs] = [Number(o.tokens), Number(o.runs)];
const numbers = (list) => list.split(',').map(Number);
t.setMatmulPrecision('high');

const rows = [];
/** Saved after each row: what is cut off leaves what it has. */
function print(row) {
  rows.push(row);
  console.log(JSON.stringify(row));
  save(o.name, { device, ratios: ratios(), rows });
}

function ours(name) {
  t.manualSeed(0);
  const model = randomModel(name, device, dtype);
  for (const prompt of numbers(o.prompts)) {
    for (const batch of numbers(o.batches)) {
      for (const steps of o.ways.split(',')) {
        try {
          t.scope(() => measure(model, { name, prompt, batch, steps }));
        } catch (error) {
          console.error(`${name}, prompt ${prompt}, batch ${batch}, ${steps}: ${error.message}`);
        }
        releaseGeneration();
        if (device !== 'cpu') t.emptyCache(device);
      }
    }
  }
  model.dispose();
  if (device !== 'cpu') t.emptyCache(device);
}

function measure(model, { name, prompt, batch, steps }) {
  const { vocabSize } = model.config;
  t.manualSeed(1);
  const ids = t.randint(0, vocabSize, [batch, prompt], { device });
  const embeds = model.embed(ids);
  if (device !== 'cpu') t.resetPeakMemory(device);
  const options = { stopIds: [], steps: device === 'cpu' && steps === 'capture' ? 'rehearse' : steps };
  const timed = (maxNewTokens) => {
    t.synchronize(device);
    const start = performance.now();
    const answers = generate(model, embeds, { ...options, maxNewTokens });
    t.synchronize(device);
    return { seconds: (performance.now() - start) / 1000, answers };
  };
  let answers = [];
  for (let i = 0; i < 2; i++) answers = timed(newTokens).answers;
  const whole = median(Array.from({ length: runs }, () => timed(newTokens).seconds));
  const prefill = median(Array.from({ length: runs }, () => timed(1).seconds));
  print({
    model: name,
    way: `ours ${steps}`,
    prompt,
    batch,
    new_tokens: newTokens,
    tokens_per_s: +((batch * newTokens) / whole).toFixed(1),
    seconds: +whole.toFixed(4),
    prefill_ms: +(prefill * 1000).toFixed(2),
    step_ms: +(((whole - prefill) / (newTokens - 1)) * 1000).toFixed(3),
    peak_gb: device === 'cpu' ? null : +(t.memoryStatistics(device).peakAllocated / 1e9).toFixed(1),
    same_as_first_way: sameTokens(answers, `${name} ${prompt} ${batch}`),
  });
}

/** Share of the tokens that the first way of the same case chose too: ways round differently, and random weights tie. */
const chosen = new Map();
function sameTokens(answers, key) {
  const first = chosen.get(key) ?? answers;
  chosen.set(key, first);
  const same = answers.flatMap((ids, row) => ids.map((id, i) => (id === first[row][i] ? 1 : 0)));
  return +(same.reduce((a, b) => a + b, 0) / same.length).toFixed(3);
}

function theirs(name) {
  const script = fileURLToPath(new URL('generate_peer.py', import.meta.url));
  for (const mode of o['peer-modes'].split(',')) {
    const args = [script, name, mode, o.device, o.prompts, o.batches, o.tokens, o.runs];
    const { stdout, status } = spawnSync(o.peer, args, {
      encoding: 'utf8',
      env: peerEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (status !== 0) console.error(`the peer ended with ${status}`);
    for (const line of stdout.split('\n')) if (line.startsWith('{')) print(JSON.parse(line));
  }
}

function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

for (const name of o.models.split(',')) {
  ours(name);
  if (o.peer !== '') theirs(name);
}

console.table(ratios());

function ratios() {
  return rows
    .filter(({ way }) => way === 'ours capture')
    .map(({ model, prompt, batch, tokens_per_s }) => {
      const same = rows.filter((row) => row.model === model && row.prompt === prompt && row.batch === batch);
      const against = (way) => {
        const found = same.find((row) => row.way === way);
        return found && +(tokens_per_s / found.tokens_per_s).toFixed(2);
      };
      return {
        ...{ model, prompt, batch, tokens_per_s },
        over_plain: against('ours plain'),
        over_dynamic: against('peer dynamic'),
        over_static_compiled: against('peer static'),
      };
    });
}
