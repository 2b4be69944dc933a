/**
 * Storage types of ggml tensors: how many weights form a block and how many bytes a block takes.
 * Types without a dequantiser here are still listed, so that a file holding them can be inspected
 * (config, tokenizer, tensor table) and refused by name only when such a tensor is read.
 *
 * Source: ggml's `ggml_type` enumeration and block structs (ggml/include/ggml.h, ggml-common.h).
 */

/** [id in the file, weights per block, bytes per block] */
const TYPES = {
  F32: [0, 1, 4],
  F16: [1, 1, 2],
  Q4_0: [2, 32, 18],
  Q4_1: [3, 32, 20],
  Q5_0: [6, 32, 22],
  Q5_1: [7, 32, 24],
  Q8_0: [8, 32, 34],
  Q8_1: [9, 32, 40],
  Q2_K: [10, 256, 84],
  Q3_K: [11, 256, 110],
  Q4_K: [12, 256, 144],
  Q5_K: [13, 256, 176],
  Q6_K: [14, 256, 210],
  Q8_K: [15, 256, 292],
  IQ2_XXS: [16, 256, 66],
  IQ2_XS: [17, 256, 74],
  IQ3_XXS: [18, 256, 98],
  IQ1_S: [19, 256, 50],
  IQ4_NL: [20, 32, 18],
  IQ3_S: [21, 256, 110],
  IQ2_S: [22, 256, 82],
  IQ4_XS: [23, 256, 136],
  I8: [24, 1, 1],
  I16: [25, 1, 2],
  I32: [26, 1, 4],
  I64: [27, 1, 8],
  F64: [28, 1, 8],
  IQ1_M: [29, 256, 56],
  BF16: [30, 1, 2],
  TQ1_0: [34, 256, 54],
  TQ2_0: [35, 256, 66],
  MXFP4: [39, 32, 17],
  NVFP4: [40, 64, 36],
  Q1_0: [41, 128, 18],
} as const satisfies Record<string, readonly [number, number, number]>;

export type GgmlTypeName = keyof typeof TYPES;

export interface GgmlType {
  readonly name: GgmlTypeName;
  readonly id: number;
  /** Weights per block; a row holds a whole number of blocks. */
  readonly blockSize: number;
  readonly blockBytes: number;
}

const BY_NAME = new Map<GgmlTypeName, GgmlType>();
const BY_ID = new Map<number, GgmlType>();
for (const [name, [id, blockSize, blockBytes]] of Object.entries(TYPES)) {
  const type: GgmlType = { name: name as GgmlTypeName, id, blockSize, blockBytes };
  BY_NAME.set(type.name, type);
  BY_ID.set(id, type);
}

export function ggmlType(name: GgmlTypeName): GgmlType {
  return BY_NAME.get(name)!;
}

/** The type with this id in a file's tensor table, or undefined for an id ggml does not define (or has removed). */
export function ggmlTypeById(id: number): GgmlType | undefined {
  return BY_ID.get(id);
}
