/** docs/WIRE-FORMAT.md says what the code does. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeMessage, encodeMessage, messageBytes } from './message.js';
import { fixedStep, quantisation } from './quantisation.js';
import type { WireId } from './wire-id.js';

const text = readFileSync(new URL('../../../../../docs/WIRE-FORMAT.md', import.meta.url), 'utf8');

describe('docs/WIRE-FORMAT.md', () => {
  it('shows the bytes of its example', () => {
    const hex = /^4c 57[0-9a-f ]+$/m.exec(text)![0];
    const values = Float32Array.from([0.5, -1.25, 2, 0, -0.02, 0.01, 0.03, -0.04]);
    const bytes = encodeMessage(
      { count: 2, width: 4, values },
      { quantisation: quantisation(4, 4), wire: '6758366a' as WireId },
    );
    expect(Buffer.from(bytes).toString('hex')).toBe(hex.replaceAll(' ', ''));
    const { latents } = decodeMessage(bytes);
    expect([...latents.values.subarray(0, 4)]).toEqual([0.421875, -1.265625, 2.109375, 0.140625]);
    expect([...latents.values.subarray(4)]).toEqual([-3.5, 1.5, 5.5, -7.5].map((n) => n * 0.00537109375));
  });

  it('states sizes and steps as they are', () => {
    const columns = [
      quantisation(32, 0),
      quantisation(16, 0),
      quantisation(8, 32),
      quantisation(4, 32),
      quantisation(4, 0),
      quantisation(2, 0),
      quantisation(1, 0),
    ];
    const rows = [...text.matchAll(/^\| (\d+) × (\d+) \|(.*)\|$/gm)];
    expect(rows).toHaveLength(4);
    for (const [, m, width, cells] of rows) {
      const stated = cells!.split('|').map((cell) => Number(cell.replaceAll(',', '')));
      expect(stated).toEqual(columns.map((q) => messageBytes(q, Number(m), Number(width))));
    }
    const steps = /1 … 8 bits: ([\d, ]+)\./.exec(text)![1]!.split(',').map(Number);
    expect(steps).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((bits) => fixedStep(bits) * 2048));
  });
});
