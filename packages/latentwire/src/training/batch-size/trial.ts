/**
 * A trial of a batch size: the real optimiser step with the longest texts, in every kind of step that the run will have, as
 * often as it takes for steps to be launched as graphs. Weights are put back afterwards.
 */
import { performance } from 'node:perf_hooks';
import * as t from '@latentwire/torch';
import { stepDraws } from '../draws.js';
import { wireOptimizer } from '../optimizer.js';
import { meanTextTokens, type PreparedData } from '../prepare.js';
import type { Session } from '../session.js';
import { answersAlone, stagePlan } from '../stages.js';
import { type StepOptions, trainStep } from '../step.js';
import { StepLauncher } from '../step-launcher.js';
import type { MemoryGauge } from './memory-gauge.js';
import { heaviestStages, longestExamples } from './worst-case.js';

export interface TrialOptions {
  readonly gauge: MemoryGauge;
  /** Called before each micro-batch; what it throws ends the trial. */
  readonly check: () => void;
}

/** A kind of step: terms, latents and readers of a step of the run. */
type TrialStep = Pick<StepOptions, 'stage' | 'readers' | 'continues'>;

export class Trials implements Disposable {
  readonly #weights: readonly { readonly parameter: t.Tensor; readonly saved: t.Tensor }[];
  readonly #steps: readonly TrialStep[];
  #deviceBound = false;
  #samplesPerSecond = Number.NaN;

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
  measure(size: number, way: 'plain' | 'launched'): number | null {
    const { gauge } = this.options;
    gauge.begin();
    try {
      this.#run(size, way);
      return gauge.peak();
    } catch (error) {
      if (error instanceof t.TorchError && error.outOfMemory) return null;
      throw error;
    } finally {
      t.zeroGrad(this.session.wire.parameters());
    }
  }

  /** Whether the device, not the host, was the slower one in every kind of step of the last plain trial. */
  get deviceBound(): boolean {
    return this.#deviceBound;
  }

  /** Over one step of each kind, in the way and at the size of the last trial. */
  get samplesPerSecond(): number {
    return this.#samplesPerSecond;
  }

  /** Puts the weights back as they were. */
  [Symbol.dispose](): void {
    for (const { parameter, saved } of this.#weights) {
      t.noGrad(() => t.copy_(parameter, saved));
      saved.dispose();
    }
  }

  #run(size: number, way: 'plain' | 'launched'): void {
    const { wire, config } = this.session;
    const { lr, encoder_lr, weight_decay, max_grad_norm } = config.optimizer;
    const indices = longestExamples(this.data, size);
    const optimizer = wireOptimizer(wire, { lr, encoderLr: encoder_lr, weightDecay: weight_decay });
    try {
      using launcher = StepLauncher.forRun(wire, {
        disabled: config.system.disable_graphs,
        records: way === 'launched' ? 'at once' : 'never',
        plainRuns: way === 'launched' ? 1 : 2,
      });
      const step = (kind: TrialStep, microBatch: readonly number[]): void => {
        const { reading_tokens } = config.objective;
        trainStep(wire, this.data, optimizer, this.#microBatches(microBatch), {
          ...kind,
          maxGradNorm: max_grad_norm,
          k: config.objective.k,
          readOnce: config.data.questions_together,
          readingWindow: (_, length) => [0, Math.min(length, reading_tokens ?? length)],
          launcher,
          onMicroBatch: this.options.check,
        });
      };
      let seconds = 0;
      const timed = (kind: TrialStep): void => {
        t.synchronize(wire.encoder.device);
        const began = performance.now();
        step(kind, indices);
        t.synchronize(wire.encoder.device);
        seconds += (performance.now() - began) / 1000;
      };
      for (const kind of this.#steps) {
        if (way === 'launched') {
          // Run plainly, recorded, launched.
          for (let i = 0; i < 2; i++) step(kind, indices);
          timed(kind);
        } else {
          // The first time makes tables and workspaces, the second tells how far the device lags behind.
          if (launcher !== null) step(kind, indices);
          timed(kind);
        }
      }
      this.#deviceBound = launcher?.deviceBound ?? false;
      const perStep = this.#microBatches(indices).flat().length;
      this.#samplesPerSecond = (perStep * this.#steps.length) / seconds;
      // A shape that is new runs plainly while the memory of recorded ones is held.
      if (way === 'launched' && size > 1) for (const kind of this.#steps) step(kind, indices.slice(0, -1));
    } finally {
      optimizer.adamw.dispose();
    }
  }

  /** Two where a step has several: the second one runs beside the gradient of the first. */
  #microBatches(indices: readonly number[]): (readonly number[])[] {
    const { grad_accum, effective_batch } = this.session.config.training;
    const several = effective_batch === null ? grad_accum > 1 : effective_batch > indices.length;
    return several ? [indices, indices] : [indices];
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
    readers.flatMap((active) =>
      continued.map((continues) => ({ stage, readers: active, continues: () => continues })),
    ),
  );
}
