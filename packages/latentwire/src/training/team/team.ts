/**
 * The processes of one training. Between steps, in phases that take their time, they meet over the store: that waits
 * without blocking, sees signals, and learns that another one failed. Within a step they sum in one collective. A rank
 * that leaves tells the others why.
 */
import { existsSync, readFileSync } from 'node:fs';
import * as t from '@latentwire/torch';
import { LatentWireError } from '../../errors.js';
import { Interrupted, type Interruption, type SignalNotice } from '../../telemetry/index.js';
import type { Place } from './place.js';

export interface TeamOptions {
  /** What this process itself was asked. The others hear of it at the next meeting or step. */
  readonly interruption: Interruption;
  /** Longest time that a collective, or the start of the other processes, may take. */
  readonly timeoutSeconds: number;
}

/** Another process of the training failed, and so this one cannot go on. As with a broken disk, a new attempt may help. */
export class PeerFailed extends LatentWireError {}

const GONE = {
  code: 'io',
  hint: 'see the ends of logs/latest.log and logs/rank-*.log; the same command with --auto-resume goes on',
} as const;

/** How rank 0 ended. */
export interface Outcome {
  readonly state: 'completed' | 'preempted' | 'timeout';
  readonly steps: number;
}

const SHORTEST_POLL_MS = 2;
const LONGEST_POLL_MS = 100;
/** Seconds before the end of the grace time at which waiting for others ends: one of them may be gone. */
const MARGIN_SECONDS = 5;
const GOODBYE_MS = 5000;
const FAREWELL_MS = 10_000;
const LOOK_EVERY_MS = 200;
const POLL_DEVICE_MS = 0.03;

export class Team {
  readonly rank: number;
  readonly size: number;
  readonly #place: Place;
  readonly #options: TeamOptions;
  readonly #store: t.distributed.Store;
  #group: t.distributed.ProcessGroup | undefined;
  #backend: t.distributed.Backend | undefined;
  #meetings = 0;
  #stop: SignalNotice | undefined;

  /** @throws LatentWireError `state` when rank 0 cannot be reached in time, or its port is taken */
  constructor(place: Place, options: TeamOptions) {
    this.rank = place.rank;
    this.size = place.size;
    this.#place = place;
    this.#options = options;
    const { host, port } = place;
    const timeoutMs = options.timeoutSeconds * 1000;
    try {
      this.#store = new t.distributed.Store({ host, port, serves: this.leads, timeoutMs });
    } catch (cause) {
      throw new LatentWireError(`rank ${place.rank}: no meeting place at ${host}:${port}: ${textOf(cause)}`, {
        code: 'state',
        hint: this.leads ? 'choose another MASTER_PORT' : 'see why rank 0 does not serve it',
        cause,
      });
    }
  }

  /** Rank 0 alone writes the run directory. */
  get leads(): boolean {
    return this.rank === 0;
  }

  /** Set when all ranks know that they are to stop: at the same meeting, after the same step. */
  get agreedStop(): SignalNotice | undefined {
    return this.#stop;
  }

  /** Whether this process itself was asked to stop. */
  get asked(): boolean {
    return this.#options.interruption.requested();
  }

  /** Waits until every rank is here. @returns the notes of all, by rank */
  async meet<T>(name: string, note: T): Promise<T[]> {
    const number = this.#meetings++;
    const keys = Array.from({ length: this.size }, (_, rank) => `meeting ${number} ${name} ${rank}`);
    this.#speak(() => this.#store.set(keys[this.rank]!, JSON.stringify({ note, stop: this.#ownStop() })));
    await this.#until(keys);
    const all = this.#speak(() => keys.map((key) => JSON.parse(this.#store.get(key)) as Note<T>));
    const signal = all.find(({ stop }) => stop !== null)?.stop;
    if (signal != null) this.agreeToStop(signal);
    return all.map((one) => one.note);
  }

  /** What rank 0 says. */
  async fromLead<T>(name: string, note: T): Promise<T> {
    return (await this.meet(name, note))[0]!;
  }

