"""Writes operators.json: what every typed operator must give, forward and gradient, read by ../operators.test.ts.

Each case calls a function of src/ops by name. Inputs are multiples of 1/32 with at most seven significant bits, so
they are exact in bfloat16 as in float64; the expected numbers come from PyTorch in float64 and are the truth that
float32 and bfloat16 kernels of any device are compared with. Gradients are those of sum_k w_k * output_k with
w_k = ((7 k) mod 11 - 5) / 4.

Run: python make_operators.py   (needs torch). It also prints how far PyTorch's own bfloat16 kernels are off.
"""
import json, math, pathlib, random
import torch
import torch.nn.functional as F

draw = random.Random(20240607)
cases = []


class Input:
    """A tensor argument: integers `values`, divided by `scale`."""

    def __init__(self, values, shape, dtype, grad, scale):
        self.values, self.shape, self.dtype, self.grad, self.scale = values, list(shape), dtype, grad, scale

    def tensor(self, floating):
        dtype = floating if self.dtype == "float" else getattr(torch, self.dtype)
        if self.dtype == "float":
            t = (torch.tensor([float(v) for v in self.values], dtype=torch.float64) / self.scale).to(dtype)
        else:
            t = torch.tensor(self.values, dtype=dtype)
        t = t.reshape(self.shape)
        return t.requires_grad_() if self.grad else t


def x(*shape, low=-120, high=120, grad=True):
    """Distinct floats in [low/32, high/32], none near zero."""
    pool = [v for v in range(low, high + 1) if abs(v) >= 4]
    return Input(draw.sample(pool, math.prod(shape)), shape, "float", grad, 32)


def positive(*shape, grad=True):
    return x(*shape, low=8, high=120, grad=grad)


def unit(*shape, grad=True):
    return x(*shape, low=-28, high=28, grad=grad)


def floats(values, *shape, grad=False):
    return Input([v if isinstance(v, str) else v * 32 for v in values], shape or [len(values)], "float", grad, 32)


def ints(values, *shape):
    return Input(values, shape or [len(values)], "int64", False, 1)


def bools(values, *shape):
    return Input([bool(v) for v in values], shape or [len(values)], "bool", False, 1)


UNDEFINED = object()
REDUCTION = {"reduction": "sum"}


def case(op, function, *args, label="", bf16=True):
    """op: name in src/ops. args: as in TypeScript, Inputs in place of tensors. function: the same in PyTorch."""
    inputs = []

    def encode(value):
        if isinstance(value, Input):
            inputs.append(value)
            return {"$": len(inputs) - 1}
        if value is UNDEFINED:
            return {"$": "undefined"}
        if isinstance(value, (list, tuple)):
            return [encode(v) for v in value]
        if isinstance(value, dict):
            return {k: encode(v) for k, v in value.items()}
        return value

    encoded = [encode(arg) for arg in args]

    def run(floating):
        tensors = [i.tensor(floating) for i in inputs]
        result = function(*(t.clone() if op.endswith("_") else t for t in tensors))
        outputs = list(result) if isinstance(result, (tuple, list)) else [result]
        leaves = [t for t in tensors if t.requires_grad]
        differentiable = [o for o in outputs if o.requires_grad]
        gradients = None
        if leaves and differentiable:
            weights = [weight(o) for o in differentiable]
            gradients = torch.autograd.grad(differentiable, leaves, weights)
        return outputs, gradients

    outputs, gradients = run(torch.float64)
    single, _ = run(torch.float32)
    entry = {"op": op, "label": label, "inputs": [describe(i) for i in inputs], "args": encoded,
             "outputs": [{"dtype": str(s.dtype)[6:], "shape": list(o.shape), "values": numbers(o)}
                         for o, s in zip(outputs, single)],
             "gradients": None if gradients is None else [numbers(g) for g in gradients],
             "bfloat16": bf16}
    if bf16:
        report_bfloat16(op, label, run(torch.bfloat16), outputs, gradients)
    cases.append(entry)


