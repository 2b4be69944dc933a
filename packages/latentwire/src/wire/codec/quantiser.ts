/**
 * The quantiser as part of the training graph. Forward: exactly the numbers that the receiver of the message
 * reconstructs. Backward: straight through the rounding (Bengio et al., arXiv 1308.3432); where a wire without scales
 * clips, the gradient is that of clipping, 0, so that a value cannot drift further out unseen.
 */
import * as t from '@latentwire/torch';
import { fixedStep, groupsPerVector, type Quantisation } from './quantisation.js';
import { HALF_MAX } from './quantise.js';
import { NEXT, SCALE_MAX, SCALE_NORMAL, SCALE_UNIT, SPLIT } from './scale-byte.js';

export class Quantiser {
  constructor(readonly quantisation: Quantisation) {}

  /** Latents [B, M, d_z] in fp32 -> what arrives of them, same shape. Vectors do not influence each other. */
  forward(z: t.Tensor): t.Tensor {
    const { bits, group } = this.quantisation;
    if (bits === 32) return z;
    const rounded = t.noGrad(() => t.scope(() => this.#round(z)));
    const through = bits <= 8 && group === 0 ? clipToRange(z, bits) : z;
    // rounded + 0, computed as through − through: z + (rounded − z) would not be exact.
    return t.add(rounded, t.sub(through, through.detach()));
  }

  #round(z: t.Tensor): t.Tensor {
    const { bits, group } = this.quantisation;
    if (bits === 16) {
      return t.clamp(z, -HALF_MAX, HALF_MAX).to({ dtype: 'float16' }).to({ dtype: 'float32' });
    }
    const half = 2 ** (bits - 1);
    if (group === 0) {
      // A tensor, not a number: on CUDA a division by a number is a multiplication by its inverse.
      return cells(z, t.full([1], fixedStep(bits), { device: z.device }), half);
    }
    const [rows, vectors, width] = [z.size(0), z.size(1), z.size(2)];
    const groups = groupsPerVector(width, this.quantisation);
    const padded = t.pad(z, [0, groups * group - width]);
    const grouped = t.reshape(padded, [rows, vectors, groups, group]);
    const range = t.full([1], half - 0.5, { device: z.device });
    const step = ceilScale(t.div(t.amax(t.abs(grouped), -1, true), range));
    const values = t.view(cells(grouped, step, half), [rows, vectors, groups * group]);
    return t.narrow(values, 2, 0, width);
  }
}

/** Middle of the cell of each value. */
function cells(x: t.Tensor, step: t.Tensor, half: number): t.Tensor {
  const divisor = t.maskedFill(step, t.eq(step, 0), 1);
  const code = t.clamp(t.floor(t.div(x, divisor)), -half, half - 1);
  return t.add(t.mul(t.add(code, 0.5), step), 0);
}

/** `ceilScale` of scale-byte.ts, elementwise. */
function ceilScale(x: t.Tensor): t.Tensor {
  const small = t.mul(t.ceil(t.mul(x, 1 / SCALE_UNIT)), SCALE_UNIT);
  const nearest = roundTo5Bits(x);
  const next = roundTo5Bits(t.mul(nearest, NEXT));
  const normal = t.where(t.lt(nearest, x), next, nearest);
  const scale = t.where(t.lt(x, SCALE_NORMAL), small, normal);
  return t.clamp(t.where(t.ge(x, SCALE_MAX), t.fullLike(x, SCALE_MAX), scale), undefined, SCALE_MAX);
}

function roundTo5Bits(x: t.Tensor): t.Tensor {
  const c = t.mul(x, SPLIT);
  return t.sub(c, t.sub(c, x));
}

function clipToRange(z: t.Tensor, bits: number): t.Tensor {
  const limit = 2 ** (bits - 1) * fixedStep(bits);
  return t.clamp(z, -limit, limit);
}
