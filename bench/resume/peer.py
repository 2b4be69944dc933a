"""torch.save of the same tensors: {"bytes": n, "path": p} per line in, {"seconds", "durable_seconds"} out."""
import json
import os
import sys
import time

import torch

state = {}
for line in sys.stdin:
    request = json.loads(line)
    size = request["bytes"]
    if state.get("size") != size:
        count = 64
        state = {"size": size, "tensors": {f"t{i}": torch.rand(size // 4 // count) for i in range(count)}}
    began = time.perf_counter()
    torch.save(state["tensors"], request["path"])
    saved = time.perf_counter()
    with open(request["path"], "rb+") as file:
        os.fsync(file.fileno())
    durable = time.perf_counter()
    os.unlink(request["path"])
    print(json.dumps({"seconds": saved - began, "durable_seconds": durable - began}), flush=True)
