/** One optimiser step: forward and backward of its micro-batches, clip, AdamW. The atomic event of a run. */
import * as t from '@latentwire/torch';
import { answerTermNames } from '../objective/index.js';
import type { LatentWire } from '../wire/index.js';
import { hasAnswers, type MicroBatch, type StepShape } from './micro-batch.js';
import { addMicroBatch } from './micro-batch-loss.js';
import type { WireOptimizer } from './optimizer.js';
import type { PreparedData } from './prepare.js';
import type { Stage, StageWeights } from './stages.js';
import { composeStep, type StepBatches } from './step-batches.js';
import { type StepLauncher, shapeMultiples, zeroSums } from './step-launcher.js';
import { type GradientSum, numbersFrom, type StepNumbers } from './team/gradient-sum.js';
import type { Shard } from './team/shard.js';

/** Every term of a step, unweighted; null when it was not computed. */
export interface StepTerms {
  /** Mean −log p per answer token, averaged over readers. */
  readonly answer_loss: number | null;
  readonly first_token_loss: number | null;
  readonly k_token_loss: number | null;
  readonly kd_loss: number | null;
  readonly manifold_loss: number | null;
  readonly alignment_loss: number | null;
  /** Mean −log p per context token that is repeated or continued. */
  readonly reconstruction_loss: number | null;
}

export interface StepResult {
  /** Weighted sum of the terms. */
  readonly loss: number;
  readonly terms: StepTerms;
  /** Norm of all gradients before clipping. */
  readonly gradNorm: number;
  readonly examples: number;
  /** Supervised tokens, summed over readers. */
  readonly targetTokens: number;
  /** Tokens through encoder and readers, padding not counted. */
  readonly tokens: number;
  /** 10¹² floating-point operations of the step, by `StepOptions.work`; 0 without it. */
  readonly tflop: number;
  /** Sums over the processes that train together; null for one alone. */
  readonly agreed: StepNumbers | null;
}

export interface StepOptions {
  /** 0 = no clipping */
  readonly maxGradNorm: number;
  /** Latents of this step and the weight of each part of the objective; a part of weight 0 is not computed. */
  readonly stage: Pick<Stage, 'expansion' | 'weights'> & Partial<Pick<Stage, 'rounded'>>;
  /** K, early answer tokens with a term of their own. */
  readonly k: number;
  /** Readers of this step; default: all. */
  readonly readers?: readonly number[];
  /** Launches micro-batches of a known shape as CUDA graphs; default: every operator is issued on its own. */
  readonly launcher?: StepLauncher | null;
  /** The batches of this step when they were composed ahead (`StepLoader`); default: they are composed here. */
  readonly composed?: StepBatches;
  /** Several processes: this one's part of the micro-batches, and how they add up. Default: it trains alone. */
  readonly shared?: SharedStep | undefined;
  /** Whether an example's context is continued from its first part in this step; default: none is. */
  readonly continues?: (example: number) => boolean;
  /** Whether a text that several examples of a micro-batch share is repeated or continued once; default: for each. */
  readonly readOnce?: boolean;
  /** Supervised part [start, end) of a text that is repeated or continued; default: all of it. */
  readonly readingWindow?: StepShape['readingWindow'];
  /** Floating-point operations of a micro-batch. */
  readonly work?: (batch: MicroBatch) => number;
  /** Called before each micro-batch with the number of those left; what it throws ends the step without an update. */
  readonly onMicroBatch?: (left: number) => void;
  /** Called when all gradients are there, before anything that a checkpoint holds is changed. */
  readonly beforeUpdate?: () => void;
}

export interface SharedStep {
  readonly shard: Shard;
  readonly gradients: GradientSum;
  /** Asked when this process's own gradients are there. */
  readonly numbers: () => Omit<StepNumbers, 'tokens' | 'tflop'>;
}

/** A step that was issued; the device may still be at work on it. */
export interface IssuedStep extends Pick<StepResult, 'examples' | 'targetTokens'> {
  /** Waits until the device has computed this step, not for what was issued since. To be called once. */
  read(): StepResult;
}

/** @param microBatches example indices, of all processes; their gradients add up to that of one big batch. */
export function trainStep(
  wire: LatentWire,
  data: PreparedData,
  optimizer: WireOptimizer,
  microBatches: readonly (readonly number[])[],
  options: StepOptions,
): StepResult {
  return issueStep(wire, data, optimizer, microBatches, options).read();
}

