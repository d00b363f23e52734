"""Training records without a label learn from what rules vote: a soft label is a teacher."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from allrounder.injection import Voting
from allrounder.model import Prepared
from allrounder.model.prepared import Guessed
from allrounder.records import Records
from allrounder.rules import Facts, Rules, Terms
from allrounder.rules.votes import Reliability, SoftLabels, Votes

SURE = 1e-6
"""No label is thought less likely than this, so that its logarithm stays finite."""


@dataclass(frozen=True)
class Voted:
    """What rules vote of training records.

    Args:
        rows: the training records.
        soft: by task, what votes say of each.
        taught: by task, which of `rows` have a vote and no label.
        known: by task, how many of `rows` have a label.
        voting: how it is learned from.
    """

    rows: np.ndarray
    soft: dict[str, SoftLabels]
    taught: dict[str, np.ndarray]
    known: dict[str, int]
    voting: Voting

    @classmethod
    def of(
        cls,
        rules: Rules,
        terms: Terms,
        records: Records,
        voting: Voting,
        tasks: Collection[str],
        facts: Facts | None = None,
    ) -> "Voted":
        """Let rules vote on the training records; labels of these say how far they are believed.

        Args:
            rules: the rules of today.
            terms: the words of the project, labels known.
            records: the records.
            voting: how votes are learned from.
            tasks: those that learn.
            facts: what is known of what texts mention.

        Raises:
            ProjectError: a rule names what is not there, or none can vote.
        """
        terms.check(rules)
        rows = records.indices("train")
        fields = {name for name in terms.fields if name in records.fields}
        columns = {name: records.values(name).take(rows).to_pylist() for name in sorted(fields)}
        votes = Votes.of(rules, terms, columns, facts)
        soft, taught, counts = {}, {}, {}
        for name in (name for name in votes.tasks if name in tasks):
            known = records.labels(name).take(rows).to_pylist()
            soft[name] = votes.soft(name, known)
            free = np.array([label is None for label in known])
            taught[name], counts[name] = soft[name].voted & free, int((~free).sum())
        return cls(rows, soft, taught, counts, voting)

    @property
    def reliabilities(self) -> list[Reliability]:
        """How far each rule is believed, in the order of tasks."""
        return [one for soft in self.soft.values() for one in soft.voters]

    def of_tasks(self, tasks: Mapping[str, Any]) -> np.ndarray:
        """Return the records that some of the tasks learn from votes alone, rising."""
        some = [self.taught[name] for name in self.taught if name in tasks]
        return self.rows[np.any([np.zeros(len(self.rows), bool), *some], axis=0)]

    def weight(self, task: str) -> float:
        """Return what a record with votes counts beside one with a label, where there are any.

        Labels are few where votes are many: each counting alike, rules that know nothing would
        drown what labels say.
        """
        known, taught = self.known[task], int(self.taught[task].sum())
        return min(1.0, self.voting.weight * known / taught) if known and taught else 1.0

    def teach(self, prepared: Prepared) -> None:
        """Let the tasks of a model be taught by the votes."""
        for name, mask in self.taught.items():
            if name not in prepared.model.tasks:
                continue
            place = np.full(len(prepared), -1)
            place[self.rows[mask]] = np.arange(mask.sum())
            scores = _scores(self.soft[name].probabilities[mask], prepared.model.tasks[name].speaks)
            prepared.guesses[name] = Guessed(place, scores, self.weight(name))


def _scores(probabilities: np.ndarray, speaks: str | None) -> Tensor:
    """Return probabilities as scores: log-odds where each label stands alone, else logarithms."""
    sure = torch.from_numpy(probabilities).clamp(SURE, 1 - SURE)
    return (sure.logit() if speaks == "labels" else sure.log()).float()
