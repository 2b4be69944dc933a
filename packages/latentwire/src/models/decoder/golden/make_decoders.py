"""Writes the parity fixtures of the decoder tests: for each model family a tiny Hugging Face directory
`<name>/{config.json, model.safetensors}` with random weights, and `<name>.json` with what transformers computes from it.
Run: python make_decoders.py   (written with torch 2.15.0, transformers 5.23.0, safetensors 0.8.0, on a CPU)

`<name>.json` holds, for `ids` [2, 12] (longer than every sliding window):
  logits         float32 [2, 12, V]   eager attention, fp32
  logits_bf16    bfloat16 [2, 12, V]  the same model in bf16, transformers' default (sdpa) attention
  embeds_bf16    checksum (as in `hidden`) of the bf16 input embeddings, with Gemma's scale
  loss           mean next-token cross-entropy over both rows
  embeds_grad    float32 [2, 12, D]   d loss / d inputs_embeds
  hidden         per state (embeddings, each layer, last norm): [mean, rms, sum of state * sin(0.1 * index)]
  greedy         8 tokens by generate for the two full rows
  greedy_padded  8 tokens by generate for row 0 and the first 7 ids of row 1, padded on the left
Arrays are base64 of little-endian bytes. The configs are written the way published checkpoints write them, traps
included: qwen2 names a sliding window that `use_sliding_window: false` switches off, qwen3 uses `rope_parameters`.
"""
import base64
import json
import math
import os

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
VOCAB, WIDTH, LENGTH, SHORT, NEW = 96, 32, 12, 7, 8
SEEDS = {"llama": 100, "llama-scaled": 101, "mistral": 102, "qwen2": 103, "qwen3": 104, "gemma3": 106}
BASE = {
    "vocab_size": VOCAB, "hidden_size": WIDTH, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256,
    "rms_norm_eps": 1e-5, "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "torch_dtype": "bfloat16",
}
CONFIGS = {
    "llama": {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "tie_word_embeddings": False,
        "rope_theta": 10000.0, "rope_scaling": None, "attention_bias": False, "torch_dtype": "float32",
    },
    "llama-scaled": {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "tie_word_embeddings": True,
        "rope_theta": 10000.0, "head_dim": 16, "attention_bias": False, "eos_token_id": [2, 3],
        # Wavelengths of the 8 frequencies fall in all three regimes: kept, interpolated, divided.
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                         "original_max_position_embeddings": 64},
    },
    "mistral": {
        "model_type": "mistral", "architectures": ["MistralForCausalLM"], "tie_word_embeddings": False,
        "rope_theta": 10000.0, "sliding_window": 5,
    },
    "qwen2": {
        "model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "tie_word_embeddings": True,
        "rope_theta": 1000000.0, "use_sliding_window": False, "sliding_window": 4, "max_window_layers": 1,
        "rms_norm_eps": 1e-6,
    },
    "qwen3": {
        "model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "tie_word_embeddings": True,
        "head_dim": 16, "rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"}, "rms_norm_eps": 1e-6,
        "use_sliding_window": False, "sliding_window": None, "max_window_layers": 2, "attention_bias": False,
        "layer_types": ["full_attention"] * 2,
    },
    "gemma3": {
        "model_type": "gemma3_text", "architectures": ["Gemma3ForCausalLM"], "num_hidden_layers": 4,
        "head_dim": 16, "intermediate_size": 40, "num_key_value_heads": 1, "rms_norm_eps": 1e-6,
        "hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": 24, "sliding_window": 4,
        "sliding_window_pattern": 3, "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0,
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "attention_bias": False,
        "attn_logit_softcapping": None, "final_logit_softcapping": None, "eos_token_id": [1, 106], "bos_token_id": 2,
        "pad_token_id": 0,
    },
}


