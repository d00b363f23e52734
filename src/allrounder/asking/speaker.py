"""What the latest run says of records of a pool, where heads on vectors cannot say it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from allrounder.model import Prepared, scored
from allrounder.plan import Plan, make_plan
from allrounder.prediction import Predictor
from allrounder.records import Records
from allrounder.runs import Run

CHANGED, BROKEN, TIED = 2.0, 1.0, 1.0
"""What an answer that rules changed is worth, a rule that stays broken, and a name that may mean
two things."""


@dataclass
class Speaker:
    """A run, asked about places of a pool.

    Args:
        plan: the project file.
        run: the run.
        records: the records.
        rows: by place, the row of the records.
    """

    plan: Plan
    run: Run
    records: Records
    rows: np.ndarray

    @cached_property
    def predictor(self) -> Predictor:
        """The run, loaded once."""
        return Predictor(make_plan(self.run.project(), folder=self.plan.folder), self.run)

    def knows(self, task: str) -> bool:
        """Return whether the run answers a task."""
        return task in self.run.project()["tasks"]

    def unsure(
        self, task: str, places: np.ndarray, measure: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Return how unsure the run is of the tokens of each record, on average.

        Args:
            task: that reads tokens.
            places: of the records.
            measure: how unsure decisions are: [n, O] → [n].
        """
        model = next(m for m, names in self.predictor.answerer.passes if task in names)
        found = np.zeros(len(places))
        for part in scored(model, self._prepared(places), np.arange(len(places)), tasks=[task]):
            chances = part.scores.values.float().softmax(-1).numpy()
            for row, record, table in zip(part.rows, part.scores.records, chances, strict=True):
                offsets = record.offsets
                tokens = table[: len(offsets)][offsets[:, 0] < offsets[:, 1]]
                found[row] = float(measure(tokens).mean()) if len(tokens) else 0.0
        return found

    def broken(self, task: str, places: np.ndarray) -> np.ndarray:
        """Return how much what is known is at odds with what the run answers to each record.

        An answer of the task that rules changed counts `CHANGED`, each rule that stays broken
        `BROKEN`, each mention whose two likeliest meanings are about as likely `TIED`.
        """
        prepared, rows = self._prepared(places), np.arange(len(places))
        decoder = self.predictor.decoder()
        answers = self.predictor.answerer.answers(prepared, rows, decoder=decoder)
        found = np.array([self._broken(task, answer) for answer in answers])
        reads = self._reads(task)
        return found + sum(
            TIED * linked.ties() for name, linked in prepared.linked.items() if name in reads
        )

    def _reads(self, task: str) -> list[str]:
        """Return the inputs that a task reads."""
        model = self.predictor.model
        source = model.reads(model.tasks[task])
        return list(model.inputs) if source is None else [source]

    def _broken(self, task: str, answer: Mapping[str, Any]) -> float:
        changed = "instead_of" in answer.get(task, {})
        return CHANGED * changed + BROKEN * len(answer.get("rules", {}).get("violated", ()))

    def _columns(self, places: np.ndarray) -> dict[str, Any]:
        rows = self.rows[places]
        return {
            name: self.records.values(name).take(rows).combine_chunks()
            for name in self.records.fields
        }

    def _prepared(self, places: np.ndarray) -> Prepared:
        return self.predictor.prepared(self._columns(places))
