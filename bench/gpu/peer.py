"""The peer of step.mjs: the same step in PyTorch and transformers, random weights of the true shape.

Same sizes, same losses: pooled states -> latents -> prefix of the frozen decoder, cross-entropy on the answer, distillation
on its first K tokens from a cached teacher, clip, AdamW. Prints one JSON line.

  python3 peer.py MODEL [eager|compile|live] [cuda|cpu] [BATCH] [STEPS]      live: eager, the teacher reads the text in every step
"""

import json
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

from peer_shapes import config_of

TEXT, M, DZ, ANCHOR, ANSWER, K, DENC, TAU = 246, 32, 256, 3, 8, 4, 512, 2.0


class Wire(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(DENC, 1024), nn.GELU(), nn.Linear(1024, DZ))
        self.norm = nn.RMSNorm(DZ)
        self.adapter = nn.Sequential(nn.Linear(DZ, 2 * DZ), nn.GELU(), nn.Linear(2 * DZ, width))
        self.scale = nn.Parameter(torch.tensor(0.02))

    def forward(self, states):
        pooled = F.adaptive_avg_pool1d(states.transpose(1, 2), M).transpose(1, 2)
        return self.adapter(self.norm(self.encoder(pooled))) * self.scale


def main():
    name, mode, device, batch, steps = (sys.argv[1:] + ["compile", "cuda", "64", "20"][len(sys.argv) - 2 :])[:5]
    batch, steps = int(batch), int(steps)
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    config, make = config_of(name)
    torch.set_default_dtype(dtype)
    with torch.device(device):
        model = make(config).eval().requires_grad_(False)
    torch.set_default_dtype(torch.float32)
    wire = Wire(config.hidden_size).to(device)
    optimizer = torch.optim.AdamW(wire.parameters(), lr=1e-4, fused=True)
    states = torch.randn(batch, TEXT, DENC, device=device)
    tokens = torch.randint(0, config.vocab_size, (batch, ANCHOR + ANSWER), device=device)
    answer = tokens[:, ANCHOR:]
    teacher = F.log_softmax(torch.randn(batch, K, config.vocab_size, device=device) / TAU, -1)
    embed = model.get_input_embeddings()
    text = torch.cat([torch.randint(0, config.vocab_size, (batch, TEXT), device=device), answer], 1)

    @torch.no_grad()
    def read_text():
        logits = model(text, use_cache=False, logits_to_keep=ANSWER + 1).logits[:, :K].float()
        return F.log_softmax(logits / TAU, -1)

    def loss_of(states, teacher):
        prefix = wire(states).to(dtype)
        inputs = torch.cat([prefix, embed(tokens)], 1)
        # The logits that predict the answer, and no others: what a careful user of transformers asks for.
        logits = model(inputs_embeds=inputs, use_cache=False, logits_to_keep=ANSWER + 1).logits[:, :-1].float()
        ce = F.cross_entropy(logits.flatten(0, 1), answer.flatten())
        student = F.log_softmax(logits[:, :K] / TAU, -1)
        return ce + TAU**2 * F.kl_div(student, teacher, log_target=True, reduction="sum") / (batch * K)

    compute = torch.compile(loss_of) if mode == "compile" else loss_of

    def step():
        compute(states, read_text() if mode == "live" else teacher).backward()
        nn.utils.clip_grad_norm_(wire.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    for _ in range(4):
        step()
    wait()
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        wait()
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds)
    print(json.dumps({"model": name, "way": f"peer {mode}", "batch": batch, "samples_per_s": round(batch / median, 1),
                      "step_ms": round(median * 1e3, 3), "torch": torch.__version__}))


main()
