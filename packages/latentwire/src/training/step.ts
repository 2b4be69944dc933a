/** One optimiser step: forward and backward of its micro-batches, clip, AdamW. The atomic event of a run. */
import * as t from '@latentwire/torch';
import { answerLoss } from '../objective/index.js';
import { type ComposedBatch, compose, encoderBatch, type LatentWire, type Segment } from '../wire/index.js';
import type { WireOptimizer } from './optimizer.js';
import type { PreparedData, PreparedReader } from './prepare.js';

export interface StepResult {
  /** Mean −log p per target token, averaged over readers. */
  readonly loss: number;
  /** Norm of all gradients before clipping. */
  readonly gradNorm: number;
  readonly examples: number;
  /** Supervised tokens, summed over readers. */
  readonly targetTokens: number;
  /** Tokens through encoder and readers, padding not counted. */
  readonly tokens: number;
}

export interface StepOptions {
  readonly latents: number;
  /** 0 = no clipping */
  readonly maxGradNorm: number;
}

/** @param microBatches example indices; their gradients add up to that of one big batch. */
export function trainStep(
  wire: LatentWire,
  data: PreparedData,
  optimizer: WireOptimizer,
  microBatches: readonly (readonly number[])[],
  options: StepOptions,
): StepResult {
  const all = microBatches.flat();
  const targetsOf = (r: PreparedReader): number => all.reduce((n, i) => n + r.targets[i]!.length, 0);
  const denominators = data.readers.map((r) => targetsOf(r) * data.readers.length);
  return t.scope(() => {
    let loss = t.zeros([], { device: data.readers[0]!.reader.model.device });
    let tokens = 0;
    for (const indices of microBatches) {
      const micro = t.scope(() => {
        const texts = encoderBatch(indices.map((i) => data.contexts[i]!));
        const z = wire.encode(texts);
        tokens += texts.lengths.reduce((a, b) => a + b, 0);
        let sum: t.Tensor | null = null;
        data.readers.forEach((prepared, k) => {
          const composed = trainingBatch(prepared, indices, options.latents);
          tokens += composed.valid === null ? composed.ids.length : count(composed);
          const part = answerLoss(prepared.reader.model, composed, wire.prefix(z, k), denominators[k]!);
          sum = sum === null ? part : t.add(sum, part);
        });
        t.backward(sum!);
        return (sum! as t.Tensor).detach();
      });
      loss = t.add(loss, micro);
    }
    const params = wire.parameters();
    const norm = t.optim.clipGradNorm(params, options.maxGradNorm === 0 ? Infinity : options.maxGradNorm);
    optimizer.adamw.step();
    t.zeroGrad(params);
    return {
      loss: loss.item(),
      gradNorm: norm.item(),
      examples: all.length,
      targetTokens: data.readers.reduce((n, r) => n + targetsOf(r), 0),
      tokens,
    };
  });
}

/** [head | latents | tail | answer, stop] of each example, padded on the right. */
export function trainingBatch(
  prepared: PreparedReader,
  indices: readonly number[],
  latents: number,
): ComposedBatch {
  const rows = indices.map((i): Segment[] => [
    { kind: 'tokens', ids: prepared.head },
    { kind: 'latents' },
    { kind: 'tokens', ids: prepared.tails[i]! },
    { kind: 'target', ids: prepared.targets[i]! },
  ]);
  return compose(rows, 'right', latents);
}

function count(composed: ComposedBatch): number {
  return composed.valid!.reduce((a, b) => a + b, 0);
}
