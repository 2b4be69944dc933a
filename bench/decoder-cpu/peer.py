"""Python twin of run.mjs: LlamaForCausalLM of transformers at the shape of the given config.json with random frozen
weights. Answers {} with wall and processor seconds of one step: forward over input embeddings, loss over all tokens, backward to the
embeddings.  Usage: peer.py CONFIG BATCH LENGTH THREADS"""
import json
import sys
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM


def main():
    path, batch, length, threads = sys.argv[1], *map(int, sys.argv[2:5])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    with open(path) as f:
        values = json.load(f)
    values.pop("architectures")
    values.pop("torch_dtype")
    config = LlamaConfig(**values, attn_implementation="sdpa")
    model = LlamaForCausalLM(config).float().eval()
    model.requires_grad_(False)
    ids = torch.randint(0, config.vocab_size, (batch, length))
    for line in sys.stdin:
        json.loads(line)
        start, cpu_start = time.perf_counter(), time.process_time()
        embeds = model.model.embed_tokens(ids).requires_grad_()
        loss = model(inputs_embeds=embeds, labels=ids, use_cache=False).loss
        loss.backward()
        value = loss.item()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
        assert embeds.grad is not None
        del embeds, loss
        print(json.dumps({"seconds": seconds, "cpu": cpu, "loss": value}), flush=True)


if __name__ == "__main__":
    main()