def weight(output):
    k = torch.arange(output.numel(), device=output.device)
    return (((k * 7) % 11 - 5) / 4).reshape(output.shape).to(output.dtype)


def describe(i):
    return {"dtype": i.dtype, "shape": i.shape, "grad": i.grad, "scale": i.scale, "values": i.values}


def numbers(t):
    flat = t.detach().flatten().tolist()
    return [number(v) for v in flat]


def number(v):
    if isinstance(v, (bool, int)):
        return v
    if not math.isfinite(v):
        return str(v)
    v = float(f"{v:.8g}")
    return int(v) if v == int(v) else v


def report_bfloat16(op, label, run, outputs, gradients):
    pairs = list(zip(run[0], outputs)) + list(zip(run[1] or [], gradients or []))
    worst = 0.0
    for got, expected in pairs:
        expected, got = expected.detach().double(), got.detach().double()
        keep = expected.isfinite()
        if keep.any():
            error = (got - expected)[keep].abs()
            scale = expected[keep].abs() + expected[keep].abs().max()
            worst = max(worst, (error / scale.clamp_min(1e-30)).max().item())
    if worst > 2**-9:
        print(f"bfloat16 {op} {label}: off by {worst * 512:.2f} · 2^-9 of |value| + max|value|")


# --- elementwise -------------------------------------------------------------------------------------------------
for name in "neg abs sign exp expm1 square reciprocal sin cos tanh sigmoid relu silu erf".split():
    case(name, getattr(F, name) if name == "silu" else getattr(torch, name), x(2, 5))
for name in "log log2 sqrt rsqrt".split():
    case(name, getattr(torch, name), positive(2, 5))
case("log1p", torch.log1p, positive(2, 5))
case("logSigmoid", F.logsigmoid, x(2, 5))
for name in "floor ceil round trunc".split():
    case(name, getattr(torch, name), floats([0.5, 1.5, -0.5, -1.5, 2.25, -2.75, 3.0, 0.0]))
for name, function in [("isnan", torch.isnan), ("isfinite", torch.isfinite)]:
    case(name, function, floats(["nan", "inf", "-inf", 0.0, 1.5]))
case("logicalNot", torch.logical_not, bools([1, 0, 1]))
case("gelu", F.gelu, x(2, 5))
case("gelu", lambda a: F.gelu(a, approximate="tanh"), x(2, 5), "tanh", label="tanh")
case("softplus", F.softplus, x(2, 5))
case("softplus", lambda a: F.softplus(a, 2, 5), x(2, 5), 2, 5, label="beta and threshold")

for name in "add sub mul".split():
    case(name, getattr(torch, name), x(2, 5), x(2, 5))
    case(name, getattr(torch, name), x(2, 1, 3), x(4, 1), label="broadcast")
    case(name, lambda a, name=name: getattr(torch, name)(a, 1.5), x(2, 5), 1.5, label="number")
case("div", torch.div, x(2, 5), positive(2, 5))
case("div", lambda a: a / 4, x(2, 5), 4, label="number")
case("pow", torch.pow, positive(2, 3), x(2, 3, low=-60, high=60))
case("pow", lambda a: a**3, x(2, 5), 3, label="number")
for name, function in [("floorDivide", torch.floor_divide), ("remainder", torch.remainder)]:
    case(name, function, floats([7, -7, 7, -7, 3.5]), floats([2, 2, -2, -2, 1.5]))
    case(name, lambda a, f=function: f(a, 3), floats([7, -7, 1.5, -1.5]), 3, label="number")
case("remainder", torch.remainder, x(2, 3), floats([2, -2, 1.5]), label="gradient")
for name in "eq ne lt le gt ge".split():
    case(name, getattr(torch, name), floats([1, 2, 3, -1]), floats([1, 3, 2, -1]))
    case(name, lambda a, name=name: getattr(torch, name)(a, 2), floats([1, 2, 3, -1]), 2, label="number")
    case(name, getattr(torch, name), ints([1, 2, 3]), ints([1, 3, 2]), label="int64")
