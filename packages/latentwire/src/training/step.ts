/** One optimiser step: forward and backward of its micro-batches, clip, AdamW. The atomic event of a run. */
import * as t from '@latentwire/torch';
import { alignmentLoss, answerLoss } from '../objective/index.js';
import {
  type ComposedBatch,
  compose,
  encoderBatch,
  type LatentCounts,
  type LatentWire,
  type Segment,
} from '../wire/index.js';
import type { WireOptimizer } from './optimizer.js';
import type { PreparedData, PreparedReader } from './prepare.js';
import type { Stage, StageWeights } from './stages.js';

export interface StepResult {
  /** Weighted sum of the parts. */
  readonly loss: number;
  /** Mean −log p per answer token, averaged over readers; null when not trained in this step. */
  readonly answerLoss: number | null;
  /** Mean −log p per context token; null when not trained in this step. */
  readonly reconstructionLoss: number | null;
  /** Norm of all gradients before clipping. */
  readonly gradNorm: number;
  readonly examples: number;
  /** Supervised tokens, summed over readers. */
  readonly targetTokens: number;
  /** Tokens through encoder and readers, padding not counted. */
  readonly tokens: number;
}

export interface StepOptions {
  /** 0 = no clipping */
  readonly maxGradNorm: number;
  /** Latents of this step and the weight of each part of the objective; a part of weight 0 is not computed. */
  readonly stage: Pick<Stage, 'latents' | 'weights'>;
}

/** Rows that one part of the objective supervises, per reader. */
interface Part {
  readonly weight: number;
  readonly tail: (reader: PreparedReader, example: number) => Int32Array;
  readonly target: (reader: PreparedReader, example: number) => Int32Array;
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
  const { weights, latents } = options.stage;
  const parts = objectiveParts(weights);
  const targetTokens = parts.map((part) =>
    data.readers.map((r) => all.reduce((n, i) => n + part.target(r, i).length, 0)),
  );
  return t.scope(() => {
    const device = data.readers[0]!.reader.model.device;
    const losses = parts.map(() => t.zeros([], { device }));
    const alignment = t.zeros([], { device });
    let tokens = 0;
    for (const indices of microBatches) {
      t.scope(() => {
        const texts = encoderBatch(indices.map((i) => data.contexts[i]!));
        tokens += texts.lengths.reduce((a, b) => a + b, 0);
        const shared = wire.layout.shared(texts.lengths, latents / wire.layout.slots);
        const seen = wire.layout.seen(shared);
        const z = wire.encode(texts, shared);
        const terms: t.Tensor[] = [];
        data.readers.forEach((prepared, k) => {
          const prefix = wire.prefix(z, k, shared);
          if (weights.alignment > 0) {
            // A mean over rows: micro-batches count by their share of the examples.
            const share = indices.length / all.length / data.readers.length;
            const contexts = indices.map((i) => withoutStop(prepared.repeat!.targets[i]!));
            const loss = t.mul(alignmentLoss(prepared.reader.model, contexts, prefix), share);
            t.noGrad(() => t.add_(alignment, loss));
            terms.push(t.mul(loss, weights.alignment));
          }
          parts.forEach((part, p) => {
            const composed = trainingBatch(prepared, indices, part, seen);
            tokens += realTokens(composed);
            const denominator = targetTokens[p]![k]! * data.readers.length;
            const loss = answerLoss(prepared.reader.model, composed, prefix, denominator);
            t.noGrad(() => t.add_(losses[p]!, loss));
            terms.push(t.mul(loss, part.weight));
          });
        });
        t.backward(terms.reduce((a, b) => t.add(a, b)));
      });
    }
    const params = wire.parameters();
    const norm = t.optim.clipGradNorm(params, options.maxGradNorm === 0 ? Infinity : options.maxGradNorm);
    optimizer.adamw.step();
    t.zeroGrad(params);
    const values = losses.map((loss) => loss.item());
    return {
      loss: values.reduce(
        (sum, value, p) => sum + value * parts[p]!.weight,
        weights.alignment * alignment.item(),
      ),
      answerLoss: weights.answer > 0 ? values[0]! : null,
      reconstructionLoss: weights.reconstruction > 0 ? values.at(-1)! : null,
      gradNorm: norm.item(),
      examples: all.length,
      targetTokens: targetTokens.flat().reduce((a, b) => a + b, 0),
      tokens,
    };
  });
}

function objectiveParts(weights: StageWeights): Part[] {
  const answer: Part = {
    weight: weights.answer,
    tail: (r, i) => r.tails[i]!,
    target: (r, i) => r.targets[i]!,
  };
  const reconstruction: Part = {
    weight: weights.reconstruction,
    tail: (r) => r.repeat!.tail,
    target: (r, i) => r.repeat!.targets[i]!,
  };
  return [answer, reconstruction].filter((part) => part.weight > 0);
}

/** The context alone; an empty one keeps its stop token, so that there is something to pool. */
function withoutStop(ids: Int32Array): Int32Array {
  return ids.length > 1 ? ids.subarray(0, -1) : ids;
}

/** [head | latents | tail | target, stop] of each example, padded on the right. */
function trainingBatch(
  prepared: PreparedReader,
  indices: readonly number[],
  part: Part,
  latents: LatentCounts,
): ComposedBatch {
  const rows = indices.map((i): Segment[] => [
    { kind: 'tokens', ids: prepared.head },
    { kind: 'latents' },
    { kind: 'tokens', ids: part.tail(prepared, i) },
    { kind: 'target', ids: part.target(prepared, i) },
  ]);
  return compose(rows, 'right', latents);
}

function realTokens(composed: ComposedBatch): number {
  return composed.valid === null ? composed.ids.length : composed.valid.reduce((a, b) => a + b, 0);
}
