/**
 * Just enough of an assembler for two small WebAssembly functions (column-kernel.ts, block-kernel.ts): opcodes by their names
 * in the specification, LEB128 numbers, and a module with one memory and one function, both exported. Where WebAssembly is
 * missing, or not allowed to compile, the kernels' plain definitions in TypeScript take over; results are equal bit for bit.
 */

export const Op = {
  block: [0x02, 0x40],
  loop: [0x03, 0x40],
  if: [0x04, 0x40],
  end: [0x0b],
  i32Add: [0x6a],
  i32Sub: [0x6b],
  i32And: [0x71],
  i32Xor: [0x73],
  i32Shl: [0x74],
  i32ShrU: [0x76],
  i32Rotl: [0x77],
  i32LtS: [0x48],
  i32LtU: [0x49],
  i32GtS: [0x4a],
  i32Load16U: [0x2f, 1, 0],
  f64Load: [0x2b, 3, 0],
  f64Add: [0xa0],
  f64ConvertI32U: [0xb8],
  f64x2Splat: [0xfd, 0x14],
  f64x2Add: [0xfd, 0xf0, 0x01],
  f64x2Mul: [0xfd, 0xf2, 0x01],
} as const;

export const Type = { i32: 0x7f, f64: 0x7c, v128: 0x7b } as const;

export const get = (local: number): number[] => [0x20, local];
export const set = (local: number): number[] => [0x21, local];
export const tee = (local: number): number[] => [0x22, local];
export const constant = (value: number): number[] => [0x41, ...signed(value)];
export const branch = (depth: number): number[] => [0x0c, depth];
export const branchIf = (depth: number): number[] => [0x0d, depth];
export const load32 = (offset: number): number[] => [0x28, 2, ...unsigned(offset)];
export const store32 = (offset: number): number[] => [0x36, 2, ...unsigned(offset)];
export const loadVector = (offset: number): number[] => [0xfd, 0, 3, ...unsigned(offset)];
export const storeVector = (offset: number): number[] => [0xfd, 11, 3, ...unsigned(offset)];

/** The pieces of `f(0)` … `f(count − 1)` one after the other. */
export function each(count: number, f: (k: number) => readonly (readonly number[])[]): number[] {
  return Array.from({ length: count }, (_, k) => f(k).flat()).flat();
}

export interface FunctionSource {
  readonly parameters: readonly number[];
  readonly results: readonly number[];
  /** Runs of locals of one type, numbered after the parameters. */
  readonly locals: readonly (readonly [count: number, type: number])[];
  readonly body: readonly number[];
}

export interface Compiled {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly run: (...values: number[]) => number;
}

/** Compiles one function with `pages` of 64 KB; undefined where that is not possible. */
export function compile(source: FunctionSource, pages: number): Compiled | undefined {
  const wasm = (globalThis as { readonly WebAssembly?: WebAssemblyApi }).WebAssembly;
  const bytes = assemble(source, pages);
  if (!wasm?.validate(bytes)) return undefined;
  try {
    return new wasm.Instance(new wasm.Module(bytes)).exports;
  } catch {
    // A process may be forbidden to make code or to map memory; that costs speed only.
    return undefined;
  }
}

/** The part of the WebAssembly interface used here; TypeScript declares it for browsers only. */
interface WebAssemblyApi {
  validate(bytes: Uint8Array): boolean;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: Compiled };
}

function assemble({ parameters, results, locals, body }: FunctionSource, pages: number): Uint8Array {
  const section = (id: number, content: readonly number[]): number[] => [
    id,
    ...unsigned(content.length),
    ...content,
  ];
  const list = (values: readonly number[]): number[] => [values.length, ...values];
  const name = (text: string): number[] => list([...new TextEncoder().encode(text)]);
  const code = [locals.length, ...locals.flat(), ...body];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, ...list(parameters), ...list(results)]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, ...unsigned(pages)]),
    ...section(7, [2, ...name('memory'), 2, 0, ...name('run'), 0, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ]);
}

/** Unsigned LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  return [...bytes, rest];
}

/** Signed LEB128. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; ) {
    const byte = rest & 0x7f;
    rest >>= 7;
    if (rest === (byte & 0x40 ? -1 : 0)) return [...bytes, byte];
    bytes.push(byte | 0x80);
  }
}
