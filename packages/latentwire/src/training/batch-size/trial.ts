/**
 * A trial of a batch size: the real optimiser step with the heaviest micro-batches that the run will have at that size, in every
 * kind of step, as often as it takes for steps to be launched as graphs. Weights are put back afterwards.
 */
import { performance } from 'node:perf_hooks';
import * as t from '@latentwire/torch';
import { stepDraws } from '../draws.js';
import { wireOptimizer } from '../optimizer.js';
import { meanTextTokens, type PreparedData } from '../prepare.js';
import type { Session } from '../session.js';
import { answersAlone, stagePlan } from '../stages.js';
import { type StepOptions, trainStep } from '../step.js';
import { type LauncherOptions, StepLauncher, shapeMultiples } from '../step-launcher.js';
import { heaviestBatches, typicalBatch } from './heaviest.js';
import type { MemoryGauge } from './memory-gauge.js';
import { batchPolicy } from './policy.js';
import { longestWindow, type StepLoad, stepLoad } from './step-load.js';
import { firstMicroBatches, stepOrder } from './step-order.js';
import { heaviestStages } from './worst-case.js';

export interface TrialOptions {
  readonly gauge: MemoryGauge;
  /** Called before each micro-batch; what it throws ends the trial. */
  readonly check: () => void;
  /** Processes that train together; default: this one alone. */
  readonly processes?: number;
}

/** How steps are issued; see `StepLauncher`. */
export type Way = 'plain' | 'launched';

export interface Timing {
  readonly samplesPerSecond: number;
  /** Whether the device, not the host, was the slower one in every kind of step that was issued plainly. */
  readonly deviceBound: boolean;
}

/** A kind of step: terms, latents and readers of a step of the run. */
interface TrialStep extends Pick<StepOptions, 'stage'> {
  readonly readers: readonly number[];
  readonly continues: boolean;
}

type Batch = readonly number[];

/** What the run would compute with micro-batches of at most `size`. */
interface PlannedBatches {
  readonly size: number;
  readonly batches: readonly Batch[];
  /** Whether a step has several: all but the first run beside a gradient. */
  readonly several: boolean;
}

/**
 * Micro-batches of the run that are looked at, from its first step on: six epochs of SQuAD, in half a second. Of a longer run
 * the rest is not seen; batches are drawn at random, so what was seen is like it.
 */
const LOOKED_AT = { examples: 2 ** 19, batches: 2 ** 15 };

export class Trials implements Disposable {
  readonly #weights: readonly { readonly parameter: t.Tensor; readonly saved: t.Tensor }[];
  readonly #steps: readonly TrialStep[];
  /** For the size that was asked for last. */
  #planned: PlannedBatches | null = null;

