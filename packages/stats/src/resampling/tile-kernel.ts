/**
 * The inner product at the heart of a many-column bootstrap: for every resample of a batch,
 * sums[k] += Σ over units of count × column k.
 *
 * With forty columns, ten thousand items and ten thousand resamples this is 4·10⁹ multiply-adds. JavaScript has no vector
 * instructions and checks every index, so the loop is a small WebAssembly function: 2.7 times as fast. The additions of
 * each column happen in the same order in both, hence equal bits.
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

/** Resamples per batch and units per tile; a tile of columns (16 KB) and its counts stay in L1. */
export const BATCH = 16;
export const TILE = 256;

/**
 * Adds a tile: for each resample b < batch and lane k, sums[8b + k] += Σ_{i < length} counts[b·stride + from + i] ·
 * columns[at + lanes·i + k].
 */
export type TileKernel = (
  counts: Uint16Array,
  stride: number,
  from: number,
  length: number,
  batch: number,
  columns: Float64Array,
  at: number,
  sums: Float64Array,
) => void;

const kernels = new Map<number, TileKernel>();

/** The kernel for 2, 4 or 8 columns side by side. */
export function tileKernel(lanes: number): TileKernel {
  let kernel = kernels.get(lanes);
  if (kernel === undefined) {
    kernel = vectorKernel(lanes) ?? plainKernel(lanes);
    kernels.set(lanes, kernel);
  }
  return kernel;
}

/** The definition, and the fallback. */
export function plainKernel(lanes: number): TileKernel {
  return (counts, stride, from, length, batch, columns, at, sums) => {
    for (let b = 0; b < batch; b++) {
      for (let k = 0; k < lanes; k++) {
        let sum = sums[8 * b + k]!;
        for (let i = 0; i < length; i++) sum += counts[b * stride + from + i]! * columns[at + lanes * i + k]!;
        sums[8 * b + k] = sum;
      }
    }
  };
}

/** Layout of the module's one page of memory, in bytes. */
const COUNTS_AT = 0;
const COLUMNS_AT = COUNTS_AT + BATCH * TILE * 2;
const SUMS_AT = COLUMNS_AT + TILE * 8 * 8;

function vectorKernel(lanes: number): TileKernel | undefined {
  const compiled = compile(tileFunction(lanes / 2), 1);
  if (compiled === undefined) return undefined;
  const { memory, run } = compiled;
  const tileCounts = new Uint16Array(memory.buffer, COUNTS_AT, BATCH * TILE);
  const tileColumns = new Float64Array(memory.buffer, COLUMNS_AT, TILE * 8);
  const tileSums = new Float64Array(memory.buffer, SUMS_AT, BATCH * 8);
  return (counts, stride, from, length, batch, columns, at, sums) => {
    tileColumns.set(columns.subarray(at, at + length * lanes));
    tileSums.set(sums);
    for (let b = 0; b < batch; b++) {
      const start = b * stride + from;
      tileCounts.set(counts.subarray(start, start + length), b * TILE);
      const row = COUNTS_AT + b * TILE * 2;
      run(row, row + length * 2, COLUMNS_AT, SUMS_AT + b * 64);
    }
    sums.set(tileSums);
  };
}

/**
 * (counts, end, columns, sums): load the sums; for every unit add count × columns, two columns to a vector; store them.
 */
function tileFunction(vectors: number): FunctionSource {
  const [counts, end, columns, sums, count, firstSum] = [0, 1, 2, 3, 4, 5] as const;
  return {
    parameters: [Type.i32, Type.i32, Type.i32, Type.i32],
    results: [],
    locals: [[1 + vectors, Type.v128]],
    body: [
      ...each(vectors, (j) => [get(sums), loadVector(16 * j), set(firstSum + j)]),
      ...Op.loop,
      ...[...get(counts), ...Op.i32Load16U, ...Op.f64ConvertI32U, ...Op.f64x2Splat, ...set(count)],
      ...each(vectors, (j) => [
        get(firstSum + j),
        [...get(count), ...get(columns), ...loadVector(16 * j), ...Op.f64x2Mul],
        Op.f64x2Add,
        set(firstSum + j),
      ]),
      ...[...get(columns), ...constant(16 * vectors), ...Op.i32Add, ...set(columns)],
      ...[
        ...get(counts),
        ...constant(2),
        ...Op.i32Add,
        ...tee(counts),
        ...get(end),
        ...Op.i32LtU,
        ...branchIf(0),
      ],
      ...Op.end,
      ...each(vectors, (j) => [get(sums), get(firstSum + j), storeVector(16 * j)]),
      ...Op.end,
    ],
  };
}
