"""Golden renderings of chat templates by transformers.

    python make_chat_golden.py DATA SMOLLM2.gguf > chat.json

DATA is the shared data folder. `text` is what apply_chat_template renders for each conversation of
conversations.json, `ids` the token ids of that text.
"""

import gzip
import json
import pathlib
import sys
import tempfile

from transformers import AutoTokenizer

data, smollm2 = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
conversations = json.loads((pathlib.Path(__file__).parent / "conversations.json").read_text())


def render(tokenizer):
    results = {}
    for name, case in conversations.items():
        text = tokenizer.apply_chat_template(
            case["messages"], add_generation_prompt=case["addGenerationPrompt"], tokenize=False
        )
        results[name] = {"text": text, "ids": tokenizer(text, add_special_tokens=False)["input_ids"]}
    return results


golden = {"smollm2": render(AutoTokenizer.from_pretrained(smollm2.parent, gguf_file=smollm2.name))}
for model in ("llama-3.1", "qwen2.5"):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        source = data / "tokenizers" / model
        (folder / "tokenizer.json").write_bytes(gzip.open(source / "tokenizer.json.gz").read())
        (folder / "tokenizer_config.json").write_bytes((source / "tokenizer_config.json").read_bytes())
        golden[model] = render(AutoTokenizer.from_pretrained(folder))
json.dump(golden, sys.stdout, separators=(",", ":"))
