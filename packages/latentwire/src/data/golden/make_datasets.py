"""Writes the fixtures of sources.test.ts: the same rows in each dataset's official format and, with Apache Arrow, in the
column layout of its Hugging Face repository.
Run: pip install pyarrow==26.0.1 && python make_datasets.py   (all texts are made up for this test)
"""
import csv
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "datasets")
os.makedirs(HERE, exist_ok=True)


def path(name):
    return os.path.join(HERE, name)


def lines(name, rows):
    with open(path(name), "w", encoding="utf-8") as f:
        f.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def parquet(name, rows, schema=None):
    table = pa.Table.from_pylist(rows, schema=schema)
    pq.write_table(table, path(name), compression="snappy")


# HotpotQA: a list of questions; on the hub, lists of pairs become structures of lists.
HOTPOT = [
    {
        "_id": "5a0001",
        "answer": "yes",
        "question": "Do both rivers end in the Baltic?",
        "supporting_facts": [["Odra (river)", 0], ["Wieprza", 1]],
        "context": [
            ["Morava", ["The Morava is a river.", " It joins the Danube."]],
            ["Odra (river)", ["The Odra ends in the Baltic Sea.", " It is 854 km long."]],
            ["Wieprza", ["The Wieprza is short.", " It ends in the Baltic Sea at Darłowo."]],
        ],
        "type": "comparison",
        "level": "easy",
    },
    {
        "_id": "5a0002",
        "answer": "Ada Grün",
        "question": "Who built the mill on the Morava?",
        "supporting_facts": [["Grün mill", 0]],
        "context": [["Odra (river)", ["The Odra has no mill."]], ["Grün mill", ["Ada Grün built it “in haste”."]]],
        "type": "bridge",
        "level": "hard",
    },
]
with open(path("hotpot.json"), "w", encoding="utf-8") as f:
    json.dump(HOTPOT, f, ensure_ascii=False)
lines("hotpot.jsonl", HOTPOT)
text = pa.string()
parquet(
    "hotpot.parquet",
    [
        {
            "id": row["_id"],
            "question": row["question"],
            "answer": row["answer"],
            "type": row["type"],
            "level": row["level"],
            "supporting_facts": {
                "title": [t for t, _ in row["supporting_facts"]],
                "sent_id": [s for _, s in row["supporting_facts"]],
            },
            "context": {"title": [t for t, _ in row["context"]], "sentences": [s for _, s in row["context"]]},
        }
        for row in HOTPOT
    ],
    pa.schema(
        [(name, text) for name in ("id", "question", "answer", "type", "level")]
        + [
            ("supporting_facts", pa.struct([("title", pa.list_(text)), ("sent_id", pa.list_(pa.int32()))])),
            ("context", pa.struct([("title", pa.list_(text)), ("sentences", pa.list_(pa.list_(text)))])),
        ]
    ),
)

GSM8K = [
    {
        "question": "A baker sells 12 loaves at $3 each. How much is that?",
        "answer": "12 loaves at $3 are 12 * 3 = $<<12*3=36>>36.\n#### 36",
    },
    {"question": "1,200 pages, 40 a day. How many days?", "answer": "1,200 / 40 = <<1200/40=30>>30\n#### 30"},
]
lines("gsm8k.jsonl", GSM8K)
parquet("gsm8k.parquet", GSM8K)

BOOLQ = [
    {"question": "is the lamp lit", "title": "Lamp", "answer": False, "passage": "The lamp was put out in 1931."},
    {"question": "is it far to łódź", "title": "Łódź", "answer": True, "passage": "Łódź lies 120 km away."},
]
lines("boolq.jsonl", BOOLQ)
parquet("boolq.parquet", [{k: row[k] for k in ("question", "answer", "passage", "title")} for row in BOOLQ])

SST2 = [("a stirring , funny film", 1), ("the plot \"twist\" bores", 0)]
with open(path("sst2.tsv"), "w", encoding="utf-8") as f:
    f.write("sentence\tlabel\n")
    f.writelines(f"{sentence}\t{label}\n" for sentence, label in SST2)
parquet("sst2.parquet", [{"idx": i, "sentence": s, "label": n} for i, (s, n) in enumerate(SST2)])

AGNEWS = [
    (3, "Oil up", "Prices rose 2\\% to $50, \"a record\" (Reuters)."),
    (4, "Moon, again", "A probe landed.\nIt is well."),
    (1, "Talks", "Talks went on. " * 30),
    (2, "Cup", "They won 3-1."),
]
with open(path("agnews.csv"), "w", encoding="utf-8", newline="") as f:
    csv.writer(f, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(AGNEWS)
parquet("agnews.parquet", [{"text": f"{t} {d.strip()}", "label": c - 1} for c, t, d in AGNEWS])

TREC = [
    ("DESC", "manner", "How did the tram leave Łódź ?".replace("Łódź", "K\xf6ln")),
    ("ENTY", "animal", "What animal swims ?"),
    ("ABBR", "exp", "What does LED stand for ?"),
    ("HUM", "ind", "Who lit the lamp ?"),
    ("LOC", "city", "Where is Darlowo ?"),
    ("NUM", "date", "When was the lamp lit ?"),
]
with open(path("trec.label"), "w", encoding="latin-1") as f:
    f.writelines(f"{c}:{fine} {q}\n" for c, fine, q in TREC)
# SetFit numbers the classes in the order in which they occur: DESC is 0, ENTY 1, ABBR 2.
lines(
    "trec.jsonl",
    [
        {
            "text": q,
            "label": i,
            "label_original": f"{c}:{fine}",
            "label_coarse": i,
            "label_coarse_original": c,
        }
        for i, (c, fine, q) in enumerate(TREC)
    ],
)
