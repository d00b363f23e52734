"""Prodigy's JSON lines: `spans`, `accept` of `options`, `user_input`, and an `answer`.

`accept` counts, `ignore` is a skip. `reject` says what a label is not, which is no label, so it is
left out. Offsets count code points, as Python does.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from allrounder.errors import DataError
from allrounder.exchange.rows import Asked, Row, encoded
from allrounder.exchange.tables import SAID, objects, seconds_of

TELLING = {"_input_hash", "_task_hash", "_view_id", "_session_id", "_annotator_id", "answer"}
"""Keys that Prodigy writes and we do not."""

SPANS_VIEWS = ("ner", "ner_manual", "spans", "spans_manual")


def looks_like(path: Path) -> bool:
    """Return whether JSON lines are Prodigy's rather than ours."""
    try:
        first = next(iter(objects(path)), ("", {}))[1]
    except DataError:
        return False
    return bool(TELLING & first.keys()) and "fields" not in first and not first.keys() & set(SAID)


def write(rows: Iterable[Row], tasks: Mapping[str, Asked]) -> Iterator[bytes]:
    """Yield one line an answer; task, key, seconds and model stand in `meta`."""
    for row in rows:
        task = tasks[row.task or ""]
        meta = {name: getattr(row, name) for name in ("task", "key", "seconds", "model", "act")}
        line = {
            **row.fields,
            "text": row.fields.get(task.of),
            **_label(task, row.value),
            "answer": "accept",
            "_annotator_id": row.who,
            "_timestamp": _timestamp(row.created),
            "meta": {name: value for name, value in meta.items() if value is not None},
        }
        yield encoded({name: value for name, value in line.items() if value is not None}) + b"\n"


def _label(task: Asked, value: Any) -> dict[str, Any]:
    if task.form == "spans":
        return {"spans": value, "_view_id": "spans_manual"}
    if task.form == "number" or (task.form == "name" and task.labels is None):
        return {"user_input": str(value), "_view_id": "text_input"}
    accept = value if isinstance(value, list) else [value]
    names = list(dict.fromkeys([*(task.labels or []), *accept]))
    options = [{"id": name, "text": name} for name in names]
    style = "multiple" if task.form == "names" else "single"
    return {
        "options": options,
        "accept": accept,
        "config": {"choice_style": style},
        "_view_id": "choice",
    }


def read(path: Path) -> Iterator[Row]:
    """Yield the answers; a line with spans and a choice has two."""
    for place, found in objects(path):
        meta = found["meta"] if isinstance(found.get("meta"), Mapping) else {}
        plain = Row(
            fields={name: v for name, v in found.items() if isinstance(v, str | int | float)},
            task=meta.get("task"),
            key=meta.get("key"),
            act="settle" if meta.get("act") == "settle" else "label",
            seconds=seconds_of(meta.get("seconds")),
            model=meta.get("model"),
            who=_text(found.get("_annotator_id") or found.get("_session_id")),
            created=_created(found.get("_timestamp")),
            place=place,
        )
        for label in _said(found):
            yield Row(**{**vars(plain), **label})


def _said(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    answer = found.get("answer", "accept")
    if answer == "reject":
        yield {"why": "was rejected, which says what a label is not"}
        return
    skip = {"act": "skip"} if answer == "ignore" else {}
    if "spans" in found or found.get("_view_id") in SPANS_VIEWS:
        yield {"form": "spans", "value": [_span(s) for s in found.get("spans") or []], **skip}
    if "accept" in found:
        yield {"form": "names", "value": found["accept"], **skip}
    elif "label" in found and "spans" not in found:
        yield {"form": "names", "value": [found["label"]], **skip}
    elif "user_input" in found:
        yield {"value": found["user_input"], **skip}


def _span(span: Any) -> Any:
    if not isinstance(span, Mapping):
        return span
    return {name: span.get(name) for name in ("start", "end", "label")}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _timestamp(created: str) -> int | None:
    try:
        return int(datetime.fromisoformat(created).timestamp())
    except ValueError:
        return None


def _created(timestamp: Any) -> str:
    try:
        return datetime.fromtimestamp(timestamp, UTC).isoformat()
    except (TypeError, ValueError, OverflowError, OSError):
        return ""
