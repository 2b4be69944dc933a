"""Golden digests of dequantised tensors of the SmolLM2 GGUF file, by the `gguf` package.

    python make_smollm2_golden.py SMOLLM2.gguf > smollm2.json

One tensor of each storage type and shape; sha256 of the float32 values in the file's order.
"""

import hashlib
import json
import sys

import gguf
import numpy as np

NAMES = ["token_embd.weight", "blk.0.attn_norm.weight", "blk.0.attn_q.weight", "blk.29.attn_k.weight",
         "blk.7.ffn_down.weight", "output_norm.weight"]  # fmt: skip

reader = gguf.GGUFReader(sys.argv[1])
tensors = {tensor.name: tensor for tensor in reader.tensors}
golden = {}
for name in NAMES:
    tensor = tensors[name]
    values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
    golden[name] = {
        "type": tensor.tensor_type.name,
        "shape": [int(extent) for extent in reversed(tensor.shape)],
        "sha256": hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest(),
    }
json.dump({"count": len(tensors), "tensors": golden}, sys.stdout, indent=1)
