"""All that one training needs."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from allrounder.encoders import Encoder
from allrounder.encoders.modules import best_device, choose_precision
from allrounder.fusion import Fusion
from allrounder.injection import Consistency, Injection, Voting
from allrounder.knowledge import MentionFacts, known_words
from allrounder.model import Knowing, Model, Prepared, decoder_of, store_frozen
from allrounder.model.rules_loss import RulesLoss
from allrounder.records import SPLITS, Field, Records
from allrounder.rules import Decoder, Rules, Terms
from allrounder.runs import Run
from allrounder.tasks import Task
from allrounder.training.ascent import Ascent
from allrounder.training.lessons import Lessons
from allrounder.training.settings import Training
from allrounder.training.starting import Old
from allrounder.training.transfer import begin_from, take_teller
from allrounder.training.voting import Voted

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
        old: the run that training starts from.
        freeze: tasks of that run that are kept as they are.
        fresh: whether all heads begin anew, whatever the old run knew.
        watch: called with the course after every evaluation; what it raises ends the training.
        rules: what answers have to follow.
        voting: how what rules vote is learned from, if it is.
        consistency: how training is pulled towards the rules, if it is.
        voted: what they vote of training records; known once it is `learned`.
        visits: by task, how often the shared model is shown a label; known once it is trained.
        knowing: what the model knows beside its weights.
        writes: inputs whose model is loaded with all that it writes by, so that the model of some
            tasks has the weights of that of all.
    """

    inputs: dict[str, Encoder]
    tasks: dict[str, Task]
    fusion: Fusion
    settings: Training
    records: Records
    run: Run
    cache: Path
    tell: Tell = silent
    old: Old | None = None
    freeze: list[str] = field(default_factory=list)
    fresh: bool = False
    watch: Callable[["Course"], None] | None = None
    rules: Rules | None = None
    voting: Voting | None = None
    consistency: Consistency | None = None
    voted: Voted | None = None
    visits: Mapping[str, float] = field(default_factory=dict)
    knowing: Knowing | None = None
    writes: frozenset[str] = frozenset()

    def rows(self, split: str) -> np.ndarray:
        """Return the rows of a split that carry any label, or are learned from votes alone."""
        rows = self.records.labeled(split)
        if split != "train" or self.voted is None:
            return rows
        return np.union1d(rows, self.voted.of_tasks(self.tasks))

    def learned(self) -> "Job":
        """Return the job with what only the records can tell filled into inputs and tasks."""
        rows = self.records.indices("train")
        tasks = {name: self._learned(name, task) for name, task in self.tasks.items()}
        return replace(
            self,
            inputs={name: self._taught(name, rows) for name in self.inputs},
            tasks=tasks,
            voted=self._voted(tasks),
            knowing=self.knowing and self._acquainted(self.knowing, rows),
        )

    def decoder(self) -> Decoder | None:
        """Return what decodes answers under the rules of today; refuse rules that do not fit.

        The tasks have to be `learned`, so that their labels are known.
        """
        if self.rules is None:
            return None
        return decoder_of(self.rules, self.tasks, self._fields, self.knowing)

    @property
    def _fields(self) -> dict[str, Field]:
        return {n: one.field for one in self.inputs.values() for n in one.fields or []}

    def ascent(self, prepared: Prepared) -> Ascent | None:
        """Return what pulls training towards the rules of today, where that is asked for.

        Raises:
            ProjectError: no rule can be counted, or one has too many cases.
        """
        if self.rules is None or self.consistency is None:
            return None
        facts = MentionFacts(self.knowing.base) if self.knowing else None
        terms = Terms.of(self.tasks, self._fields, **known_words(facts))
        loss = RulesLoss(self.rules.today().decoding(), terms, facts)
        keys, lengths = self.consistency, prepared.lengths()
        return Ascent(loss, prepared, prepared.unlabelled, lengths, keys, self.settings)

    @property
    def told(self) -> str | None:
        """The input whose words are told beside the tasks, if that is asked for."""
        keys = self.settings.pretraining
        return keys.chosen(self.inputs) if keys and keys.weight else None

    def lessons(self, prepared: Prepared) -> Lessons | None:
        """Return what is learned of training texts beside the tasks, where that is asked for."""
        keys, name = self.settings.pretraining, self.told
        if keys is None or name is None:
            return None
        return Lessons.of(keys, name, prepared, self.records, seed=self.settings.seed)

    def unlabelled(self) -> np.ndarray:
        """Return the training rows without a label that the rules loss looks at, rising."""
        if self.rules is None or self.consistency is None or not self.consistency.unlabelled:
            return np.empty(0, dtype=np.int64)
        return np.setdiff1d(self.records.indices("train"), self.rows("train"))

    def _voted(self, tasks: Mapping[str, Task]) -> Voted | None:
        """Return what rules vote of training records, where that is to be learned from."""
        if self.rules is None or self.voting is None:
            return None
        free = {name: task for name, task in tasks.items() if name not in self.freeze}
        facts = MentionFacts(self.knowing.base) if self.knowing else None
        terms = Terms.of(tasks, self._fields, **known_words(facts))
        rules = self.rules.today()
        return Voted.of(rules, terms, self.records, self.voting, list(free), facts)

    def _acquainted(self, knowing: Knowing, rows: np.ndarray) -> Knowing:
        """Return what the model knows, each injection with what training texts tell it."""
        linked = {
            name: knowing.base.link(self.records.values((self.inputs[name].fields or [""])[0])
                                    .take(rows))
            for name in knowing.inputs
        }  # fmt: skip
        injections = {
            name: self._lent(name, found).learn(knowing.base, [linked[found.of or ""]])
            for name, found in knowing.injections.items()
        }
        return replace(knowing, injections=injections)

    def _lent(self, name: str, injection: Injection) -> Injection:
        """Return an injection with what the old run learned of it: weights fit nothing else."""
        known = self.old.injections.get(name) if self.old else None
        return injection.continued(known) if type(known) is type(injection) else injection

    def _taught(self, name: str, rows: np.ndarray) -> Encoder:
        encoder = self.inputs[name]
        if not encoder.learned:
            return encoder
        if self.old is not None:
            encoder = self.old.lent(name, encoder)
        fields = [self.records.values(name) for name in encoder.fields or []]
        return encoder.learn([column.take(rows) for column in fields])

    def _learned(self, name: str, task: Task) -> Task:
        labels = self.records.labels(name)
        if name in self.freeze and self.old:
            return self.old.tasks[name]
        learned = task.learn(labels.take(self.records.indices("train")), labels)
        if self.old is None or not self.old.goes_on(name, task, self.inputs, self.fusion):
            return learned
        return self.old.grown(name, learned, declared=bool(getattr(task, "labels", None)))

    @property
    def known(self) -> set[str]:
        """The tasks whose heads go on from the old run."""
        if self.old is None or self.fresh:
            return set()
        tasks, inputs, fusion = self.tasks.items(), self.inputs, self.fusion
        return {n for n, task in tasks if self.old.goes_on(n, task, inputs, fusion)}

    def model(self, *, dropout: float) -> Model:
        """Build a model, heads drawn from the seed or from the old run, on the device there is."""
        device = best_device()
        torch.manual_seed(self.settings.seed)
        model = Model(
            self.inputs,
            self.tasks,
            fusion=self.fusion,
            dropout=dropout,
            precision=choose_precision(self.settings.precision, device),
            knowing=self.knowing,
            writes=self.writes,
        )
        if self.old is not None:
            begin_from(model, self.old, self.fusion, [n for n in self.tasks if n in self.known])
        for name in self.freeze:
            model.heads[name].requires_grad_(False)
        self._add_teller(model)
        return model.to(device)

    def _add_teller(self, model: Model) -> None:
        """Add the head that tells words, last and by chance of its own: all else is as without."""
        keys, name = self.settings.pretraining, self.told
        if keys is None or name is None:
            return
        with kept_chance():
            model.tellers[name] = keys.teller(self.inputs[name], model.encoding(name))  # type: ignore[arg-type]
        if self.old is not None:
            take_teller(model, name, self.old)

    def prepared(self, model: Model) -> Prepared:
        """Tokenize the records and run what is frozen, once."""
        self.tell("tokenize", 0, 1, "")
        prepared = Prepared.of(
            model,
            {field: self.records.values(field) for field in self.records.fields},
            {name: self.records.labels(name) for name in self.tasks},
            cache=self.cache / "tokens",
        )
        if self.voted is not None:
            self.voted.teach(prepared)
        prepared.unlabelled = self.unlabelled()
        self.tell("tokenize", 1, 1, "")
        store_frozen(
            prepared,
            self._visited(),
            cache=self.cache / "features",
            progress=lambda done, total: self.tell("run frozen layers", done, total, ""),
        )
        return prepared

    def _visited(self) -> np.ndarray:
        """Return the rows that are read: those with labels, and all where some task is searched."""
        if any(task.reads == "inputs" for task in self.tasks.values()):
            return np.arange(len(self.records))
        rows = [self.rows(split) for split in SPLITS]
        return np.sort(np.concatenate([*rows, self.unlabelled()]))


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
