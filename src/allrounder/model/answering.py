"""Scores and answers for many records, in length-grouped batches."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from allrounder.model.frozen import by_length
from allrounder.model.network import Model
from allrounder.model.prepared import Prepared

BUDGET = 8192
"""Padded tokens of one batch."""


@dataclass(frozen=True)
class Scored:
    """The scores of one task for some rows: a tensor, or `TokenScores` for a tokens task."""

    task: str
    rows: np.ndarray
    scores: Any


def scored(
    model: Model,
    prepared: Prepared,
    rows: np.ndarray,
    *,
    tasks: Sequence[str] | None = None,
    labeled: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Scored]:
    """Yield the scores of each task, batch by batch.

    Args:
        model: the model.
        prepared: the tokens of the records.
        rows: the rows to read.
        tasks: the tasks to ask; all by default.
        labeled: ask each task only of rows that carry its label.
        progress: called with the rows done and the rows in all.
    """
    names = list(tasks or model.tasks)
    choose = prepared.labeled if labeled else prepared.asked
    done = 0
    model.eval()
    for part in by_length(prepared, rows, BUDGET):
        part = np.sort(part)
        wanted = choose(part, names)
        if any(mask.any() for mask in wanted.values()):
            with torch.no_grad():
                found = model(prepared.batch(part, wanted))
            for name, scores in found.items():
                at = part[wanted[name]]
                yield Scored(name, at, _readable(model, prepared, name, at, scores))
        done += len(part)
        if progress:
            progress(done, len(rows))


def _readable(model: Model, prepared: Prepared, name: str, rows: np.ndarray, scores: Any) -> Any:
    task = model.tasks[name]
    if task.reads == "record":
        return scores.float().cpu()
    source = model.reads(task) or ""
    texts = prepared.values[(model.inputs[source].fields or [source])[0]]
    return task.readable(  # type: ignore[attr-defined]
        scores.float().cpu(),
        [texts[int(row)].as_py() for row in rows],
        [prepared.tokens[source].offsets(row) for row in rows],
    )


class Answerer:
    """Turns records into answers.

    Args:
        passes: models, each with the tasks it answers; one model answers all of them unless a
            task keeps a snapshot of its own.
        calibration: by task, what `Task.calibrate` found.
    """

    def __init__(
        self,
        passes: Sequence[tuple[Model, Sequence[str]]],
        calibration: Mapping[str, dict[str, float]],
    ) -> None:
        self.passes = passes
        self.calibration = calibration

    def answers(self, prepared: Prepared, rows: np.ndarray) -> list[dict[str, Any]]:
        """Return, for each of `rows` in order, the answer of every task that can be asked."""
        found: dict[int, dict[str, Any]] = {int(row): {} for row in rows}
        for model, tasks in self.passes:
            for part in scored(model, prepared, rows, tasks=tasks):
                calibration = self.calibration.get(part.task, {})
                answers = model.tasks[part.task].answers(part.scores, calibration)
                for row, answer in zip(part.rows, answers, strict=True):
                    found[int(row)][part.task] = answer
        order = [name for name in self.passes[0][0].tasks]
        return [{n: answers[n] for n in order if n in answers} for answers in found.values()]
