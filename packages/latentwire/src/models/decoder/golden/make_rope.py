"""Writes rope.json: the inverse frequencies that transformers derives from published configurations, at full size.
Run: python make_rope.py   (written with torch 2.15.0, transformers 5.23.0)

The tiny models of make_decoders.py see 12 positions; errors of the frequencies show thousands of positions later.
Each entry: the `Rope` of models/config, `head_dim`, and `frequencies`, base64 of float32 [head_dim / 2].
"""
import base64
import json
import os

from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

HERE = os.path.dirname(os.path.abspath(__file__))
NONE = {"kind": "none"}
LLAMA3 = {"kind": "llama3", "lowFreqFactor": 1.0, "highFreqFactor": 4.0, "originalMaxPositions": 8192}
CASES = [
    ("Llama 2, Mistral 7B", 1e4, NONE, 128),
    ("SmolLM2 135M", 1e5, NONE, 64),
    ("Qwen 2.5, Qwen 3", 1e6, NONE, 128),
    ("Llama 3.1 8B", 5e5, {**LLAMA3, "factor": 8.0}, 128),
    ("Llama 3.2 1B", 5e5, {**LLAMA3, "factor": 32.0}, 64),
    ("Gemma 3 4B, full layers", 1e6, {"kind": "linear", "factor": 8.0}, 256),
    ("Gemma 3, sliding layers", 1e4, NONE, 256),
]


def rope_parameters(theta, scaling):
    if scaling["kind"] == "none":
        return {"rope_type": "default", "rope_theta": theta}
    if scaling["kind"] == "linear":
        return {"rope_type": "linear", "rope_theta": theta, "factor": scaling["factor"]}
    return {
        "rope_type": "llama3", "rope_theta": theta, "factor": scaling["factor"],
        "low_freq_factor": scaling["lowFreqFactor"], "high_freq_factor": scaling["highFreqFactor"],
        "original_max_position_embeddings": scaling["originalMaxPositions"],
    }


def main():
    rows = []
    for name, theta, scaling, head_dim in CASES:
        config = LlamaConfig(hidden_size=head_dim * 4, num_attention_heads=4, head_dim=head_dim,
                             max_position_embeddings=131072, rope_parameters=rope_parameters(theta, scaling))
        frequencies = LlamaRotaryEmbedding(config).inv_freq
        assert frequencies.shape == (head_dim // 2,)
        packed = base64.b64encode(frequencies.numpy().tobytes()).decode()
        rows.append({"name": name, "rope": {"theta": theta, "scaling": scaling}, "head_dim": head_dim,
                     "frequencies": packed})
    with open(os.path.join(HERE, "rope.json"), "w") as f:
        json.dump(rows, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
