/**
 * Claims: who works on what, with nothing but files, safe between shells, machines and network file systems.
 *
 * A claim is a series of small files `name.1`, `name.2`, …; the holder of the highest number holds the claim. A
 * number is taken by link(2), which is atomic on local disks and NFS alike, so of several that want the next
 * number exactly one gets it. Nothing is ever deleted, so an old number can never be taken twice. A claim may
 * be taken over when its holder released it, when its process is gone (same machine), or when the holder's
 * heartbeat is older than the lease (other machine). Ages are differences of times that the file server set,
 * so clocks of machines need not agree.
 */
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { LatentWireError } from '../../errors.js';
import { writeJsonAtomic } from '../../telemetry/index.js';
import { isAlive, type ProcessIdentity, processIdentity } from './process-identity.js';

/** What a claim file says. */
export interface ClaimRecord {
  readonly owner: string;
  readonly holder: ProcessIdentity;
  /** What does the work, when it is another process; it may outlive the holder. */
  readonly worker: ProcessIdentity | null;
  readonly claimed_at: string;
  readonly released: boolean;
  /** Anything the executor needs to find the work again, e.g. a job number. */
  readonly detail: Readonly<Record<string, unknown>> | null;
}

export type ClaimState =
  | { readonly kind: 'free' }
  /** Held by a process that lives, as far as can be known. */
  | { readonly kind: 'held'; readonly record: ClaimRecord }
  /** The holder is gone without releasing it. */
  | { readonly kind: 'abandoned'; readonly record: ClaimRecord };

export interface ClaimOptions {
  /** A heartbeat older than this ends the claim of a holder that cannot be asked. */
  readonly leaseSeconds?: number;
}

const LEASE_SECONDS = 60;
const BEATS_PER_LEASE = 6;

/** One owner's view of a folder of claims. */
export class Claims {
  readonly owner: string = randomUUID();
  readonly leaseSeconds: number;
  readonly #folder: string;
  readonly #held = new Set<Claim>();
  #timer: NodeJS.Timeout | undefined;

  /** Creates the folder; beats begin with the first claim. */
  constructor(folder: string, options: ClaimOptions = {}) {
    this.#folder = folder;
    this.leaseSeconds = options.leaseSeconds ?? LEASE_SECONDS;
  }

  look(name: string): ClaimState {
    return this.#read(name).state;
  }

