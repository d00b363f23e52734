"""Label Studio's JSON: tasks with annotations, and predictions for what was suggested.

A result names the control (`from_name`), which is our task, and has a value by type: `choices`,
`labels` with offsets, `number`, `rating` or `textarea`. Offsets count code points; versions before
October 2021 counted UTF-16 units, which is told by the text that is quoted beside them.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from allrounder.errors import DataError
from allrounder.exchange.rows import Asked, Row, encoded
from allrounder.exchange.tables import seconds_of


def write(rows: Iterable[Row], tasks: Mapping[str, Asked]) -> Iterator[bytes]:
    """Yield a list of tasks, each with an annotation per person.

    Label Studio refuses people that it does not know, so the person stands in `annotator`, which it
    passes over, and in `completed_by` there is nobody.
    """
    yield b"["
    for number, (_, group) in enumerate(groupby(rows, key=lambda row: row.key)):
        yield (b",\n" if number else b"\n") + encoded(_task(number + 1, list(group), tasks))
    yield b"\n]\n"


def _task(number: int, rows: Sequence[Row], tasks: Mapping[str, Asked]) -> dict[str, Any]:
    people: dict[str | None, list[Row]] = {}
    for row in rows:
        people.setdefault(row.who, []).append(row)
    suggested: dict[str, dict[str, Any]] = {}
    for row in rows:
        if isinstance(row.suggested, Mapping) and "value" in row.suggested:
            suggested.setdefault(f"{row.task} {row.model}", _prediction(row, tasks))
    return {
        "id": number,
        "data": dict(rows[0].fields),
        "meta": {"key": rows[0].key},
        "annotations": [_annotation(said, tasks) for said in people.values()],
        "predictions": list(suggested.values()),
    }


def _annotation(rows: Sequence[Row], tasks: Mapping[str, Asked]) -> dict[str, Any]:
    times = [row.seconds for row in rows if row.seconds is not None]
    return {
        "result": [one for row in rows for one in _results(row, row.value, tasks)],
        "was_cancelled": False,
        "ground_truth": any(row.act == "settle" for row in rows),
        "created_at": max(row.created for row in rows),
        "lead_time": round(sum(times), 3) if times else None,
        "annotator": rows[0].who,
        "answered": {
            row.task: {name: getattr(row, name) for name in ("created", "seconds", "model", "act")}
            for row in rows
        },
    }


def _prediction(row: Row, tasks: Mapping[str, Asked]) -> dict[str, Any]:
    return {
        "model_version": row.model,
        "score": row.suggested.get("probability"),
        "result": list(_results(row, row.suggested["value"], tasks)),
    }


def _results(row: Row, value: Any, tasks: Mapping[str, Asked]) -> Iterator[dict[str, Any]]:
    task = tasks[row.task or ""]
    text = row.fields.get(task.of)
    for kind, found in _values(task, value, text if isinstance(text, str) else ""):
        named = json.dumps([row.key, row.task, row.who, found], sort_keys=True)
        yield {
            "id": hashlib.blake2b(named.encode(), digest_size=5).hexdigest(),
            "from_name": task.name,
            "to_name": task.of,
            "type": kind,
            "origin": "manual",
            "value": found,
        }


def _values(task: Asked, value: Any, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if task.form == "spans" and isinstance(value, list):
        for span in value:
            start, end = span["start"], span["end"]
            found = {"start": start, "end": end, "text": text[start:end]}
            yield "labels", {**found, "labels": [span["label"]]}
    elif task.form == "number":
        yield "number", {"number": value}
    elif task.form == "name" and task.labels is None and not isinstance(value, list):
        yield "textarea", {"text": [value]}
    elif value != []:
        yield "choices", {"choices": value if isinstance(value, list) else [value]}


def read(path: Path) -> Iterator[Row]:
    """Yield what every annotation says of every control."""
    for number, task in enumerate(_tasks(path), 1):
        place = f"{path}, task {task.get('id', number)}"
        meta = task.get("meta")
        key = meta.get("key") if isinstance(meta, Mapping) else None
        for said in task["annotations"]:
            if isinstance(said, Mapping):
                yield from _answers(task.get("data") or {}, said, key, place)


def _tasks(path: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"{path}: cannot be opened: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise DataError(f"{path}: this is not JSON.") from None
    tasks = found if isinstance(found, list) else [found]
    if not all(isinstance(one, dict) and isinstance(one.get("annotations"), list) for one in tasks):
        raise DataError(
            f"{path}: expected tasks with `annotations`, as Label Studio exports them as JSON "
            "(not JSON-MIN)."
        )
    return tasks


def _answers(
    data: Mapping[str, Any], said: Mapping[str, Any], key: Any, place: str
) -> Iterator[Row]:
    by_task: dict[str, list[Mapping[str, Any]]] = {}
    for result in said.get("result") or []:
        if isinstance(result, Mapping) and isinstance(result.get("value"), Mapping):
            by_task.setdefault(str(result.get("from_name")), []).append(result)
    answered = said["answered"] if isinstance(said.get("answered"), Mapping) else {}
    for name in dict.fromkeys([*by_task, *answered]):
        own = answered.get(name) or {}
        yield Row(
            fields=data,
            key=key if isinstance(key, str) else None,
            task=name,
            who=_who(said),
            created=str(own.get("created") or said.get("created_at") or ""),
            seconds=seconds_of(own.get("seconds") if own else said.get("lead_time")),
            model=own.get("model"),
            place=place,
            **_label(by_task.get(name, []), data),
            **_act(said, own),
        )
    if said.get("was_cancelled") and not by_task:
        yield Row(fields=data, who=_who(said), place=place, why="was skipped")


def _act(said: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, str]:
    if said.get("was_cancelled"):
        return {"act": "skip"}
    return {"act": "settle" if own.get("act") == "settle" else "label"}


def _who(said: Mapping[str, Any]) -> str | None:
    by = said.get("annotator") or said.get("completed_by")
    if isinstance(by, Mapping):
        by = by.get("email") or by.get("id")
    return None if by is None else str(by)


def _label(results: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the label that results of one control make up, and what form it has."""
    values = [one["value"] for one in results]
    if not values:
        return {"value": []}
    if "start" in values[0]:
        spans = [
            {"start": v.get("start"), "end": v.get("end"), "label": label, "text": v.get("text")}
            for v in values
            for label in v.get("labels") or v.get("hypertextlabels") or []
        ]
        return {"form": "spans", **_placed(spans, data)}
    for name in ("number", "rating"):
        if name in values[0]:
            return {"form": "number", "value": values[0][name]}
    if "choices" in values[0]:
        chosen = [choice for value in values for choice in value.get("choices") or []]
        return {"form": "names", "value": list(dict.fromkeys(map(_leaf, chosen)))}
    text = values[0].get("text")
    if text is not None:
        return {"form": "name", "value": "\n".join(text) if isinstance(text, list) else text}
    return {"why": f"is of a type that is not known: {results[0].get('type')}"}


