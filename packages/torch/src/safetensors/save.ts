/**
 * Saves a safetensors file from a native thread while JavaScript goes on: snapshot of the tensors, then an atomic and
 * durable write with a digest that is compared with what was read back. See native/save.h for the steps on disk.
 *
 *   const save = SafetensorsSave.start(path, tensors, { backup });
 *   …                          compute anything that does not change the tensors
 *   save.waitForSnapshot();    from here on they may change
 *   …
 *   const result = save.wait();
 */
import { constants } from 'node:os';
import { native } from '../native.js';
import type { Tensor } from '../tensor.js';
import { BLANK_FAST_DIGEST, digestPosition, FAST_DIGEST_KEY } from './digest.js';
import { SafetensorsError } from './error.js';
import { layOut, type TensorEntry } from './layout.js';
import { claimTemporary, releaseTemporary, removeStale } from './replace-file.js';

export interface SaveOptions {
  /** Where the file that is replaced stays until the new one is durable. In the same folder. */
  readonly backup: string;
  /** Free text pairs for the header. */
  readonly metadata?: Readonly<Record<string, string>>;
  /**
   * Copy the tensors first (default), so that they may change while the file is written. Without it CPU tensors are
   * written from where they are: less memory and time, but they must not change before `wait` returns.
   */
  readonly snapshot?: boolean;
  /** @internal Fault injection. */
  readonly fault?: SaveFault;
}

/** Makes one system call of a save go wrong. */
export interface SaveFault {
  /** Number of the call, from 0. */
  readonly at: number;
  /**
   * error: it fails; kill, kill-after: SIGKILL before or after it; short: a write takes half of what it is given;
   * short-error: and then fails
   */
  readonly kind: 'error' | 'kill' | 'short-error' | 'short' | 'kill-after';
  readonly code?: 'ENOSPC' | 'EIO' | 'EDQUOT';
}

/** What a save did. Times in seconds. */
export interface SaveResult {
  /** Size of the file. */
  readonly bytes: number;
  /** Copying the tensors. */
  readonly snapshotSeconds: number;
  /** Writing, syncing and publishing, until the file is durable under its name. */
  readonly writeSeconds: number;
  /** From the start until the file is durable. */
  readonly seconds: number;
  /** Digest of the file: 16 hex digits. */
  readonly digest: string;
  /** System calls made. */
  readonly calls: number;
}

const FAULTS = ['error', 'kill', 'short-error', 'short', 'kill-after'] as const;

export class SafetensorsSave {
  readonly path: string;
  /** Size the file will have. */
  readonly bytes: number;
  readonly #temporary: string;
  readonly #id: number;
  #result: SaveResult | SafetensorsError | undefined;

  private constructor(path: string, tensors: ReadonlyMap<string, Tensor>, options: SaveOptions) {
    const { header, entries, fileBytes } = planFile(path, tensors, options.metadata);
    this.path = path;
    this.bytes = fileBytes;
    removeStale(path);
    this.#temporary = claimTemporary(path);
    const { fault } = options;
    try {
      this.#id = native.saveStart(
        this.#temporary,
        path,
        options.backup,
        header,
        digestPosition(header, BLANK_FAST_DIGEST, FAST_DIGEST_KEY),
        entries.map(({ tensor }) => tensor.handle),
        options.snapshot ?? true,
        fault === undefined
          ? null
          : [fault.at, FAULTS.indexOf(fault.kind) + 1, constants.errno[fault.code ?? 'EIO']],
      );
    } catch (error) {
      releaseTemporary(this.#temporary);
      throw error;
    }
  }

  /**
   * Starts a save. One at a time: a second one is refused until the first has finished.
   * @throws SafetensorsError when a name or the metadata cannot be written
   */
  static start(path: string, tensors: ReadonlyMap<string, Tensor>, options: SaveOptions): SafetensorsSave {
    return new SafetensorsSave(path, tensors, options);
  }

  /** Makes the host memory for a snapshot of tensors on a GPU before the first save needs it: it has to be pinned. */
  static reserve(tensors: Iterable<Tensor>): void {
    native.saveReserve([...tensors].map(({ handle }) => handle));
  }

  /** Exact size in bytes of the file that these tensors and metadata make. */
  static fileBytes(
    tensors: ReadonlyMap<string, Tensor>,
    metadata?: Readonly<Record<string, string>>,
  ): number {
    return planFile('', tensors, metadata).fileBytes;
  }

  /** Returns when the tensors may change again. */
  waitForSnapshot(): void {
    if (this.#result === undefined) native.saveSnapshotWait(this.#id);
  }

  /** Whether `wait` returns at once. */
  get finished(): boolean {
    return this.#result !== undefined || native.saveFinished(this.#id);
  }

  /**
   * Waits until the file is durable. May be called again.
   * @throws SafetensorsError naming the system call that failed; the file that was there is then still there, at its
   *   own path or (only when even that could not be undone) at the backup's
   */
  wait(): SaveResult {
    this.#result ??= this.#take();
    if (this.#result instanceof SafetensorsError) throw this.#result;
    return this.#result;
  }

  #take(): SaveResult | SafetensorsError {
    const result = native.saveWait(this.#id);
    releaseTemporary(this.#temporary);
    const { bytes, digest, calls, snapshotSeconds, seconds, failedCall, errorCode, errorMessage } = result;
    if (failedCall !== undefined) {
      const cause = Object.assign(new Error(`${errorCode}: ${errorMessage}, ${failedCall}`), {
        code: errorCode,
      });
      return new SafetensorsError(`cannot write: ${errorMessage} (${errorCode}, in ${failedCall})`, {
        file: this.path,
        cause,
      });
    }
    const writeSeconds = result.writeSeconds + result.syncSeconds + result.publishSeconds;
    return { bytes, snapshotSeconds, writeSeconds, seconds, digest, calls };
  }
}

/** Removes what killed saves to `path` left behind; files of others are never touched. */
export function removeStaleSaves(path: string): void {
  removeStale(path);
}

interface Entry extends TensorEntry {
  readonly tensor: Tensor;
}

function planFile(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> | undefined,
): ReturnType<typeof layOut<Entry>> {
  const entries = [...tensors].map(
    ([name, tensor]): Entry => ({ name, dtype: tensor.dtype, shape: tensor.shape, tensor }),
  );
  try {
    return layOut(entries, { ...metadata, [FAST_DIGEST_KEY]: BLANK_FAST_DIGEST });
  } catch (error) {
    if (error instanceof RangeError)
      throw new SafetensorsError(error.message, { file: path, field: 'header' });
    throw error;
  }
}
