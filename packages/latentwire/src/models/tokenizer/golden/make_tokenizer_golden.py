"""Golden digests of token ids, made with transformers and sentencepiece.

    python make_tokenizer_golden.py DATA SMOLLM2.gguf > tokenizers.json

DATA is the shared data folder (tokenizers/, squad/dev-v1.1.json.gz). Digests cover 10,000 adversarial strings
(strings.py) and every context, question and answer of the SQuAD dev set. A digest is the sha256 over
u32 length + i32 ids of each string; `blocks` are the first 8 digits of the digests of 500 strings each.

- tokenizer.json folders: AutoTokenizer of transformers.
- mistral-v3: Python sentencepiece on the pieces of text between special tokens; a space is put before the first
  piece only (as in non-legacy transformers), or before each (`legacy`).
- smollm2: transformers reading the GGUF file, with the digit split of SmolLM2's own tokenizer.json put in front of
  its pre-tokenizer. Without it (`smollm2_without_digits`) transformers 5.23 gives other ids for the strings counted
  in `changed`: it does not know the pre-tokenizer name `smollm`.
"""

import gzip
import hashlib
import json
import pathlib
import re
import struct
import sys
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from strings import adversarial_strings
from tokenizers import pre_tokenizers
from transformers import AutoTokenizer

data, smollm2 = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
strings = adversarial_strings(10_000)
squad = []
for article in json.loads(gzip.open(data / "squad/dev-v1.1.json.gz").read())["data"]:
    for paragraph in article["paragraphs"]:
        squad.append(paragraph["context"])
        for question in paragraph["qas"]:
            squad.append(question["question"])
            squad.extend(answer["text"] for answer in question["answers"])


def digest(rows):
    sha = hashlib.sha256()
    for row in rows:
        sha.update(struct.pack(f"<{len(row) + 1}i", len(row), *row))
    return sha.hexdigest()


def text_digest(texts):
    sha = hashlib.sha256()
    for text in texts:
        raw = text.encode()
        sha.update(struct.pack("<I", len(raw)) + raw)
    return sha.hexdigest()


def entry(encode, decode=None, specials=None):
    rows = encode(strings)
    result = {
        "ids": digest(rows),
        "blocks": " ".join(digest(rows[i : i + 500])[:8] for i in range(0, len(rows), 500)),
        "squad": digest(encode(squad)),
    }
    if decode is not None:
        result["decoded"] = text_digest(decode(row) for row in rows)
    if specials is not None:
        result["withSpecials"] = digest(specials(strings[:500]))
    return result


golden = {"strings": text_digest(strings), "squadTexts": len(squad), "tokenizers": {}}
for name in ("llama-3.1", "qwen2.5", "gpt2"):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        source = data / "tokenizers" / name
        (folder / "tokenizer.json").write_bytes(gzip.open(source / "tokenizer.json.gz").read())
        (folder / "tokenizer_config.json").write_bytes((source / "tokenizer_config.json").read_bytes())
        tokenizer = AutoTokenizer.from_pretrained(folder)
        golden["tokenizers"][name] = entry(
            lambda texts: tokenizer(texts, add_special_tokens=False)["input_ids"],
            lambda ids: tokenizer.decode(ids, skip_special_tokens=True),
            lambda texts: tokenizer(texts)["input_ids"],
        )

# SentencePiece, with and without the space before a text
proto = sentencepiece_model_pb2.ModelProto()
proto.ParseFromString((data / "tokenizers/mistral-v3/tokenizer.model.v3").read_bytes())
spaced = sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())
proto.normalizer_spec.add_dummy_prefix = False
bare = sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())
special = {piece.piece: i for i, piece in enumerate(proto.pieces) if piece.type in (2, 3, 4)}
pattern = re.compile("(" + "|".join(re.escape(s) for s in sorted(special, key=len, reverse=True)) + ")")


def sentencepiece_ids(text, legacy):
    ids, at = [], 0
    for part in pattern.split(text):
        if part in special:
            ids.append(special[part])
        elif part:
            ids += (spaced if legacy or at == 0 else bare).encode(part)
        at += len(part)
    return ids


golden["tokenizers"]["mistral-v3"] = entry(lambda texts: [sentencepiece_ids(t, False) for t in texts])
golden["tokenizers"]["mistral-v3-legacy"] = entry(lambda texts: [sentencepiece_ids(t, True) for t in texts])

tokenizer = AutoTokenizer.from_pretrained(smollm2.parent, gguf_file=smollm2.name)
encode = lambda texts: tokenizer(texts, add_special_tokens=False)["input_ids"]  # noqa: E731
plain, plain_squad = encode(strings), encode(squad)
tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
    [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
)
golden["tokenizers"]["smollm2"] = entry(
    encode, lambda ids: tokenizer.decode(ids, skip_special_tokens=True), lambda texts: tokenizer(texts)["input_ids"]
)
golden["smollm2_without_digits"] = {
    "changed": sum(a != b for a, b in zip(plain, encode(strings))),
    "changedSquad": sum(a != b for a, b in zip(plain_squad, encode(squad))),
}
json.dump(golden, sys.stdout, indent=1)
