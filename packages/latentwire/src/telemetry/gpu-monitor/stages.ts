/** How busy GPUs were in each stage of a training: what holds a GPU up differs from stage to stage. */
import { type JsonRecord, numberOf } from '../json.js';
import { summariseGpus, type TimeWindow } from './summary.js';

export interface StageSummary {
  readonly stage: string;
  readonly steps: number;
  /** Milliseconds. */
  readonly medianStepMs: number;
  /** Seconds with a sample of a GPU, over all that were asked for. */
  readonly samples: number;
  /** Mean of these, 0 to 1; null: none. */
  readonly utilization: number | null;
}

/** What is read of a row of diagnostics. */
export interface StagedStep {
  readonly attempt: number;
  readonly time: string;
  readonly stage?: unknown;
  readonly seconds?: unknown;
}

/**
 * A sample belongs to the step that was under way: the next one to end in its attempt.
 * @param gpus whose samples count
 * @returns stages in the order they began; empty where steps have none
 */
export function summariseStages(
  rows: readonly JsonRecord[],
  steps: readonly StagedStep[],
  gpus: readonly number[],
): StageSummary[] {
  const samples = rows.filter((row) => gpus.includes(numberOf(row.gpu) ?? Number.NaN));
  const names = [...new Set(steps.flatMap(({ stage }) => (typeof stage === 'string' ? [stage] : [])))];
  return names.map((stage) => {
    const own = steps.filter((step) => step.stage === stage);
    const seconds = own.map((step) => numberOf(step.seconds) ?? 0).sort((a, b) => a - b);
    const seen = summariseGpus(samples, stretchesOf(stage, steps));
    const count = seen.reduce((sum, gpu) => sum + gpu.samples, 0);
    const busy = seen.reduce((sum, gpu) => sum + gpu.samples * gpu.utilization, 0);
    return {
      ...{ stage, steps: own.length, medianStepMs: 1000 * seconds[seconds.length >> 1]! },
      ...{ samples: count, utilization: count === 0 ? null : busy / count },
    };
  });
}

/** As `trainingWindows`, from the end of the first step of an attempt on, cut where the stage changes. */
function stretchesOf(stage: string, steps: readonly StagedStep[]): TimeWindow[] {
  const stretches: { from: number; to: number }[] = [];
  steps.forEach((step, i) => {
    if (step.stage !== stage) return;
    const before = steps[i - 1];
    const begins = before === undefined || before.attempt !== step.attempt;
    const to = Date.parse(step.time);
    // A sample at the very end of a step is of that step alone.
    if (begins || before.stage !== stage)
      stretches.push({ from: begins ? to : Date.parse(before.time) + 1, to });
    else stretches.at(-1)!.to = to;
  });
  return stretches;
}
