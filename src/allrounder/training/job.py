"""All that one training needs."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from allrounder.encoders import Encoder
from allrounder.encoders.modules import choose_precision
from allrounder.fusion import Fusion
from allrounder.model import Model, Prepared, store_frozen
from allrounder.records import SPLITS, Records
from allrounder.runs import Run
from allrounder.tasks import Task
from allrounder.training.settings import Training

if TYPE_CHECKING:
    from allrounder.training.course import Course

Tell = Callable[[str, float, float, str], None]
"""Called with a stage, how much of it is done, of how much, and a word on how it goes."""


def silent(stage: str, done: float, total: float, word: str) -> None:
    """Tell nobody."""


@dataclass(kw_only=True)
class Job:
    """All that one training needs.

    Args:
        inputs: the encoders, their models found on disk.
        tasks: the tasks; once `learned`, with what their training labels tell.
        fusion: how inputs are joined.
        settings: the `training` section.
        records: the records.
        run: the run folder.
        cache: where tokens and frozen features are kept.
        tell: called as work goes on.
        watch: called with the course after every evaluation; what it raises ends the training.
        visits: by task, how often the shared model is shown a label; known once it is trained.
    """

    inputs: dict[str, Encoder]
    tasks: dict[str, Task]
    fusion: Fusion
    settings: Training
    records: Records
    run: Run
    cache: Path
    tell: Tell = silent
    watch: Callable[["Course"], None] | None = None
    visits: Mapping[str, float] = field(default_factory=dict)

    def rows(self, split: str) -> np.ndarray:
        """Return the rows of a split that carry any label."""
        return self.records.labeled(split)

    def learned(self) -> dict[str, Task]:
        """Return the tasks with what only the records can tell filled in."""
        train, labels = self.records.indices("train"), self.records.labels
        return {n: task.learn(labels(n).take(train), labels(n)) for n, task in self.tasks.items()}

    def model(self, *, dropout: float) -> Model:
        """Build a model with heads drawn from the seed, on the device there is."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(self.settings.seed)
        model = Model(
            self.inputs,
            self.tasks,
            fusion=self.fusion,
            dropout=dropout,
            precision=choose_precision(self.settings.precision, device),
        )
        return model.to(device)

    def prepared(self, model: Model) -> Prepared:
        """Tokenize the records and run what is frozen, once."""
        self.tell("tokenize", 0, 1, "")
        prepared = Prepared.of(
            model,
            {field: self.records.texts(field) for field in self.records.fields},
            {name: self.records.labels(name) for name in self.tasks},
            cache=self.cache / "tokens",
        )
        self.tell("tokenize", 1, 1, "")
        rows = np.sort(np.concatenate([self.rows(split) for split in SPLITS]))
        store_frozen(
            prepared,
            rows,
            cache=self.cache / "features",
            progress=lambda done, total: self.tell("run frozen layers", done, total, ""),
        )
        return prepared


@contextmanager
def kept_chance() -> Iterator[None]:
    """Leave the caller's random state as it was."""
    with torch.random.fork_rng():
        yield


def fill(model: Model, weights: Mapping[str, torch.Tensor]) -> None:
    """Put a snapshot's weights into a model."""
    named = dict(model.named_parameters())
    with torch.no_grad():
        for name, weight in weights.items():
            named[name].copy_(weight)
