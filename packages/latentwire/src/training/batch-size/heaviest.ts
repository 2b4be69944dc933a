/**
 * Of all micro-batches of a run, the few that take most memory. Which of positions and logits weighs most depends on models and
 * device, so there is one for each of them, and the one that has most of all together.
 */
import type { StepLoad } from './step-load.js';

type Batch = readonly number[];

/** A batch that has this share of the most is heavy enough to stand for it. */
const NEAR = 0.98;

/** @returns one to four of `batches`: by all loads together, then by each that these do not reach */
export function heaviestBatches(batches: readonly Batch[], load: (batch: Batch) => StepLoad): Batch[] {
  const { together, each } = columns(batches, load);
  const chosen: number[] = [];
  for (const column of [together, ...each]) {
    const most = column.reduce((a, b) => Math.max(a, b), 0);
    if (chosen.some((at) => column[at]! >= NEAR * most)) continue;
    let heaviest = -1;
    column.forEach((value, at) => {
      // Rounding makes many equal: of these, the one with most of the others.
      if (value === most && (heaviest < 0 || together[at]! > together[heaviest]!)) heaviest = at;
    });
    chosen.push(heaviest);
  }
  return chosen.map((at) => batches[at]!);
}

/** The one in the middle. */
export function typicalBatch(batches: readonly Batch[], load: (batch: Batch) => StepLoad): Batch {
  const { together } = columns(batches, load);
  const order = Array.from(batches, (_, at) => at).sort((a, b) => together[a]! - together[b]! || a - b);
  return batches[order[order.length >> 1]!]!;
}

/** Each load of all batches, and their sum, each as a share of the most of its kind. */
function columns(
  batches: readonly Batch[],
  load: (batch: Batch) => StepLoad,
): { together: Float64Array; each: Float64Array[] } {
  const each = Array.from({ length: 3 }, () => new Float64Array(batches.length));
  batches.forEach((batch, at) => {
    const { encoded, read, logits } = load(batch);
    [encoded, read, logits].forEach((value, n) => {
      each[n]![at] = value;
    });
  });
  const together = new Float64Array(batches.length);
  for (const column of each) {
    const most = column.reduce((a, b) => Math.max(a, b), 0);
    if (most > 0) for (const [at, value] of column.entries()) together[at]! += value / most;
  }
  return { together, each };
}
