/** Elementwise operators with NumPy broadcasting; names and meaning as in PyTorch. */
import { op, run, runInPlace } from '../dispatch.js';
import type { Tensor } from '../tensor.js';

const unary = (name: string): ((x: Tensor) => Tensor) => {
  const id = op(`aten::${name}`);
  return (x) => run(id, x.handle);
};

export const neg = unary('neg');
export const abs = unary('abs');
export const sign = unary('sign');
export const exp = unary('exp');
export const expm1 = unary('expm1');
export const log = unary('log');
export const log1p = unary('log1p');
export const log2 = unary('log2');
export const sqrt = unary('sqrt');
export const rsqrt = unary('rsqrt');
export const square = unary('square');
export const reciprocal = unary('reciprocal');
export const sin = unary('sin');
export const cos = unary('cos');
export const tanh = unary('tanh');
export const sigmoid = unary('sigmoid');
export const logSigmoid = unary('log_sigmoid');
export const relu = unary('relu');
export const silu = unary('silu');
export const erf = unary('erf');
export const floor = unary('floor');
export const ceil = unary('ceil');
/** Half to even. */
export const round = unary('round');
export const trunc = unary('trunc');
export const isnan = unary('isnan');
export const isfinite = unary('isfinite');
export const logicalNot = unary('logical_not');

const GELU = op('aten::gelu');
/** Gaussian error linear unit; 'tanh' is the approximation of Gemma and GPT-2. */
export const gelu = (x: Tensor, approximate: 'none' | 'tanh' = 'none'): Tensor =>
  run(GELU, x.handle, approximate);
const SOFTPLUS = op('aten::softplus');
export const softplus = (x: Tensor, beta = 1, threshold = 20): Tensor =>
  run(SOFTPLUS, x.handle, beta, threshold);

/** A binary operator with a tensor or a number on the right. */
const binary = (tensorOp: string, scalarOp: string): ((a: Tensor, b: Tensor | number) => Tensor) => {
  const onTensor = op(`aten::${tensorOp}`);
  const onScalar = op(`aten::${scalarOp}`);
  return (a, b) => (typeof b === 'number' ? run(onScalar, a.handle, b) : run(onTensor, a.handle, b.handle));
};

export const add = binary('add.Tensor', 'add.Scalar');
export const sub = binary('sub.Tensor', 'sub.Scalar');
export const mul = binary('mul.Tensor', 'mul.Scalar');
/** True division. */
export const div = binary('div.Tensor', 'div.Scalar');
export const floorDivide = binary('floor_divide', 'floor_divide.Scalar');
/** Python's modulo: the sign of the divisor. */
export const remainder = binary('remainder.Tensor', 'remainder.Scalar');
export const pow = binary('pow.Tensor_Tensor', 'pow.Tensor_Scalar');
export const eq = binary('eq.Tensor', 'eq.Scalar');
export const ne = binary('ne.Tensor', 'ne.Scalar');
export const lt = binary('lt.Tensor', 'lt.Scalar');
export const le = binary('le.Tensor', 'le.Scalar');
export const gt = binary('gt.Tensor', 'gt.Scalar');
export const ge = binary('ge.Tensor', 'ge.Scalar');

const pair = (name: string): ((a: Tensor, b: Tensor) => Tensor) => {
  const id = op(`aten::${name}`);
  return (a, b) => run(id, a.handle, b.handle);
};

export const minimum = pair('minimum');
export const maximum = pair('maximum');
export const atan2 = pair('atan2');
export const logicalAnd = pair('logical_and');
export const logicalOr = pair('logical_or');
export const logicalXor = pair('logical_xor');
export const bitwiseAnd = pair('bitwise_and.Tensor');
export const bitwiseOr = pair('bitwise_or.Tensor');

const CLAMP = op('aten::clamp');
/** Limits to [min, max]; either side may be absent. */
export const clamp = (x: Tensor, min: number | undefined, max: number | undefined): Tensor =>
  run(CLAMP, x.handle, min ?? null, max ?? null);
const WHERE = op('aten::where.self');
export const where = (condition: Tensor, a: Tensor, b: Tensor): Tensor =>
  run(WHERE, condition.handle, a.handle, b.handle);
const MASKED_FILL = op('aten::masked_fill.Scalar');
export const maskedFill = (x: Tensor, mask: Tensor, value: number): Tensor =>
  run(MASKED_FILL, x.handle, mask.handle, value);
const LERP = op('aten::lerp.Scalar');
export const lerp = (a: Tensor, b: Tensor, weight: number): Tensor => run(LERP, a.handle, b.handle, weight);
const ADDCMUL = op('aten::addcmul');
/** x + value * a * b */
export const addcmul = (x: Tensor, a: Tensor, b: Tensor, value = 1): Tensor =>
  run(ADDCMUL, x.handle, a.handle, b.handle, value);
const ADDCDIV = op('aten::addcdiv');
/** x + value * a / b */
export const addcdiv = (x: Tensor, a: Tensor, b: Tensor, value = 1): Tensor =>
  run(ADDCDIV, x.handle, a.handle, b.handle, value);

// In-place forms, for optimisers and buffers.
const ADD_ = op('aten::add_.Tensor');
const ADD_SCALAR_ = op('aten::add_.Scalar');
const MUL_ = op('aten::mul_.Tensor');
const MUL_SCALAR_ = op('aten::mul_.Scalar');
const COPY_ = op('aten::copy_');
const FILL_ = op('aten::fill_.Scalar');
const ZERO_ = op('aten::zero_');
const LERP_ = op('aten::lerp_.Scalar');
const ADDCDIV_ = op('aten::addcdiv_');
const ADDCMUL_ = op('aten::addcmul_');

/** self += alpha * other */
export const add_ = (self: Tensor, other: Tensor | number, alpha = 1): Tensor =>
  typeof other === 'number'
    ? runInPlace(ADD_SCALAR_, self, other, alpha)
    : runInPlace(ADD_, self, other.handle, alpha);
export const mul_ = (self: Tensor, other: Tensor | number): Tensor =>
  typeof other === 'number' ? runInPlace(MUL_SCALAR_, self, other) : runInPlace(MUL_, self, other.handle);
/** Copies values (with dtype and device conversion) into self. */
export const copy_ = (self: Tensor, source: Tensor, nonBlocking = false): Tensor =>
  runInPlace(COPY_, self, source.handle, nonBlocking);
export const fill_ = (self: Tensor, value: number): Tensor => runInPlace(FILL_, self, value);
export const zero_ = (self: Tensor): Tensor => runInPlace(ZERO_, self);
export const lerp_ = (self: Tensor, end: Tensor, weight: number): Tensor =>
  runInPlace(LERP_, self, end.handle, weight);
export const addcmul_ = (self: Tensor, a: Tensor, b: Tensor, value = 1): Tensor =>
  runInPlace(ADDCMUL_, self, a.handle, b.handle, value);
export const addcdiv_ = (self: Tensor, a: Tensor, b: Tensor, value = 1): Tensor =>
  runInPlace(ADDCDIV_, self, a.handle, b.handle, value);
