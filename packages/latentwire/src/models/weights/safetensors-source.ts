/** Weights of a Hugging Face folder: one safetensors file, or shards named by an index. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as t from '@latentwire/torch';
import { LatentWireError } from '../../errors.js';
import type { OfferedTensor, WeightLocation } from '../config/index.js';
import type { WeightSource } from './weight-source.js';

const INDEX = 'model.safetensors.index.json';
const SINGLE = 'model.safetensors';

export class SafetensorsWeightSource implements WeightSource {
  readonly format = 'safetensors';

  private constructor(
    readonly path: string,
    private readonly tensors: t.TensorSource,
  ) {}

  /** @throws LatentWireError 'input' when the folder holds no weights, 'format' when they are damaged. */
  static open(folder: string): SafetensorsWeightSource {
    const index = join(folder, INDEX);
    const single = join(folder, SINGLE);
    return translated(() => {
      if (existsSync(index)) return new SafetensorsWeightSource(folder, t.openSafetensorsIndex(index));
      if (existsSync(single)) return new SafetensorsWeightSource(folder, t.openSafetensors(single));
      throw new LatentWireError(`${folder}: expected ${SINGLE} or ${INDEX}, got neither`, {
        code: 'input',
        hint: 'point at a folder with safetensors weights (not .bin), or at a .gguf file',
      });
    });
  }

  *offered(): Iterable<OfferedTensor> {
    for (const name of this.tensors.names) yield { name, shape: this.tensors.info(name).shape };
  }

  load(location: WeightLocation, target: { dtype: t.DType; device: t.Device }): t.Tensor {
    return translated(() => this.tensors.load(location.source, target));
  }

  close(): void {
    this.tensors.close();
  }
}

function translated<T>(body: () => T): T {
  try {
    return body();
  } catch (cause) {
    if (cause instanceof t.SafetensorsError) {
      throw new LatentWireError(cause.message, {
        code: 'format',
        hint: 'download the file again; it is damaged or not a safetensors file',
        cause,
      });
    }
    throw cause;
  }
}
