/**
 * Baseline `random_projection`: an untrained wire. Pooled token embeddings go through a fixed Gaussian projection to
 * d_z numbers, are normalised as latents are, and through a second one to the reader's width, at the RMS of its
 * embedding table. What it scores is what M vectors of the right size are worth when nobody learnt to write them.
 */
import * as t from '@latentwire/torch';
import type { BaselineInputs, BaselineRows } from './baseline.js';
import { pooledEmbeddingRows } from './pooled-embedding-rows.js';

export async function randomProjectionRows(inputs: BaselineInputs): Promise<BaselineRows> {
  const pooled = await pooledEmbeddingRows(inputs);
  const { model, name } = inputs.reader;
  const width = model.config.hiddenSize;
  const stream = inputs.root.stream(`random-projection/${name}`);
  const make = (part: string, out: number, into: number): Float32Array => {
    const values = new Float32Array(out * into);
    stream.child(part).fillNormal(values);
    return values;
  };
  const down = make('down', inputs.latentWidth, width);
  const up = make('up', width, inputs.latentWidth);
  const options = { device: model.device };
  return {
    ...pooled,
    prefix: (indices) =>
      t.scope(() =>
        t.noGrad(() => {
          const x = t.rmsNorm(pooled.prefix!(indices)); // [n, M, D]
          const z = t.rmsNorm(t.linear(x, t.fromTypedArray(down, [inputs.latentWidth, width], options)));
          const p = t.rmsNorm(t.linear(z, t.fromTypedArray(up, [width, inputs.latentWidth], options)));
          return t.mul(p, model.embeddingRms);
        }),
      ),
  };
}