  constructor(
    private readonly session: Session,
    private readonly data: PreparedData,
    private readonly options: TrialOptions,
  ) {
    const { wire } = session;
    // On the host: the memory of the device is what is measured.
    this.#weights = t.noGrad(() =>
      wire.parameters().map((parameter) => ({
        parameter,
        saved: t.keep(parameter.to({ device: 'cpu', copy: true })),
      })),
    );
    this.#steps = kindsOfSteps(session, data);
  }

  /** Most bytes in use with micro-batches of `size`, null when they do not fit. */
  measure(size: number, way: Way): number | null {
    const { gauge } = this.options;
    gauge.begin();
    return this.#unlessTooLarge(() => {
      // Never asked how far the device lags behind: the heaviest steps are not what most are like.
      this.#run(size, way, way === 'launched' ? 1 : Number.POSITIVE_INFINITY, (step, launcher) => {
        const { batches } = this.#plan(size);
        const chosen = this.#steps.map((kind) => ({
          kind,
          batches: heaviestBatches(batches, this.#loadOf(kind, launcher)),
        }));
        // The optimiser makes its moments after the first gradient, and later steps run beside them.
        for (const { kind, batches } of chosen) step(kind, batches[0]!.slice(0, 1));
        // Launched: run plainly, recorded, launched.
        const times = way === 'launched' ? 3 : 1;
        for (const { kind, batches } of chosen) {
          for (const batch of batches) for (let i = 0; i < times; i++) step(kind, batch);
        }
        if (way === 'plain') return;
        // A shape that is new runs plainly while the memory of recorded ones is held.
        for (const { kind, batches } of chosen) {
          const [heaviest] = batches;
          if (heaviest!.length > 1) step(kind, heaviest!.slice(0, -1));
        }
      });
      return gauge.peak();
    });
  }

  /** Of a step of each kind with a batch as the run has them, not the heaviest; null when they do not fit. */
  time(size: number, way: Way): Timing | null {
    const { device } = this.session.wire.encoder;
    return this.#unlessTooLarge(() =>
      this.#run(size, way, way === 'launched' ? 1 : 2, (step, launcher) => {
        const { batches } = this.#plan(size);
        let [seconds, examples] = [0, 0];
        for (const kind of this.#steps) {
          const batch = typicalBatch(batches, this.#loadOf(kind, launcher));
          // The first time makes tables and workspaces, the second tells how far the device lags behind, or is recorded.
          const before = launcher === null ? 0 : way === 'launched' ? 2 : 1;
          for (let i = 0; i < before; i++) step(kind, batch);
          t.synchronize(device);
          const began = performance.now();
          examples += step(kind, batch);
          t.synchronize(device);
          seconds += (performance.now() - began) / 1000;
        }
        return { samplesPerSecond: examples / seconds, deviceBound: launcher?.deviceBound ?? false };
      }),
    );
  }

  /** Puts the weights back as they were. */
  [Symbol.dispose](): void {
    for (const { parameter, saved } of this.#weights) {
      t.noGrad(() => t.copy_(parameter, saved));
      saved.dispose();
    }
  }

  #unlessTooLarge<T>(body: () => T): T | null {
    try {
      return body();
    } catch (error) {
      if (error instanceof t.TorchError && error.outOfMemory) return null;
      throw error;
    } finally {
      t.zeroGrad(this.session.wire.parameters());
    }
  }

  /** @param body is given what runs a step, and tells how many examples it had */
  #run<T>(
    size: number,
    way: Way,
    plainRuns: number,
    body: (step: (kind: TrialStep, batch: Batch) => number, launcher: StepLauncher | null) => T,
  ): T {
    const { wire, config } = this.session;
    const { lr, encoder_lr, weight_decay, max_grad_norm } = config.optimizer;
    const { k, reading_tokens } = config.objective;
    const { several } = this.#plan(size);
    const optimizer = wireOptimizer(wire, { lr, encoderLr: encoder_lr, weightDecay: weight_decay });
    try {
      const records: LauncherOptions['records'] = way === 'launched' ? 'at once' : 'never';
      using launcher = StepLauncher.forRun(wire, {
        ...{ disabled: config.system.disable_graphs, records, plainRuns },
      });
      const step = ({ stage, readers, continues }: TrialStep, batch: Batch): number =>
        trainStep(wire, this.data, optimizer, several ? [batch, batch] : [batch], {
          ...{ stage, readers, k, launcher },
          continues: () => continues,
          maxGradNorm: max_grad_norm,
          readOnce: config.data.questions_together,
          readingWindow: (_, length) => longestWindow(length, reading_tokens),
          onMicroBatch: this.options.check,
        }).examples;
      return body(step, launcher);
    } finally {
      optimizer.adamw.dispose();
    }
  }

  #plan(size: number): PlannedBatches {
    if (this.#planned?.size !== size) {
      const policy = batchPolicy(this.session.config.training, size, this.options.processes);
      const order = stepOrder(this.session, this.data, policy);
      const batches = firstMicroBatches(order, policy, LOOKED_AT);
      const several = policy.perStep > 1 || policy.planned > policy.microBatch * policy.processes;
      this.#planned = { size, batches, several };
    }
    return this.#planned;
  }

  #loadOf(kind: TrialStep, launcher: StepLauncher | null): (batch: Batch) => StepLoad {
    const { wire, config } = this.session;
    const { device } = wire.encoder;
    return stepLoad(this.data, wire.layout, {
      ...kind,
      readOnce: config.data.questions_together,
      readingTokens: config.objective.reading_tokens,
      // On a GPU they are made in pieces, unless a teacher's are compared with them.
      keepsLogits: { answers: device === 'cpu' || kind.stage.weights.kd > 0, reading: device === 'cpu' },
      multiples: shapeMultiples(launcher, device),
    });
  }
}

/** Each set of terms, for each set of readers, with texts continued where there are such. */
function kindsOfSteps(session: Session, data: PreparedData): TrialStep[] {
  const { config, wire, root } = session;
  const plan = stagePlan(config, wire.layout, meanTextTokens(data), wire.encoder.finest);
  const expansions = config.training.train_expansions.split(',').map(Number);
  const together = stepDraws(config, root, data.readers.length).readers(0);
  const alone = config.training.decoders_per_step === 'one';
  const readers = alone ? data.readers.map((_, k) => [k]) : [together];
  const continued = data.firstParts === null ? [false] : [false, true];
  const reads = config.objective.reading_share > 0;
  const stages = heaviestStages(plan, expansions).map((stage) => (reads ? stage : answersAlone(stage)));
  return stages.flatMap((stage) =>
    readers.flatMap((active) => continued.map((continues) => ({ stage, readers: active, continues }))),
  );
}
