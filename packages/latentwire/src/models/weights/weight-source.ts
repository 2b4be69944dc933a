/** Where weights come from: safetensors files or a GGUF file, behind one small interface. */
import type { Device, DType, Tensor } from '@latentwire/torch';
import type { OfferedTensor, WeightLocation } from '../config/index.js';

export interface WeightSource {
  readonly format: 'safetensors' | 'gguf';
  /** File or folder, for messages. */
  readonly path: string;
  /** Every tensor the files hold. */
  offered(): Iterable<OfferedTensor>;
  /** Values of one weight, in the canonical orientation, as a tensor of the asked dtype and device. */
  load(location: WeightLocation, target: { dtype: DType; device: Device }): Tensor;
  close(): void;
}
