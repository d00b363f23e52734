"""The questions most worth asking people next, chosen and put into the ledger."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from allrounder.active import Strategy
from allrounder.active.cost import Cost
from allrounder.active.learner import Learner
from allrounder.active.planning import Asked, Planner
from allrounder.asking.inquiry import Inquiry, chosen_strategy, open_inquiry
from allrounder.asking.review import Review, review
from allrounder.errors import ProjectError
from allrounder.evaluation.table import aligned
from allrounder.ledger import Answers, Question
from allrounder.plan import Plan

Tell = Callable[[str, float, float, str], None]

SHOWN = 72
"""Characters of a record that a table shows."""


@dataclass(frozen=True)
class Asking:
    """What came of `ask`.

    Args:
        questions: in the order in which they are to be asked.
        batch: the name under which they lie in the ledger.
        shown: each one's record, as a person would read it.
        suggestions: each one's answer by the model so far; None where there is no model yet.
        origin: what told how records are alike, in words.
        seconds: how long answering is expected to take.
        notes: sentences on what a reader has to know.
        review: what asking has come to so far.
    """

    questions: Sequence[Asked]
    batch: str
    shown: Sequence[str]
    suggestions: Sequence[Mapping[str, Any] | None]
    origin: str
    seconds: float
    notes: Sequence[str] = field(default_factory=list)
    review: Review | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "batch": self.batch,
            "origin": self.origin,
            "seconds": round(self.seconds),
            "notes": list(self.notes),
            "review": self.review and self.review.to_dict(),
            "questions": [
                {"record": text, "task": one.task, "arm": one.arm, "strategy": one.strategy,
                 "score": one.score, "probability": one.probability, "suggestion": suggestion}
                for one, text, suggestion in zip(
                    self.questions, self.shown, self.suggestions, strict=True
                )
            ],
        }  # fmt: skip

    def __str__(self) -> str:
        rows, last = [["task", "why", "model", "record"]], None
        for one, text, said in zip(self.questions, self.shown, self.suggestions, strict=True):
            rows.append([one.task, _why(one), _said(said), _cut(text) if text != last else "〃"])
            last = text
        head = f"{len(self.questions):,} questions, about {self._minutes}, by {self.origin}:"
        told = [*self.notes, *(self.review.notes if self.review else [])]
        notes = "\n".join(f"- {note}" for note in told)
        parts = [head, aligned(rows, left=4)] if self.questions else []
        return "\n\n".join([*parts, *([notes] if notes else [])])

    @property
    def _minutes(self) -> str:
        minutes = self.seconds / 60
        return f"{minutes:.0f} minutes" if minutes >= 2 else f"{self.seconds:.0f} seconds"


def _why(one: Asked) -> str:
    if one.arm == "random":
        return "random share"
    return one.strategy if not one.score else f"{one.strategy} {one.score:.2f}"


def _said(suggestion: Mapping[str, Any] | None) -> str:
    if suggestion is None:
        return ""
    value = suggestion["value"]
    told = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    sure = suggestion.get("probability")
    return f"{told} {sure:.0%}" if sure is not None else told


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"


def ask(
    plan: Plan,
    *,
    runs: Path,
    n: int | None = None,
    minutes: float | None = None,
    strategy: str | None = None,
    waits: bool = True,
    tell: Tell,
) -> Asking:
    """Choose the questions most worth asking next, and append them to the ledger as a batch.

    Args:
        plan: the project file.
        runs: where its runs are.
        n: how many; by default those of the `active` section.
        minutes: as many as are expected to be answered in that time, instead of `n`.
        strategy: a kind to choose by, instead of that of the `active` section.
        waits: whether it may wait until the encoders of the latest run have read the pool.
        tell: called as it goes on.
    """
    if n is not None and n < 1:
        raise ProjectError(f"`n` must be 1 or more. Got {n}.")
    if minutes is not None and not minutes > 0:
        raise ProjectError(f"`minutes` must be more than 0. Got {minutes}.")
    found = chosen_strategy(plan, strategy)
    inquiry = open_inquiry(plan, runs=runs, strategy=found, tell=tell, waits=waits)
    with Answers(plan.where) as ledger:
        events, before = list(ledger.events()), list(ledger.questions())
        inquiry.remember(events)
        looked = review(inquiry, before, events, path=plan.cache / "review.json")
        inquiry.lost = looked.lost if looked else frozenset()
        cost = Cost.measured(events, found)
        wanted = n or (cost.most(minutes) if minutes else found.n)
        planner = inquiry.planner
        questions = planner.questions(wanted, turn=len(before))
        if minutes:
            questions = cost.within(questions, minutes)
        suggestions = suggested(inquiry, planner, questions)
        batch = ledger.ask(_rows(inquiry, questions, suggestions)) if questions else ""
    rows = [int(inquiry.gathered.rows[one.place]) for one in questions]
    return Asking(
        questions=questions,
        batch=batch,
        shown=inquiry.records.legible(inquiry.records.fields, rows) if rows else [],
        suggestions=suggestions,
        origin=inquiry.origin,
        seconds=cost.of(questions),
        notes=_notes(inquiry, questions, 0 if minutes else wanted),
        review=looked,
    )


def _rows(
    inquiry: Inquiry, questions: Sequence[Asked], suggestions: Sequence[Mapping[str, Any] | None]
) -> list[Question]:
    return [
        Question(
            key=format(int(inquiry.pool.keys[one.place]), "016x"),
            task=one.task,
            arm=one.arm,
            strategy=one.strategy,
            score=one.score,
            probability=one.probability,
            model=inquiry.model,
            suggestion=suggestion,
            why=_reasons(inquiry, one, suggestion),
        )
        for one, suggestion in zip(questions, suggestions, strict=True)
    ]


def _reasons(
    inquiry: Inquiry, one: Asked, suggestion: Mapping[str, Any] | None
) -> dict[str, str | int]:
    """Return what a page can show beside a question: what it wavers between, and on how much."""
    chances = (suggestion or {}).get("probabilities") or {}
    two = [name for name, _ in sorted(chances.items(), key=lambda pair: -pair[1])[:2]]
    between = {"between": ", ".join(two)} if one.strategy == "margin" and len(two) == 2 else {}
    return {**between, "labels": len(inquiry.known.labels[one.task])}


def suggested(
    inquiry: Inquiry, planner: Planner, questions: Sequence[Asked]
) -> list[Mapping[str, Any] | None]:
    """Return what a head fitted on the labels so far answers to each question, if one can be."""
    found: list[Mapping[str, Any] | None] = [None] * len(questions)
    for name in {one.task for one in questions}:
        if inquiry.pool.tasks[name].reads != "record" or not planner.has_head(name):
            continue
        at = [number for number, one in enumerate(questions) if one.task == name]
        places = np.array([questions[number].place for number in at])
        answers = _answers(planner.head(name), inquiry, name, places)
        for number, answer in zip(at, answers, strict=True):
            (_, value), *_ = answer.items()
            rest = {k: answer[k] for k in ("probability", "probabilities") if k in answer}
            found[number] = {"value": value, **rest}
    return found


def _answers(
    learner: Learner, inquiry: Inquiry, name: str, places: np.ndarray
) -> list[dict[str, Any]]:
    scores = learner.scores(inquiry.pool.vectors[name][places])
    return learner.task.answers(scores, {})


def _notes(inquiry: Inquiry, questions: Sequence[Asked], n: int) -> list[str]:
    found = []
    if len(questions) < n:
        found.append(
            f"{n:,} questions were asked for, but only {len(questions):,} are left: everything "
            "else has an answer or was passed over."
        )
    strategy = inquiry.strategy
    if strategy.needs_model:
        found += [_cold(inquiry, name, strategy) for name in inquiry.pool.tasks
                  if not inquiry.planner.warm(name)]  # fmt: skip
    return found


def _cold(inquiry: Inquiry, name: str, strategy: Strategy) -> str:
    reads = inquiry.pool.tasks[name].reads
    if strategy.needs_run or (reads == "tokens" and strategy.reads_tokens):
        return f"{name} is asked by {strategy.start} until there is a run that answers it."
    if reads != "record":
        return f"{name} is asked by {strategy.start}: no model of it can be fitted in seconds."
    labels = inquiry.planner.trained(name)
    if len(labels) >= strategy.start_n:
        only = inquiry.known.labels[name][int(labels[0])]
        return (
            f"{name} has one label so far, {only!r}, and a model would learn nothing from it: "
            f"{strategy.start} chooses until there is another."
        )
    return (
        f"{name} has {len(labels):,} training labels; until there are {strategy.start_n}, "
        f"{strategy.start} chooses."
    )