def _leaf(choice: Any) -> str:
    return str(choice[-1]) if isinstance(choice, list) and choice else str(choice)


def _placed(spans: Sequence[dict[str, Any]], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return spans in code points; the quoted text tells where they count UTF-16 units."""
    texts = [value for value in data.values() if isinstance(value, str)]
    plain = [{name: span[name] for name in ("start", "end", "label")} for span in spans]
    if not all(isinstance(edge, int) for one in plain for edge in (one["start"], one["end"])):
        return {"why": "has spans whose offsets are no whole numbers"}
    quoted = [span for span in spans if isinstance(span["text"], str)]
    if not quoted or any(_agrees(text, quoted) for text in texts):
        return {"value": plain}
    for text in texts:
        moved = [{**one, **_moved(text, one)} for one in spans]
        if _agrees(text, [one for one in moved if isinstance(one["text"], str)]):
            return {"value": [{n: one[n] for n in ("start", "end", "label")} for one in moved]}
    return {"why": "has spans whose text is not where they say"}


def _agrees(text: str, spans: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether spans are where their quoted text is; line ends are quoted as two signs."""
    return all(text[one["start"] : one["end"]] == one["text"].replace("\\n", "\n") for one in spans)


def _moved(text: str, span: Mapping[str, Any]) -> dict[str, int]:
    """Return the place in code points of a place in UTF-16 units."""
    units = text.encode("utf-16-le", "surrogatepass")
    ends = {edge: units[: 2 * span[edge]] for edge in ("start", "end")}
    return {edge: len(before.decode("utf-16-le", "ignore")) for edge, before in ends.items()}
