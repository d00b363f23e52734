"""What the people's part of the ledger holds: questions that were asked, and answers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import isfinite
from typing import Any, Literal, get_args

from allrounder.errors import DataError, listed

Arm = Literal["chosen", "random", "repeat"]

Act = Literal["label", "skip", "flag", "undo", "settle"]

ACTS = get_args(Act)
ARMS = get_args(Arm)

LONGEST = 200
"""Characters of an id or a name."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A record and a task that are worth asking about.

    Args:
        key: the hash of the record's content, in 16 hexadecimal digits.
        task: the task.
        arm: `chosen` by a strategy, drawn for the permanent `random` share, or a `repeat`: the
            person that `why` names is asked again.
        strategy: the kind that chose it; `random` in the random share.
        score: how much the strategy wanted it.
        probability: how likely it was to be drawn, in the random share.
        model: the fingerprint of the run that scored it.
        suggestion: the model's answer as plain data, if there is one.
        why: plain data on why this is asked.
        number: its place among all questions; given by the ledger.
        batch: the name of its batch; given by the ledger, or by who asks.
        created: when, in UTC; by default now.
    """

    key: str
    task: str
    arm: Arm
    strategy: str
    score: float | None = None
    probability: float | None = None
    model: str | None = None
    suggestion: Any = None
    why: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0
    batch: str = ""
    created: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What somebody did, once; nothing of it is ever changed or deleted.

    Args:
        id: a name that its maker gave it; the same id again is the same event.
        who: the person.
        key: the hash of the record's content, in 16 hexadecimal digits.
        task: the task.
        act: `label`; `skip`; `flag`, for another person to look at; `undo`, which takes an event
            back; `settle`, a reviewer's last word.
        value: the label as plain data, of `label` and `settle`.
        undoes: the id of the event that an undo takes back; key and task are those of that event.
        seconds: how long it took, as the page measured.
        model: the fingerprint of the run whose suggestion was shown.
        suggested: what was shown; None where the question was blind.
        source: how it came here, such as `page` or `import`.
        question: the number of the question, if one was asked.
        created: when, in UTC; by default now. Order is by `number`, never by clock.
        number: its place among all answers; given by the ledger.
    """

    id: str
    who: str
    key: str
    task: str
    act: Act
    value: Any = None
    undoes: str | None = None
    seconds: float | None = None
    model: str | None = None
    suggested: Any = None
    source: str = "page"
    question: int | None = None
    created: str = ""
    number: int = 0


QUESTION = tuple(one.name for one in fields(Question))
ANSWER = tuple(one.name for one in fields(Answer))


def check_question(question: Question) -> None:
    """Refuse a question that no ledger can hold.

    Raises:
        DataError: naming what is wrong with it.
    """
    about = f"the question on record {question.key!r}, task {question.task!r}"
    _check_names(about, key=question.key, task=question.task, strategy=question.strategy)
    if question.arm not in ARMS:
        raise DataError(f"{about}: `arm` must be one of {listed(ARMS)}. Got {question.arm!r}.")
    _check_numbers(about, score=question.score, probability=question.probability)
    _check_plain(about, suggestion=question.suggestion, why=question.why)


def check_answer(answer: Answer) -> None:
    """Refuse an answer that no ledger can hold.

    Raises:
        DataError: naming what is wrong with it.
    """
    about = f"answer {answer.id!r}"
    _check_names(about, id=answer.id, who=answer.who, key=answer.key, task=answer.task)
    if answer.act not in ACTS:
        raise DataError(f"{about}: `act` must be one of {listed(ACTS)}. Got {answer.act!r}.")
    if (answer.act == "undo") != (answer.undoes is not None):
        raise DataError(f"{about}: an undo, and only an undo, names what it `undoes`.")
    if answer.act in ("label", "settle") and answer.value is None:
        raise DataError(f"{about}: a {answer.act} needs a `value`. To give none, skip.")
    _check_names(about, source=answer.source)
    given = {"undoes": answer.undoes, "model": answer.model, "created": answer.created or None}
    _check_names(about, **{name: value for name, value in given.items() if value is not None})
    _check_numbers(about, seconds=answer.seconds, question=answer.question)
    _check_plain(about, value=answer.value, suggested=answer.suggested)


def _check_names(about: str, **names: object) -> None:
    for name, value in names.items():
        if not isinstance(value, str) or not 0 < len(value) <= LONGEST or not _is_written(value):
            raise DataError(
                f"{about}: `{name}` must be a text of 1 to {LONGEST} characters. Got {value!r:.80}."
            )


def _is_written(text: str) -> bool:
    """Return whether a database can hold a text: no zero, no half of a character."""
    return "\0" not in text and text.encode("utf-8", "replace").decode() == text


def _check_numbers(about: str, **values: object) -> None:
    for name, value in values.items():
        if value is not None and (not isinstance(value, int | float) or not isfinite(value)):
            raise DataError(f"{about}: `{name}` must be a number. Got {value!r:.80}.")


def _check_plain(about: str, **values: object) -> None:
    for name, value in values.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise DataError(f"{about}: `{name}` must be plain data. Got {value!r:.80}.") from None
