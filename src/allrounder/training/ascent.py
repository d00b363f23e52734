"""Training towards the rules: their loss beside that of labels, weighed by dual ascent.

The problem is to learn from labels so that no rule is broken; its Lagrangian adds the loss of each
rule times a multiplier, which grows by `step` times how likely the rule is broken, as long as it is
(Nandwani et al. 2019, A Primal Dual Formulation for Deep Learning with Constraints). The loss has
its least where everything is as the rules say, and saying nothing at all often does: so multipliers
begin late, grow slowly, and have a bound.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from allrounder.injection import Consistency
from allrounder.model import Prepared
from allrounder.model.rules_loss import Followed, RulesLoss
from allrounder.training.epochs import cut
from allrounder.training.settings import Training

Multipliers = dict[str, float]
"""By rule, what its loss weighs."""


@dataclass(frozen=True)
class Ascent:
    """The rules loss of one training.

    Args:
        loss: counts the rules.
        prepared: the records and the model.
        unlabelled: training rows without a label.
        lengths: of every row, in tokens.
        keys: the `knowledge.rules_loss` section.
        settings: the `training` section.
    """

    loss: RulesLoss
    prepared: Prepared
    unlabelled: np.ndarray
    lengths: np.ndarray
    keys: Consistency
    settings: Training

    def begins(self, done: float) -> bool:
        """Return whether the loss counts yet, such a share of the training being done."""
        return done >= self.keys.after

    def backward(
        self, step: int, rows: np.ndarray, multipliers: Multipliers, held: Collection[str]
    ) -> Multipliers:
        """Add the gradients of the rules loss to those of a step; return the next multipliers.

        Args:
            step: its number, which says what records without labels are drawn.
            rows: the records that the step learns labels of.
            multipliers: by rule; a rule that is missing begins at `weight`.
            held: tasks that no longer train.
        """
        now = {**dict.fromkeys(self._bounds, self.keys.weight), **multipliers}
        rows = np.unique(np.concatenate([rows, self._drawn(step, len(rows))]))
        order = rows[np.argsort(self.lengths[rows], kind="stable")]
        broken: dict[str, list[float]] = defaultdict(list)
        wide = replace(self.settings, batch_records=len(rows))  # sums over tags like many at once
        for part in cut(order, self.lengths, wide):
            found = self.loss.followed(self.prepared, np.sort(part), held=held)
            self._descend(found, now, len(rows))
            for id, one in found.items():
                broken[id] += one.broken.detach().tolist()
        return {id: min(self._bounds[id], value + self.keys.step * _mean(broken[id]))
                for id, value in now.items()}  # fmt: skip

    def _descend(self, found: Mapping[str, Followed], weights: Multipliers, total: int) -> None:
        some = [weights[id] * one.losses.sum() for id, one in found.items() if weights[id]]
        loss = torch.stack(some).sum() / total if some else None
        if loss is not None and loss.requires_grad:
            loss.backward()

    @property
    def _bounds(self) -> Multipliers:
        """The most that each rule's loss may weigh: a soft rule's no more than the rule does."""
        return {rule.id: min(self.keys.most, rule.soft or self.keys.most)
                for rule in self.loss.rules.rules}  # fmt: skip

    def _drawn(self, step: int, num_rows: int) -> np.ndarray:
        """Return records without labels, drawn by the number of the step alone."""
        size = min(len(self.unlabelled), round(self.keys.unlabelled * num_rows))
        chance = np.random.default_rng([self.settings.seed, 7, step])
        return chance.choice(self.unlabelled, size, replace=False) if size else self.unlabelled[:0]

    def note(self, multipliers: Mapping[str, float]) -> str:
        """Return a sentence for the report."""
        ends = ", ".join(f"{id} {value:.3f}" for id, value in multipliers.items())
        text = f"Rules loss (experimental): multipliers at the end: {ends or 'it never began'}."
        if self.loss.left_out:
            text += f" Not counted, as they cannot be: {', '.join(self.loss.left_out)}."
        return text


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else 0.0