  /** Work that all ranks do, and a meeting after it. @throws Interrupted on all ranks when one was asked to stop */
  async phase<T>(name: string, work: () => T | Promise<T>): Promise<T> {
    let result: { value: T } | undefined;
    try {
      result = { value: await work() };
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
    }
    await this.meet(name, null);
    if (this.#stop !== undefined) throw new Interrupted(this.#stop.name);
    return result!.value;
  }

  /** The same, rank 0 before the others: what it leaves in caches is there for them. */
  async leadFirst<T>(name: string, work: () => T | Promise<T>): Promise<T> {
    if (this.leads) {
      const value = await this.phase(`${name} of rank 0`, work);
      return this.phase(name, () => value);
    }
    await this.phase(`${name} of rank 0`, () => {});
    return this.phase(name, work);
  }

  /** Joins the ranks for collectives on tensors of `device`. @throws LatentWireError `state` on different devices */
  async connect(device: t.Device): Promise<void> {
    const kind = device === 'cpu' ? 'cpu' : 'cuda';
    const kinds = await this.meet('device', kind);
    const other = kinds.findIndex((one) => one !== kinds[0]);
    if (other >= 0) {
      throw new LatentWireError(`rank 0 is on ${kinds[0]}, rank ${other} on ${kinds[other]}`, {
        code: 'state',
        hint: 'start as many processes as there are GPUs, or say --device cpu',
      });
    }
    const { rank, size } = this;
    const backend = kind === 'cpu' ? 'gloo' : 'nccl';
    this.#backend = backend;
    this.#group = new t.distributed.ProcessGroup(this.#store, {
      ...{ rank, size, host: this.#place.host, timeoutMs: this.#options.timeoutSeconds * 1000 },
      backend,
    });
  }

  /** The sum over all ranks, in place. @returns what waits until it is there, on the device too */
  sum_(tensor: t.Tensor): () => void {
    const ticket = this.#collective(() => this.#group!.allReduce_(tensor));
    return () => this.#settle(ticket);
  }

