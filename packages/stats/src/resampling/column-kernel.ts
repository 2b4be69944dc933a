/**
 * The inner products at the heart of a many-column bootstrap: for every resample of a batch and every column,
 * Σ over units of count × column.
 *
 * With forty columns, ten thousand items and ten thousand resamples these are 4·10⁹ multiply-adds. JavaScript has no vector
 * instructions and checks every index, so the loop is a small WebAssembly function. Units are taken in tiles that stay in
 * the first-level cache while the whole batch passes over them. The additions of each column happen in the order of the
 * units in both kernels, hence equal bits.
 */
import {
  branchIf,
  compile,
  constant,
  each,
  type FunctionSource,
  get,
  loadVector,
  Op,
  set,
  storeVector,
  Type,
  tee,
} from './wasm-assembler.js';

/** Resamples that share a pass over the columns. */
export const BATCH = 16;
/** Units per tile: 16 KB of columns and 8 KB of counts. */
const TILE = 256;
const PAGE = 65_536;
/** Larger tables stay outside and take the plain loop: every thread would hold a copy. */
const MAXIMUM_BYTES = 2 ** 28;

export interface ColumnKernel {
  /** BATCH rows of counts, one per unit, to be filled before `sum`. */
  readonly counts: Uint16Array;
  /** BATCH rows of sums, `paddedWidth(width)` to a row: Σ count × column for the first `batch` rows after `sum(batch)`. */
  readonly sums: Float64Array;
  sum(batch: number): void;
}

/** Columns side by side in one pass: as many as 8, with little padding (42 columns: seven times 6). */
export function lanesFor(width: number): number {
  const padding = (lanes: number): number => Math.ceil(width / lanes) * lanes - width;
  return [8, 6, 4, 2].reduce((best, lanes) => (padding(lanes) < padding(best) ? lanes : best));
}

export function paddedWidth(width: number): number {
  return Math.ceil(width / lanesFor(width)) * lanesFor(width);
}

/** Columns as the kernels read them: groups of `lanesFor(width)`, unit after unit within a group. */
export function interleave(
  columns: readonly Float64Array[],
  out: (length: number) => Float64Array,
): Float64Array {
  const units = columns[0]!.length;
  const lanes = lanesFor(columns.length);
  const packed = out(units * paddedWidth(columns.length));
  columns.forEach((column, k) => {
    const start = (k - (k % lanes)) * units + (k % lanes);
    for (let unit = 0; unit < units; unit++) packed[start + unit * lanes] = column[unit]!;
  });
  return packed;
}

/** The kernel over interleaved `columns`. */
export function columnKernel(columns: Float64Array, width: number): ColumnKernel {
  return vectorKernel(columns, width) ?? plainKernel(columns, width);
}

/** The definition, and the fallback. */
export function plainKernel(columns: Float64Array, width: number): ColumnKernel {
  const lanes = lanesFor(width);
  const padded = paddedWidth(width);
  const units = columns.length / padded;
  const counts = new Uint16Array(BATCH * units);
  const sums = new Float64Array(BATCH * padded);
  return {
    counts,
    sums,
    sum(batch) {
      for (let b = 0; b < batch; b++) {
        for (let k = 0; k < padded; k++) {
          const start = (k - (k % lanes)) * units + (k % lanes);
          let sum = 0;
          for (let unit = 0; unit < units; unit++)
            sum += counts[b * units + unit]! * columns[start + unit * lanes]!;
          sums[b * padded + k] = sum;
        }
      }
    },
  };
}

function vectorKernel(columns: Float64Array, width: number): ColumnKernel | undefined {
  const lanes = lanesFor(width);
  const padded = paddedWidth(width);
  const units = columns.length / padded;
  const sumsAt = 16 * Math.ceil((2 * BATCH * units) / 16);
  const columnsAt = sumsAt + 8 * BATCH * padded;
  const bytes = columnsAt + 8 * columns.length;
  if (bytes > MAXIMUM_BYTES) return undefined;
  const compiled = compile(tileFunction(lanes / 2), Math.ceil(bytes / PAGE));
  if (compiled === undefined) return undefined;
  const { memory, run } = compiled;
  const sums = new Float64Array(memory.buffer, sumsAt, BATCH * padded);
  new Float64Array(memory.buffer, columnsAt, columns.length).set(columns);
  return {
    counts: new Uint16Array(memory.buffer, 0, BATCH * units),
    sums,
    sum(batch) {
      sums.fill(0);
      for (let unit = 0; unit < units; unit += TILE) {
        const length = Math.min(TILE, units - unit);
        for (let first = 0; first < padded; first += lanes) {
          const tile = columnsAt + 8 * (first * units + unit * lanes);
          const sum = sumsAt + 8 * first;
          run(2 * unit, length, 2 * units, tile, sum, sum + 8 * padded * batch, 8 * padded);
        }
      }
    },
  };
}

/**
 * (counts, length, countsStride, columns, sums, sumsEnd, sumsStride): for every row of the batch load its sums; for every
 * unit of the tile add count × columns, two columns to a vector; store the sums.
 */
function tileFunction(vectors: number): FunctionSource {
  const [counts, length, countsStride, columns, sums, sumsEnd, sumsStride] = [0, 1, 2, 3, 4, 5, 6] as const;
  const [at, end, column, count, sum] = [7, 8, 9, 10, 11] as const;
  return {
    parameters: new Array<number>(7).fill(Type.i32),
    results: [],
    locals: [
      [3, Type.i32],
      [1 + vectors, Type.v128],
    ],
    body: [
      ...Op.loop, // over rows
      ...[
        ...get(counts),
        ...tee(at),
        ...get(length),
        ...constant(1),
        ...Op.i32Shl,
        ...Op.i32Add,
        ...set(end),
      ],
      ...[...get(columns), ...set(column)],
      ...each(vectors, (j) => [get(sums), loadVector(16 * j), set(sum + j)]),
      ...Op.loop, // over units
      ...[...get(at), ...Op.i32Load16U, ...Op.f64ConvertI32U, ...Op.f64x2Splat, ...set(count)],
      ...each(vectors, (j) => [
        get(sum + j),
        [...get(count), ...get(column), ...loadVector(16 * j), ...Op.f64x2Mul],
        Op.f64x2Add,
        set(sum + j),
      ]),
      ...[...get(column), ...constant(16 * vectors), ...Op.i32Add, ...set(column)],
      ...[...get(at), ...constant(2), ...Op.i32Add, ...tee(at), ...get(end), ...Op.i32LtU, ...branchIf(0)],
      ...Op.end,
      ...each(vectors, (j) => [get(sums), get(sum + j), storeVector(16 * j)]),
      ...[...get(counts), ...get(countsStride), ...Op.i32Add, ...set(counts)],
      ...[...get(sums), ...get(sumsStride), ...Op.i32Add, ...tee(sums)],
      ...[...get(sumsEnd), ...Op.i32LtU, ...branchIf(0)],
      ...Op.end,
      ...Op.end,
    ],
  };
}
