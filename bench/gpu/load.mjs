/**
 * Loading a checkpoint of 16 GB to the GPU: sharded bf16 safetensors of the Llama-3.1-8B shape, written once, then read with
 * our loader, in turns with what `dd` reads of the same files into nothing. Cold: after the files were dropped from the page
 * cache (`left_in_cache` tells how much stayed); warm: from the page cache. Way `loader` is what `latentwire` does (threads
 * through pinned memory, joined projections); `mapped` copies every tensor from the mapped file (all
 * of which stays mapped). Each load is a process of
 * its own, whose largest resident memory is told.
 *
 *   node bench/gpu/load.mjs [--model llama-8b] [--folder /tmp/latentwire-load] [--device cuda] [--rounds 2] [--ways loader,mapped]
 */
import { spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as t from '@latentwire/torch';
import { readHuggingFaceConfig } from '../../packages/latentwire/dist/models/config/index.js';
import { loadWeights, SafetensorsWeightSource } from '../../packages/latentwire/dist/models/weights/index.js';
import { save } from '../report.mjs';
import { SHAPES } from './shapes.mjs';

const { values: o } = parseArgs({
  options: {
    model: { type: 'string', default: 'llama-8b' },
    folder: { type: 'string', default: '/tmp/latentwire-load' },
    device: { type: 'string', default: 'cuda' },
    rounds: { type: 'string', default: '2' },
    ways: { type: 'string', default: 'loader,mapped' },
    name: { type: 'string', default: 'gpu/load' },
    child: { type: 'string' },
  },
});
const folder = join(o.folder, o.model);
const shards = () =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.safetensors'))
    .map((name) => join(folder, name));

/** A checkpoint as Hugging Face shards it, here by layer. */
function writeCheckpoint() {
  const {
    hiddenSize: d,
    layers,
    heads,
    kvHeads,
    intermediateSize: inner,
    vocabSize,
    tiedEmbeddings,
  } = SHAPES[o.model];
  const headDim = d / heads;
  const noise = randomFillSync(new Uint16Array((vocabSize * d) / 2 + (1 << 20)));
  let shift = 0;
  const random = (...shape) => {
    const n = shape.reduce((a, b) => a * b, 1);
    const data = new Uint16Array(n);
    for (let at = 0; at < n; ) {
      const part = noise.subarray(shift, shift + Math.min(n - at, noise.length - shift));
      data.set(part, at);
      at += part.length;
      shift = (shift + part.length + 7919) % (noise.length - 1);
    }
    return { dtype: 'bfloat16', shape, data };
  };
  const map = {};
  const write = (file, tensors) => {
    t.writeSafetensors(join(folder, file), tensors);
    for (const name of Object.keys(tensors)) map[name] = file;
  };
  mkdirSync(folder, { recursive: true });
  write('model-embed.safetensors', {
    'model.embed_tokens.weight': random(vocabSize, d),
    'model.norm.weight': random(d),
  });
  for (let i = 0; i < layers; i++) {
    const at = (name) => `model.layers.${i}.${name}.weight`;
    write(`model-${String(i).padStart(2, '0')}.safetensors`, {
      [at('input_layernorm')]: random(d),
      [at('self_attn.q_proj')]: random(heads * headDim, d),
      [at('self_attn.k_proj')]: random(kvHeads * headDim, d),
      [at('self_attn.v_proj')]: random(kvHeads * headDim, d),
      [at('self_attn.o_proj')]: random(d, heads * headDim),
      [at('post_attention_layernorm')]: random(d),
      [at('mlp.gate_proj')]: random(inner, d),
      [at('mlp.up_proj')]: random(inner, d),
      [at('mlp.down_proj')]: random(d, inner),
    });
  }
  if (!tiedEmbeddings) write('model-head.safetensors', { 'lm_head.weight': random(vocabSize, d) });
  writeFileSync(
    join(folder, 'model.safetensors.index.json'),
    JSON.stringify({ metadata: {}, weight_map: map }),
  );
  const config = {
    model_type: 'llama',
    hidden_size: d,
    intermediate_size: inner,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    vocab_size: vocabSize,
    tie_word_embeddings: tiedEmbeddings,
    rms_norm_eps: 1e-5,
    eos_token_id: 0,
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
}

/** One load, alone in its process. */
function load(way) {
  const device = t.parseDevice(o.device);
  const dtype = 'bfloat16';
  // The device is started before the clock is.
  t.scope(() => t.add(t.ones([1], { device }), 1).item());
  const before = residentBytes('VmRSS');
  const start = performance.now();
  if (way === 'loader') {
    const source = SafetensorsWeightSource.open(folder);
    loadWeights(readHuggingFaceConfig(folder), source, { device, dtype });
    source.close();
  } else {
    const source = t.openSafetensorsIndex(folder);
    for (const name of source.names) t.scope(() => t.keep(source.load(name).to({ device, copy: true })));
  }
  t.synchronize(device);
  const seconds = (performance.now() - start) / 1000;
  const peak = residentBytes('VmHWM');
  console.log(
    JSON.stringify({
      seconds: +seconds.toFixed(3),
      rss_before_gb: +(before / 1e9).toFixed(2),
      rss_peak_gb: +(peak / 1e9).toFixed(2),
      device_gb: device === 'cpu' ? null : +(t.memoryStatistics(device).peakAllocated / 1e9).toFixed(2),
    }),
  );
}

function residentBytes(field) {
  const line = readFileSync('/proc/self/status', 'utf8').match(new RegExp(`${field}:\\s+(\\d+) kB`));
  return Number(line[1]) * 1024;
}

function run(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** @returns bytes of the files that stayed in the page cache, or null where that cannot be told */
function dropCache(files) {
  run('sync', []);
  for (const file of files) run('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']);
  spawnSync('sh', ['-c', 'echo 3 > /proc/sys/vm/drop_caches'], { stdio: 'ignore' });
  const { status, stdout } = spawnSync('fincore', ['-nb', '-o', 'RES', ...files], { encoding: 'utf8' });
  return status === 0
    ? stdout
        .trim()
        .split(/\s+/)
        .map(Number)
        .reduce((a, b) => a + b, 0)
    : null;
}

function rawRead(files) {
  const start = performance.now();
  for (const file of files) run('dd', [`if=${file}`, 'of=/dev/null', 'bs=16M', 'status=none']);
  return (performance.now() - start) / 1000;
}

if (o.child !== undefined) {
  load(o.child);
} else {
  if (!existsSync(join(folder, 'config.json'))) writeCheckpoint();
  const files = shards();
  const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
  const rows = [];
  const add = (row) => {
    const full = { gb_per_s: +(bytes / 1e9 / row.seconds).toFixed(2), ...row };
    rows.push(full);
    console.log(JSON.stringify(full));
  };
  const child = (way) => {
    const script = fileURLToPath(import.meta.url);
    const args = [script, '--child', way, '--model', o.model, '--folder', o.folder, '--device', o.device];
    return JSON.parse(run(process.execPath, args).trim().split('\n').at(-1));
  };
  for (let round = 0; round < Number(o.rounds); round++) {
    for (const cache of ['cold', 'warm']) {
      for (const way of ['dd', ...o.ways.split(',')]) {
        const left = cache === 'cold' ? dropCache(files) : undefined;
        const row = way === 'dd' ? { seconds: +rawRead(files).toFixed(3) } : child(way);
        add({ way, cache, ...row, ...(left !== undefined && { left_in_cache: left }) });
      }
    }
  }
  const best = (way, cache) =>
    Math.max(...rows.filter((row) => row.way === way && row.cache === cache).map((row) => row.gb_per_s));
  const ratios = {};
  for (const cache of ['cold', 'warm']) {
    for (const way of o.ways.split(','))
      ratios[`${way}_over_dd_${cache}`] = +(best(way, cache) / best('dd', cache)).toFixed(2);
  }
  console.log(JSON.stringify({ gb: +(bytes / 1e9).toFixed(2), ...ratios }));
  save(o.name, { device: o.device, bytes, ratios, rows });
}
