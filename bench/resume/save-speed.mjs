/**
 * Checkpoint writing at 16 M and 135 M trainable parameters (three float32 tensors each: weight and two moments):
 * our save, a raw sequential write + fsync of as many bytes on the same disk, and torch.save, in turns in one run.
 * Then signal → durable: a loop of short steps is hit by SIGTERM at random moments. Then periodic saves: how long the
 * loop is blocked.
 *
 *   node bench/resume/save-speed.mjs [--device cpu] [--rounds 7] [--signals 40] [--folder DIR] [--sizes 16,135] [--no-peer]
 */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import * as t from '@latentwire/torch';
import { Interruption, silentLogger } from '../../packages/latentwire/dist/telemetry/index.js';
import { CheckpointSaver } from '../../packages/latentwire/dist/training/checkpoint/index.js';
import { PythonPeer } from '../python.mjs';
import { median, quantile, save } from '../report.mjs';

const { values: options } = parseArgs({
  options: {
    device: { type: 'string', default: 'cpu' },
    rounds: { type: 'string', default: '7' },
    signals: { type: 'string', default: '40' },
    folder: { type: 'string', default: tmpdir() },
    name: { type: 'string', default: 'checkpoint-speed' },
    sizes: { type: 'string', default: '16,135' },
    'no-peer': { type: 'boolean', default: false },
  },
});
const device = t.parseDevice(options.device);
const folder = fs.mkdtempSync(join(options.folder, 'save-speed-'));
const paths = { checkpoints: folder };
const TENSORS = 64;

/** Weights of `parameters` numbers with their optimiser, as a wire and its AdamW look to the saver. */
function trainedTensors(parameters) {
  const each = Math.round(parameters / TENSORS);
  const params = new Map(
    Array.from({ length: TENSORS }, (_, i) => [`p${i}`, t.keep(t.rand([each], { device }))]),
  );
  const adamw = new t.optim.AdamW([{ params, lr: 1e-3 }]);
  const state = adamw.stateDict();
  // Random moments: zeros might be written faster.
  t.noGrad(() => {
    for (const moment of state.values()) {
      if (moment.numel > 1) t.scope(() => t.copy_(moment, t.rand([each], { device })));
    }
  });
  return {
    wire: { stateDict: () => params },
    adamw,
    dispose() {
      adamw.dispose();
      for (const p of params.values()) p.dispose();
    },
  };
}

const stateOf = (step) => ({
  ...{ step, total_steps: 1e6, finished: false, cursor: { epoch: 0, batch: 0 }, samples: 0 },
  ...{ accumulation: { batch_size: 1, grad_accum: 1 }, random: { seed: '1', position: step }, schedule: {} },
  ...{ elapsed_seconds: 0, last_loss: null, best: null, attempt: 1, digests: null },
});

/** @returns {{ saver: CheckpointSaver, logged: object[] }} */
function saverOf(trained, interruption, intervalSeconds) {
  const logged = [];
  const logger = { ...silentLogger, info: (_, fields) => logged.push(fields), warn: (m) => console.log(m) };
  const run = { paths, diagnostics: { sync() {} }, confirmLock() {} };
  const identity = { config: {}, facts: {} };
  const saver = new CheckpointSaver({ run, identity, trained, logger, interruption, intervalSeconds });
  return { saver, logged };
}

function rawWrite(bytes) {
  const chunk = Buffer.alloc(1 << 24, 0xa5);
  const file = join(folder, 'raw');
  const began = performance.now();
  const fd = fs.openSync(file, 'w');
  for (let left = bytes; left > 0; left -= chunk.length)
    fs.writeSync(fd, chunk, 0, Math.min(left, chunk.length));
  fs.fsyncSync(fd);
  const seconds = (performance.now() - began) / 1000;
  fs.closeSync(fd);
  fs.unlinkSync(file);
  return seconds;
}

