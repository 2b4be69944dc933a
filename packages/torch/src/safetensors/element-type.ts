/** Element types of the safetensors format and their counterparts in torch. */
import type { DType } from '../dtype.js';

/** Format name → dtype, in the order in which the format's reference writer lays tensors out. */
const ELEMENT_TYPES: ReadonlyMap<string, DType> = new Map<string, DType>([
  ['I64', 'int64'],
  ['F64', 'float64'],
  ['F32', 'float32'],
  ['I32', 'int32'],
  ['BF16', 'bfloat16'],
  ['F16', 'float16'],
  ['I16', 'int16'],
  ['I8', 'int8'],
  ['U8', 'uint8'],
  ['BOOL', 'bool'],
]);

/** Types that the format defines and this package does not hold. */
const UNSUPPORTED: ReadonlySet<string> = new Set(
  'F8_E4M3 F8_E5M2 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ F6_E2M3 F6_E3M2 F4 U16 U32 U64 C64'.split(' '),
);

const NAMES = new Map<DType, string>([...ELEMENT_TYPES].map(([name, dtype]) => [dtype, name]));
const RANKS = new Map<DType, number>([...ELEMENT_TYPES.values()].map((dtype, rank) => [dtype, rank]));

/** The dtype of a format name, 'unsupported' for a type of the format that torch code here cannot hold. */
export function dtypeOfElementType(name: string): DType | 'unsupported' | undefined {
  return ELEMENT_TYPES.get(name) ?? (UNSUPPORTED.has(name) ? 'unsupported' : undefined);
}

export function elementTypeOf(dtype: DType): string {
  return NAMES.get(dtype)!;
}

/** Place of a dtype in the file: wider elements first, so that every tensor is aligned to its element size. */
export function layoutRank(dtype: DType): number {
  return RANKS.get(dtype)!;
}

/** Format names that can be read, for messages. */
export const elementTypeNames: readonly string[] = [...ELEMENT_TYPES.keys()];
