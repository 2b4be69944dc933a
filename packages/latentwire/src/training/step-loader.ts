/**
 * The batches of coming steps, composed by worker threads while the device computes. What it gives equals what `trainStep`
 * would compose itself in the same stage. That of a step is settled when its batches are asked for: a time limit, which moves
 * stages, moves them some steps later. Settled at the step itself, its batches would have to be composed again, in the main
 * thread, with the device waiting.
 */
import type { random } from '@latentwire/torch';
import type { RunConfig } from '../config/index.js';
import { BatchLoader } from '../data/loader/index.js';
import { LatentWireError } from '../errors.js';
import type { LatentLayout, ShapeMultiples } from '../wire/index.js';
import { type ComposedStep, type ComposeRequest, type ComposerData, shareData } from './batch-composer.js';
import type { StepDraws } from './draws.js';
import type { StepShape } from './micro-batch.js';
import type { PreparedData } from './prepare.js';
import type { Stage } from './stages.js';
import type { StepBatches } from './step-batches.js';
import type { Shard } from './team/shard.js';
import type { Team } from './team/team.js';

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
  /** Stage of a step, asked for before its time. */
  readonly stage: (step: number) => Stage;
  /** First step, and one more than the last. */
  readonly start: number;
  readonly end: number;
}

export interface LoadedStep {
  readonly stage: Stage;
  readonly composed: StepBatches;
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
    this.#loader = new BatchLoader<ComposedStep, ComposerData, ComposeRequest>({
      module: new URL('./batch-composer.js', import.meta.url),
      data: shareData(data, {
        layout: { slots, ratio, privateLen, readers },
        settings: { training: config.training, objective: config.objective, data: config.data },
        seed: root.seed,
        multiples,
        shard,
      }),
      request: (step) => ({ step, microBatches: options.microBatches(step), stage: options.stage(step) }),
      ...{ start, end, workers: config.training.num_workers, prefetch: config.training.prefetch_factor },
    });
  }

  /**
   * The batches of `step`, which must be the one after the last.
   * @throws LatentWireError `internal` when a thread died
   */
  async take(step: number): Promise<LoadedStep> {
    const { draws, config, multiples } = this.#options;
    const { counts, examples, batches, stage } = await this.#loader.next();
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
    return { stage, composed: { step: shape, batches: batches.map((batch) => ({ ...batch, step: shape })) } };
  }

  close(): Promise<void> {
    return this.#loader.close();
  }
}

/**
 * Ranks that ask for batches at different times would train in different stages when a time limit moves these.
 * @throws LatentWireError `input` on every rank
 */
export async function requireSameLead(
  team: Pick<Team, 'meet'>,
  { training: { num_workers, prefetch_factor } }: Pick<RunConfig, 'training'>,
): Promise<void> {
  const leads = await team.meet('batches ahead', num_workers * Math.max(1, prefetch_factor));
  const other = leads.findIndex((lead) => lead !== leads[0]);
  if (other < 0) return;
  throw new LatentWireError(
    `with --max-minutes every rank must compose as many batches ahead as rank 0: ${leads[0]}, but rank ${other} has ${leads[other]}`,
    { code: 'input', hint: 'give every rank the same --num_workers and --prefetch_factor (or NUM_WORKERS)' },
  );
}