for name in "minimum maximum atan2".split():
    case(name, getattr(torch, name), x(2, 5), x(2, 5))
for name, function in [("logicalAnd", torch.logical_and), ("logicalOr", torch.logical_or),
                       ("logicalXor", torch.logical_xor), ("bitwiseAnd", torch.bitwise_and),
                       ("bitwiseOr", torch.bitwise_or)]:
    case(name, function, bools([1, 1, 0, 0]), bools([1, 0, 1, 0]))
case("bitwiseAnd", torch.bitwise_and, ints([12, 7, 255]), ints([10, 2, 16]), label="int64")
case("clamp", lambda a: a.clamp(-1.5, 2), x(2, 5), -1.5, 2)
case("clamp", lambda a: a.clamp(min=0.5), x(2, 5), 0.5, UNDEFINED, label="lower side")
case("clamp", lambda a: a.clamp(max=0.5), x(2, 5), UNDEFINED, 0.5, label="upper side")
mask = [1, 0, 1, 1, 0, 0]
case("where", torch.where, bools(mask, 2, 3), x(2, 3), x(2, 3))
case("where", torch.where, bools([1, 0, 1]), x(2, 3), x(2, 1), label="broadcast")
case("maskedFill", lambda a, m: a.masked_fill(m, -2), x(2, 3), bools(mask, 2, 3), -2)
case("lerp", lambda a, b: torch.lerp(a, b, 0.25), x(2, 3), x(2, 3), 0.25)
case("addcmul", torch.addcmul, x(2, 3), x(2, 3), x(2, 3))
case("addcmul", lambda a, b, c: torch.addcmul(a, b, c, value=0.5), x(2, 3), x(2, 3), x(2, 3), 0.5, label="scaled")
case("addcdiv", lambda a, b, c: torch.addcdiv(a, b, c, value=2), x(2, 3), x(2, 3), positive(2, 3), 2)

# --- in place ----------------------------------------------------------------------------------------------------
plain = lambda *shape: x(*shape, grad=False)
case("add_", lambda a, b: a.add_(b, alpha=2), plain(2, 3), plain(3), 2)
case("add_", lambda a: a.add_(1.5), plain(2, 3), 1.5, label="number")
case("mul_", lambda a, b: a.mul_(b), plain(2, 3), plain(2, 3))
case("mul_", lambda a: a.mul_(-0.5), plain(2, 3), -0.5, label="number")
case("copy_", lambda a, b: a.copy_(b), plain(2, 3), plain(3))
case("copy_", lambda a, b: a.copy_(b), plain(3), ints([1, 2, 3]), label="converting")
case("fill_", lambda a: a.fill_(1.25), plain(2, 3), 1.25)
case("zero_", lambda a: a.zero_(), plain(2, 3))
case("lerp_", lambda a, b: a.lerp_(b, 0.25), plain(2, 3), plain(2, 3), 0.25)
case("addcmul_", lambda a, b, c: a.addcmul_(b, c, value=0.5), plain(2, 3), plain(2, 3), plain(2, 3), 0.5)
case("addcdiv_", lambda a, b, c: a.addcdiv_(b, c, value=0.5), plain(2, 3), plain(2, 3), positive(2, 3, grad=False), 0.5)
case("indexPut_", lambda a, i, v: a.index_put_((i,), v), plain(4, 2), [ints([2, 0])], plain(2, 2))
case("indexPut_", lambda a, i, v: a.index_put_((i,), v, True), plain(4, 2), [ints([2, 2])], plain(2, 2), True,
     label="accumulate")

