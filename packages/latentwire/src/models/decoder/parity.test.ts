/**
 * Parity with transformers for every family: logits, loss, hidden states, gradient of the input embeddings, greedy
 * tokens. The fixtures and how they were made: golden/make_decoders.py.
 */
import * as t from '@latentwire/torch';
import { afterAll, describe, expect, it } from 'vitest';
import { CASES, checksum, loadFixture, readGolden } from './golden/fixture.js';

/** Norm-wise and largest difference, both relative to the expected array. */
function relativeError(actual: Float32Array, expected: Float32Array): { norm: number; max: number } {
  expect(actual.length).toBe(expected.length);
  let [difference, size, maxDifference, maxSize] = [0, 0, 0, 0];
  expected.forEach((value, i) => {
    const d = actual[i]! - value;
    difference += d * d;
    size += value * value;
    maxDifference = Math.max(maxDifference, Math.abs(d));
    maxSize = Math.max(maxSize, Math.abs(value));
  });
  return { norm: Math.sqrt(difference / size), max: maxDifference / maxSize };
}

/** Mean cross-entropy of each next token. logits [B, T, V], ids int64 [B, T]. */
function nextTokenLoss(logits: t.Tensor, ids: t.Tensor): t.Tensor {
  const predictions = t.slice(logits, 1, 0, -1);
  return t.crossEntropy(t.reshape(predictions, [-1, logits.size(-1)]), t.reshape(t.slice(ids, 1, 1), [-1]));
}

describe.each(CASES)('%s on %s', (family, device) => {
  const golden = readGolden(family);
  const model = loadFixture(family, { device });
  afterAll(() => model.dispose());
  const idsTensor = (): t.Tensor => t.tensor(golden.ids, { dtype: 'int64', device });

  it('gives the logits, loss and input gradient of transformers within 1e-4', () => {
    t.scope(() => {
      const ids = idsTensor();
      const embeds = model.embed(ids).detach().setRequiresGrad();
      const logits = model.logits(model.hidden(embeds));
      const loss = nextTokenLoss(logits, ids);
      t.backward(loss);
      const error = relativeError(logits.toFloat32Array(), golden.logits);
      const gradientError = relativeError(embeds.grad!.toFloat32Array(), golden.embedsGrad);
      for (const value of [error.norm, error.max, gradientError.norm, gradientError.max]) {
        expect(value).toBeLessThan(1e-4);
      }
      expect(Math.abs(loss.item() - golden.loss)).toBeLessThan(1e-5 * golden.loss);
    });
  });

  it('gives the hidden state of every layer', () => {
    t.scope(() => {
      const states = model.allHidden(model.embed(idsTensor()));
      expect(states.length).toBe(golden.hidden.length);
      states.forEach((state, i) => {
        const [mean, rms, projection] = checksum(state.toFloat32Array());
        const [goldenMean, goldenRms, goldenProjection] = golden.hidden[i]!;
        expect(mean).toBeCloseTo(goldenMean, 5);
        expect(rms).toBeCloseTo(goldenRms, 5);
        expect(projection).toBeCloseTo(goldenProjection, 3);
      });
    });
  });

  it('gives the states and gradients of asked places as the whole forward pass does', () => {
    t.scope(() => {
      const embeds = model.embed(idsTensor()).detach();
      const [b, length, width] = embeds.shape as [number, number, number];
      const places = [1, length - 1, (b - 1) * length + 2];
      const index = t.tensor(places, { dtype: 'int64', device });
      const whole = embeds.detach().setRequiresGrad();
      const wanted = t.indexSelect(t.reshape(model.hidden(whole), [-1, width]), 0, index);
      t.backward(t.sum(t.square(wanted)));
      const asked = embeds.to({ copy: true }).setRequiresGrad();
      const states = model.hidden(asked, { places: index });
      t.backward(t.sum(t.square(states)));
      expect(states.shape).toEqual([places.length, width]);
      const state = relativeError(states.toFloat32Array(), wanted.toFloat32Array());
      const gradient = relativeError(asked.grad!.toFloat32Array(), whole.grad!.toFloat32Array());
      expect(Math.max(state.max, gradient.max)).toBeLessThan(1e-5);
    });
  });

  it('is as exact in bf16 as transformers is', () => {
    const half = loadFixture(family, { device, dtype: 'bfloat16' });
    t.scope(() => {
      const embeds = half.embed(idsTensor());
      checksum(embeds.toFloat32Array()).forEach((value, i) => {
        expect(value).toBeCloseTo(golden.embedsBf16[i]!, 9);
      });
      const logits = half.logits(half.hidden(embeds));
      expect(logits.dtype).toBe('bfloat16');
      const ours = relativeError(logits.toFloat32Array(), golden.logits);
      const theirs = relativeError(golden.logitsBf16, golden.logits);
      // 2^-9 is the rounding of a single bf16 value.
      expect(ours.norm).toBeLessThan(1.5 * theirs.norm + 2 ** -9);
      expect(ours.max).toBeLessThan(1.5 * theirs.max + 2 ** -9);
    });
    half.dispose();
  });
});
