/**
 * Runs a task over all its resamples on one or more threads and returns when it is done: the statistics stay ordinary
 * synchronous functions.
 *
 * The calling thread works too. All threads claim chunks of resamples from a shared counter and write to shared memory,
 * so a worker that starts late, or cannot start at all (no compiled worker file, a locked-down process), only means that
 * the caller does more of the chunks. A resample depends on its index alone, hence equal results for any number of threads.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { integerAtLeast } from '../input/index.js';
import { runTask, type Task } from './tasks.js';

/** Slots of the shared control block, followed by one flag per chunk. */
export const Control = { nextChunk: 0, doneChunks: 1, firstFlag: 2 } as const;

export interface Job {
  readonly task: Task;
  readonly out: Float64Array;
  readonly control: Int32Array;
  readonly resamples: number;
  readonly chunkSize: number;
}

/** 'auto' starts a second thread when the work is worth its start (about 30 ms), and at most four. */
export type Threads = number | 'auto';

const AUTO_THREAD_LIMIT = 4;
/** Unit visits, about 0.8 ns each, from which a further thread pays. */
const WORTH_A_THREAD = 4e7;
/** A worker that finished nothing for this long is taken for dead and its chunks are computed here. */
const STALL_MS = 20_000;

const workerFile = new URL('./worker.js', import.meta.url);
const pool: Worker[] = [];

/** A Float64Array that threads can share. */
export function sharedFloat64(length: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(8 * length));
}

/** `width` numbers for each of `resamples` resamples, in order. `visits` estimates the work. */
export function runResamples(task: Task, resamples: number, threads: Threads, visits: number): Float64Array {
  const wanted = resolveThreads(threads, visits);
  const out = sharedFloat64(resamples * task.width);
  const helpers = wanted > 1 ? workers(wanted - 1) : [];
  if (helpers.length === 0) {
    runTask(task, 0, resamples, out);
    return out;
  }
  const chunkSize = Math.max(1, Math.ceil(resamples / (wanted * 16)));
  const chunks = Math.ceil(resamples / chunkSize);
  const control = new Int32Array(new SharedArrayBuffer(4 * (Control.firstFlag + chunks)));
  const job: Job = { task, out, control, resamples, chunkSize };
  for (const helper of helpers) helper.postMessage(job);
  workOn(job);
  waitForOthers(job, chunks);
  return out;
}

/** Claims and computes chunks until none is left. */
export function workOn(job: Job): void {
  const { control } = job;
  const chunks = control.length - Control.firstFlag;
  for (;;) {
    const chunk = Atomics.add(control, Control.nextChunk, 1);
    if (chunk >= chunks) return;
    computeChunk(job, chunk);
  }
}

function computeChunk({ task, out, control, resamples, chunkSize }: Job, chunk: number): void {
  runTask(task, chunk * chunkSize, Math.min(resamples, (chunk + 1) * chunkSize), out);
  Atomics.store(control, Control.firstFlag + chunk, 1);
  Atomics.add(control, Control.doneChunks, 1);
  Atomics.notify(control, Control.doneChunks);
}

function waitForOthers(job: Job, chunks: number): void {
  const { control } = job;
  for (;;) {
    const done = Atomics.load(control, Control.doneChunks);
    if (done >= chunks) return;
    if (Atomics.wait(control, Control.doneChunks, done, STALL_MS) !== 'timed-out') continue;
    for (let chunk = 0; chunk < chunks; chunk++) {
      if (Atomics.load(control, Control.firstFlag + chunk) === 0) computeChunk(job, chunk);
    }
    return;
  }
}

function resolveThreads(threads: Threads, visits: number): number {
  if (threads !== 'auto') return integerAtLeast(threads, 1, 'options.threads');
  return Math.max(
    1,
    Math.min(AUTO_THREAD_LIMIT, availableParallelism(), Math.floor(visits / WORTH_A_THREAD) + 1),
  );
}

/** Up to `count` workers; they are kept for the next call and never keep the process alive. */
function workers(count: number): Worker[] {
  if (pool.length < count && existsSync(fileURLToPath(workerFile))) {
    while (pool.length < count) pool.push(startWorker());
  }
  return pool.slice(0, count);
}

function startWorker(): Worker {
  const worker = new Worker(workerFile, { execArgv: [] });
  worker.unref();
  // A failed worker costs speed, not results: forget it, the caller computes what it leaves.
  const forget = (): void => {
    const index = pool.indexOf(worker);
    if (index >= 0) pool.splice(index, 1);
  };
  worker.on('error', forget);
  worker.on('exit', forget);
  return worker;
}