def randomise(model, generator):
    """Norm weights and biases far from their initial values, so that a skipped one shows."""
    gemma = model.config.model_type.startswith("gemma")
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        if "norm" in name:
            value = 0.3 * noise + (0.0 if gemma else 1.0)
        elif name.endswith("bias"):
            value = 0.5 * noise
        elif "embed_tokens" in name:
            # Small where tied, or each token would only predict itself.
            value = (0.12 if gemma else 0.2 if model.config.tie_word_embeddings else 0.7) * noise
        else:
            value = 1.2 / math.sqrt(p.shape[1]) * noise
        p.data.copy_(value)


def packed(tensor):
    tensor = tensor.detach().contiguous()
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.view(torch.int16)
    return base64.b64encode(tensor.numpy().tobytes()).decode()


def checksum(state):
    x = state.detach().double().flatten()
    weights = torch.sin(0.1 * torch.arange(x.numel(), dtype=torch.float64))
    return [x.mean().item(), x.square().mean().sqrt().item(), (x * weights).sum().item()]


def greedy(model, ids, mask):
    """Tokens, after checking that no choice was a near tie (which rounding could turn)."""
    out = model.generate(input_ids=ids, attention_mask=mask, do_sample=False, max_new_tokens=NEW, eos_token_id=None,
                         pad_token_id=0, output_logits=True, return_dict_in_generate=True)
    for step in out.logits:
        top = step.float().topk(2, dim=-1).values
        assert (top[:, 0] - top[:, 1]).min() > 2e-3, "near tie: choose another seed"
    return out.sequences[:, ids.shape[1]:].tolist()


def main():
    for name, special in CONFIGS.items():
        folder = os.path.join(HERE, name)
        os.makedirs(folder, exist_ok=True)
        config = {**BASE, **special}
        if "hidden_activation" in config:
            del config["hidden_act"]
        with open(os.path.join(folder, "config.json"), "w") as f:
            json.dump(config, f, indent=1)
            f.write("\n")
        dtype = getattr(torch, config["torch_dtype"])
        generator = torch.Generator().manual_seed(SEEDS[name])
        fresh = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
        randomise(fresh, generator)
        state = {k: v.to(dtype).contiguous() for k, v in fresh.state_dict().items()
                 if not (k == "lm_head.weight" and fresh.config.tie_word_embeddings)}
        path = os.path.join(folder, "model.safetensors")
        save_file(state, path, metadata={"format": "pt"})
        os.chmod(path, 0o644)

        load = lambda dtype, attention: AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, attn_implementation=attention).eval()
        model = load(torch.float32, "eager")
        ids = torch.randint(3, VOCAB, (2, LENGTH), generator=generator)
        embeds = model.get_input_embeddings()(ids).detach().requires_grad_()
        out = model(inputs_embeds=embeds, labels=ids, output_hidden_states=True)
        out.loss.backward()
        with torch.no_grad():
            by_ids = model(input_ids=ids).logits
            assert (by_ids - out.logits).abs().max() < 1e-5
            half_model = load(torch.bfloat16, "sdpa")
            half = half_model(input_ids=ids).logits
            full_mask = torch.ones_like(ids)
            padded, mask = ids.clone(), full_mask.clone()
            padded[1] = 0
            padded[1, -SHORT:] = ids[1, :SHORT]
            mask[1, :-SHORT] = 0
            golden = {
                "ids": ids.tolist(),
                "logits": packed(out.logits),
                "logits_bf16": packed(half),
                "embeds_bf16": checksum(half_model.get_input_embeddings()(ids)),
                "loss": out.loss.item(),
                "embeds_grad": packed(embeds.grad),
                "hidden": [checksum(state) for state in out.hidden_states],
                "greedy": greedy(model, ids, full_mask),
                "short": SHORT,
                "greedy_padded": greedy(model, padded, mask),
            }
        with open(os.path.join(HERE, f"{name}.json"), "w") as f:
            json.dump(golden, f)
            f.write("\n")
        size = os.path.getsize(path)
        error = (half.float() - out.logits).norm() / out.logits.norm()
        print(f"{name}: weights {size} B, loss {golden['loss']:.4f}, logits std {out.logits.std():.3f}, "
              f"bf16 error {error:.2e}, greedy {golden['greedy'][0]} {golden['greedy_padded'][1]}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
