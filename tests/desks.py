"""Small projects to label, and desks over them."""

import json
import struct
import wave
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import yaml

from allrounder.labeling.serving import open_desk
from allrounder.ledger import Answers
from allrounder.plan import read_plan

TASKS = {
    "topic": {"kind": "multiclass", "labels": ["sports", "politics", "business"]},
    "mood": {"kind": "regression", "range": [-4, 4]},
}


def project(folder: Path, *, n: int = 8, tasks: dict | None = None, **sections) -> Path:
    """Write a project of unlabelled texts; return its file."""
    folder.mkdir(exist_ok=True)
    rows = [{"text": f"Text {i}: Acme and Lin of Ruritania."} for i in range(n)]
    return written(folder, rows, {"text": "hashing"}, tasks or TASKS, **sections)


def written(folder: Path, rows: list, inputs: dict, tasks: dict, **sections) -> Path:
    """Write records and a project file."""
    told = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "pool.jsonl").write_text(told, encoding="utf-8")
    source = {"path": "pool.jsonl", "split": "train"}
    whole = {"sources": [source], "inputs": inputs, "tasks": tasks, **sections}
    file = folder / "news.yaml"
    file.write_text(yaml.safe_dump(whole, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return file


def desk(file: Path, **more):
    """Return a desk over a project."""
    plan = read_plan(file)
    made = open_desk(plan, Answers(plan.where))
    for name, value in more.items():
        setattr(made, name, value)
    return made


def said(id: str, key: str, value=None, *, task: str = "topic", act: str = "label", **more) -> dict:
    """Return an answer as a page sends it."""
    return {"id": f"id-{id:0>6}", "key": key, "task": task, "act": act, "value": value, **more}


def undone(id: str, target: str) -> dict:
    """Return an undo as a page sends it."""
    return {"id": f"id-{id:0>6}", "act": "undo", "undoes": f"id-{target:0>6}"}


def png(color: tuple[int, int, int], *, width: int = 64, height: int = 48) -> bytes:
    """Return a picture of one colour with a white square in it."""
    pixels = np.full((height, width, 3), color, np.uint8)
    pixels[height // 4 : height // 2, width // 4 : width // 2] = 255
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def wav(hertz: float, *, seconds: float = 0.5, rate: int = 8_000) -> bytes:
    """Return a tone that swells and fades."""
    t = np.arange(round(rate * seconds)) / rate
    samples = np.sin(2 * np.pi * hertz * t) * np.sin(np.pi * t / seconds) ** 2
    target = BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 20_000).astype("<i2").tobytes())
    return target.getvalue()