/** `trainStep` without waiting for its numbers: the next step can be issued while the device computes this one. */
export function issueStep(
  wire: LatentWire,
  data: PreparedData,
  optimizer: WireOptimizer,
  microBatches: readonly (readonly number[])[],
  options: StepOptions,
): IssuedStep {
  const { k, stage, launcher = null, shared } = options;
  const active = options.readers ?? data.readers.map((_, reader) => reader);
  const continues = options.continues ?? (() => false);
  const readingWindow = options.readingWindow ?? ((_, length) => [0, length]);
  const readOnce = options.readOnce ?? false;
  const multiples = shapeMultiples(launcher, wire.encoder.device);
  const { step, batches } =
    options.composed ??
    composeStep(data, wire.layout, microBatches, {
      stage,
      k,
      active,
      continues,
      readOnce,
      readingWindow,
      multiples,
      shard: shared?.shard,
    });
  return t.scope(() => {
    const sums = launcher === null ? zeroSums(wire.encoder.device) : launcher.begin();
    let tokens = 0;
    let tflop = 0;
    for (const [index, batch] of batches.entries()) {
      options.onMicroBatch?.(batches.length - index);
      tokens += batch.tokens;
      tflop += (options.work?.(batch) ?? 0) / 1e12;
      const run = (): void => addMicroBatch(wire, data, batch, sums);
      if (launcher === null) run();
      else launcher.run(batch.key, run);
    }
    const summed = shared?.gradients.reduce(sums, { ...shared.numbers(), tokens, tflop });
    const { weights } = stage;
    const params = wire.parameters();
    const norm = t.optim.clipGradNorm(params, options.maxGradNorm === 0 ? Infinity : options.maxGradNorm);
    options.beforeUpdate?.();
    if (launcher === null) {
      optimizer.adamw.step();
      t.zeroGrad(params);
    } else {
      const scaled = hasAnswers(weights) || weights.reconstruction > 0;
      launcher.update(wire, active, scaled, () => optimizer.adamw.step());
    }
    const targetTokens = [...step.counts.values()].reduce(
      (sum, c) =>
        sum +
        ((hasAnswers(weights) ? c.targets : 0) + (weights.reconstruction > 0 ? c.reading : 0)) /
          active.length,
      0,
    );
    const whole = summed?.sums ?? sums;
    const scalars = t.stack([whole.reading, whole.alignment, norm.to({ dtype: 'float32' })]);
    // One copy from the device for all numbers of a step.
    const numbers = t
      .cat([whole.answer, scalars, ...(summed === undefined ? [] : [summed.numbers])])
      .readLater();
    const counts = { examples: step.examples, targetTokens };
    const read = (): StepResult => {
      summed?.settle();
      const values = numbers();
      const agreed = summed === undefined ? null : numbersFrom(values.slice(-summed.numbers.numel));
      const whole = agreed ?? { tokens, tflop };
      return { ...termsOf(values, weights), ...counts, tokens: whole.tokens, tflop: whole.tflop, agreed };
    };
    return { ...counts, read };
  });
}

/** @param values terms of answers, reading, alignment, norm of the gradient */
function termsOf(
  values: readonly number[],
  weights: StageWeights,
): Pick<StepResult, 'loss' | 'terms' | 'gradNorm'> {
  const names = [...answerTermNames, 'reconstruction', 'alignment'] as const;
  const value = Object.fromEntries(names.map((name, n) => [name, values[n]!])) as Record<
    keyof StageWeights,
    number
  >;
  const answers = hasAnswers(weights);
  const terms: StepTerms = {
    answer_loss: answers ? value.answer : null,
    first_token_loss: answers ? value.firstToken : null,
    k_token_loss: answers ? value.kToken : null,
    kd_loss: weights.kd > 0 ? value.kd : null,
    manifold_loss: weights.manifold > 0 ? value.manifold : null,
    alignment_loss: weights.alignment > 0 ? value.alignment : null,
    reconstruction_loss: weights.reconstruction > 0 ? value.reconstruction : null,
  };
  const loss = names.reduce((sum, name) => sum + weights[name] * value[name], 0);
  return { loss, terms, gradNorm: values[names.length]! };
}