# --- reductions --------------------------------------------------------------------------------------------------
case("sum", torch.sum, x(2, 3))
case("sum", lambda a: a.sum(1), x(2, 3), 1, label="one dimension")
case("sum", lambda a: a.sum((0, -1), keepdim=True), x(2, 3, 2), [0, -1], True, label="several, kept")
case("sum", lambda a: a.sum(dtype=torch.float64), ints([1, 2, 3]), UNDEFINED, False, "float64", label="dtype")
case("mean", torch.mean, x(2, 3))
case("mean", lambda a: a.mean(-1, keepdim=True), x(2, 3), -1, True, label="one dimension, kept")
case("prod", torch.prod, unit(5))
case("variance", torch.var, x(2, 4))
case("variance", lambda a: a.var(1, correction=0), x(2, 4), 1, 0, label="of the population")
case("std", lambda a: a.std(0, keepdim=True), x(4, 2), 0, 1, True)
for name in "max min".split():
    case(name, getattr(torch, name), x(2, 4))
for name in "amax amin".split():
    case(name, lambda a, name=name: getattr(torch, name)(a, 1), x(2, 4), 1)
    case(name, lambda a, name=name: getattr(torch, name)(a, (0, 2), keepdim=True), x(2, 2, 3), [0, 2], True, label="several, kept")
for name in "argmax argmin".split():
    case(name, getattr(torch, name), plain(2, 4))
    case(name, lambda a, name=name: getattr(torch, name)(a, 1, keepdim=True), plain(2, 4), 1, True, label="one dimension, kept")
for name in "all any".split():
    case(name, getattr(torch, name), bools([1, 0, 1, 1, 1, 1], 2, 3))
    case(name, lambda a, name=name: getattr(torch, name)(a, 1), bools([1, 0, 1, 1, 1, 1], 2, 3), 1, label="one dimension")
case("logsumexp", lambda a: a.logsumexp(1), x(2, 4), 1)
case("vectorNorm", torch.linalg.vector_norm, x(2, 4))
case("vectorNorm", lambda a: torch.linalg.vector_norm(a, 1, 1, True), x(2, 4), 1, 1, True, label="order 1")
case("cumsum", lambda a: a.cumsum(1), x(2, 4), 1)
case("cumprod", lambda a: a.cumprod(1), unit(2, 4), 1)
case("topk", lambda a: a.topk(2), x(2, 5), 2)
case("topk", lambda a: a.topk(2, 0, False), x(4, 2), 2, 0, False, label="smallest, first dimension")
case("sort", lambda a: a.sort(stable=True), x(2, 5))
case("sort", lambda a: a.sort(stable=True, dim=0, descending=True), x(4, 2), 0, True, label="descending")
case("argsort", lambda a: a.argsort(stable=True), floats([3, 1, 3, 1, 2]))

