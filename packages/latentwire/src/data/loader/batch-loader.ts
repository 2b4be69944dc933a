/**
 * Batches composed ahead of the step that needs them, by worker threads. Order and content are those of composing each
 * batch in the main thread, for any number of workers: where a request is a function of its step, so is a batch, and the
 * loader's whole state is a step number, so a resumed run starts one at step s without replay.
 *
 * At most workers × prefetch batches are composed or wait at any time. A worker that dies, and a batch that cannot be
 * composed, end `next()` with an error that names the step; `close` ends all threads.
 */
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { LatentWireError } from '../../errors.js';
import type { Composer, ComposingModule, WorkerAnswer, WorkerStart, WorkerTask } from './composer.js';

export interface BatchLoaderOptions<Data, Request> {
  /** Address of a module with `createComposer`. */
  readonly module: URL;
  /** Given to every thread once: plain data and typed arrays; what lies in SharedArrayBuffers is not copied. */
  readonly data: Data;
  /** What to compose for a step. Called in the main thread, once for each step, in order, workers × prefetch steps ahead. */
  readonly request: (step: number) => Request;
  /** First step. */
  readonly start: number;
  /** One more than the last step. */
  readonly end: number;
  /** Threads; 0: batches are composed in the main thread when they are asked for. */
  readonly workers: number;
  /** Batches ahead per thread, at least 1. */
  readonly prefetch: number;
}

type Outcome = { readonly batch: unknown } | { readonly error: string };

interface WorkerState {
  readonly worker: Worker;
  /** Steps it was asked for and has not answered. */
  readonly steps: Set<number>;
}

export class BatchLoader<Batch, Data = unknown, Request = unknown> {
  readonly #options: BatchLoaderOptions<Data, Request>;
  readonly #workers: WorkerState[] = [];
  /** Composed (or failed) and not yet asked for, by step. */
  readonly #ready = new Map<number, Outcome>();
  #inline: Composer<Request, Batch> | undefined;
  /** Next step to ask a worker for. */
  #asked: number;
  #position: number;
  #waiting: (() => void) | undefined;
  #failure: LatentWireError | undefined;
  #closed = false;

  /** Starts the threads and asks for the first batches. */
  constructor(options: BatchLoaderOptions<Data, Request>) {
    this.#options = options;
    this.#position = options.start;
    this.#asked = options.start;
    const count = Math.min(options.workers, Math.max(0, options.end - options.start));
    const start: WorkerStart = { module: options.module.href, data: options.data };
    for (let index = 0; index < count; index++) this.#workers.push(this.#startWorker(index, start));
    this.#askAhead();
  }

  /** Step of the batch that `next` gives. */
  get position(): number {
    return this.#position;
  }

  /**
   * The batch of the next step.
   * @throws LatentWireError `internal` when it cannot be composed or a thread died, `state` after the end or `close`
   */
  async next(): Promise<Batch> {
    const step = this.#position;
    if (this.#closed || step >= this.#options.end) {
      const reason = this.#closed ? 'the loader is closed' : `the last step is ${this.#options.end - 1}`;
      throw new LatentWireError(`expected a batch for step ${step}, got none: ${reason}`, { code: 'state' });
    }
    const batch = this.#workers.length === 0 ? await this.#composeHere(step) : await this.#take(step);
    this.#position = step + 1;
    this.#askAhead();
    return batch;
  }

  /** Ends all threads; what they were composing is dropped. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#ready.clear();
    this.#wake();
    await Promise.all(this.#workers.map(({ worker }) => worker.terminate()));
  }

  async #composeHere(step: number): Promise<Batch> {
    if (this.#inline === undefined) {
      const { module, data } = this.#options;
      const loaded = (await import(module.href)) as ComposingModule<Data, Request, Batch>;
      this.#inline = loaded.createComposer(data);
    }
    try {
      return await this.#inline(this.#options.request(step));
    } catch (error) {
      throw cannotCompose(step, error instanceof Error ? error.message : String(error), error);
    }
  }

  async #take(step: number): Promise<Batch> {
    while (!this.#ready.has(step)) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#closed) {
        throw new LatentWireError(`the loader was closed while step ${step} was waited for`, {
          code: 'state',
        });
      }
      // Threads keep the process alive only while somebody waits for them.
      for (const { worker } of this.#workers) worker.ref();
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
      for (const { worker } of this.#workers) worker.unref();
    }
    const outcome = this.#ready.get(step)!;
    this.#ready.delete(step);
    if ('error' in outcome) throw cannotCompose(step, outcome.error);
    return outcome.batch as Batch;
  }

  /** Fills the window of steps ahead, each with the thread that has least to do. */
  #askAhead(): void {
    const { prefetch, end, request } = this.#options;
    const window = Math.min(end, this.#position + this.#workers.length * Math.max(1, prefetch));
    while (this.#workers.length > 0 && this.#failure === undefined && this.#asked < window) {
      const step = this.#asked++;
      const state = this.#workers.reduce((a, b) => (b.steps.size < a.steps.size ? b : a));
      state.steps.add(step);
      const task: WorkerTask = { step, request: request(step) };
      state.worker.postMessage(task);
    }
  }

  #startWorker(index: number, start: WorkerStart): WorkerState {
    const file = fileURLToPath(new URL('./loader-worker.js', import.meta.url));
    const worker = new Worker(file, { workerData: start, name: `batches-${index}` });
    worker.unref();
    const state: WorkerState = { worker, steps: new Set() };
    worker.on('message', (answer: WorkerAnswer) => {
      state.steps.delete(answer.step);
      if (!this.#closed) this.#ready.set(answer.step, answer);
      this.#wake();
    });
    worker.on('error', (error) => this.#fail(index, state, error.message, error));
    worker.on('exit', (code) => {
      if (!this.#closed) this.#fail(index, state, `it ended with code ${code}`);
    });
    return state;
  }

  #fail(index: number, { steps }: WorkerState, reason: string, cause?: unknown): void {
    if (this.#failure !== undefined || this.#closed) return;
    const at = steps.size === 0 ? '' : ` while composing step ${Math.min(...steps)}`;
    this.#failure = new LatentWireError(`batch worker ${index} died${at}: ${reason}`, {
      code: 'internal',
      hint: 'continue with --num-workers 0, which composes batches in the main thread',
      cause,
    });
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }
}

function cannotCompose(step: number, reason: string, cause?: unknown): LatentWireError {
  return new LatentWireError(`cannot compose the batch of step ${step}: ${reason}`, {
    code: 'internal',
    cause,
  });
}
