/**
 * Recorded steps: a function of host data that runs the same operators each time is captured as a CUDA graph and
 * launched with one call, which removes the cost of issuing thousands of small kernels. The function needs no second
 * form: it is walked again to collect its host data, and each call it makes must repeat the recorded one.
 *
 * Rules for such a function: shapes and numbers passed to operators depend on its key alone (what varies goes in as
 * tensors made from typed arrays); values are read after it, not inside; changes it makes to tensors from outside are
 * in place; JavaScript state that it changes is changed at each run, as always.
 */
import type { Device } from '../device.js';
import { TorchError } from '../error.js';
import { native } from '../native.js';

/** How often each way was taken. */
export interface RecordedStepCounts {
  readonly plain: number;
  readonly recorded: number;
  readonly launched: number;
  /** Walks that differed from their recording and were run plainly. */
  readonly mismatches: number;
}

interface Recording {
  readonly step: number;
  readonly result: unknown;
  /** The run it was last used in. */
  used: number;
}

/** A recording that was not used for this many times the limit of them is not expected back. */
const STALE_LIMITS = 4;

/** Whether steps can be captured here: a CUDA device is there, and the set-up found CUDA's headers. */
export const graphsAvailable = (): boolean => native.graphsAvailable();

export class RecordedSteps implements Disposable {
  /** The least recently used first. */
  readonly #recordings = new Map<string, Recording>();
  #runs = 0;
  /** How often a key was run plainly: the first time makes tables and workspaces, a later one is recorded. */
  readonly #seen = new Map<string, number>();
  readonly #mode: 'capture' | 'rehearse' | 'off';
  readonly #limit: number;
  readonly #plainRuns: number;
  readonly #makeRoom: () => void;
  readonly #emptyCache: () => void;
  readonly #pays: (key: string) => boolean;
  #counts = { plain: 0, recorded: 0, launched: 0, mismatches: 0 };

