/** Many tensors in another dtype at once. */
import { handles, op, runMany } from '../dispatch.js';
import { type DType, dtypeCode } from '../dtype.js';
import type { Tensor } from '../tensor.js';

const CAST_ALL = op('latentwire::cast_all');

/**
 * The values of `to({ dtype })` of each tensor, and its gradients, for one operator's cost to the host (native/cast_op.h).
 * The results are new tensors.
 * @param tensors of one dtype
 */
export const castAll = (tensors: readonly Tensor[], dtype: DType): Tensor[] =>
  tensors.length === 0 ? [] : runMany(CAST_ALL, handles(tensors), dtypeCode(dtype));
