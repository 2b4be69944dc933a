import * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { tinyModel, tinyTexts } from '../tiny-model.fixture.js';
import { LmTokenEncoder, type LmTokenEncoderOptions } from './lm-token-encoder.js';
import { encoderBatch, realTokens } from './token-encoder.js';

function encoder(changes: Partial<LmTokenEncoderOptions> = {}): LmTokenEncoder {
  return new LmTokenEncoder(tinyModel(5), {
    train: 'full',
    causal: true,
    computeDtype: 'float32',
    generator: new t.Generator('cpu', 1),
    ...changes,
  });
}

const batch = encoderBatch(tinyTexts([6, 3]));
const states = (module: LmTokenEncoder, b = batch): t.Tensor => module.states(b, realTokens(b, 'cpu'));

describe('LmTokenEncoder', () => {
  it('gives [final hidden state | token embedding], each of root mean square 1', () => {
    t.scope(() => {
      const module = encoder();
      const out = states(module);
      expect(out.shape).toEqual([2, 6, 32]);
      const own = tinyModel(5);
      const ids = t.tensor([[...batch.ids.subarray(0, 6)]], { dtype: 'int64' });
      const embeds = own.embed(ids);
      const wanted = t.cat([t.rmsNorm(own.hidden(embeds)), t.rmsNorm(embeds)], -1);
      expect(t.max(t.abs(t.sub(t.narrow(out, 0, 0, 1), wanted))).item()).toBeLessThan(1e-5);
      own.dispose();
      module.dispose();
    });
  });

  it.each([
    [true, 0],
    [false, 0.05],
  ])('causal %s: a token’s state changes with what follows by at least %d', (causal, least) => {
    t.scope(() => {
      const module = encoder({ causal });
      const [one, other] = [0, 1].map((change) => {
        const ids = Int32Array.from(batch.ids);
        ids[5]! += change; // last token of the first text
        return t.narrow(t.select(states(module, { ...batch, ids }), 0, 0), 0, 0, 5);
      });
      const difference = t.max(t.abs(t.sub(one!, other!))).item();
      if (causal) expect(difference).toBe(0);
      else expect(difference).toBeGreaterThan(least);
      module.dispose();
    });
  });

  it('computes in bf16 and sends gradients to fp32 weights', () => {
    t.scope(() => {
      const [low, full] = [encoder({ computeDtype: 'bfloat16' }), encoder()];
      const out = states(low);
      expect(out.dtype).toBe('bfloat16');
      const error = t.sub(out.to({ dtype: 'float32' }), states(full));
      expect(Math.sqrt(t.mean(t.square(error)).item())).toBeLessThan(0.05);
      t.backward(t.sum(t.square(t.narrow(out, 2, 0, 3)).to({ dtype: 'float32' })));
      for (const p of low.parameters()) {
        expect(p.dtype).toBe('float32');
        expect(p.grad!.dtype).toBe('float32');
      }
      low.dispose();
      full.dispose();
    });
  });

  it('keeps frozen weights out of its parameters and builds no graph on them', () => {
    t.scope(() => {
      const module = encoder({ train: 'nothing' });
      expect(module.parameters()).toEqual([]);
      expect(states(module).requiresGrad).toBe(false);
      module.dispose();
    });
  });
});
