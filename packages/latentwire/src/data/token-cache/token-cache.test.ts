import * as fs from 'node:fs';
import path from 'node:path';
import type * as t from '@latentwire/torch';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/temporary-folder.js';
import { TokenCache, type TokenCacheOptions } from './token-cache.js';

const within = temporaryFolder();
let folder: string;
let warnings: string[];
let folders = 0;
beforeEach(() => {
  folder = within(`cache-${++folders}`);
  warnings = [];
});

const open = (more: Partial<TokenCacheOptions> = {}) =>
  new TokenCache({ folder, limitBytes: 1 << 20, onWarning: (message) => warnings.push(message), ...more });

const key = (n: number): string => n.toString(16).padStart(64, '0');
const lists = [Int32Array.of(1, 2, 3), new Int32Array(), Int32Array.of(-1, 2 ** 31 - 1)];

/** What the cache gives, and whether it had to compute. */
async function ask(
  cache: TokenCache,
  n: number,
  value = lists,
): Promise<{ ids: Int32Array[]; computed: boolean }> {
  let computed = false;
  const ids = await cache.get(key(n), async () => {
    computed = true;
    return value;
  });
  return { ids, computed };
}

const entries = (): string[] => (fs.existsSync(folder) ? fs.readdirSync(folder) : []);

describe('the token cache', () => {
  it('gives back what was computed once, for any lists', async () => {
    const list = fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })).map((a) => Int32Array.from(a));
    let n = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(list), async (value) => {
        n++;
        expect(await ask(open(), n, value)).toEqual({ ids: value, computed: true });
        expect(await ask(open(), n, [])).toEqual({ ids: value, computed: false });
      }),
      { numRuns: 30 },
    );
    expect(warnings).toEqual([]);
  });

  it('makes a damaged entry anew with a warning, whatever is wrong with it', async () => {
    await ask(open(), 1);
    const file = path.join(folder, entries()[0]!);
    const good = fs.readFileSync(file);
    const flipped = (at: number) => {
      const bytes = Buffer.from(good);
      bytes[at]! ^= 0x10;
      return bytes;
    };
    const damages = [
      ...Array.from({ length: Math.ceil(good.length / 16) }, (_, i) => flipped(i * 16)),
      good.subarray(0, good.length - 1),
      Buffer.alloc(0),
      Buffer.from('not an entry'),
    ];
    for (const damaged of damages) {
      fs.writeFileSync(file, damaged);
      warnings = [];
      expect(await ask(open(), 1)).toEqual({ ids: lists, computed: true });
      expect(warnings).toEqual([expect.stringContaining('is damaged and is made anew')]);
      expect(await ask(open(), 1)).toEqual({ ids: lists, computed: false });
    }
    // A whole entry of another key, as after a copy by hand.
    await ask(open(), 2, [Int32Array.of(9)]);
    fs.copyFileSync(path.join(folder, `${key(2)}.safetensors`), file);
    expect((await ask(open(), 1)).computed).toBe(true);
  });

  it('drops what was used longest ago when it grows beyond its limit', async () => {
    const big = [new Int32Array(1000)];
    const cache = open({ limitBytes: 14_000 });
    for (const n of [1, 2, 3]) {
      await ask(cache, n, big);
      const past = new Date(Date.now() - 1000 * (100 - n));
      fs.utimesSync(path.join(folder, `${key(n)}.safetensors`), past, past);
    }
    expect((await ask(cache, 1, big)).computed).toBe(false);
    await ask(cache, 4, big);
    expect(entries().sort()).toEqual([1, 3, 4].map((n) => `${key(n)}.safetensors`));
    await ask(open({ limitBytes: 100 }), 5, big);
    expect(entries()).not.toContain(`${key(5)}.safetensors`);
  });

  it('goes on without a disk', async () => {
    const operations: t.FileOperations = {
      ...fs,
      writeSync: () => {
        throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
      },
    };
    expect(await ask(open({ operations }), 1)).toEqual({ ids: lists, computed: true });
    expect(entries()).toEqual([]);
    fs.writeFileSync(within('file'), '');
    expect(await ask(open({ folder: within('file') }), 1)).toEqual({ ids: lists, computed: true });
    expect(warnings).toEqual([
      expect.stringContaining('tokens are not kept in'),
      expect.stringContaining('tokens are not kept in'),
    ]);
  });
});
