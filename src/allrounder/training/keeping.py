"""Which snapshots are worth keeping: each task's best, and the best for all of them together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from allrounder.model.tensors import load_tensors, save_tensors
from allrounder.tasks import Metric, Task

Scores = Mapping[str, float]

SOUP = -1
"""Stands among the steps for the mean of several of them."""


@dataclass
class Keeper:
    """Keeps snapshots on disk and counts how long each task has not got better.

    Args:
        folder: where snapshots lie, one file a step.
        tasks: the tasks.
        patience: evaluations without a better score after which a task is done.
        least: steps since its best score before which no task is done.
        most: how many snapshots are kept as ingredients of a soup, those that cost tasks least.
        scores: by step, the deciding metric of each task on validation records.
        best: by task, the step of its best score.
    """

    folder: Path
    tasks: Mapping[str, Task]
    patience: int
    most: int = 0
    least: int = 0
    scores: dict[int, dict[str, float]] = field(default_factory=dict)
    best: dict[str, int] = field(default_factory=dict)
    waited: dict[str, int] = field(default_factory=dict)
    safe: set[int] = field(default_factory=set)
    """Steps that the last checkpoint speaks of: their files stay until the next one."""

    def update(self, step: int, scores: Scores, weights: Mapping[str, Tensor]) -> list[str]:
        """Take note of an evaluation, keep its weights if they matter; return tasks now done."""
        self.scores[step] = dict(scores)
        for name, value in scores.items():
            if name not in self.best or self._metric(name).better(
                value, self.scores[self.best[name]][name]
            ):
                self.best[name], self.waited[name] = step, 0
            else:
                self.waited[name] = self.waited.get(name, 0) + 1
        if step in self.wanted:
            save_tensors(self.path(step), weights)
        self._tidy()
        return [
            name
            for name, waited in self.waited.items()
            if waited >= self.patience and step - self.best[name] >= self.least
        ]

    def _metric(self, name: str) -> Metric:
        return self.tasks[name].metrics()[self.tasks[name].decides]

    @property
    def shared(self) -> int:
        """The step that costs the tasks least, taken together, against each one's best."""
        if not self.best:
            return max(self.scores)  # nothing to choose by: the last one
        return self.ranked[0]

    @property
    def ranked(self) -> list[int]:
        """The steps whose scores are kept, those first that cost the tasks least."""
        return sorted(self.scores, key=lambda step: (self.shortfall(self.scores[step]), step))

    @property
    def wanted(self) -> set[int]:
        """The steps that somebody needs."""
        return {self.shared, *self.best.values(), *self.ranked[: self.most]}

    def shortfall(self, scores: Scores) -> float:
        """Return how far scores lie below each task's best, in parts of it: the mean.

        Below 0 where they are better, as those of a soup may be.
        """
        parts = []
        for name, at in self.best.items():
            best = self.scores[at][name]
            lost = best - scores.get(name, best)
            sign = 1 if self._metric(name).higher_is_better else -1
            parts.append(sign * lost / max(abs(best), 1e-6))
        return sum(parts) / max(1, len(parts))

    def keep_soup(self, scores: Scores, weights: Mapping[str, Tensor]) -> None:
        """Keep the mean of several snapshots: it is shared if none of them costs less."""
        save_tensors(self.path(SOUP), weights)
        self.scores[SOUP] = dict(scores)

    def path(self, step: int) -> Path:
        """Return the file of a step's weights."""
        return self.folder / f"step-{'soup' if step == SOUP else f'{step:07d}'}.safetensors"

    def _tidy(self) -> None:
        """Delete snapshots that are nobody's best."""
        wanted = {self.path(step) for step in self.wanted | self.safe}
        for path in self.folder.glob("step-*.safetensors"):
            if path not in wanted:
                path.unlink()
        kept = {step for step in self.scores if self.path(step).exists()}
        self.scores = {step: self.scores[step] for step in self.scores if step in kept}

    def weights(self, step: int) -> dict[str, Tensor]:
        """Return the weights of a step that was kept."""
        return load_tensors(self.path(step))[0]

    def clear(self) -> None:
        """Delete every snapshot."""
        for path in self.folder.glob("step-*.safetensors"):
            path.unlink()

    def to_dict(self) -> dict[str, object]:
        """Return what a checkpoint has to hold."""
        self.safe = self.wanted if self.scores else set()
        return {
            "scores": {str(step): scores for step, scores in self.scores.items()},
            "best": self.best,
            "waited": self.waited,
        }

    def restore(self, saved: Mapping[str, Mapping]) -> None:
        """Go on from `to_dict`."""
        self.scores = {int(step): dict(scores) for step, scores in saved["scores"].items()}
        self.best, self.waited = dict(saved["best"]), dict(saved["waited"])
        self.to_dict()
