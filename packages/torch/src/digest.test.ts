import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { digestText, tensorDigests } from './digest.js';
import { fromBytes, tensor, transpose } from './ops/index.js';
import { scope } from './scope.js';

const golden = JSON.parse(readFileSync(new URL('golden/xxh64.json', import.meta.url), 'utf8')) as Record<
  string,
  string
>;

describe('tensorDigests', () => {
  it('is XXH64, as the reference library computes it, for every length class', () => {
    const data = Uint8Array.from({ length: 4096 }, (_, i) => (i * 131 + 7) % 256);
    scope(() => {
      for (const [length, expected] of Object.entries(golden)) {
        const part = fromBytes(data.slice(0, Number(length)), [Number(length)], 'uint8');
        expect(digestText(tensorDigests([part])[0]!), `${length} bytes`).toBe(expected);
      }
    });
  });

  it('is of the elements in row-major order, wherever they lie', () => {
    scope(() => {
      const a = tensor([
        [1, 2],
        [3, 4],
      ]);
      const b = tensor([
        [1, 3],
        [2, 4],
      ]);
      const [first, second, third] = tensorDigests([transpose(a, 0, 1), b, a]);
      expect(first).toBe(second);
      expect(first).not.toBe(third);
    });
  });
});
