"""Writes scoring.json: what the official SQuAD rules give, computed by Python's own str and re.

Run with Python 3.11 (Unicode 14): python make_scoring.py
Inputs are drawn by a small generator that scoring.test.ts repeats, so only digests are stored:
- strings: 6,000 random strings, normalised; one digest per block of 100.
- sweep:   every code point assigned in Unicode 14, between articles and letters; one digest per 4,096.
- pairs:   3,000 (prediction, gold) pairs; exact match, v1.1 F1 and v2.0 F1 as bits; one digest per 100.
- evaluate_v2: totals over 500 questions with 0–3 golds.
"""
import collections
import hashlib
import json
import os
import re
import string
import struct
import sys
import unicodedata

WORDS = ["a", "an", "the", "A", "AN", "The", "tHe", "Paris", "of", "the", "river", "1852", "a1", "ban", "then"]
SPACES = [" ", "\t", "\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\xa0", "\u1680", "\u2003",
          "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\ufeff", "\u200b", "\u180e", "\u2060"]
CASES = ["Σ", "ΟΔΟΣ", "ΟΔΟΣ ", "Α'Σ", "ΣΑ", "Σ\u0301", "İ", "İstanbul", "ẞ", "ǅ", "K", "Å", "ﬁ", "ſ", "ΐ", "𐐀", "Ⓐ",
         "\u0345Σ", "ʰΣ", "1Σ"]
NUMBERS = ["٣", "²", "½", "Ⅷ", "㊿", "一", "〇", "𝟙", "߁", "௧"]
MARKS = ["\u0301", "\u0345", "\u05b0", "\u093f", "\u20e3", "\u200d", "\ufe0f", "_", "·", "’", "“", "—", "。"]
EMOJI = ["🚋", "👩\u200d🚀", "🇵🇱", "❤\ufe0f"]
RANGES = [(0x00A1, 0x024F), (0x0370, 0x0377), (0x0386, 0x03FF), (0x0400, 0x052F), (0x05D0, 0x05EA), (0x0620, 0x06FF),
          (0x0905, 0x0939), (0x0E01, 0x0E3A), (0x10A0, 0x10C5), (0x13A0, 0x13F5), (0x1E00, 0x1F15), (0x2010, 0x2027),
          (0x2150, 0x218B), (0x3041, 0x3096), (0x4E00, 0x9FA5), (0xAC00, 0xD7A3), (0xFF01, 0xFF5E), (0x10400, 0x1044F)]


class Random32:
    """xorshift32 (Marsaglia 2003)."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        x = self.state
        x ^= (x << 13) & 0xFFFFFFFF
        x ^= x >> 17
        x ^= (x << 5) & 0xFFFFFFFF
        self.state = x
        return x % n

    def pick(self, items):
        return items[self.below(len(items))]


def random_string(rng):
    parts = []
    for _ in range(1 + rng.below(14)):
        kind = rng.below(12)
        if kind < 4:
            parts.append(rng.pick(WORDS))
        elif kind == 4:
            parts.append(rng.pick(string.punctuation))
        elif kind == 5:
            parts.append(rng.pick(SPACES))
        elif kind == 6:
            parts.append(rng.pick(CASES))
        elif kind == 7:
            parts.append(rng.pick(NUMBERS))
        elif kind == 8:
            parts.append(rng.pick(MARKS))
        elif kind == 9:
            parts.append(rng.pick(EMOJI))
        else:
            low, high = rng.pick(RANGES)
            parts.append(chr(low + rng.below(high - low + 1)))
        if rng.below(2):
            parts.append(" ")
    return "".join(parts)


def normalize(text):
    text = text.lower()
    text = "".join(c for c in text if c not in string.punctuation)
    text = re.sub(r"\b(a|an|the)\b", " ", text)
    return " ".join(text.split())


def f1(prediction, gold, v2):
    p, g = normalize(prediction).split(), normalize(gold).split()
    if v2 and (not p or not g):
        return float(p == g)
    shared = sum((collections.Counter(p) & collections.Counter(g)).values())
    if shared == 0:
        return 0.0
    precision, recall = shared / len(p), shared / len(g)
    return (2 * precision * recall) / (precision + recall)


def short_digest(chunks):
    return hashlib.sha256(b"".join(chunks)).hexdigest()[:12]


def blocks(items, size):
    return [short_digest(items[i : i + size]) for i in range(0, len(items), size)]


def strings():
    rng = Random32(20_251)
    return blocks([(normalize(random_string(rng)) + "\n").encode() for _ in range(6_000)], 100)


def assigned_ranges():
    ranges = []
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)) in ("Cn", "Cs", "Co"):
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return ranges


def sweep(ranges):
    lines = []
    for low, high in ranges:
        for code in range(low, high + 1):
            c = chr(code)
            lines.append((normalize(f"a{c}the an{c}B{c} {c}a") + "\n").encode())
    return blocks(lines, 4096)


def pairs():
    rng = Random32(7)
    packed = []
    for _ in range(3_000):
        prediction, gold = random_string(rng), random_string(rng)
        if rng.below(3) == 0:
            gold = prediction + " " + gold
        exact = normalize(prediction) == normalize(gold)
        packed.append(struct.pack("<?dd", exact, f1(prediction, gold, False), f1(prediction, gold, True)))
    return blocks(packed, 100)


def evaluate_v2():
    rng = Random32(99)
    rows = []
    for _ in range(500):
        answers = [random_string(rng) for _ in range(rng.below(4))]
        kind = rng.below(3)
        prediction = "" if kind == 0 else random_string(rng)
        if kind == 2 and answers:
            prediction = answers[-1] + " " + rng.pick(WORDS)
        golds = [a for a in answers if normalize(a)] or [""]
        rows.append((bool(answers), max(int(normalize(g) == normalize(prediction)) for g in golds),
                     max(f1(prediction, g, True) for g in golds)))

    def totals(chosen):
        return {"exactMatch": 100.0 * sum(r[1] for r in chosen) / len(chosen),
                "f1": 100.0 * sum(r[2] for r in chosen) / len(chosen), "total": len(chosen)}

    return {"overall": totals(rows), "answerable": totals([r for r in rows if r[0]]),
            "unanswerable": totals([r for r in rows if not r[0]])}


ranges = assigned_ranges()
# Ranges as gaps and lengths in hexadecimal: small enough to read past.
flat, previous = [], 0
for low, high in ranges:
    flat += [low - previous, high - low]
    previous = high
out = {
    "unicode": unicodedata.unidata_version,
    "strings": strings(),
    "assigned": " ".join(format(n, "x") for n in flat),
    "sweep": sweep(ranges),
    "pairs": pairs(),
    "evaluate_v2": evaluate_v2(),
}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "scoring.json"), "w", encoding="utf-8") as file:
    json.dump(out, file, indent=0)
