"""CoNLL: one token a line with its tag, a blank line between records; spans alone."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from allrounder.exchange.rows import Asked, Row
from allrounder.records.sources import FORMATS, File

TOKEN = re.compile(r"\w+|[^\w\s]")


def write(rows: Iterable[Row], tasks: Mapping[str, Asked]) -> Iterator[bytes]:
    """Yield what counts of each record as tokens with IOB2 tags, who said it in a comment.

    Tokens end where spans do, so no span is cut; the file says nothing of spaces.
    """
    for row in rows:
        if not row.stands or row.task is None or tasks[row.task].form != "spans":
            continue
        text = row.fields.get(tasks[row.task].of)
        if not isinstance(text, str) or not text.strip():
            continue
        lines = [f"# {_comment(row)}", *_tagged(text, row.value)]
        yield ("\n".join(lines) + "\n\n").encode("utf-8", "replace")


def _comment(row: Row) -> str:
    """Return who said it, ended so that it is never taken for a token with a tag."""
    said = {name: getattr(row, name) for name in ("key", "who", "created", "seconds", "model")}
    known = [f"{name} = {value}" for name, value in said.items() if value is not None]
    return " | ".join(" ".join(one.split()) for one in known) + " |"


def _tagged(text: str, spans: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    cuts = sorted({edge for span in spans for edge in (span["start"], span["end"])})
    for start, end in _tokens(text, cuts):
        inside = next((s for s in spans if s["start"] <= start and end <= s["end"]), None)
        if inside is None:
            yield f"{text[start:end]} O"
        else:
            first = not text[inside["start"] : start].strip()
            yield f"{text[start:end]} {'B' if first else 'I'}-{'_'.join(inside['label'].split())}"


def _tokens(text: str, cuts: Sequence[int]) -> Iterator[tuple[int, int]]:
    for found in TOKEN.finditer(text):
        edges = [found.start(), *(c for c in cuts if found.start() < c < found.end()), found.end()]
        yield from pairwise(edges)


def read(path: Path) -> Iterator[Row]:
    """Yield the spans of every sentence; without tags it says nothing."""
    file, number = File(path, str(path)), 0
    for batch in FORMATS["conll"].batches(file):
        for found in batch.to_pylist():
            number += 1
            if found["spans"] is not None:
                yield Row(
                    fields={"text": found["text"]},
                    form="spans",
                    value=found["spans"],
                    place=f"{path}, sentence {number}",
                )
