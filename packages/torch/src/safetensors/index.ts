/** The safetensors file format: checked, memory-mapped reading and atomic, streamed writing. */
export { SafetensorsError } from './error.js';
export { parseHeader, type SafetensorsHeader, type TensorInfo } from './header.js';
export {
  type LoadOptions,
  openSafetensors,
  readHeader,
  SafetensorsFile,
  type TensorSource,
} from './open.js';
export { openSafetensorsIndex, ShardedSafetensors } from './open-index.js';
export { type FileOperations, type FileWriter, type ReplaceOptions, replaceFile } from './replace-file.js';
export {
  removeStaleSaves,
  SafetensorsSave,
  type SaveFault,
  type SaveOptions,
  type SaveResult,
} from './save.js';
export { type NamedTensors, type RawTensor, type WriteOptions, writeSafetensors } from './write.js';
