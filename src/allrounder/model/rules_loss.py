"""The rules loss: how far what a model thinks is from following the rules, with gradients.

For each rule the semantic loss of Xu et al. (2018), -log P(the rule is followed), where answers are
drawn one by one from what the heads say: labels from their softmax or sigmoids, spans by legal tags
in proportion to their weight. The probability is exact (`rules.counting`); that of "a span of this
kind exists" is summed over all tags by the forward algorithm (`tasks.automaton`). Labels are not
needed, and a record may lack inputs or tasks: what it does not tell breaks no rule.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from allrounder.model.answering import readable
from allrounder.model.network import Model
from allrounder.model.prepared import Prepared
from allrounder.rules import Key, Meaning, Rules, Terms
from allrounder.rules.counting import Counting, Options, countable
from allrounder.rules.meaning import Facts, Truth

LEAST = 1e-300
"""No rule is thought less likely to be followed, so that its logarithm stays finite."""


@dataclass(frozen=True)
class Followed:
    """How likely some records follow one rule.

    Args:
        rows: the records, those that some answers would break the rule of.
        holds: the probability that each follows it: [n].
        broken: the probability that each breaks it: [n].
    """

    rows: np.ndarray
    holds: Tensor
    broken: Tensor

    @property
    def losses(self) -> Tensor:
        """The semantic loss of each record: [n]."""
        return -self.holds.clamp(min=LEAST).log()


@dataclass(frozen=True)
class _Said:
    """What one task says: the rows that it is asked of, and its answers' options."""

    rows: np.ndarray
    options: Mapping[Key, tuple[Sequence[object], Tensor]]


class RulesLoss:
    """Counts rules over what the heads of a model say.

    Args:
        rules: the rules in force; those that cannot be counted are left out.
        terms: the words of the project; its labels known.
        facts: what texts that mention something are held against.

    Raises:
        ProjectError: no rule can be counted, or one has too many cases.
    """

    def __init__(self, rules: Rules, terms: Terms, facts: Facts | None = None) -> None:
        terms.check(rules)
        self.countings = countable(rules, terms)
        mine = [counting.rule for counting in self.countings]
        self.left_out = [rule.id for rule in rules.rules if rule not in mine]
        """The rules that cannot be counted."""
        self.rules = Rules(rules=mine, lexicons=rules.lexicons)
        self.tasks = terms.named(self.rules)
        self.mentioned = terms.mentioned(self.rules)
        self.meaning = Meaning(self.rules, terms, facts)
        self._known: dict[int, dict[int, Truth]] = {}

    def followed(
        self, prepared: Prepared, rows: np.ndarray, *, held: Collection[str] = ()
    ) -> dict[str, Followed]:
        """Return by rule how likely some records follow it; rules that none can break are missing.

        Args:
            prepared: the records and the model.
            rows: which of them, rising.
            held: tasks that are taken as they are: no gradient reaches them.
        """
        wanted = prepared.asked(rows, [n for n in self.tasks if n in prepared.model.tasks])
        if not any(mask.any() for mask in wanted.values()):
            return {}
        model: Model = prepared.model
        scores = model(prepared.batch(rows, wanted))
        said = {name: self._said(prepared, name, rows[wanted[name]], found, held)
                for name, found in scores.items()}  # fmt: skip
        found = {c.rule.id: self._of_rule(c, prepared, rows, said) for c in self.countings}
        return {id: one for id, one in found.items() if one is not None}

    def _said(
        self,
        prepared: Prepared,
        name: str,
        rows: np.ndarray,
        scores: Tensor,
        held: Collection[str],
    ) -> _Said:
        scores = scores.detach() if name in held else scores
        task, there = prepared.model.tasks[name], self.mentioned.get(name, {})
        likely = task.likely(readable(prepared.model, prepared, name, rows, scores), there)
        return _Said(rows, {Key(name, one.label): (one.values, one.chances) for one in likely})

    def _of_rule(
        self,
        counting: Counting,
        prepared: Prepared,
        rows: np.ndarray,
        said: Mapping[str, _Said],
    ) -> Followed | None:
        """Count a rule over records, those that are alike in what they tell at once."""
        mine = {name: said[name] for name in {key.name for key in counting.keys} if name in said}
        alike: dict[tuple[object, ...], list[int]] = defaultdict(list)
        for row in rows.tolist():
            there = tuple(name for name, one in mine.items() if row in one.rows)
            known = self._inputs(prepared, row)
            alike[there, tuple(known[id(leaf)] for leaf in counting.inputs)].append(row)
        found = []
        for (there, truths), some in alike.items():
            known = dict(zip(counting.inputs, truths, strict=True))
            told = {name: mine[name] for name in there}
            holds, broken = counting.likely(known, _options(counting, told, np.array(some)))
            if isinstance(holds, Tensor) and isinstance(broken, Tensor):
                found.append(Followed(np.array(some), holds, broken))
        if not found:
            return None
        return Followed(
            np.concatenate([one.rows for one in found]),
            torch.cat([one.holds for one in found]),
            torch.cat([one.broken for one in found]),
        )

    def _inputs(self, prepared: Prepared, row: int) -> dict[int, Truth]:
        """Return whether each leaf over inputs holds of a record, looked at once."""
        if row not in self._known:
            every = [(c.key[leaf].name, leaf) for c in self.countings for leaf in c.inputs]
            values = {name: prepared.values[name][row].as_py() for name, _ in every}
            self._known[row] = {
                id(leaf): None if values[name] is None else self.meaning.holds(leaf, values[name])
                for name, leaf in every
            }
        return self._known[row]


def _options(counting: Counting, told: Mapping[str, _Said], rows: np.ndarray) -> dict[Key, Options]:
    """Return the options of the answers that a rule reads, for some rows."""
    found = {}
    for name, one in told.items():
        places = torch.from_numpy(np.searchsorted(one.rows, rows))
        for key in (key for key in counting.keys if key.name == name and key in one.options):
            values, chances = one.options[key]
            found[key] = Options(values, chances[places.to(chances.device)].unbind(-1))
    return found
