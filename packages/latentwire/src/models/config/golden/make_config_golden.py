"""Golden facts about configs from transformers: normalised fields, parameter names and shapes, GGUF names.

    python make_config_golden.py > config.json

For every case of cases.json the config class normalises the fields, the model is built without memory, and the
`gguf` package translates each parameter name.
"""

import json
import pathlib
import sys

import gguf
import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.modeling_gguf_pytorch_utils import LlamaTensorProcessor

cases = json.loads((pathlib.Path(__file__).parent / "cases.json").read_text())
golden = {}
for name, fields in cases.items():
    fields = dict(fields)
    config = AutoConfig.for_model(fields.pop("model_type"), **fields)
    text = config.get_text_config()
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(text)
    names = gguf.get_tensor_name_map(
        {"gemma3_text": gguf.MODEL_ARCH.GEMMA3, "qwen2": gguf.MODEL_ARCH.QWEN2, "qwen3": gguf.MODEL_ARCH.QWEN3}.get(
            text.model_type, gguf.MODEL_ARCH.LLAMA
        ),
        text.num_hidden_layers,
    )
    weights = []
    for key, tensor in model.named_parameters():
        stem, suffix = key.rsplit(".", 1)
        weights.append([key, f"{names.get_name(stem)}.{suffix}", list(tensor.shape)])
    golden[name] = {
        "head_dim": getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads,
        "num_key_value_heads": text.num_key_value_heads,
        "num_attention_heads": text.num_attention_heads,
        "vocab_size": text.vocab_size,
        "rms_norm_eps": text.rms_norm_eps,
        "max_position_embeddings": text.max_position_embeddings,
        "tie_word_embeddings": text.tie_word_embeddings,
        "layer_types": getattr(text, "layer_types", None),
        "sliding_window": getattr(text, "sliding_window", None),
        "rope_parameters": text.rope_parameters,
        "bos_token_id": text.bos_token_id,
        "eos_token_id": getattr(config, "eos_token_id", None) or text.eos_token_id,
        "query_pre_attn_scalar": getattr(text, "query_pre_attn_scalar", None),
        "parameters": sum(p.numel() for p in model.parameters()),
        "weights": weights,
    }
# Rows of a [6 heads * 8, 2] query and a [2 heads * 8, 2] key projection as transformers restores them.
undo = LlamaTensorProcessor({"num_attention_heads": 6, "num_key_value_heads": 2})
unpermute = {
    name: undo.process(np.arange(rows * 2).reshape(rows, 2), f"blk.0.attn_{name}.weight").weights[:, 0].tolist()
    for name, rows in (("q", 48), ("k", 16))
}
golden = {"cases": golden, "unpermute": unpermute}
json.dump(golden, sys.stdout, separators=(",", ":"))
