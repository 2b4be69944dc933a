/** Rotary frequencies of published models, as transformers derives them (golden/make_rope.py). */
import { readFileSync } from 'node:fs';
import * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import type { Rope } from '../config/index.js';
import { inverseFrequencies, ropeTable } from './rope.js';

interface Row {
  readonly name: string;
  readonly rope: Rope;
  readonly head_dim: number;
  readonly frequencies: string;
}
const rows = JSON.parse(readFileSync(new URL('golden/rope.json', import.meta.url), 'utf8')) as Row[];

describe('inverse frequencies', () => {
  it.each(rows)('of $name equal those of transformers', ({ rope, head_dim, frequencies }) => {
    const golden = new Float32Array(new Uint8Array(Buffer.from(frequencies, 'base64')).buffer);
    const ours = inverseFrequencies(rope, head_dim);
    expect(ours.length).toBe(golden.length);
    let worst = 0;
    golden.forEach((expected, i) => {
      worst = Math.max(worst, Math.abs(ours[i]! / expected - 1));
    });
    // Two steps of float32: libtorch's vectorised power is itself not correctly rounded.
    expect(worst).toBeLessThan(2 ** -22);
  });
});

describe('rotation', () => {
  const rope: Rope = { theta: 1e4, scaling: { kind: 'none' } };

  it('turns each pair (i, i + d/2) by position times frequency', () => {
    t.scope(() => {
      const d = 8;
      const { cos, sin } = ropeTable(rope, d, 300, 'float32', 'cpu');
      const positions = [0, 1, 17, 299];
      const index = t.tensor(positions, { dtype: 'int64' });
      const rows = (table: t.Tensor): t.Tensor => t.view(t.indexSelect(table, 0, index), [1, 4, 1, d]);
      const x = Array.from({ length: d }, (_, i) => Math.sin(i + 1));
      const turned = t.nn.rotate(t.tensor([positions.map(() => [x])]), rows(cos), rows(sin));
      const frequencies = inverseFrequencies(rope, d);
      positions.forEach((position, p) => {
        const values = t.select(t.select(turned, 0, 0), 0, p).toArray();
        for (let i = 0; i < d / 2; i++) {
          const angle = position * frequencies[i]!;
          const [a, b] = [x[i]!, x[i + d / 2]!];
          expect(values[i]).toBeCloseTo(a * Math.cos(angle) - b * Math.sin(angle), 4);
          expect(values[i + d / 2]).toBeCloseTo(b * Math.cos(angle) + a * Math.sin(angle), 4);
        }
      });
      for (const table of [cos, sin]) table.dispose();
    });
  });
});
