/** Element types: names as in PyTorch, codes as in c10::ScalarType. */
import { TorchError } from './error.js';

const CODES = {
  uint8: 0,
  int8: 1,
  int16: 2,
  int32: 3,
  int64: 4,
  float16: 5,
  float32: 6,
  float64: 7,
  bool: 11,
  bfloat16: 15,
} as const;

export type DType = keyof typeof CODES;
export type FloatDType = 'float16' | 'bfloat16' | 'float32' | 'float64';

const BYTES: Record<DType, number> = {
  uint8: 1,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  float16: 2,
  float32: 4,
  float64: 8,
  bool: 1,
  bfloat16: 2,
};

const NAMES = new Map<number, DType>(
  (Object.entries(CODES) as [DType, number][]).map(([name, code]) => [code, name]),
);

/** All element types the package knows. */
export const dtypes = Object.keys(CODES) as readonly DType[];

/** c10::ScalarType code of a dtype. */
export function dtypeCode(dtype: DType): number {
  const code = CODES[dtype];
  if (code === undefined) {
    throw new TorchError(`expected a dtype (${dtypes.join(', ')}), got ${String(dtype)}`);
  }
  return code;
}

/** Code of an optional dtype; undefined takes the operator's default. */
export function optionalDtypeCode(dtype: DType | undefined): number | undefined {
  return dtype === undefined ? undefined : dtypeCode(dtype);
}

export function dtypeOfCode(code: number): DType {
  const name = NAMES.get(code);
  if (name === undefined) throw new TorchError(`tensors of c10::ScalarType ${code} are not supported`);
  return name;
}

/** Bytes per element. */
export function dtypeBytes(dtype: DType): number {
  return BYTES[dtype];
}

export function isFloat(dtype: DType): dtype is FloatDType {
  return dtype === 'float32' || dtype === 'bfloat16' || dtype === 'float16' || dtype === 'float64';
}
