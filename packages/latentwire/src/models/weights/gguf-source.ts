/** Weights of a GGUF file, dequantised while they are read. */
import * as t from '@latentwire/torch';
import {
  type ModelConfig,
  type OfferedTensor,
  undoGgufTransform,
  type WeightLocation,
} from '../config/index.js';
import { type GgufFile, readGgufTensor } from '../gguf/index.js';
import type { WeightSource } from './weight-source.js';

export class GgufWeightSource implements WeightSource {
  readonly format = 'gguf';

  constructor(
    private readonly file: GgufFile,
    private readonly config: ModelConfig,
  ) {}

  get path(): string {
    return this.file.path;
  }

  *offered(): Iterable<OfferedTensor> {
    for (const [name, { shape }] of this.file.tensors) yield { name, shape };
  }

  load(location: WeightLocation, target: { dtype: t.DType; device: t.Device }): t.Tensor {
    const values = readGgufTensor(this.file, location.source);
    undoGgufTransform(location.transform, values, this.config);
    return t.fromTypedArray(values, location.shape, target);
  }

  close(): void {}
}