# --- shapes ------------------------------------------------------------------------------------------------------
case("view", lambda a: a.view(3, -1), x(2, 3), [3, -1])
case("reshape", lambda a: a.reshape(6), x(2, 3), [6])
case("flatten", lambda a: a.flatten(1), x(2, 3, 2), 1)
case("transpose", lambda a: a.transpose(0, 2), x(2, 3, 2), 0, 2)
case("permute", lambda a: a.permute(2, 0, 1), x(2, 3, 2), [2, 0, 1])
case("squeeze", lambda a: a.squeeze(1), x(2, 1, 3), 1)
case("unsqueeze", lambda a: a.unsqueeze(-1), x(2, 3), -1)
case("expand", lambda a: a.expand(2, -1, 3), x(2, 1), [2, -1, 3])
case("contiguous", torch.Tensor.contiguous, x(2, 3))
case("clone", torch.clone, x(2, 3))
case("select", lambda a: a.select(1, -1), x(2, 3), 1, -1)
case("slice", lambda a: a[:, 1:], x(2, 4), 1, 1)
case("slice", lambda a: a[:, 0:-1:2], x(2, 4), 1, 0, -1, 2, label="end and step")
case("narrow", lambda a: a.narrow(1, 1, 2), x(2, 4), 1, 1, 2)
case("cat", lambda a, b: torch.cat([a, b], 1), [x(2, 3), x(2, 1)], 1)
case("stack", lambda a, b: torch.stack([a, b], -1), [x(2, 3), x(2, 3)], -1)
case("split", lambda a: a.split(2, 1), x(2, 5), 2, 1)
case("split", lambda a: a.split([1, 3], 1), x(2, 4), [1, 3], 1, label="listed sizes")
case("chunk", lambda a: a.chunk(2, 0), x(5, 2), 2)
case("unbind", lambda a: a.unbind(1), x(2, 3), 1)
case("flip", lambda a: a.flip([0, 1]), x(2, 3), [0, 1])
case("roll", lambda a: a.roll(2, 1), x(2, 5), 2, 1)
case("repeat", lambda a: a.repeat(2, 1, 2), x(2, 2), [2, 1, 2])
case("repeatInterleave", lambda a: a.repeat_interleave(2, 1), x(2, 3), 2, 1)
case("tril", torch.tril, x(3, 3))
case("triu", lambda a: a.triu(1), x(3, 3), 1)
case("pad", lambda a: F.pad(a, (1, 2, 0, 1), value=0.5), x(2, 3), [1, 2, 0, 1], 0.5)

# --- indices -----------------------------------------------------------------------------------------------------
case("gather", lambda a, i: a.gather(1, i), x(2, 4), 1, ints([0, 3, 3, 1], 2, 2))
case("scatter", lambda a, i, s: a.scatter(1, i, s), x(2, 4), 1, ints([0, 3, 2, 1], 2, 2), x(2, 2))
case("scatterAdd", lambda a, i, s: a.scatter_add(1, i, s), x(2, 4), 1, ints([0, 0, 2, 1], 2, 2), x(2, 2))
case("indexSelect", lambda a, i: a.index_select(0, i), x(3, 2), 0, ints([2, 0, 2]))
case("indexAdd", lambda a, i, s: a.index_add(0, i, s, alpha=2), x(3, 2), 0, ints([2, 0, 2]), x(3, 2), 2)
case("index", lambda a, i, j: a[i, j], x(3, 4), [ints([2, 0]), ints([1, 3])])
case("index", lambda a, i: a[:, i], x(2, 4), [None, ints([1, 3, 3])], label="whole first dimension")
case("index", lambda a, m: a[m], x(2, 3), [bools(mask, 2, 3)], label="mask")
case("indexPut", lambda a, i, v: a.index_put((i,), v), x(4, 2), [ints([2, 0])], x(2, 2))
case("indexPut", lambda a, i, v: a.index_put((i,), v, True), x(4, 2), [ints([2, 2])], x(2, 2), True, label="accumulate")
case("maskedSelect", torch.masked_select, x(2, 3), bools(mask, 2, 3))
case("maskedScatter", torch.masked_scatter, x(2, 3), bools(mask, 2, 3), x(4))
case("nonzero", torch.nonzero, bools(mask, 2, 3))
case("oneHot", lambda i: F.one_hot(i, 4), ints([0, 3, 1]), 4)
case("searchsorted", torch.searchsorted, floats([1, 2, 2, 4]), floats([0, 2, 3, 5]))
case("searchsorted", lambda a, v: torch.searchsorted(a, v, right=True), floats([1, 2, 2, 4]), floats([2, 4]), True, label="right")
case("bincount", lambda i: torch.bincount(i, minlength=5), ints([1, 1, 3]), 5)
case("isin", torch.isin, ints([1, 2, 3, 4]), ints([4, 2]))

