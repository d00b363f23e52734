"""A small project whose texts differ enough to be told apart, as labels are made from it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

WHO = ("Acme Corp", "Dr Lin", "Ruritania Bank", "Old Harbor", "北京公司", "上海队")
DID = {
    "markets": ("sold many shares", "raised its price again", "opened a branch", "lost money"),
    "sport": ("won the long match", "hired a coach", "scored late goals", "left the cup early"),
}
WHERE = ("near the river", "before lunch", "in a quiet town", "despite heavy rain", "with friends",
         "after the holiday", "under new rules", "without a word")  # fmt: skip
HAN = {"markets": ("股价上涨很快", "卖出许多股票"), "sport": ("赢得重要比赛", "换了新的教练")}


def sentence(rng: np.random.Generator) -> dict:
    """Return a record with a topic and the span of who did something, English or Chinese."""
    topic = ["markets", "sport"][rng.integers(2)]
    who = WHO[rng.integers(len(WHO))]
    if who.isascii():
        two = rng.choice(len(WHERE), 2, replace=False)
        ends = " and ".join(WHERE[at] for at in two)
        lead = ("Yesterday ", "Then ", "")[rng.integers(3)]
        text = f"{lead}{who} {DID[topic][rng.integers(4)]} {ends} {rng.integers(10, 99)}."
    else:
        lead = ("昨天", "听说", "")[rng.integers(3)]
        text = f"{lead}{who}{HAN[topic][rng.integers(2)]}，{rng.integers(10, 99)}人{WHERE[0][:4]}。"
    start = text.index(who)
    span = {"start": start, "end": start + len(who), "label": "WHO"}
    return {"text": text, "topic": topic, "who": [span]}


def sentences(count: int, seed: int = 0) -> list[dict]:
    rng = np.random.default_rng(seed)
    return [{**sentence(rng), "n": number} for number in range(count)]


def write_rows(path: Path, rows) -> str:
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")
    return path.name


TASKS = {
    "topic": {"kind": "multiclass"},
    "who": {"kind": "spans", "labels": ["WHO"]},
}


def write_sentences(folder: Path, *, train: Sequence[Any] = (), **sections: Any) -> Path:
    """Write a project with a file for each split; return the project file."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = {
        "train": train or sentences(40),
        "validation": [
            {"text": "Quite other words stand in here", "topic": "markets", "who": []},
            {"text": "It is raining on all the roofs", "topic": "sport", "who": []},
        ],
        "test": [
            {"text": "Nothing like that at all, ever", "topic": "sport", "who": []},
            {"text": "Who would have thought of this", "topic": "markets", "who": []},
        ],
        **{name: sections.pop(name) for name in ("validation", "test") if name in sections},
    }
    for split, some in rows.items():
        write_rows(folder / f"{split}.jsonl", some)
    plain = {
        "sources": [{"path": f"{split}.jsonl", "split": split} for split in rows],
        "inputs": {"text": {"kind": "hashing", "width": 16, "buckets": 512}},
        "tasks": TASKS,
        "training": {"epochs": 2, "batch_records": 8, "head_lr": 0.03, "precision": "fp32"},
    }
    file = folder / "news.yaml"
    file.write_text(yaml.safe_dump({**plain, **sections}, allow_unicode=True), encoding="utf-8")
    return file
