/**
 * The batches of coming steps, composed by worker threads while the device computes. What it gives equals what `trainStep`
 * would compose itself; a step of another stage than foreseen (a time limit moves stages) is left to it.
 */
import type { random } from '@latentwire/torch';
import type { RunConfig } from '../config/index.js';
import { BatchLoader } from '../data/loader/index.js';
import type { LatentLayout, ShapeMultiples } from '../wire/index.js';
import { type ComposedStep, type ComposeRequest, type ComposerData, shareData } from './batch-composer.js';
import type { StepDraws } from './draws.js';
import type { StepShape } from './micro-batch.js';
import type { PreparedData } from './prepare.js';
import type { StepBatches } from './step-batches.js';
import type { Shard } from './team/shard.js';

export interface StepLoaderOptions {
  readonly config: RunConfig;
  readonly data: PreparedData;
  readonly layout: LatentLayout;
  readonly root: random.RandomRoot;
  readonly draws: StepDraws;
  readonly multiples: ShapeMultiples;
  readonly shard?: Shard | undefined;
  /** Example indices of a step's micro-batches. */
  readonly microBatches: (step: number) => readonly (readonly number[])[];
  /** Stage of a step, as far as it is known before its time. */
  readonly stage: (step: number) => StepShape['stage'];
  /** First step, and one more than the last. */
  readonly start: number;
  readonly end: number;
}

export class StepLoader {
  readonly #loader: BatchLoader<ComposedStep, ComposerData, ComposeRequest>;
  readonly #options: StepLoaderOptions;

  /** A loader with the threads that the configuration asks for; null for none. */
  static forRun(options: StepLoaderOptions): StepLoader | null {
    return options.config.training.num_workers > 0 && options.start < options.end
      ? new StepLoader(options)
      : null;
  }

  constructor(options: StepLoaderOptions) {
    this.#options = options;
    const { data, layout, config, root, multiples, shard, start, end } = options;
    const { slots, ratio, privateLen, readers } = layout;
    this.#loader = new BatchLoader({
      module: new URL('./batch-composer.js', import.meta.url),
      data: shareData(data, {
        layout: { slots, ratio, privateLen, readers },
        settings: { training: config.training, objective: config.objective, data: config.data },
        seed: root.seed,
        multiples,
        shard,
      }),
      request: (step) => {
        const { expansion, weights, rounded } = options.stage(step);
        const stage = { expansion, weights, ...(rounded !== undefined && { rounded }) };
        return { step, microBatches: options.microBatches(step), stage };
      },
      ...{ start, end, workers: config.training.num_workers, prefetch: config.training.prefetch_factor },
    });
  }

  /**
   * The batches of `step`, which must be the one after the last; undefined when its stage is not the foreseen one.
   * @throws LatentWireError `internal` when a thread died
   */
  async take(step: number, stage: StepShape['stage']): Promise<StepBatches | undefined> {
    const { draws, config, multiples } = this.#options;
    const { counts, examples, batches, stage: foreseen } = await this.#loader.next();
    if (composition(stage) !== composition(foreseen)) return undefined;
    const shape: StepShape = {
      stage,
      k: config.objective.k,
      active: draws.readers(step),
      continues: (example) => draws.continues(step, example),
      readOnce: config.data.questions_together,
      readingWindow: (example, length) => draws.readingWindow(step, example, length),
      counts: new Map(counts),
      examples,
      multiples,
    };
    return { step: shape, batches: batches.map((batch) => ({ ...batch, step: shape })) };
  }

  close(): Promise<void> {
    return this.#loader.close();
  }
}

/** What batches depend on of a stage: how many latents there are, and which terms; not how much terms weigh. */
function composition({ expansion, weights, rounded = true }: StepShape['stage']): string {
  const on = Object.entries(weights).flatMap(([name, weight]) => (weight > 0 ? [name] : []));
  return JSON.stringify([expansion, rounded, on.sort()]);
}
