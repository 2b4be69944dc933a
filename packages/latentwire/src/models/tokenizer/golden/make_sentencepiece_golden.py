"""Two tiny SentencePiece models and the ids Python sentencepiece gives with them.

    python make_sentencepiece_golden.py      (writes tiny-prefix.model, tiny-bare.model, sentencepiece.json here)

`tiny-prefix` is laid out like Llama 2 and Mistral (a space before every text), `tiny-bare` like Gemma (none;
user-defined pieces for runs of spaces and line breaks, which are taken whole). Digests are over the strings of
strings.py that spell no control token, as in make_tokenizer_golden.py.
"""

import hashlib
import json
import pathlib
import struct

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from strings import adversarial_strings

here = pathlib.Path(__file__).parent
atoms = json.loads((here / "atoms.json").read_text())
corpus = here / "corpus.tmp"
corpus.write_text("\n".join(a.replace("\n", " ") for a in atoms * 3 if a.strip() and "\0" not in a) + "\n")

COMMON = dict(
    input=str(corpus), model_type="bpe", vocab_size=700, character_coverage=0.98, byte_fallback=True,
    normalization_rule_name="identity", remove_extra_whitespaces=False, allow_whitespace_only_pieces=True,
    split_digits=True, num_threads=1, minloglevel=2,
)  # fmt: skip
runs = ["\u2581" * n for n in range(2, 8)] + ["\n" * n for n in range(1, 5)] + ["<table>"]
sentencepiece.SentencePieceTrainer.train(model_prefix=str(here / "tiny-prefix"), control_symbols=["[INST]"], **COMMON)
sentencepiece.SentencePieceTrainer.train(
    model_prefix=str(here / "tiny-bare"), add_dummy_prefix=False, control_symbols=["<mask>"],
    user_defined_symbols=runs, pad_id=0, eos_id=1, bos_id=2, unk_id=3, **COMMON,
)  # fmt: skip
corpus.unlink()

golden = {}
for name in ("tiny-prefix", "tiny-bare"):
    (here / f"{name}.vocab").unlink()
    file = here / f"{name}.model"
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(file.read_bytes())
    # What describes the training is not needed and would hold this machine's paths.
    for field in ("input", "model_prefix"):
        proto.trainer_spec.ClearField(field)
    file.write_bytes(proto.SerializeToString())
    model = sentencepiece.SentencePieceProcessor(str(file))
    control = [piece.piece for piece in proto.pieces if piece.type in (2, 3)]
    strings = [s for s in adversarial_strings(4000) if not any(c in s for c in control)]
    sha = hashlib.sha256()
    for row in model.encode(strings):
        sha.update(struct.pack(f"<{len(row) + 1}i", len(row), *row))
    golden[name] = {"control": control, "strings": len(strings), "ids": sha.hexdigest(), "pieces": len(proto.pieces)}
(here / "sentencepiece.json").write_text(json.dumps(golden, indent=1) + "\n")