# --- products ----------------------------------------------------------------------------------------------------
case("matmul", torch.matmul, x(2, 3), x(3, 4))
case("matmul", torch.matmul, unit(2, 2, 3), unit(3, 2), label="batch by matrix")
case("mm", torch.mm, x(3, 2), x(2, 3))
case("bmm", torch.bmm, unit(2, 2, 3), unit(2, 3, 2))
case("addmm", lambda c, a, b: torch.addmm(c, a, b, beta=0.5, alpha=2), x(2), x(2, 3), x(3, 2), 0.5, 2)
case("baddbmm", torch.baddbmm, x(2, 2, 2), unit(2, 2, 3), unit(2, 3, 2))
case("linear", F.linear, x(2, 2, 3), x(4, 3), x(4))
case("linear", F.linear, x(2, 3), x(4, 3), label="without bias")
case("outer", torch.outer, x(3), x(4))
case("dot", torch.dot, x(5), x(5))
case("einsum", lambda a, b: torch.einsum("bid,bjd->bij", a, b), "bid,bjd->bij", [unit(2, 2, 3), unit(2, 3, 3)])
case("orthonormal", lambda a: torch.linalg.qr(a).Q, x(4, 2), bf16=False)

# --- networks ----------------------------------------------------------------------------------------------------
case("softmax", lambda a: a.softmax(-1), x(2, 4))
case("softmax", lambda a: a.softmax(0, torch.float32), plain(3, 2), 0, "float32", label="in float32")
case("logSoftmax", lambda a: a.log_softmax(-1), x(2, 4))
logits = lambda: x(4, 5, low=-60, high=60)
classes = ints([1, 0, 4, 2])
case("crossEntropy", F.cross_entropy, logits(), classes)
case("crossEntropy", lambda a, t: F.cross_entropy(a, t, reduction="sum", ignore_index=4), logits(), classes,
     {"reduction": "sum", "ignoreIndex": 4}, label="ignored class")
case("crossEntropy", lambda a, t, w: F.cross_entropy(a, t, w, label_smoothing=0.125), logits(), classes,
     {"weight": positive(5, grad=False), "labelSmoothing": 0.125}, label="weighted, smoothed")
case("crossEntropy", lambda a, t: F.cross_entropy(a, t, reduction="none"), x(2, 4),
     floats([0.5, 0.25, 0.25, 0, 0, 0, 0.5, 0.5], 2, 4), {"reduction": "none"}, label="of probabilities")
case("nllLoss", lambda a, t: F.nll_loss(a, t, reduction="none", ignore_index=2), x(4, 5), classes,
     {"reduction": "none", "ignoreIndex": 2})
case("nllLoss", F.nll_loss, x(4, 5), classes, label="mean")
case("klDiv", lambda a, b: F.kl_div(a, b, reduction="sum"), x(2, 3), positive(2, 3, grad=False), REDUCTION)
case("klDiv", lambda a, b: F.kl_div(a, b, reduction="none", log_target=True), x(2, 3), unit(2, 3, grad=False),
     {"reduction": "none", "logTarget": True}, label="log target")
for name, function in [("mseLoss", F.mse_loss), ("l1Loss", F.l1_loss)]:
    case(name, function, x(2, 3), x(2, 3))
    case(name, lambda a, b, f=function: f(a, b, reduction="sum"), x(2, 3), x(2, 3), "sum", label="sum")
