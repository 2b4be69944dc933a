"""
Reference values for the byte encoder's layer and for the cross-attention pooler, from torch.nn.

    python make_encoders.py > encoders.json

Parameters and inputs are not stored: both sides compute them as wave(n, start) below.
"""
import json

import torch
from torch import nn

WIDTH, HEADS, BATCH, LENGTH, SLOTS, LATENT = 8, 2, 2, 5, 3, 4
LENGTHS = [5, 3]


def wave(shape, start):
    """sin(0.7 i + start) over the elements of the shape, row by row."""
    n = int(torch.tensor(shape).prod())
    return torch.sin(0.7 * torch.arange(n, dtype=torch.float64) + start).reshape(shape)


def linear(out_features, in_features, start):
    layer = nn.Linear(in_features, out_features).double()
    layer.weight.data = wave([out_features, in_features], start)
    layer.bias.data = wave([out_features], start + 1)
    return layer


def norm(start):
    layer = nn.LayerNorm(WIDTH).double()
    layer.weight.data = wave([WIDTH], start)
    layer.bias.data = wave([WIDTH], start + 1)
    return layer


def attention(start):
    """q, k, v and output projections start at start, +2, +4 and +6."""
    layer = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True).double()
    parts = [linear(WIDTH, WIDTH, start + 2 * i) for i in range(3)]
    layer.in_proj_weight.data = torch.cat([p.weight.data for p in parts])
    layer.in_proj_bias.data = torch.cat([p.bias.data for p in parts])
    out = linear(WIDTH, WIDTH, start + 6)
    layer.out_proj.weight.data, layer.out_proj.bias.data = out.weight.data, out.bias.data
    return layer


padding = torch.tensor([[i >= n for i in range(LENGTH)] for n in LENGTHS])
x = wave([BATCH, LENGTH, WIDTH], 0.5)

layer = nn.TransformerEncoderLayer(
    WIDTH, HEADS, 4 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
).double()
layer.norm1, layer.self_attn, layer.norm2 = norm(10), attention(20), norm(30)
layer.linear1, layer.linear2 = linear(4 * WIDTH, WIDTH, 40), linear(WIDTH, 4 * WIDTH, 50)
transformed = layer.train()(x, src_key_padding_mask=padding)

keys = norm(60)(linear(WIDTH, WIDTH, 55)(x))
queries = wave([SLOTS, WIDTH], 65).expand(BATCH, -1, -1)
read = queries + attention(70)(queries, keys, keys, key_padding_mask=padding)[0]
mixed = read + linear(WIDTH, 2 * WIDTH, 100)(
    nn.functional.gelu(linear(2 * WIDTH, WIDTH, 90)(norm(80)(read)))
)
z = linear(LATENT, WIDTH, 110)(mixed)
latents = nn.functional.rms_norm(z, [LATENT], eps=1e-6)

real = [transformed[b, :n].flatten().tolist() for b, n in enumerate(LENGTHS)]
json.dump(
    {
        "transformerLayer": [[round(v, 7) for v in row] for row in real],
        "queryHead": [round(v, 7) for v in latents.flatten().tolist()],
    },
    __import__("sys").stdout,
)
print()
