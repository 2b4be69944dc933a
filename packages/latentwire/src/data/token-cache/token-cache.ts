/**
 * Token ids on disk, so that a dataset is tokenised once: for the next attempt of a run, for the next seed, for every
 * cell of a plan. An entry is one safetensors file named by what it was made from (the caller's key is a content hash),
 * written under a temporary name and renamed, with a digest that is checked on every read. A damaged entry is made anew;
 * nothing about the cache can change a result or stop a run. When the folder grows beyond its limit, the entries that
 * were not used for longest go.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import path from 'node:path';
import * as t from '@latentwire/torch';

export interface TokenCacheOptions {
  readonly folder: string;
  /** Bytes that all entries may take together. */
  readonly limitBytes: number;
  readonly onWarning: (message: string) => void;
  /** @internal Fault injection. */
  readonly operations?: t.FileOperations;
}

const FORMAT = 'latentwire-tokens-1';
const SUFFIX = '.safetensors';

export class TokenCache {
  readonly #options: TokenCacheOptions;

  constructor(options: TokenCacheOptions) {
    this.#options = options;
  }

  /**
   * The lists of ids stored under `key`, or those that `compute` gives, which are stored then.
   * @param key hex digest of everything that the ids depend on
   */
  async get(key: string, compute: () => Promise<Int32Array[]>): Promise<Int32Array[]> {
    const file = path.join(this.#options.folder, `${key}${SUFFIX}`);
    const stored = this.#read(file, key);
    if (stored !== undefined) return stored;
    const lists = await compute();
    this.#write(file, key, lists);
    return lists;
  }

  #read(file: string, key: string): Int32Array[] | undefined {
    if (!existsSync(file)) return undefined;
    try {
      const lists = readEntry(file, key);
      const now = new Date();
      utimesSync(file, now, now);
      return lists;
    } catch (error) {
      this.#options.onWarning(`${file} is damaged and is made anew (${reason(error)})`);
      return undefined;
    }
  }

  #write(file: string, key: string, lists: readonly Int32Array[]): void {
    const { folder, limitBytes, operations } = this.#options;
    const lengths = Int32Array.from(lists, ({ length }) => length);
    const ids = new Int32Array(lengths.reduce((a, b) => a + b, 0));
    let at = 0;
    for (const list of lists) {
      ids.set(list, at);
      at += list.length;
    }
    if (ids.byteLength + lengths.byteLength > limitBytes) return;
    try {
      mkdirSync(folder, { recursive: true });
      const raw = (data: Int32Array) => ({ dtype: 'int32', shape: [data.length], data }) as const;
      t.writeSafetensors(
        file,
        { lengths: raw(lengths), ids: raw(ids) },
        { digest: true, metadata: { format: FORMAT, key }, ...(operations && { operations }) },
      );
      this.#makeRoom(file);
    } catch (error) {
      this.#options.onWarning(`tokens are not kept in ${folder} (${reason(error)})`);
    }
  }

  /** Removes the entries used longest ago until the rest fits; never `newest`. */
  #makeRoom(newest: string): void {
    const { folder, limitBytes } = this.#options;
    const entries = readdirSync(folder)
      .filter((name) => name.endsWith(SUFFIX))
      .flatMap((name) => {
        const file = path.join(folder, name);
        // Another process may have removed it meanwhile.
        const stat = statSync(file, { throwIfNoEntry: false });
        return stat === undefined ? [] : [{ file, bytes: stat.size, used: stat.mtimeMs }];
      })
      .sort((a, b) => a.used - b.used);
    let total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { file, bytes } of entries) {
      if (total <= limitBytes) return;
      if (file === newest) continue;
      rmSync(file, { force: true });
      total -= bytes;
    }
  }
}

/** @throws when the file is no whole entry of this key */
function readEntry(file: string, key: string): Int32Array[] {
  using stored = t.openSafetensors(file);
  if (stored.metadata.format !== FORMAT || stored.metadata.key !== key) {
    throw new Error('it is of another format or key');
  }
  stored.verifyDigest();
  const [lengths, ids] = t.scope(() =>
    ['lengths', 'ids'].map((name) => {
      const bytes = stored.load(name).toBytes();
      return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    }),
  );
  let at = 0;
  return Array.from(lengths!, (length) => {
    at += length;
    return ids!.slice(at - length, at);
  });
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