  /** Rank 0's tensors into everybody's, in place. */
  takeFromLead_(tensors: Iterable<t.Tensor>): void {
    this.#collective(() => {
      for (const tensor of tensors) this.#group!.broadcast_(tensor, 0);
    });
  }

  /** To be called by all ranks after the same step or meeting. */
  agreeToStop(signal: string): void {
    this.#stop ??= {
      name: signal,
      monotonicMs: this.#options.interruption.receivedAtMs ?? performance.now(),
    };
  }

  /** Tells the others that this rank cannot go on, and leaves the steps that they wait for it in. */
  fail(error: unknown): void {
    try {
      if (error instanceof PeerFailed) return;
      if (!this.#store.has('failed')) {
        this.#store.set(
          'failed',
          JSON.stringify({ rank: this.rank, message: textOf(error) } satisfies Failure),
        );
      }
    } catch {
      // Rank 0 is gone, and with it the place to say it.
    } finally {
      // Gloo's others see the connection close. NCCL's would wait for its kernels here: they look at the store instead.
      if (this.#backend === 'gloo') this.disconnect();
    }
  }

  /** After a failure: gives rank 0 a moment to end first. The end of one task may be the end of all. */
  async farewell(): Promise<void> {
    const patience = performance.now() + FAREWELL_MS;
    try {
      while (!this.#store.has('ended') && performance.now() < patience) await pause(LONGEST_POLL_MS);
    } catch {
      // It is gone.
    }
  }

  /** Rank 0: tells the others how it ended, and waits a moment until they know. */
  async end(outcome: Outcome): Promise<void> {
    const others = Array.from({ length: this.size - 1 }, (_, i) => `goodbye ${i + 1}`);
    const patience = performance.now() + GOODBYE_MS;
    try {
      this.#store.set('ended', JSON.stringify(outcome));
      while (!this.#store.has(...others) && performance.now() < patience) await pause(SHORTEST_POLL_MS);
    } catch {
      // What rank 0 had to do is done.
    }
  }

  /** The other ranks: waits for the end of rank 0, which evaluates alone. */
  async ending(): Promise<Outcome> {
    await this.#until(['ended']);
    return this.#speak(() => {
      const outcome = JSON.parse(this.#store.get('ended')) as Outcome;
      this.#store.set(`goodbye ${this.rank}`, '');
      return outcome;
    });
  }

  /** Ends what `connect` began; all ranks do, when the last collective is over. */
  disconnect(): void {
    this.#group?.[Symbol.dispose]();
    this.#group = undefined;
  }

  /** Leaves; rank 0 takes the meeting place with it. Not after a failure: the end of the process does it then. */
  leave(): void {
    this.#store[Symbol.dispose]();
  }

  #ownStop(): string | null {
    return this.#options.interruption.signal ?? null;
  }

  /** Reading a sum would wait as well; this way a rank notices that another is gone, whose part of it never comes. */
  #settle(ticket: number): void {
    const { interruption } = this.#options;
    let look = performance.now() + LOOK_EVERY_MS;
    while (!this.#collective(() => this.#group!.isReduced(ticket))) {
      const now = performance.now();
      if (now > look) {
        look = now + LOOK_EVERY_MS;
        this.#failIfTold();
        if (interruption.requested() && interruption.secondsLeft() < MARGIN_SECONDS) {
          throw new PeerFailed(`a step does not end: a process of the ${this.size} is gone or stuck`, GONE);
        }
      }
      sleep(POLL_DEVICE_MS);
    }
  }

  async #until(keys: readonly string[]): Promise<void> {
    const { interruption } = this.#options;
    for (let wait = SHORTEST_POLL_MS; ; wait = Math.min(LONGEST_POLL_MS, wait * 1.5)) {
      if (this.#speak(() => this.#store.has(...keys))) return;
      this.#failIfTold();
      if (interruption.requested() && interruption.secondsLeft() < MARGIN_SECONDS) {
        throw new Interrupted(interruption.signal!);
      }
      await pause(wait);
    }
  }

  #collective<T>(action: () => T): T {
    try {
      return action();
    } catch (cause) {
      // Whoever failed says so before it goes; who was killed does not.
      for (let i = 0; i < 20; i++) {
        this.#failIfTold();
        sleep(50);
      }
      throw new PeerFailed(`a process of the ${this.size} is gone: ${textOf(cause)}`, { ...GONE, cause });
    }
  }

  #failIfTold(): void {
    const told =
      failureSeenByLauncher() ??
      this.#speak(() => (this.#store.has('failed') ? this.#store.get('failed') : undefined));
    if (told === undefined) return;
    throw endOfPeer(JSON.parse(told) as Failure, this.size);
  }

  #speak<T>(action: () => T): T {
    try {
      return action();
    } catch (cause) {
      sleep(LOOK_EVERY_MS);
      const seen = failureSeenByLauncher();
      if (seen !== undefined) throw endOfPeer(JSON.parse(seen) as Failure, this.size, cause);
      throw new PeerFailed(`rank 0 of ${this.size} is gone: ${textOf(cause)}`, { ...GONE, cause });
    }
  }
}

interface Note<T> {
  readonly note: T;
  /** The signal by which this rank was asked to stop. */
  readonly stop: string | null;
}

interface Failure {
  readonly rank: number;
  readonly message: string;
  /** The signal, when it was asked to stop before it could say so. */
  readonly stop?: string;
}

function endOfPeer({ rank, message, stop }: Failure, size: number, cause?: unknown): Error {
  if (stop !== undefined) return new Interrupted(stop);
  return new PeerFailed(`rank ${rank} of ${size} failed: ${message}`, {
    code: 'io',
    hint: rank === 0 ? 'see logs/latest.log' : `see logs/rank-${rank}_*.log`,
    cause,
  });
}

/** The launcher sees how each of its processes ends, a killed one too, and notes the first that failed in a file. */
function failureSeenByLauncher(): string | undefined {
  const file = process.env.LATENTWIRE_LAUNCH_FAILURE;
  if (file === undefined || !existsSync(file)) return undefined;
  return readFileSync(file, 'utf8');
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message.split('\n', 1)[0]! : String(error);
}

/** Waits without the event loop. */
function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
