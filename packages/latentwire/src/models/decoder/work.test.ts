import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tinyLlamaReader } from '../../baselines/tiny-llama.fixture.js';
import type { ModelConfig } from '../config/index.js';
import { namedWeights } from './weights.js';
import { decoderFlop, FORWARD_ONLY, FROZEN_WITH_GRADIENT, logitsFlop, TRAINED } from './work.js';

/** No matrices: what is left is attention. */
const attentionAlone: ModelConfig = {
  ...({} as ModelConfig),
  ...{ hiddenSize: 0, layers: 2, heads: 2, kvHeads: 1, headDim: 4, intermediateSize: 0, vocabSize: 8 },
  ...{ layerAttention: ['sliding', 'full'], slidingWindow: 3 },
};

describe('the work of a decoder pass', () => {
  it('has two operations for each number of a matrix and token, once, twice or three times', async () => {
    const { model } = await tinyLlamaReader();
    const { config } = model;
    const matrices = [...namedWeights(model.weights)]
      .filter(([name, { shape }]) => name.startsWith('layers.') && shape.length === 2)
      .reduce((sum, [, { numel }]) => sum + numel, 0);
    const none = { ...config, layerAttention: [] };
    const lengths = [5, 9];
    for (const [factors, times] of [
      [FORWARD_ONLY, 1],
      [FROZEN_WITH_GRADIENT, 2],
      [TRAINED, 3],
    ] as const) {
      expect(decoderFlop(none, { lengths }, factors)).toBe(2 * times * matrices * 14);
      expect(logitsFlop(config, 3, factors)).toBe(2 * times * model.weights.head.numel * 3);
    }
    // In the last layer all but keys and values is done at the asked places only.
    const { hiddenSize: d, heads, headDim, intermediateSize: inner } = config;
    const others = 2 * d * heads * headDim + 3 * d * inner;
    const asked = decoderFlop(none, { lengths, places: 4 }, FORWARD_ONLY);
    expect(decoderFlop(none, { lengths }, FORWARD_ONLY) - asked).toBe(2 * others * 10);
    model.dispose();
  });

  it('counts each pair of positions that attention looks at, for scores and for values (property)', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 4 }), (lengths) => {
        let pairs = 0;
        for (const length of lengths) {
          for (let at = 0; at < length; at++) {
            for (let seen = 0; seen <= at; seen++) pairs += 1 + (at - seen < 3 ? 1 : 0);
          }
        }
        const flop = decoderFlop(attentionAlone, { lengths }, FORWARD_ONLY);
        expect(flop).toBe(2 * 2 * 8 * pairs);
        expect(decoderFlop(attentionAlone, { lengths }, FROZEN_WITH_GRADIENT)).toBe(3 * flop);
        const both = lengths.reduce((sum, n) => sum + n * n, 0);
        expect(decoderFlop(attentionAlone, { lengths, causal: false }, FORWARD_ONLY)).toBe(
          2 * 2 * 8 * 2 * both,
        );
      }),
    );
  });
});
