"""The peer of generate.mjs: `generate` of transformers, random weights of the true shape, greedy.

Mode dynamic: as it comes (sdpa, dynamic cache). Mode static: static cache with its decode step compiled (transformers does
so by itself for `cache_implementation="static"` on a GPU). Prints one JSON line per prompt length and batch.

  python3 generate_peer.py MODEL dynamic|static cuda|cpu PROMPTS BATCHES NEW_TOKENS RUNS
"""

import gc
import json
import statistics
import sys
import time

import torch
import transformers

from peer_shapes import config_of


def main():
    name, mode, device, prompts, batches, new_tokens, runs = sys.argv[1:8]
    new_tokens, runs = int(new_tokens), int(runs)
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    transformers.logging.set_verbosity_error()
    torch.set_default_dtype(torch.bfloat16 if device == "cuda" else torch.float32)
    config, make = config_of(name)
    with torch.device(device):
        model = make(config).eval().requires_grad_(False)
    # Without an end of text nothing stops early, and no step has to look for one.
    model.generation_config.eos_token_id = None
    wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    options = {"cache_implementation": "static"} if mode == "static" else {}

    def timed(ids, tokens):
        wait()
        start = time.perf_counter()
        with torch.inference_mode():
            out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=tokens,
                                 pad_token_id=0, **options)
        wait()
        assert out.shape[1] == ids.shape[1] + tokens
        return time.perf_counter() - start

    for prompt in map(int, prompts.split(",")):
        for batch in map(int, batches.split(",")):
            try:
                ids = torch.randint(1, config.vocab_size, (batch, prompt), device=device)
                for _ in range(2):
                    timed(ids, new_tokens)
                seconds = statistics.median(timed(ids, new_tokens) for _ in range(runs))
                prefill = statistics.median(timed(ids, 1) for _ in range(runs)) if mode == "dynamic" else None
            except Exception as error:  # a mode that a version does not have is told, and the others go on
                print(f"{name} {mode} prompt {prompt} batch {batch}: {error!r}"[:500], file=sys.stderr)
                continue
            print(json.dumps({
                "model": name, "way": f"peer {mode}", "prompt": prompt, "batch": batch, "new_tokens": new_tokens,
                "tokens_per_s": round(batch * new_tokens / seconds, 1), "seconds": round(seconds, 4),
                "prefill_ms": None if prefill is None else round(prefill * 1e3, 2),
                "torch": torch.__version__, "transformers": transformers.__version__}), flush=True)
            gc.collect()
            if device == "cuda":
                torch.cuda.empty_cache()


main()
