import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cudaIsAvailable, type Device } from './device.js';
import { digestText, tensorDigests } from './digest.js';
import { contiguous, fromBytes, rand, tensor, transpose, zeros } from './ops/index.js';
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

  const devices: readonly Device[] = cudaIsAvailable() ? ['cpu', 'cuda'] : ['cpu'];
  it.each(devices)('is the same of tensors that are read in pieces: views, %s', (device) => {
    const [rows, columns] = [4096 + 3, 2048];
    scope(() => {
      // 33.6 MB: three pieces, beside small ones, one without elements and a scalar.
      const large = rand([columns, rows]);
      const parts = [large, rand([3, 5]), zeros([0, 2]), tensor([[1, 2]], { dtype: 'int64' })];
      const whole = parts.map((part) => contiguous(transpose(part, 0, 1)));
      const views = parts.map((part) => transpose(part.to({ device }), 0, 1));
      expect(tensorDigests(views)).toEqual(tensorDigests(whole));
      expect(tensorDigests([views[0]!, tensor(7), views[1]!])).toEqual(
        tensorDigests([whole[0]!, tensor(7), whole[1]!]),
      );
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
