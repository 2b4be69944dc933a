/**
 * The search for the largest batch that a share of a device's memory holds. Peak memory is close to a line in the number of
 * examples, so a few small batches tell where it reaches the goal; a real step there must confirm it. A size that does
 * not fit after all lowers the goal. Knows nothing of devices: `measure` is given.
 */
import { LatentWireError } from '../../errors.js';

/** Peak bytes in use with batches of a size; null: it did not fit. */
export type Measure = (size: number) => number | null;

export interface Measurement {
  readonly size: number;
  /** Bytes that a line through the measurements before gives for this size; null while there is none. */
  readonly expected: number | null;
  /** null: it did not fit. */
  readonly bytes: number | null;
}

export interface SearchOptions {
  /** Bytes of the device. */
  readonly capacity: number;
  /** Share of it to aim at. */
  readonly target: number;
  /** Largest size that is of use: examples there are, or that a step has. */
  readonly most: number;
  /** The largest size up to this one that differs from the sizes below it. Default: all do. */
  readonly usable?: (size: number) => number;
  readonly measure: Measure;
}

export interface SearchResult {
  readonly size: number;
  /** Bytes that were expected of `size` before it was measured. */
  readonly predicted: number | null;
  readonly measured: number;
  /** What stands in the way of a larger one; `device`: it ran out of memory below the goal. */
  readonly limitedBy: 'target' | 'most' | 'device';
  /** In the order they were made. */
  readonly measurements: readonly Measurement[];
}

/** A batch of few examples is long texts alone, and tells little of a large one. */
const FIRST = 8;
/** The line is drawn once batches differ by this share of what the smallest left free. */
const ENOUGH = 0.3;
/** As near to the goal as this share of the capacity is near enough. */
const NEAR = 0.02;
const MOST_ATTEMPTS = 8;
/** After a size that did not fit: the goal is this share of what was expected of it. */
const BACK_OFF = 0.85;

/** @throws LatentWireError `oom` when not even one example fits */
export function searchBatchSize(options: SearchOptions): SearchResult {
  const { capacity, target, usable = (size) => size } = options;
  const most = usable(options.most);
  const slack = NEAR * capacity;
  const measurements: Measurement[] = [];
  const known = new Map<number, number>();
  let ceiling = most;
  let goal = capacity * target;

  const measure = (size: number): number | null => {
    const line = lineThrough(known, goal);
    const expected = line && line.at + line.slope * size;
    const bytes = options.measure(size);
    measurements.push({ size, expected, bytes });
    if (bytes !== null) {
      known.set(size, bytes);
      return bytes;
    }
    ceiling = Math.min(ceiling, size - 1);
    if (ceiling < 1) throw notEvenOne(capacity);
    if (expected !== null) goal = Math.min(goal, BACK_OFF * expected);
    return null;
  };

  // Sizes to draw a line through: doubling until a good part of the room is taken, halving where that is too much.
  for (let size = usable(Math.min(FIRST, ceiling)); !known.has(size); ) {
    const bytes = measure(size);
    if (bytes !== null && bytes <= goal && size === ceiling) break;
    const over = measurements.some((m) => m.bytes === null || m.bytes > goal);
    const least = known.size > 0 ? Math.min(...known.values()) : 0;
    const rise = bytes === null ? 0 : bytes - least;
    if (known.size > 1 && (over || rise >= ENOUGH * (goal - least))) break;
    const smallest = Math.min(...measurements.map((m) => m.size));
    size = usable(over ? Math.max(1, smallest >> 1) : Math.min(ceiling, 2 * size));
  }

  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const line = lineThrough(known, goal);
    const wanted = line === null ? ceiling : Math.floor((goal - line.at) / line.slope);
    // Memory that rises in jumps keeps a line on one side of the goal for ever: half-way between the sides, then.
    const sides = around(known, goal);
    const stuck = sides !== null && attempt >= 2 && sameSide(measurements.slice(-2), goal);
    const next = stuck ? (sides.below[0] + sides.above[0]) >> 1 : Math.max(1, Math.min(ceiling, wanted));
    const size = usable(next);
    if (known.has(size)) break;
    const bytes = measure(size);
    if (bytes !== null && Math.abs(bytes - goal) <= slack) break;
  }

  const sizes = [...known.keys()].sort((a, b) => a - b);
  const size = sizes.findLast((held) => known.get(held)! <= goal + slack) ?? sizes[0]!;
  const { expected, bytes } = measurements.find((m) => m.size === size)!;
  const failed = measurements.some((m) => m.bytes === null);
  const limitedBy = size === most ? 'most' : failed ? 'device' : 'target';
  return { size, predicted: expected, measured: bytes!, limitedBy, measurements };
}

type Point = readonly [size: number, bytes: number];

/** The line that tells what a size takes: between the two sizes around the goal, else the trend; null while nothing rises. */
function lineThrough(known: ReadonlyMap<number, number>, goal: number): { at: number; slope: number } | null {
  const sides = around(known, goal);
  return sides === null ? trend([...known]) : trend([sides.below, sides.above]);
}

/** Least squares over the three largest batches. */
function trend(known: readonly Point[]): { at: number; slope: number } | null {
  const points = known.toSorted(([a], [b]) => a - b).slice(-3);
  const mean = (of: (point: Point) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean(([size]) => size), mean(([, bytes]) => bytes)];
  const spread = mean(([size]) => (size - x) ** 2);
  const slope = spread === 0 ? 0 : mean(([size, bytes]) => (size - x) * (bytes - y)) / spread;
  return slope > 0 ? { at: y - slope * x, slope } : null;
}

/** The measured sizes next to the goal on both sides of it; null while they are all on one. */
function around(known: ReadonlyMap<number, number>, goal: number): { below: Point; above: Point } | null {
  const points = [...known].sort(([a], [b]) => a - b);
  const above = points.find(([, bytes]) => bytes > goal);
  const below = points.findLast(([size, bytes]) => bytes <= goal && (above === undefined || size < above[0]));
  return above === undefined || below === undefined ? null : { below, above };
}

/** Whether all of them missed the goal on one side. */
function sameSide(measurements: readonly Measurement[], goal: number): boolean {
  const over = measurements.map(({ bytes }) => bytes === null || bytes > goal);
  return over.every((side) => side === over[0]);
}

function notEvenOne(capacity: number): LatentWireError {
  return new LatentWireError(
    `expected a step of one example to fit into the ${(capacity / 2 ** 30).toFixed(1)} GiB of the device, but it ran out of memory`,
    {
      code: 'oom',
      hint: 'pass --gradient_checkpointing, lower --encoder_max_tokens, or take a smaller model',
    },
  );
}
