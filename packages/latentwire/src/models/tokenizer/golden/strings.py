"""The adversarial strings of the tokenizer tests; the same generator as adversarial-strings.ts.

Every string is a chain of 1..12 parts: an atom of atoms.json, a random character, a run of white space, a number
or a word of letters. Surrogates never occur, so Python and JavaScript hold the same text.
"""

import json
import pathlib

RANGES = [
    (0x00, 0x7F), (0x80, 0x24F), (0x250, 0x58F), (0x590, 0x8FF), (0x900, 0xDFF), (0xE00, 0x1FFF), (0x2000, 0x2BFF),
    (0x2C00, 0x2FFF), (0x3000, 0x33FF), (0x3400, 0x9FFF), (0xA000, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x1FFFF),
    (0x20000, 0x3FFFF), (0xE0000, 0x10FFFF), (0x300, 0x36F), (0x1F300, 0x1FAFF), (0x41, 0x7A),
]  # fmt: skip
SPACES = [" ", " ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u2003"]


def mulberry32(seed):
    while True:
        seed = (seed + 0x6D2B79F5) & 0xFFFFFFFF
        t = ((seed ^ (seed >> 15)) * (seed | 1)) & 0xFFFFFFFF
        t ^= (t + (((t ^ (t >> 7)) * (t | 61)) & 0xFFFFFFFF)) & 0xFFFFFFFF
        yield (t ^ (t >> 14)) & 0xFFFFFFFF


def adversarial_strings(count, seed=20260701):
    atoms = json.loads((pathlib.Path(__file__).parent / "atoms.json").read_text())
    stream = mulberry32(seed)
    draw = lambda below: next(stream) % below  # noqa: E731
    strings = []
    for _ in range(count):
        text = ""
        for _ in range(1 + draw(12)):
            kind = draw(10)
            if kind < 6:
                text += atoms[draw(len(atoms))]
            elif kind == 6:
                low, high = RANGES[draw(len(RANGES))]
                text += chr(low + draw(high - low + 1)) * (1 + draw(3))
            elif kind == 7:
                text += SPACES[draw(len(SPACES))] * (1 + draw(40))
            elif kind == 8:
                text += str(next(stream))
            else:
                text += "".join(chr(97 + draw(26)) for _ in range(1 + draw(8)))
            if draw(3) == 0:
                text += " "
        strings.append(text)
    return strings
