"""Python twin of run.mjs: answers {"case": name, "iterations": n} with the seconds that n runs took.
The bodies are what a Python user writes; timeit inlines them into its loop."""
import json
import sys
import timeit

import torch
import torch.nn.functional as F

CASES = {
    "add [16]": ("a = torch.ones(16); b = torch.ones(16)", "a + b"),
    "mul by a number [16]": ("a = torch.ones(16)", "a * 0.5"),
    "matmul [16, 16]": ("a = torch.ones(16, 16); b = torch.ones(16, 16)", "a @ b"),
    "linear [4, 16] -> [4, 16]": (
        "x = torch.ones(4, 16); w = torch.ones(16, 16); b = torch.ones(16)", "linear(x, w, b)"),
    "view [16, 16] -> [4, 4, 16]": ("x = torch.ones(16, 16)", "x.view(4, 4, 16)"),
    "transpose [16, 16]": ("x = torch.ones(16, 16)", "x.transpose(0, 1)"),
    "slice [16, 16]": ("x = torch.ones(16, 16)", "x[2:10]"),
    "softmax [4, 16]": ("x = torch.ones(4, 16)", "x.softmax(-1)"),
    "layer_norm [4, 16]": (
        "x = torch.ones(4, 16); w = torch.ones(16); b = torch.ones(16)", "layer_norm(x, (16,), w, b, 1e-5)"),
    "rms_norm [4, 16]": ("x = torch.ones(4, 16); w = torch.ones(16)", "rms_norm(x, (16,), w, 1e-6)"),
    "cat 2 × [4, 16]": ("a = torch.ones(4, 16); b = torch.ones(4, 16)", "cat((a, b), 0)"),
    "embedding [8] of [32, 16]": ("w = torch.ones(32, 16); i = torch.arange(8)", "embedding(i, w)"),
    "sum [16, 16]": ("x = torch.ones(16, 16)", "x.sum()"),
    "add_ in place [16]": ("a = torch.ones(16); b = torch.ones(16)", "a.add_(b)"),
    "MLP forward + backward [4, 16]": (
        """
leaf = lambda *shape: torch.full(shape, 0.1).requires_grad_()
w1 = leaf(32, 16); b1 = leaf(32); w2 = leaf(16, 32); b2 = leaf(16)
x = torch.ones(4, 16); y = torch.ones(4, 16)
weights = [w1, b1, w2, b2]
""",
        """
h = gelu(linear(x, w1, b1))
loss = mse_loss(linear(h, w2, b2), y)
loss.backward()
for w in weights: w.grad = None
"""),
}


def main():
    torch.set_num_threads(1)
    names = {name: getattr(F, name) for name in
             ("linear", "layer_norm", "rms_norm", "embedding", "gelu", "mse_loss")}
    timers = {case: timeit.Timer(body, setup, globals={"torch": torch, "cat": torch.cat, **names})
              for case, (setup, body) in CASES.items()}
    for line in sys.stdin:
        request = json.loads(line)
        seconds = timers[request["case"]].timeit(request["iterations"])
        print(json.dumps({"seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
