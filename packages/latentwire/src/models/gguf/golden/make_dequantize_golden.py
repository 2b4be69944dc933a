"""Golden dequantisation results from the `gguf` Python package.

    python make_dequantize_golden.py > dequantize.json

Blocks are bytes of a mulberry32 stream (the test draws the same ones); in every binary16 scale field the
top exponent bit is cleared so that scales are finite. `output` is the sha256 of the float32 result,
`first` shows the first values of block 0 for debugging. `halves` covers all 63,490 finite and infinite
binary16 patterns.
"""

import hashlib
import json
import sys

import gguf
import numpy as np

BLOCKS = 512
HALF_FIELDS = {
    "F32": [], "BF16": [], "F16": [0], "Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
}


def mulberry32(seed):
    while True:
        seed = (seed + 0x6D2B79F5) & 0xFFFFFFFF
        t = ((seed ^ (seed >> 15)) * (seed | 1)) & 0xFFFFFFFF
        t ^= (t + (((t ^ (t >> 7)) * (t | 61)) & 0xFFFFFFFF)) & 0xFFFFFFFF
        yield (t ^ (t >> 14)) & 0xFFFFFFFF


def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


golden = {"blocks": BLOCKS, "types": {}}
for name, halves in HALF_FIELDS.items():
    qtype = gguf.GGMLQuantizationType[name]
    size, nbytes = gguf.GGML_QUANT_SIZES[qtype]
    blocks = BLOCKS * (1 if size > 1 else 32)
    draw = mulberry32(int(qtype))
    data = np.array([next(draw) >> 24 for _ in range(blocks * nbytes)], dtype=np.uint8).reshape(blocks, nbytes)
    for at in halves:
        data[:, at + 1] &= 0xBF
    raw = data.reshape(-1)
    if name == "F32":
        out = raw.view(np.float32)
    elif name == "F16":
        out = raw.view(np.float16).astype(np.float32)
    else:
        out = gguf.quants.dequantize(raw.reshape(1, -1), qtype).reshape(-1)
    golden["types"][name] = {
        "input": sha(raw),
        "output": sha(out.astype(np.float32)),
        "first": None if name in ("F32", "BF16") else [float(v) for v in out[:4]],
    }

patterns = np.arange(1 << 16, dtype=np.uint16)
values = patterns.view(np.float16)
keep = ~np.isnan(values)
golden["halves"] = sha(values[keep].astype(np.float32))

# float32 -> binary16, ties and range edges included
draw = mulberry32(99)
bits = np.array([next(draw) for _ in range(20000)], dtype=np.uint32)
edges = np.array([65504, 65519.996, 65520, 1e-8, 2.0**-25, 2.0**-24 * 1.5, 6.1e-5, 2049, 2051, 0, -0.0], dtype=np.float32)
floats = np.concatenate([bits.view(np.float32), edges])
floats = floats[~np.isnan(floats)]
with np.errstate(over="ignore"):
    golden["toHalf"] = sha(floats.astype(np.float16))

# Q8_0 quantisation of values in (-1, 1)
draw = mulberry32(7)
weights = np.array([next(draw) / 2**31 - 1 for _ in range(64 * 32)], dtype=np.float32)
golden["quantizeQ8_0"] = sha(gguf.quants.quantize(weights.reshape(64, 32), gguf.GGMLQuantizationType.Q8_0))
json.dump(golden, sys.stdout, indent=1)
