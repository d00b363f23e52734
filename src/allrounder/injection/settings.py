"""The `knowledge` section of the project file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from allrounder.errors import DataError, ProjectError, did_you_mean, listed
from allrounder.injection.base import Injection
from allrounder.injection.facts import Facts
from allrounder.injection.gazetteer import Gazetteer
from allrounder.injection.reading import Verbalized, VisibleMatrix
from allrounder.kinds import CLOSED, Kinds, build
from allrounder.knowledge import Base, Snapshot, Store, Weights, is_store
from allrounder.knowledge.formats import read
from allrounder.knowledge.keeping import kept_snapshot

INJECTIONS = Kinds[Injection](
    "injection",
    gazetteer=Gazetteer,
    facts=Facts,
    verbalized=Verbalized,
    visible_matrix=VisibleMatrix,
)


@dataclass(kw_only=True)
class FactSource:
    """Where facts come from.

    Args:
        path: a file of facts, or a store of them, relative to the project file.
        format: of the file, where its suffix does not tell.
        predicates: what predicates of the file are called here, as in `{类别: type}`.
        version: of a store; by default the active one.
        min_length: names with fewer characters are no mentions.
        without: predicates that are not told; those that a report with `training.lift` found to be
            of no use are added.
    """

    __pydantic_config__ = CLOSED

    path: str
    format: str | None = None
    predicates: dict[str, str] = field(default_factory=dict)
    version: int | None = None
    min_length: int = 1
    without: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.min_length < 1:
            raise ValueError(f"has `min_length: {self.min_length}`. Expected 1 or more.")

    def find(self, folder: Path) -> Path | None:
        """Return the file, or None where it is gone."""
        path = folder / self.path
        return path if path.exists() else None

    def is_store(self, folder: Path) -> bool:
        """Return whether the facts have versions."""
        return is_store(folder / self.path)

    def mark(self, folder: Path) -> Any:
        """Return what changes whenever the facts may have; None where the file is gone."""
        path = self.find(folder)
        if path is None:
            return None
        if not is_store(path):
            return path.stat().st_mtime_ns, path.stat().st_size
        with Store(path, read_only=True) as store:
            return store.identity, store.active

    def open(self, folder: Path, cache: Path) -> Base:
        """Return the knowledge base as the file says it now.

        Args:
            folder: that of the project file.
            cache: where the flat arrays of a file are kept until it changes.
        """
        path = self.find(folder)
        if path is None:
            raise ProjectError(
                f"`knowledge.facts.path`: there is no file {self.path!r} in {folder}. Correct the "
                "path, or remove `knowledge`."
            )
        if is_store(path):
            with Store(path, read_only=True) as store:
                return self.over(store.snapshot(self.version))
        self._check_plain(path)
        told = repr((self.format, self.predicates))
        snapshot = kept_snapshot(path, cache, told, lambda: self._read(path))
        return self.over(snapshot)

    def _check_plain(self, path: Path) -> None:
        if self.version is not None:
            raise ProjectError(
                f"`knowledge.facts.version` is {self.version}, but {path} is no store and has no "
                "versions. Import it into one (allrounder knowledge import), or remove the key."
            )

    def over(self, snapshot: Snapshot) -> Base:
        """Return a knowledge base over a snapshot."""
        for name in self.without:
            if name not in snapshot.predicates:
                raise ProjectError(
                    f"`knowledge.facts.without` names {name!r}, which is no predicate of "
                    f"{self.path}.{did_you_mean(name, snapshot.predicates)} Predicates: "
                    f"{listed(snapshot.predicates)}."
                )
        return Base(snapshot, min_length=self.min_length, without=tuple(self.without))

    def _read(self, path: Path) -> Snapshot:
        found = Snapshot.of(read(path, format=self.format, predicates=self.predicates))
        if not len(found):
            raise DataError(f"{path}: expected facts, found none. Fill the file, or name another.")
        return found


def _facts(spec: Any) -> FactSource | None:
    spec = {"path": spec} if isinstance(spec, str) else spec
    return None if spec is None else build(FactSource, spec, at="knowledge.facts")


def _injections(spec: Any) -> list[Injection] | None:
    if spec is None:
        return None
    specs = spec if isinstance(spec, list) else [spec]
    if not specs:
        raise ProjectError(
            "`knowledge.injection` is empty: name a kind, such as gazetteer, or leave it out."
        )
    return [
        INJECTIONS.build(one, at=f"knowledge.injection.{at}" if len(specs) > 1 else
                         "knowledge.injection")
        for at, one in enumerate(specs)
    ]  # fmt: skip


def _linking(spec: Any) -> Weights | None:
    if spec is None or isinstance(spec, bool):
        return Weights() if spec else None
    return build(Weights, spec, at="knowledge.linking")


@dataclass(kw_only=True)
class Voting:
    """How training records without a label learn from what rules vote.

    Args:
        weight: what all such records of a task count together beside all with a label; none counts
            more than one of these.
    """

    __pydantic_config__ = CLOSED

    weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.weight < float("inf"):
            raise ValueError(f"has `weight: {self.weight}`. Expected a number above 0.")


def _voting(spec: Any) -> Voting | None:
    if isinstance(spec, bool) or spec is None:
        return Voting() if spec else None
    return build(Voting, spec, at="knowledge.votes")


@dataclass(kw_only=True)
class Consistency:
    """How training is pulled towards the rules. Experimental.

    Args:
        weight: what the loss of each rule weighs at the beginning, beside that of labels.
        step: how much this grows with each step, times how likely the rule is broken.
        most: what it weighs at most.
        after: the share of the training after which it begins.
        unlabelled: training records without a label that are looked at beside each one with.
    """

    __pydantic_config__ = CLOSED

    weight: float = 0.0
    step: float = 0.02
    most: float = 0.3
    after: float = 0.25
    unlabelled: float = 1.0

    def __post_init__(self) -> None:
        for name in ("weight", "step", "unlabelled"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"has `{name}: {getattr(self, name)}`. Expected 0 or more.")
        if not max(self.weight, 1e-12) <= self.most < float("inf"):
            raise ValueError(
                f"has `most: {self.most}`. Expected a number above 0, and no less than `weight`."
            )
        if not 0 <= self.after < 1:
            raise ValueError(f"has `after: {self.after}`. Expected 0 to less than 1.")


def _consistency(spec: Any) -> Consistency | None:
    if isinstance(spec, bool) or spec is None:
        return Consistency() if spec else None
    return build(Consistency, spec, at="knowledge.rules_loss")


@dataclass(kw_only=True)
class Knowledge:
    """What is known of the world that records are about.

    Args:
        facts: where facts come from: a file, or a mapping with its `path`.
        injection: how facts of what a text mentions reach its features, one kind or several; by
            default `gazetteer`.
        linking: whether candidates of a mention lend what they have by how likely they are meant;
            a mapping gives the weights of `prior`, `context`, `coherence`, `types`, the score of
            `nil`.
        rules: the file of rules that answers have to follow, beside the project file.
        votes: whether rules that read only inputs vote on training records without a label; a
            mapping says how these are learned from.
        rules_loss: whether training is pulled towards what rules say, records without labels
            included (experimental); a mapping says how hard.
    """

    __pydantic_config__ = CLOSED

    facts: Annotated[FactSource | None, BeforeValidator(_facts)] = None
    injection: Annotated[list[Injection] | None, BeforeValidator(_injections)] = None
    linking: Annotated[Weights | None, BeforeValidator(_linking)] = None
    rules: str | None = None
    votes: Annotated[Voting | None, BeforeValidator(_voting)] = None
    rules_loss: Annotated[Consistency | None, BeforeValidator(_consistency)] = None

    def __post_init__(self) -> None:
        if self.facts is None and (self.injection or self.linking):
            raise ValueError(
                "says how facts are told, and names none. Name their file or store in `facts`."
            )
        if self.votes and self.rules is None:
            raise ValueError(
                "has `votes`, but no rules that could vote. Name their file in `rules`, or remove "
                "`votes`."
            )
        if self.rules_loss and self.rules is None:
            raise ValueError(
                "has `rules_loss`, but no rules to be pulled towards. Name their file in `rules`, "
                "or remove `rules_loss`."
            )