case("smoothL1Loss", lambda a, b: F.smooth_l1_loss(a, b, reduction="none", beta=2), x(2, 3), x(2, 3), "none", 2)
case("binaryCrossEntropyWithLogits", F.binary_cross_entropy_with_logits, x(2, 3), floats([0, 1, 0.5, 0, 1, 0.25], 2, 3))
case("cosineSimilarity", F.cosine_similarity, x(2, 4), x(2, 4))
case("layerNorm", lambda a, w, b: F.layer_norm(a, (4,), w, b), x(2, 4), x(4), x(4))
case("layerNorm", lambda a: F.layer_norm(a, (4,), eps=0.5), x(2, 4), None, None, 0.5, label="no weights, large eps")
case("rmsNorm", lambda a, w: F.rms_norm(a, (4,), w, 1e-6), x(2, 4), x(4))
case("rmsNorm", lambda a: F.rms_norm(a, (4,), eps=0.5), x(2, 4), None, 0.5, label="no weight, large eps")
case("embedding", lambda w, i: F.embedding(i, w), x(5, 2), ints([4, 0, 4, 1], 2, 2))
case("dropout", lambda a: F.dropout(a, 0.5, False), x(2, 3), 0.5, False, label="at evaluation")
case("adaptiveAvgPool1d", lambda a: F.adaptive_avg_pool1d(a, 3), x(1, 2, 7), 3)
case("avgPool1d", lambda a: F.avg_pool1d(a, 2), x(1, 2, 6), 2)
case("avgPool1d", lambda a: F.avg_pool1d(a, 3, 2), x(1, 2, 7), 3, 2, label="overlapping")
head = lambda heads, length: unit(1, heads, length, 4)
attend = F.scaled_dot_product_attention
case("scaledDotProductAttention", attend, head(2, 3), head(2, 4), head(2, 4))
case("scaledDotProductAttention", lambda q, k, v: attend(q, k, v, is_causal=True), head(2, 3), head(2, 3), head(2, 3),
     {"causal": True}, label="causal")
case("scaledDotProductAttention", lambda q, k, v, m: attend(q, k, v, m), head(1, 2), head(1, 3), head(1, 3),
     {"mask": bools([1, 0, 1, 1, 1, 0], 2, 3)}, label="bool mask")
case("scaledDotProductAttention", lambda q, k, v, m: attend(q, k, v, m, scale=0.25), head(1, 2), head(1, 3), head(1, 3),
     {"mask": unit(2, 3, grad=False), "scale": 0.25}, label="additive mask and scale")
case("scaledDotProductAttention", lambda q, k, v: attend(q, k, v, enable_gqa=True), head(4, 2), head(2, 3), head(2, 3),
     {"enableGqa": True}, label="grouped queries")

# --- creation ----------------------------------------------------------------------------------------------------
case("zeros", lambda: torch.zeros(2, 3, dtype=torch.float32), [2, 3])
case("ones", lambda: torch.ones(2, dtype=torch.int64), [2], {"dtype": "int64"})
case("full", lambda: torch.full((2, 2), 1.5, dtype=torch.bfloat16), [2, 2], 1.5, {"dtype": "bfloat16"})
case("arange", lambda: torch.arange(2, 11, 3), 2, 11, 3)
case("linspace", lambda: torch.linspace(0, 1, 5, dtype=torch.float32), 0, 1, 5)
case("eye", lambda: torch.eye(3, dtype=torch.float32), 3)
case("zerosLike", torch.zeros_like, plain(2, 3))
case("onesLike", lambda a: torch.ones_like(a, dtype=torch.int32), plain(3), "int32")
case("fullLike", lambda a: torch.full_like(a, 2.5), plain(3), 2.5)


def random_numbers():
    """The CPU generator of torch (mt19937) from a seed, in one sequence of calls."""
    torch.manual_seed(20240607)
    return {"seed": 20240607, "rand": numbers(torch.rand(4)), "randn": numbers(torch.randn(4)),
            "randint": numbers(torch.randint(0, 1000, (4,))), "randperm": numbers(torch.randperm(6)),
            "dropout": numbers(F.dropout(torch.ones(12), 0.5, True))}


golden = {"torch": torch.__version__.split("+")[0], "random": random_numbers()}
lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
text = json.dumps(golden, separators=(",", ":"))[:-1] + ',"cases":[\n' + lines + "\n]}\n"
path = pathlib.Path(__file__).with_name("operators.json")
path.write_text(text)
print(len(cases), "cases of", len({c["op"] for c in cases}), "operators,", sum(c["gradients"] is not None for c in cases), "with gradients,", len(text), "bytes")