  /**
   * @param options.mode `capture` (default) launches graphs where this machine can, `off` runs everything plainly.
   * `rehearse` runs plainly too, but walks each recording first: it tells on any machine whether steps are fit to be
   * captured.
   * @param options.limit most recordings kept; a key beyond it takes the place of one that was not used for long, or else
   * runs plainly
   * @param options.plainRuns runs of a key before it is recorded, at least 1 (default): a recording pays only for keys that come
   * back
   * @param options.makeRoom called before a recording; default: gives back what torch's allocator keeps for later
   * @param options.pays asked before a recording: it pays only where issuing a step takes longer than computing it
   */
  constructor(
    options: {
      mode?: 'capture' | 'rehearse' | 'off';
      limit?: number;
      plainRuns?: number;
      device?: Device;
      pays?: (key: string) => boolean;
      makeRoom?: () => void;
    } = {},
  ) {
    const { mode = 'capture', limit = 256, plainRuns = 1, device = 'cuda', pays = () => true } = options;
    this.#pays = pays;
    this.#plainRuns = Math.max(1, plainRuns);
    this.#mode = mode === 'capture' && !native.graphsAvailable() ? 'off' : mode;
    // Graphs have a memory pool of their own: what the plain run left in the other one would be held twice.
    this.#emptyCache = () => this.capturing && native.emptyCache(device);
    this.#makeRoom = options.makeRoom ?? this.#emptyCache;
    this.#limit = limit;
    if (this.#mode === 'capture') native.useOwnStream(device);
  }

  /** Whether graphs are captured here. */
  get capturing(): boolean {
    return this.#mode === 'capture';
  }

  get counts(): RecordedStepCounts {
    return { ...this.#counts };
  }

  /**
   * Runs `body`, from its second time on as one launch. What lacks the memory to be recorded goes on plainly.
   * @param key everything that decides which operators run on which shapes
   * @returns the result of `body`; its tensors are overwritten by the next run of any key, so read them before that
   */
  run<T>(key: string, body: () => T): T {
    if (this.#mode === 'off') return this.#plain(body);
    this.#runs++;
    const recording = this.#recordings.get(key);
    if (recording !== undefined) {
      const walked = walk(recording.step, body);
      if (walked.whole) {
        this.#counts.launched++;
        recording.used = this.#runs;
        this.#recordings.delete(key);
        this.#recordings.set(key, recording);
        if (this.#mode === 'rehearse') return body();
        native.launch(recording.step, true);
        return walked.result as T;
      }
      native.forgetStep(recording.step);
      this.#recordings.delete(key);
      this.#seen.set(key, Number.NEGATIVE_INFINITY);
      this.#counts.mismatches++;
      return this.#plain(body);
    }
    const seen = this.#seen.get(key) ?? 0;
    this.#seen.set(key, seen + 1);
    if (seen < this.#plainRuns || !this.#pays(key) || !this.#hasPlace()) return this.#plain(body);
    this.#makeRoom();
    const recorded = this.#record(body);
    if (recorded === null) {
      this.#seen.set(key, Number.NEGATIVE_INFINITY);
      return this.#plain(body);
    }
    const { step, result } = recorded;
    this.#recordings.set(key, { step, result, used: this.#runs });
    if (this.capturing) native.launch(step, false);
    this.#counts.recorded++;
    return result;
  }

  /** Whether there may be one more recording; a stale one goes for it. */
  #hasPlace(): boolean {
    if (this.#recordings.size < this.#limit) return true;
    const [oldest] = this.#recordings;
    if (oldest === undefined) return false;
    const [key, { step, used }] = oldest;
    if (this.#runs - used <= STALE_LIMITS * this.#limit) return false;
    native.forgetStep(step);
    this.#recordings.delete(key);
    return true;
  }

  /** Null where there is not enough memory for it: a plain run needs less, since it takes what others left. */
  #record<T>(body: () => T): { step: number; result: T } | null {
    for (const again of [true, false]) {
      try {
        return record(body, this.capturing);
      } catch (error) {
        if (!(error instanceof TorchError && error.outOfMemory)) throw error;
        if (again) this.#emptyCache();
      }
    }
    return null;
  }

  /**
   * Runs `body` `times` times in a row. It takes no host data, so once it was launched it is launched again without
   * another walk.
   */
  repeat(key: string, body: () => void, times: number): void {
    let left = times;
    while (left > 0) {
      const before = this.#counts.launched;
      this.run(key, body);
      left--;
      if (this.#mode !== 'capture' || this.#counts.launched === before) continue;
      const { step } = this.#recordings.get(key)!;
      this.#counts.launched += left;
      for (; left > 0; left--) native.launch(step, false);
    }
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Frees all recordings and what they returned. */
  dispose(): void {
    for (const { step } of this.#recordings.values()) native.forgetStep(step);
    this.#recordings.clear();
  }

  #plain<T>(body: () => T): T {
    this.#counts.plain++;
    return body();
  }
}

/** Runs `body` and notes its calls. @internal exported for tests */
export function record<T>(body: () => T, capture: boolean): { step: number; result: T } {
  const step = native.recordBegin(capture);
  let result: T;
  try {
    result = body();
    if (result instanceof Promise) throw new TorchError('a recorded step must be synchronous');
    native.recordEnd(step);
  } catch (error) {
    native.recordAbort(step);
    throw error;
  }
  return { step, result };
}

/** Runs `body` against a recording: nothing is executed. @internal exported for tests */
export function walk<T>(step: number, body: () => T): { whole: boolean; result?: T } {
  native.walkBegin(step);
  try {
    const result = body();
    return { whole: native.walkEnd(), result };
  } catch (error) {
    // A call that differs ends the walk; every other error is the body's own.
    if (native.walkEnd() || !(error instanceof TorchError)) throw error;
    return { whole: false };
  }
}
