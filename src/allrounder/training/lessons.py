"""What an encoder learns of texts without labels, beside the tasks: a few texts in every step.

They are read in a pass of their own, for their words are hidden; the records of the tasks are read
as without. Which texts a step reads, and what is hidden of them, follows from the seed and its
number alone, so that a training goes on after a kill as if nothing had happened.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch

from allrounder.encoders.batches import Sequences
from allrounder.encoders.modules import evaluating
from allrounder.encoders.telling import Teller
from allrounder.errors import DataError
from allrounder.evaluation.telling import Telling
from allrounder.model import Prepared
from allrounder.records import Records
from allrounder.training.epochs import cut
from allrounder.training.pretraining import Alongside

MOST = 1000
"""Texts that are judged by, at most."""
ORDER, HIDDEN, JUDGED = 8, 9, 10
"""What tells apart the choices that follow from one seed."""


class Told(NamedTuple):
    """The mean loss over the words that were told, how many they are, and the tokens read."""

    loss: float
    words: int
    tokens: int


@dataclass
class Lessons:
    """The texts of one input, and what its encoder learns of them.

    Args:
        keys: the `training.pretraining` section.
        name: the input.
        prepared: the records and the model.
        rows: records whose texts are learned from.
        seed: of the training.
    """

    keys: Alongside
    name: str
    prepared: Prepared
    rows: np.ndarray
    seed: int
    _pass: tuple[int, Sequence[np.ndarray]] = field(default=(-1, ()), repr=False)
    """The number of the pass over the texts that is going on, and its batches."""

    @classmethod
    def of(
        cls, keys: Alongside, name: str, prepared: Prepared, records: Records, *, seed: int
    ) -> "Lessons":
        """Return the lessons from training texts, each once and none that judges.

        Raises:
            DataError: there is no such text.
        """
        judging = np.concatenate([records.indices(split) for split in ("validation", "test")])
        judged = {key for key in prepared.keys(name, judging) if key}
        rows = records.indices("train")
        keyed = zip(rows.tolist(), prepared.keys(name, rows), strict=True)
        fresh = {key: row for row, key in reversed([*keyed]) if key and key not in judged}
        if not fresh:
            raise DataError(
                f"`training.pretraining` learns from the training texts of `{name}`, and there is "
                "none that does not stand in validation or test too. Add texts, or remove it."
            )
        return cls(keys, name, prepared, np.array(sorted(fresh.values())), seed)

    @property
    def teller(self) -> Teller:
        """The head that tells words."""
        return self.prepared.model.tellers[self.name]  # type: ignore[return-value]

    def backward(self, step: int) -> Told:
        """Add the gradients of the texts of a step to those of the tasks.

        Args:
            step: its number, counted from 1.
        """
        loss, words, tokens = self._loss(self.batch(step), _chance(self.seed, HIDDEN, step))
        (self.keys.weight * loss / max(words, 1)).backward()
        return Told(float(loss.detach()) / max(words, 1), words, tokens)

    def batch(self, step: int) -> np.ndarray:
        """Return the rows of a step: every pass over the texts takes each once, in new batches.

        Texts of like length share a batch. A pass draws who comes first among those of one length,
        and the order of the batches; where these are cut is the same in all of them.
        """
        number, place = divmod(step - 1, len(self._cuts) + 1)
        if self._pass[0] != number:
            chance = np.random.default_rng([self.seed, ORDER, number])
            order = np.lexsort((chance.random(len(self.rows)), self._lengths))
            batches = np.split(self.rows[order], self._cuts)
            self._pass = number, [batches[at] for at in chance.permutation(len(batches))]
        return np.sort(self._pass[1][place])

    @cached_property
    def _lengths(self) -> np.ndarray:
        """How many tokens are read of each of the rows."""
        return self._length_of(self.rows)

    @cached_property
    def _cuts(self) -> np.ndarray:
        """Where the rows, sorted by length, are cut into batches."""
        lengths = np.sort(self._lengths)
        sizes = [len(part) for part in cut(np.arange(len(lengths)), lengths, self.keys)]
        return np.cumsum(sizes)[:-1]

    def _length_of(self, rows: np.ndarray) -> np.ndarray:
        tokens, nowhere = self.prepared.tokens[self.name], np.zeros(len(self.prepared), bool)
        return self.prepared.model.inputs[self.name].length(tokens, nowhere)[rows]

    def _loss(self, rows: np.ndarray, chance: torch.Generator) -> tuple[Any, int, int]:
        """Return the summed loss of some texts, the words told, and the tokens read."""
        model, batch = self.prepared.model, self._sequences(rows)
        with model.autocast():
            return *self.teller.loss(batch.to(model.device), chance), batch.num_tokens

    def _sequences(self, rows: np.ndarray) -> Sequences:
        """Return texts as they are read, cut where they are too long, without facts beside them."""
        tokens, cut_short = self.prepared.tokens[self.name], [False] * len(rows)
        return self.prepared.model.inputs[self.name].collate(tokens, rows.tolist(), cut_short)

    def judged(self, rows: np.ndarray) -> Told | None:
        """Return how well the words of some texts are told, the same hidden at every look.

        Args:
            rows: records that nothing is learned from; at most `MOST` are looked at, evenly.

        Returns:
            None where none of them has a text.
        """
        parts = list(self._looked_at(rows))
        if not parts:
            return None
        with torch.no_grad(), evaluating(self.prepared.model):
            found = [self._loss(part, chance) for part, chance in parts]
        words = sum(one[1] for one in found)
        loss = sum(float(one[0]) for one in found) / max(words, 1)
        return Told(loss, words, sum(one[2] for one in found))

    def _looked_at(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, torch.Generator]]:
        """Yield some of the rows in batches, each with what draws the words that are hidden."""
        rows = rows[self.prepared.has(self.name, rows)]
        rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST)).round().astype(int)]
        lengths = self._length_of(rows)
        order = np.argsort(lengths, kind="stable")
        for number, part in enumerate(cut(order, lengths, self.keys) if len(rows) else ()):
            yield rows[part], _chance(JUDGED, number)

    def report(self, rows: np.ndarray, looks: Sequence[Mapping[str, float]]) -> Telling | None:
        """Return how well the model, as it is, tells words of test texts.

        Args:
            rows: the test records.
            looks: what was seen of validation texts in training.
        """
        found = self.judged(rows)
        if found is None or not found.words:
            return None
        return Telling(
            input=self.name,
            num_learned=len(self.rows),
            num_judged=min(int(self.prepared.has(self.name, rows).sum()), MOST),
            num_words=found.words,
            loss=found.loss,
            constant=self._constant(rows),
            validation=[dict(look) for look in looks],
        )

    def _constant(self, rows: np.ndarray) -> float:
        """Return the loss of knowing how often each token stands, one added to every count."""
        words, tokens = self.teller.words, self.prepared.tokens[self.name]
        counts = torch.ones(len(words.special), dtype=torch.float64)
        for row in self.rows.tolist():
            ids = torch.from_numpy(tokens.ids(row).astype(np.int64))
            counts.index_add_(0, ids, torch.ones(len(ids), dtype=torch.float64))
        counts[words.special] = 0
        losses = -(counts / counts.sum()).log()
        truths = [self._truths(part, chance) for part, chance in self._looked_at(rows)]
        return float(losses[torch.cat(truths)].mean())

    def _truths(self, rows: np.ndarray, chance: torch.Generator) -> torch.Tensor:
        batch = self._sequences(rows)
        _, places = self.teller.words.hidden(batch.ids, batch.mask, self.teller.settings, chance)
        return batch.ids[places]


def _chance(*numbers: int) -> torch.Generator:
    """Return a generator whose draws follow from some numbers."""
    drawn = np.random.default_rng(numbers).integers(1 << 62)
    return torch.Generator().manual_seed(int(drawn))
