/**
 * Greedy generation for a batch of prompts with a KV cache. On a GPU each step is one launch (captured-generation.ts);
 * elsewhere, and where no graph can be captured, operators are issued one by one over a cache that fills up.
 */
import * as t from '@latentwire/torch';
import { CapturedGeneration, type CapturedRequest } from './captured-generation.js';
import { KVCache } from './kv-cache.js';
import type { LanguageModel } from './language-model.js';

export interface GenerateOptions {
  readonly maxNewTokens: number;
  /** Any of these ends a row; the stop token is not part of the result. */
  readonly stopIds: readonly number[];
  /** bool [B, T], true = real token; padding must be on the left. null = no padding. */
  readonly valid?: t.Tensor | null;
  /**
   * How steps are run; default: `capture` where it pays, else `plain`. `rehearse` runs what would be captured without
   * capturing it, on any device.
   */
  readonly steps?: 'plain' | 'capture' | 'rehearse';
}

/** Prompt embeddings [B, T, D] -> new token ids per row. Nothing of the prompt is in the result. */
export function generate(model: LanguageModel, embeds: t.Tensor, options: GenerateOptions): number[][] {
  if (options.maxNewTokens <= 0) return Array.from({ length: embeds.size(0) }, () => []);
  const request = { ...options, valid: options.valid ?? null };
  const steps = CapturedGeneration.takes(request) ? (options.steps ?? defaultSteps(model)) : 'plain';
  return steps === 'plain'
    ? generatePlainly(model, embeds, request)
    : captured(model, embeds, request, steps).generate(embeds, request);
}

function defaultSteps({ config, weights, device }: LanguageModel): 'plain' | 'capture' {
  if (!capturing || device === 'cpu' || !t.cuda.graphsAvailable()) return 'plain';
  const group = config.heads / config.kvHeads;
  return t.nn.decodeKernelTakes(weights.embed, config.headDim, group) ? 'capture' : 'plain';
}

let capturing = true;

/** Turns captured steps off for models that do not ask for them. @returns the setting before */
export function setCapturedGeneration(on: boolean): boolean {
  const before = capturing;
  capturing = on;
  return before;
}

/** Buffers and graphs of the model that generated last: those of several would fill a GPU. */
let kept: { model: LanguageModel; mode: string; generation: CapturedGeneration } | null = null;

/** Frees what generation keeps from batch to batch, of one model or of any. */
export function releaseGeneration(model?: LanguageModel): void {
  if (kept === null || (model !== undefined && model !== kept.model)) return;
  kept.generation.dispose();
  kept = null;
}

function captured(
  model: LanguageModel,
  embeds: t.Tensor,
  { maxNewTokens }: CapturedRequest,
  mode: 'capture' | 'rehearse',
): CapturedGeneration {
  const { dtype } = embeds;
  const size = {
    rows: embeds.size(0),
    positions: embeds.size(1) + maxNewTokens,
    newTokens: maxNewTokens,
    dtype,
  };
  if (kept !== null && kept.model === model && kept.mode === mode && kept.generation.fits(size)) {
    return kept.generation;
  }
  releaseGeneration();
  const generation = new CapturedGeneration(model, size, mode);
  kept = { model, mode, generation };
  return generation;
}

function generatePlainly(model: LanguageModel, embeds: t.Tensor, options: CapturedRequest): number[][] {
  const { maxNewTokens, stopIds } = options;
  const [batch, promptLength] = [embeds.size(0), embeds.size(1)];
  const outputs: number[][] = Array.from({ length: batch }, () => []);
  const stops = new Set(stopIds);
  const finished = new Array<boolean>(batch).fill(false);
  using cache = new KVCache(model.config, batch, promptLength + maxNewTokens, {
    dtype: embeds.dtype,
    device: model.device,
  });
  return t.noGrad(() =>
    t.scope(() => {
      const valid = options.valid === null ? null : fullMask(options.valid, maxNewTokens);
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
