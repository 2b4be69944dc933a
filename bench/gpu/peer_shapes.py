"""Decoders of the true shape for the PyTorch peers."""

from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM


def config_of(name):
    def llama(d, layers, heads, kv, inner, vocab, tied):
        return dict(hidden_size=d, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv,
                    intermediate_size=inner, vocab_size=vocab, tie_word_embeddings=tied, max_position_embeddings=4096)

    shapes = {
        "llama-8b": (LlamaConfig, LlamaForCausalLM, llama(4096, 32, 32, 8, 14336, 128256, False)),
        "qwen-7b": (Qwen2Config, Qwen2ForCausalLM, llama(3584, 28, 28, 4, 18944, 152064, False)),
        "smollm2-135m": (LlamaConfig, LlamaForCausalLM, llama(576, 30, 9, 3, 1536, 49152, True)),
        "tiny": (LlamaConfig, LlamaForCausalLM, llama(64, 2, 4, 2, 128, 512, True)),
    }
    make_config, model, sizes = shapes[name]
    return make_config(**sizes, attn_implementation="sdpa"), model