async function speeds(trained, peer, rounds) {
  const { saver, logged } = saverOf(trained, Interruption.never(), 0);
  const bytes = saver.budget(stateOf(0));
  const rows = [];
  for (let round = 0; round < rounds; round++) {
    const raw = rawWrite(bytes);
    const before = logged.length;
    const began = performance.now();
    saver.saveNow(stateOf(round));
    const ours = (performance.now() - began) / 1000;
    const { seconds: durable } = logged[before];
    const theirs = await peer?.ask({ bytes, path: join(folder, 'peer.pt') });
    rows.push({ raw, ours, durable, torch: theirs?.durable_seconds, torch_unsynced: theirs?.seconds });
  }
  const middle = (key) => median(rows.map((row) => row[key]));
  return {
    bytes,
    rounds: rows,
    ours_gb_per_s: bytes / middle('durable') / 1e9,
    raw_gb_per_s: bytes / middle('raw') / 1e9,
    share_of_raw: middle('raw') / middle('durable'),
    median_of_ratios_to_raw: median(rows.map((row) => row.raw / row.durable)),
    ...(peer && {
      torch_save_durable_over_ours: middle('torch') / middle('durable'),
      torch_save_unsynced_over_ours: middle('torch_unsynced') / middle('durable'),
    }),
  };
}

/** Some 40 ms of work, polled as a micro-batch is. */
function work() {
  t.scope(() => {
    const a = t.rand([384, 384], { device });
    let product = a;
    const end = performance.now() + 40;
    while (performance.now() < end) product = t.matmul(product, a);
    t.synchronize(device);
  });
}

async function signalToDurable(trained, count) {
  const seconds = [];
  const steps = [];
  for (let i = 0; i < count; i++) {
    t.watchSignals(['SIGTERM']);
    const interruption = new Interruption(t.receivedSignal, 120);
    const { saver } = saverOf(trained, interruption, 0);
    const delay = 0.02 + ((i * 0.618) % 1) * 0.2;
    const killer = spawn('sh', ['-c', `sleep ${delay}; kill -TERM ${process.pid}`]);
    const closed = new Promise((resolve) => killer.on('close', resolve));
    let stepSeconds = 0;
    while (!interruption.requested()) {
      const began = performance.now();
      work();
      stepSeconds = (performance.now() - began) / 1000;
    }
    saver.saveNow(stateOf(i));
    seconds.push(interruption.secondsSince());
    steps.push(stepSeconds);
    t.unwatchSignals();
    await closed;
  }
  return {
    count,
    p50_s: median(seconds),
    p99_s: quantile(seconds, 0.99),
    max_s: Math.max(...seconds),
    step_s: median(steps),
  };
}

function blockedShare(trained, saves) {
  const { saver, logged } = saverOf(trained, Interruption.never(), 0.001);
  let step = 0;
  while (logged.filter((fields) => fields.blocked_seconds !== undefined).length < saves) {
    // Forward and backward, then the update that has to wait for the copy.
    for (let micro = 0; micro < 8; micro++) work();
    saver.beforeUpdate();
    saver.afterStep(() => stateOf(++step));
  }
  saver.finish();
  const rows = logged.filter((fields) => fields.blocked_seconds !== undefined);
  return {
    saves: rows.length,
    blocked_s: median(rows.map((row) => row.blocked_seconds)),
    write_s: median(rows.map((row) => row.seconds)),
    share: median(rows.map((row) => row.blocked_seconds / row.seconds)),
  };
}

const peer = options['no-peer'] ? undefined : new PythonPeer(new URL('peer.py', import.meta.url).pathname);
const results = {};
for (const millions of options.sizes.split(',').map(Number)) {
  const trained = trainedTensors(millions * 1e6);
  // The large one takes as long with fewer.
  const few = millions > 100 ? 3 : 1;
  results[`${millions}M`] = {
    write: await speeds(trained, peer, Math.ceil(Number(options.rounds) / few)),
    signal_to_durable: await signalToDurable(trained, Math.ceil(Number(options.signals) / few)),
    periodic: blockedShare(trained, 6),
  };
  trained.dispose();
  const { write, ...rest } = results[`${millions}M`];
  const { rounds: _, ...figures } = write;
  console.log(`${millions} M`, JSON.stringify({ ...figures, ...rest }, null, 1));
  save(options.name, { device: options.device, load_average: loadavg()[0], ...results });
}
peer?.close();
fs.rmSync(folder, { recursive: true, force: true });
