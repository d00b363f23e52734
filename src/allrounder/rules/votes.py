"""Rules as voters: a rule that reads only inputs says what the label of a record may be.

`text has lexicon painkillers => topics has medicine` votes for medicine, `=> topic != sport`
against sport. How far each can be believed is found from records with and without labels
(`experts`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from allrounder.errors import ProjectError
from allrounder.rules.experts import fit
from allrounder.rules.meaning import Facts, Meaning, World
from allrounder.rules.rule import Rule, Rules
from allrounder.rules.syntax import (
    And,
    Expression,
    Implies,
    Not,
    Of,
    Same,
    leaves,
)
from allrounder.rules.terms import Spoken, Terms

VOTED = {"label", "labels"}
"""How tasks answer that rules can vote on: with one of their labels, or with several."""


@dataclass(frozen=True)
class Voter:
    """One thing that a rule votes on.

    Args:
        rule: the id of the rule.
        task: the task.
        labels: what it votes for, or against: of a task with several labels one alone.
        against: whether it votes against these.
        condition: when it speaks.
    """

    rule: str
    task: str
    labels: tuple[str, ...]
    against: bool
    condition: Expression

    def __str__(self) -> str:
        return ("not " if self.against else "") + " or ".join(self.labels)


def voters(rules: Rules, terms: Terms) -> list[Voter]:
    """Return what rules can vote on, in their order; `terms` have to know the labels.

    `A <=> B` votes for B where A holds. That it is silent where A does not is evidence already.
    """
    meaning = Meaning(rules, terms)
    return [one for rule in rules.rules for one in _Reading(terms, meaning, rule).voters()]


def refuse_silence(found: Sequence[Voter], rules: Rules) -> None:
    """Raise `ProjectError` where none of the rules can vote."""
    if not found:
        raise ProjectError(
            "`knowledge.votes`: expected a rule whose condition reads only inputs and whose "
            "conclusion names labels of a multiclass or multilabel task, found none among "
            f'{len(rules)}. Write one, such as `text has "…" => topic = …`, or remove the key.'
        )


@dataclass(frozen=True)
class _Reading:
    """What one rule votes on."""

    terms: Terms
    meaning: Meaning
    rule: Rule

    def voters(self) -> Iterator[Voter]:
        for condition, then in self._halves():
            if self._reads_inputs(condition):
                for part in _parts(then):
                    yield from self._on(condition, part)

    def _halves(self) -> list[tuple[Expression, Expression]]:
        tree = self.rule.tree
        if isinstance(tree, Implies):
            return [(tree.condition, tree.then)]
        return [(tree.left, tree.right), (tree.right, tree.left)] if isinstance(tree, Same) else []

    def _reads_inputs(self, tree: Expression) -> bool:
        return all(self.terms.key(leaf).is_input for leaf in leaves(tree))

    def _on(self, condition: Expression, then: Expression) -> Iterator[Voter]:
        keys = {self.terms.key(leaf) for leaf in leaves(then)}
        tasks = {key.name for key in keys}
        task = self.terms.tasks.get(next(iter(tasks))) if len(tasks) == 1 else None
        if task is None or task.speaks not in VOTED or not task.labels:
            return
        name = tasks.pop()
        if task.speaks == "label":
            yield from self._on_one(condition, then, name, task.labels)
        elif len(keys) == 1:
            label = next(iter(keys)).label
            held = [self.meaning.truth(then, World({name: some})) for some in ([label], [])]
            if label is not None and held[0] != held[1]:
                yield Voter(self.rule.id, name, (label,), held[1] is True, condition)

    def _on_one(
        self, condition: Expression, then: Expression, name: str, labels: Sequence[str]
    ) -> Iterator[Voter]:
        """Vote for the labels of which the conclusion holds, or against the rest if it is less."""
        holds = [self.meaning.truth(then, World({name: label})) is True for label in labels]
        yes = tuple(label for label, one in zip(labels, holds, strict=True) if one)
        no = tuple(label for label, one in zip(labels, holds, strict=True) if not one)
        if yes and no:
            against = len(no) < len(yes)
            yield Voter(self.rule.id, name, no if against else yes, against, condition)


def _parts(then: Expression) -> Iterator[Expression]:
    """Yield what a conclusion says piece by piece: each is a vote of its own."""
    if isinstance(then, And) or (isinstance(then, Of) and then.low == len(then.parts)):
        for part in then.parts:
            yield from _parts(part)
    elif isinstance(then, Of) and then.high == 0:
        for part in then.parts:
            yield from _parts(Not(part))
    else:
        yield then


@dataclass(frozen=True)
class Reliability:
    """What became of one voter.

    Args:
        rule: the id of the rule.
        task: the task.
        says: what it votes for, or against.
        coverage: the share of records of which it speaks.
        num_votes: how many these are.
        against: whether it votes against.
        reliability: how likely it is right where it alone is heard, as estimated.
        num_gold: labelled records of which it speaks.
        precision: the share of those about which it is right.
    """

    rule: str
    task: str
    says: str
    coverage: float
    num_votes: int
    against: bool
    reliability: float
    num_gold: int
    precision: float | None


@dataclass(frozen=True)
class SoftLabels:
    """What votes say of one task.

    Args:
        task: the task.
        labels: its labels.
        probabilities: P(label | votes): [N, L]. Rows sum to 1 where a record has one label; where
            it has several each stands alone, and is NaN where nobody ever votes on it.
        voted: the records with a vote at least: [N].
        voters: how far each voter is believed.
    """

    task: str
    labels: tuple[str, ...]
    probabilities: np.ndarray
    voted: np.ndarray
    voters: list[Reliability]


@dataclass(frozen=True)
class Votes:
    """What rules say of records.

    Args:
        voters: who votes.
        tasks: the tasks that somebody votes on.
        speaks: 1 where a voter speaks of a record, 0 where it is silent, -1 where the record lacks
            what it reads: [R, N].
    """

    voters: list[Voter]
    tasks: Mapping[str, Spoken]
    speaks: np.ndarray

    @classmethod
    def of(
        cls,
        rules: Rules,
        terms: Terms,
        columns: Mapping[str, Sequence[Any]],
        facts: Facts | None = None,
    ) -> "Votes":
        """Let rules vote on records.

        Args:
            rules: the rules; those that cannot vote are passed over.
            terms: the words of the project, labels known.
            columns: by field that rules read, its value in every record; None where missing.
            facts: what texts that mention something are held against.

        Raises:
            ProjectError: no rule can vote.
        """
        found = voters(rules, terms)
        refuse_silence(found, rules)
        meaning = Meaning(rules, terms, facts)
        said = [_said(terms, meaning, one.condition, columns) for one in found]
        tasks = {one.task: terms.tasks[one.task] for one in found}
        return cls(found, tasks, np.array(said, np.int8))

    @property
    def matrix(self) -> np.ndarray:
        """The votes: 1 for the labels of a voter, -1 against them, 0 where it abstains: [R, N]."""
        signs = np.array([-1 if one.against else 1 for one in self.voters], np.int8)
        return (self.speaks == 1) * signs[:, None]

    def soft(self, task: str, known: Sequence[Any]) -> SoftLabels:
        """Return what votes say of one task.

        Args:
            task: the task.
            known: the label of every record, None where it has none; of a task with several labels
                the list of them.
        """
        labels = self.tasks[task].labels or ()
        mine = [at for at, one in enumerate(self.voters) if one.task == task]
        if self.tasks[task].speaks == "label":
            probabilities, found = self._one(mine, labels, known)
        else:
            probabilities, found = self._several(mine, labels, known)
        voted = (self.speaks[mine] == 1).any(0)
        return SoftLabels(task, labels, probabilities, voted, found)

    def _one(
        self, mine: Sequence[int], labels: Sequence[str], known: Sequence[Any]
    ) -> tuple[np.ndarray, list[Reliability]]:
        number = {label: place for place, label in enumerate(labels)}
        truths = np.array([number.get(label, -1) for label in known], np.int64)
        return self._fitted(mine, labels, truths)

    def _several(
        self, mine: Sequence[int], labels: Sequence[str], known: Sequence[Any]
    ) -> tuple[np.ndarray, list[Reliability]]:
        """Ask for each label alone whether a record has it."""
        probabilities = np.full((self.speaks.shape[1], len(labels)), np.nan)
        found: dict[int, Reliability] = {}
        for place, label in enumerate(labels):
            some = [at for at in mine if self.voters[at].labels == (label,)]
            if some:
                truths = np.array([-1 if all is None else int(label in all) for all in known])
                both, told = self._fitted(some, (f"not {label}", label), truths)
                probabilities[:, place] = both[:, 1]
                found |= dict(zip(some, told, strict=True))
        return probabilities, [found[at] for at in mine]

    def _fitted(
        self, mine: Sequence[int], labels: Sequence[str], truths: np.ndarray
    ) -> tuple[np.ndarray, list[Reliability]]:
        speaks, some = self.speaks[mine], [self.voters[at] for at in mine]
        named = np.array([[label in one.labels for label in labels] for one in some])
        supports = named ^ np.array([one.against for one in some])[:, None]
        experts = fit(speaks, supports, truths)
        told = [
            _reliability(*one, truths)
            for one in zip(some, speaks == 1, supports, experts.reliabilities, strict=True)
        ]
        return experts.posterior(speaks), told


def _reliability(
    voter: Voter, spoken: np.ndarray, supports: np.ndarray, believed: float, truths: np.ndarray
) -> Reliability:
    right = supports[truths[spoken & (truths >= 0)]]
    return Reliability(
        rule=voter.rule,
        task=voter.task,
        says=str(voter),
        coverage=round(float(spoken.mean()), 6) if len(spoken) else 0.0,
        num_votes=int(spoken.sum()),
        against=voter.against,
        reliability=round(float(believed), 6),
        num_gold=len(right),
        precision=round(float(right.mean()), 6) if len(right) else None,
    )


def _said(
    terms: Terms, meaning: Meaning, condition: Expression, columns: Mapping[str, Sequence[Any]]
) -> list[int]:
    """Return of every record whether a condition holds; -1 where the record does not tell."""
    names = sorted({terms.key(leaf).name for leaf in leaves(condition)})
    rows = zip(*(columns[name] for name in names), strict=True)
    worlds = (World(inputs=dict(zip(names, row, strict=True))) for row in rows)
    found = (meaning.truth(condition, world) for world in worlds)
    return [-1 if one is None else int(one) for one in found]
