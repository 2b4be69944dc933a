"""Writes reference.safetensors with the reference library: every element type, a scalar, an empty tensor, names
that need escapes. Tests read it, and write the same tensors and expect the same bytes.

Run: python make_safetensors.py                 (needs torch and safetensors)
     python make_safetensors.py check FILE      reads a file written by writeSafetensors and prints its tensors
"""
import pathlib, sys
import torch
from safetensors import safe_open
from safetensors.torch import save_file

TYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16,
         torch.int8, torch.uint8, torch.bool]


def main():
    tensors = {}
    for i, dtype in enumerate(TYPES):
        # 0, 1, 2, … plus the number of the type, on an odd number of elements
        tensors[f"layer.{9 - i}.weight"] = (torch.arange(15).reshape(3, 5) + i).to(dtype)
    tensors["scalar"] = torch.tensor(1.5)
    tensors["empty"] = torch.zeros(0, 3)
    tensors["10"] = torch.tensor([10.0])
    tensors["9"] = torch.tensor([9.0])
    tensors["quote\"\\\n\u0001é漢\U0001f600"] = torch.tensor([2, 3], dtype=torch.int16)
    path = pathlib.Path(__file__).with_name("reference.safetensors")
    save_file(tensors, path, metadata={"format": "pt \"é\""})
    print(path.stat().st_size, "bytes")


def check(path):
    with safe_open(path, framework="pt") as file:
        print(file.metadata())
        for name in file.keys():
            tensor = file.get_tensor(name)
            print(repr(name), tensor.dtype, list(tensor.shape), tensor.flatten()[:8].tolist())


check(sys.argv[2]) if sys.argv[1:2] == ["check"] else main()
