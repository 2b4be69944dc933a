/** Greedy generation for a batch, from embeddings or ids, with a KV cache. */
import * as t from '@latentwire/torch';
import { KVCache } from './kv-cache.js';
import type { LanguageModel } from './language-model.js';

export interface GenerateOptions {
  readonly maxNewTokens: number;
  /** Any of these ends a row; the stop token is not part of the result. */
  readonly stopIds: readonly number[];
  /** bool [B, T], true = real token; padding must be on the left. null = no padding. */
  readonly valid?: t.Tensor | null;
}

/** Prompt embeddings [B, T, D] -> new token ids per row. Nothing of the prompt is in the result. */
export function generate(model: LanguageModel, embeds: t.Tensor, options: GenerateOptions): number[][] {
  const { maxNewTokens, stopIds } = options;
  const [batch, promptLength] = [embeds.size(0), embeds.size(1)];
  const outputs: number[][] = Array.from({ length: batch }, () => []);
  if (maxNewTokens <= 0) return outputs;
  const stops = new Set(stopIds);
  const finished = new Array<boolean>(batch).fill(false);
  using cache = new KVCache(model.config, batch, promptLength + maxNewTokens, {
    dtype: embeds.dtype,
    device: model.device,
  });
  return t.noGrad(() =>
    t.scope(() => {
      const valid = options.valid == null ? null : fullMask(options.valid, maxNewTokens);
      let input = embeds;
      for (let step = 0; step < maxNewTokens; step++) {
        const next = t.scope(() => {
          const seen = cache.length + input.size(1);
          const hidden = model.hidden(input, {
            cache,
            valid: valid === null ? null : t.narrow(valid, 1, 0, seen),
          });
          return t.argmax(model.logits(t.select(hidden, 1, -1)), -1); // [B]
        });
        const ids = next.toArray();
        ids.forEach((id, row) => {
          if (finished[row]) return;
          if (stops.has(id)) finished[row] = true;
          else outputs[row]!.push(id);
        });
        if (finished.every(Boolean) || step === maxNewTokens - 1) break;
        input = model.embed(t.unsqueeze(next, 1));
      }
      return outputs;
    }),
  );
}

/** The prompt's mask followed by all-real columns for what will be generated. */
function fullMask(valid: t.Tensor, more: number): t.Tensor {
  return t.cat([valid, t.ones([valid.size(0), more], { dtype: 'bool', device: valid.device })], 1);
}
