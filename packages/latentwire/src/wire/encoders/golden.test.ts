/** The byte encoder's layer and the cross-attention pooler give what torch.nn gives. */
import { readFileSync } from 'node:fs';
import * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { TransformerLayer } from './byte-token-encoder.js';
import { QueryHead } from './query-head.js';

const [WIDTH, HEADS, SLOTS, LATENT] = [8, 2, 3, 4];
const LENGTHS = Int32Array.from([5, 3]);

const golden = JSON.parse(readFileSync(new URL('golden/encoders.json', import.meta.url), 'utf8')) as {
  readonly transformerLayer: readonly (readonly number[])[];
  readonly queryHead: readonly number[];
};

/** As in golden/make_encoders.py. */
function wave(shape: readonly number[], start: number): t.Tensor {
  const n = shape.reduce((a, b) => a * b, 1);
  return t.fromTypedArray(
    Float64Array.from({ length: n }, (_, i) => Math.sin(0.7 * i + start)),
    shape,
  );
}

/** Gives the parameters of each module (weight, then bias) the waves that start at `starts` and one later. */
function setWaves(modules: readonly (readonly [t.nn.Linear | t.nn.LayerNorm, number])[]): void {
  t.noGrad(() => {
    for (const [module, start] of modules) {
      t.copy_(module.weight, wave(module.weight.shape, start));
      t.copy_(module.bias!, wave(module.bias!.shape, start + 1));
    }
  });
}

function attentionWaves(attention: t.nn.MultiheadAttention, start: number): [t.nn.Linear, number][] {
  const { query, key, value, output } = attention;
  return [query, key, value, output].map((linear, i) => [linear, start + 2 * i]);
}

const real = (): t.Tensor =>
  t.tensor(
    Array.from(LENGTHS, (n) => Array.from({ length: 5 }, (_, i) => i < n)),
    { dtype: 'bool' },
  );

describe('against torch.nn', () => {
  it('TransformerLayer is a pre-norm TransformerEncoderLayer with a padding mask', () => {
    t.scope(() => {
      const layer = new TransformerLayer(WIDTH, HEADS, { dtype: 'float64' });
      setWaves([
        [layer.attentionNorm, 10],
        ...attentionWaves(layer.attention, 20),
        [layer.mlpNorm, 30],
        [layer.mlp.up, 40],
        [layer.mlp.down, 50],
      ]);
      const out = layer.forward(wave([2, 5, WIDTH], 0.5), t.view(real(), [2, 1, 1, 5]));
      LENGTHS.forEach((n, row) => {
        expectClose(t.narrow(t.select(out, 0, row), 0, 0, n).toArray(), golden.transformerLayer[row]!);
      });
      layer.dispose();
    });
  });

  it('QueryHead reads the states as MultiheadAttention with a key padding mask does', () => {
    t.scope(() => {
      const head = new QueryHead({
        ...{ inputWidth: WIDTH, width: WIDTH, heads: HEADS, slots: SLOTS, latentWidth: LATENT },
      });
      setWaves([
        [head.input, 55],
        [head.inputNorm, 60],
        ...attentionWaves(head.attention, 70),
        [head.mlpNorm, 80],
        [head.mlp.up, 90],
        [head.mlp.down, 100],
        [head.project, 110],
      ]);
      t.noGrad(() => t.copy_(head.queries, wave([SLOTS, WIDTH], 65)));
      const states = wave([2, 5, WIDTH], 0.5);
      const out = head.forward({ states, lengths: LENGTHS, real: real() }, SLOTS);
      expect(out.shape).toEqual([2, SLOTS, LATENT]);
      expectClose(out.toArray(), golden.queryHead, 2e-4); // fp32 against fp64
      head.dispose();
    });
  });
});

function expectClose(got: readonly number[], wanted: readonly number[], tolerance = 1e-6): void {
  expect(got.length).toBe(wanted.length);
  got.forEach((value, i) => {
    expect(Math.abs(value - wanted[i]!)).toBeLessThan(tolerance);
  });
}
