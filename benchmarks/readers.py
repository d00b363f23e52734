"""Data sets as rows: each text once, its labels by task, ready for a project's sources."""

import io
import json
import sys
import tarfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path += [str(ROOT / "examples"), str(ROOT / "examples" / "newsroom")]

import kit  # noqa: E402
import prepare  # noqa: E402
from common import data  # noqa: E402

Rows = list[dict[str, Any]]
NEUTRAL = 0.5
"""Mean ratings nearer to 0 than this have no polarity."""


def nlupp(domain: str, folds: Sequence[int] = range(20)) -> Rows:
    """Return the utterances of NLU++ banking or hotels: `text`, `intents`, `slots` as spans.

    An utterance without intents or slots has none of them: its labels are empty, not missing.
    Source: Casanueva et al. 2022.
    """
    rows = []
    for fold in folds:
        path = data("nlupp") / domain / f"fold{fold}.json"
        rows += [_utterance(row) for row in json.loads(path.read_text("utf-8"))]
    return once(rows)


def _utterance(row: dict[str, Any]) -> dict[str, Any]:
    slots = [
        {"start": slot["span"][0], "end": slot["span"][1], "label": label}
        for label, slot in row.get("slots", {}).items()
    ]
    return {"text": row["text"], "intents": row.get("intents", []), "slots": apart(slots)}


def apart(spans: Sequence[dict[str, Any]]) -> Rows:
    """Return the spans in order, of those that overlap only the longest, and none that is empty."""
    kept: Rows = []
    for span in sorted(spans, key=lambda span: (span["start"] - span["end"], span["start"])):
        clear = all(span["end"] <= one["start"] or one["end"] <= span["start"] for one in kept)
        if clear and span["start"] < span["end"]:
            kept.append(span)
    return sorted(kept, key=lambda span: span["start"])


@lru_cache(maxsize=1)
def rated() -> tuple[dict[str, Any], ...]:
    """Return sentences of four domains with their mean rating, each sentence once.

    `text`, `rating` from -4 to 4, `domain` (tweet, product, film, editorial), `document`, and
    `polarity`: positive or negative, or None where the rating is near 0. Source: Hutto and
    Gilbert 2014.
    """
    package = kit.fetch(*prepare.RATED, source=True)
    with tarfile.open(package) as outer:
        packed = io.BytesIO(outer.extractfile(prepare.PACKED).read())  # type: ignore[union-attr]
    with tarfile.open(fileobj=packed) as inner:
        rows = [row for name in prepare.DOMAINS for row in _sentences(inner, name)]
    return tuple(once(rows))


def _sentences(archive: tarfile.TarFile, name: str) -> Iterator[dict[str, Any]]:
    for text, rating, domain, document in prepare.rated(archive, name):
        value = float(rating)
        polarity = None if abs(value) <= NEUTRAL else "positive" if value > 0 else "negative"
        yield {"text": text, "rating": value, "domain": domain, "document": document,
               "polarity": polarity}  # fmt: skip


def once(rows: Sequence[dict[str, Any]]) -> Rows:
    """Return the first row of each text, whatever its case and spaces."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        found.setdefault(" ".join(row["text"].lower().split()), row)
    return list(found.values())


def held_out(
    rows: Sequence[dict[str, Any]], key: str, share: float, seed: int
) -> tuple[Rows, Rows]:
    """Return the rows to train on and those to test on; rows of one `key` stay together."""
    names = sorted({row[key] for row in rows})
    rng = np.random.default_rng(seed)
    test = set(rng.permutation(names)[: round(share * len(names))].tolist())
    return [r for r in rows if r[key] not in test], [r for r in rows if r[key] in test]


def few(rows: Sequence[dict[str, Any]], task: str, n: int, seed: int) -> Rows:
    """Return rows drawn at random until each label of `task` stands in `n`, or in all there are.

    A row is taken where one of its labels still lacks rows, the rarest label first, so a common
    label may come to more than `n`. Rows whose list of labels is empty count as one label more.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(rows)).tolist()
    holders: dict[str, list[int]] = {}
    for i in order:
        for label in _labels(rows[i][task]):
            holders.setdefault(label, []).append(i)
    chosen: set[int] = set()
    for label in sorted(holders, key=lambda label: (len(holders[label]), label)):
        missing = n - len(chosen.intersection(holders[label]))
        spare = [i for i in holders[label] if i not in chosen]
        chosen.update(spare[: max(0, missing)])
    return [rows[i] for i in sorted(chosen)]


def _labels(value: Any) -> list[str]:
    return (value or [""]) if isinstance(value, list) else [value]