  /** Takes `name` if it is free or abandoned; undefined when somebody else holds it or was faster. */
  tryClaim(name: string): Claim | undefined {
    fs.mkdirSync(this.#folder, { recursive: true });
    const { number, state } = this.#read(name);
    if (state.kind === 'held') return undefined;
    this.#beat();
    const inherited = state.kind === 'abandoned' ? state.record : undefined;
    const record: ClaimRecord = {
      owner: this.owner,
      holder: processIdentity(process.pid),
      worker: inherited?.worker ?? null,
      claimed_at: new Date().toISOString(),
      released: false,
      detail: inherited?.detail ?? null,
    };
    const file = this.#file(name, number + 1);
    if (!this.#link(file, record)) return undefined;
    const claim = new Claim(file, this.#file(name, number + 2), record, inherited, () => {
      this.#held.delete(claim);
      if (this.#held.size === 0) this.#stop();
    });
    this.#held.add(claim);
    this.#timer ??= setInterval(() => this.#beat(), (1000 * this.leaseSeconds) / BEATS_PER_LEASE).unref();
    return claim;
  }

  /** Releases what is held and removes the heartbeat. */
  close(): void {
    for (const claim of [...this.#held]) claim.release();
    this.#stop();
    this.#remove(this.#beatFile(this.owner));
  }

  #read(name: string): { readonly number: number; readonly state: ClaimState } {
    let number = 0;
    let found: string | undefined;
    // By name, not by listing: a listing may be a cached one, an open is not (close-to-open consistency).
    for (let text = readText(this.#file(name, 1)); text !== undefined; ) {
      number += 1;
      found = text;
      text = readText(this.#file(name, number + 1));
    }
    if (found === undefined) return { number, state: { kind: 'free' } };
    const record = parseClaim(found, this.#file(name, number));
    if (record.released) return { number, state: { kind: 'free' } };
    return { number, state: { kind: this.#holds(record) ? 'held' : 'abandoned', record } };
  }

  #holds(record: ClaimRecord): boolean {
    if (record.owner === this.owner) return true;
    const alive = isAlive(record.holder);
    if (alive !== undefined) return alive;
    const age = this.#ageSeconds(record.owner);
    return age !== undefined && age < this.leaseSeconds;
  }

  /** Seconds since the last heartbeat of `owner`, by the clock of the file server. */
  #ageSeconds(owner: string): number | undefined {
    const beat = fs.statSync(this.#beatFile(owner), { throwIfNoEntry: false });
    if (beat === undefined) return undefined;
    return (this.#serverNow() - beat.mtimeMs) / 1000;
  }

  /** Milliseconds by the clock that sets the times of files here; by our own where we may only look. */
  #serverNow(): number {
    const probe = path.join(this.#folder, `.probe-${this.owner}`);
    try {
      fs.writeFileSync(probe, '');
      return fs.statSync(probe).mtimeMs;
    } catch {
      return Date.now();
    } finally {
      this.#remove(probe);
    }
  }

  #remove(file: string): void {
    try {
      fs.rmSync(file, { force: true });
    } catch {
      // Only looked at, or a server away for a while: a leftover harms nobody.
    }
  }

  /** A write, not utimes: the server then sets the time. */
  #beat(): void {
    try {
      fs.writeFileSync(this.#beatFile(this.owner), `${process.pid}\n`);
    } catch {
      // A full disk or a server away for a while: the next beat tries again, the lease allows for several.
    }
  }

  /** O_EXCL by link: the temporary's link count tells the truth even when the reply of the server got lost. */
  #link(file: string, record: ClaimRecord): boolean {
    const temporary = path.join(this.#folder, `.new-${this.owner}-${randomUUID()}`);
    fs.writeFileSync(temporary, `${JSON.stringify(record)}\n`, { flag: 'wx' });
    try {
      fs.linkSync(temporary, file);
      return true;
    } catch (error) {
      if (fs.statSync(temporary).nlink === 2) return true;
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw new LatentWireError(`cannot claim ${file}: ${(error as Error).message}`, {
        code: 'io',
        cause: error,
      });
    } finally {
      fs.rmSync(temporary, { force: true });
    }
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #file(name: string, number: number): string {
    return path.join(this.#folder, `${name}.${number}`);
  }

  #beatFile(owner: string): string {
    return path.join(this.#folder, `.beat-${owner}`);
  }
}

/** A claim that is held. */
export class Claim {
  /** The record of a holder that left without releasing it, its worker perhaps still at work. */
  readonly inherited: ClaimRecord | undefined;
  readonly #file: string;
  readonly #successor: string;
  readonly #onRelease: () => void;
  #record: ClaimRecord;

  /** Use `Claims.tryClaim`. */
  constructor(
    file: string,
    successor: string,
    record: ClaimRecord,
    inherited: ClaimRecord | undefined,
    onRelease: () => void,
  ) {
    this.#file = file;
    this.#successor = successor;
    this.#record = record;
    this.inherited = inherited;
    this.#onRelease = onRelease;
  }

  /** Somebody took it over, because this process looked dead (suspended, or cut off from the file server). */
  get lost(): boolean {
    return fs.existsSync(this.#successor);
  }

  /** Records what does the work, before it begins. @throws LatentWireError `io` */
  setWorker(worker: ProcessIdentity | null, detail: ClaimRecord['detail'] = null): void {
    this.#write({ ...this.#record, worker, detail });
  }

  /** @throws LatentWireError `io` */
  release(): void {
    this.#onRelease();
    if (!this.lost) this.#write({ ...this.#record, released: true });
  }

  #write(record: ClaimRecord): void {
    this.#record = record;
    writeJsonAtomic(this.#file, { ...record });
  }
}

function readText(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new LatentWireError(`cannot read ${file}: ${(error as Error).message}`, {
      code: 'io',
      cause: error,
    });
  }
}

function parseClaim(text: string, file: string): ClaimRecord {
  try {
    return JSON.parse(text) as ClaimRecord;
  } catch (error) {
    throw new LatentWireError(`${file} is not a claim`, {
      code: 'format',
      hint: 'it was changed by something else: delete that file when nothing runs',
      cause: error,
    });
  }
}
