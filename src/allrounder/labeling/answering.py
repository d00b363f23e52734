"""What a page sends, read with suspicion, as an event for the ledger."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from allrounder.errors import DataError, did_you_mean
from allrounder.labeling.people import Person
from allrounder.ledger import Answer

if TYPE_CHECKING:
    from allrounder.labeling.desk import Desk

ACTS = ("label", "skip", "flag", "undo", "settle")

LONGEST_ID = 100

MOST_SECONDS = 24 * 3600.0


class Refused(Exception):
    """What was sent is no answer; the sentence says why."""


def answer_of(item: Any, person: Person, desk: "Desk", same: Mapping[str, Answer]) -> Answer:
    """Return one answer of a page.

    Args:
        item: what was sent.
        person: by whom.
        desk: the project.
        same: what was sent with it, before it.

    Raises:
        Refused: it is no answer.
        DataError: its value is no label of its task.
    """
    if not isinstance(item, Mapping):
        raise Refused(f"expected an answer, found {item!r:.80}.")
    id, act = item.get("id"), item.get("act")
    if not isinstance(id, str) or not 8 <= len(id) <= LONGEST_ID or not id.isprintable():
        raise Refused(f"expected an id of 8 to {LONGEST_ID} characters, found {id!r:.80}.")
    known = desk.board.by_id.get(id)
    if known is not None:
        if known.who != person.name:
            raise Refused("another person has an answer with this id.")
        return known  # it was sent again: the same event
    if act not in ACTS:
        raise Refused(f"expected one of {', '.join(ACTS)}, found {act!r:.80}.")
    if act == "undo":
        return _undo(item, id, person, desk, same)
    return _said(item, id, act, person, desk)


def _undo(
    item: Mapping[str, Any], id: str, person: Person, desk: "Desk", same: Mapping[str, Answer]
) -> Answer:
    target = item.get("undoes")
    before = None
    if isinstance(target, str):
        before = same.get(target) or desk.board.by_id.get(target)
    if before is None or before.who != person.name:
        raise Refused("there is no answer of yours to undo.")
    return Answer(
        id=id, who=person.name, key=before.key, task=before.task, act="undo", undoes=target
    )


def _said(item: Mapping[str, Any], id: str, act: Any, person: Person, desk: "Desk") -> Answer:
    key, task = item.get("key"), item.get("task")
    if not isinstance(key, str) or desk.pool.place(key) is None:
        raise Refused("the project holds no such record any more.")
    if not isinstance(task, str) or task not in desk.forms:
        hint = did_you_mean(str(task)[:80], desk.forms)
        raise Refused(f"there is no task {task!r:.80} to answer.{hint}")
    if act == "settle" and not person.reviews:
        raise Refused("only reviewers and owners settle disputes.")
    value = None
    if act in ("label", "settle"):
        value = desk.forms[task].checked(item.get("value"), key, desk.pool)
    question = desk.queue.questions.get(_whole(item.get("question")))
    if question is not None and (question.key, question.task) != (key, task):
        raise DataError(f"{task}: question {question.number} is about something else.")
    shown = question is not None and not desk.is_blind(key, task, person.name)
    return Answer(
        id=id,
        who=person.name,
        key=key,
        task=task,
        act=act,
        value=value,
        seconds=_seconds(item.get("seconds")),
        model=question.model if question and shown else None,
        suggested=question.suggestion if question and shown else None,
        question=question.number if question else None,
    )


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def _seconds(value: Any) -> float | None:
    """Return how long it took; a clock that jumped gives none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return round(float(value), 3) if 0 <= value <= MOST_SECONDS else None
