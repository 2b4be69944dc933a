"""Writes the Parquet fixtures of squad.test.ts with Apache Arrow, in the column layout of rajpurkar/squad and
rajpurkar/squad_v2 on the Hugging Face hub, and the same rows as official JSON.
Run: pip install pyarrow==26.0.1 && python make_squad_parquet.py   (texts are made up for this test)
"""
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq

HERE = os.path.dirname(os.path.abspath(__file__))
CONTEXTS = [
    ("Lighthouse", "The lighthouse of Cape Ardmore was lit in 1852 by Ellen O’Rourke. Its lamp burned sperm oil."),
    ("Lighthouse", "A keeper’s house stands 40 m to the east; it was sold for £1,250 in 1931."),
    ("Łódź_tram", "Tram line 6 in Łódź 🚋 runs from Dąbrowa to Strykowska, about 12.5 km."),
]
QUESTIONS = [
    (0, "When was the lighthouse lit?", ["1852", "in 1852", "1852"]),
    (0, "Who lit it?", ["Ellen O’Rourke", "O’Rourke"]),
    (1, "What was the price?", ["£1,250"]),
    (2, "How long is line 6?", ["about 12.5 km", "12.5 km"]),
]
IMPOSSIBLE = (2, "Who drove the first tram?", [])


def rows(questions):
    for number, (context, question, answers) in enumerate(questions):
        title, text = CONTEXTS[context]
        yield {
            "id": f"fixture-{number:04d}",
            "title": title,
            "context": text,
            "question": question,
            "answers": {"text": answers, "answer_start": [max(text.find(a), 0) for a in answers]},
        }


def official(questions, v2):
    articles = {}
    for row in rows(questions):
        paragraphs = articles.setdefault(row["title"], {})
        qa = {"id": row["id"], "question": row["question"]}
        qa["answers"] = [
            {"text": t, "answer_start": s} for t, s in zip(row["answers"]["text"], row["answers"]["answer_start"])
        ]
        if v2:
            qa["is_impossible"] = not qa["answers"]
        paragraphs.setdefault(row["context"], []).append(qa)
    return {
        "version": "v2.0" if v2 else "1.1",
        "data": [
            {"title": t, "paragraphs": [{"context": c, "qas": q} for c, q in p.items()]} for t, p in articles.items()
        ],
    }


SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("title", pa.string()),
        ("context", pa.string()),
        ("question", pa.string()),
        ("answers", pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int32()))])),
    ]
)
for name, questions, compression in [
    ("squad-v1.1", QUESTIONS, "snappy"),
    ("squad-v2.0", [*QUESTIONS, IMPOSSIBLE], "zstd"),
]:
    table = pa.Table.from_pylist(list(rows(questions)), schema=SCHEMA)
    pq.write_table(table, os.path.join(HERE, f"{name}.parquet"), compression=compression, row_group_size=3)
    with open(os.path.join(HERE, f"{name}.json"), "w", encoding="utf-8") as file:
        json.dump(official(questions, "v2" in name), file, ensure_ascii=False, indent=1)
