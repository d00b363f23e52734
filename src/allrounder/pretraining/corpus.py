"""The texts that are learned from: those of training records, each once."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from allrounder.encoders import Text
from allrounder.encoders.tokens import Tokens
from allrounder.errors import DataError
from allrounder.records import Records

FEWEST = 20
"""Texts without which there is nothing to learn and to judge by."""
MOST_HELD_OUT = 2000
"""Texts by which is judged, at most."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What became of the training records' texts.

    Args:
        learned: texts that are learned from.
        held_out: texts that are judged by.
        empty: records without a text, or with one of no token.
        repeated: records whose text stood before.
        elsewhere: records whose text is one of validation or test, too.
        long: texts that are read in several windows.
        tokens: tokens of one pass.
    """

    learned: int
    held_out: int
    empty: int
    repeated: int
    elsewhere: int
    long: int
    tokens: int

    def __str__(self) -> str:
        said = [
            f"{self.learned:,} texts of {self.tokens:,} tokens are learned from, {self.held_out:,} "
            "judged by"
        ]
        for count, what in (
            (self.repeated, "said again what another did"),
            (self.empty, "were empty"),
            (self.elsewhere, "stand in validation or test too"),
        ):
            if count:
                said.append(f"{count:,} {what} and were left out")
        if self.long:
            said.append(f"{self.long:,} are read in windows")
        return "; ".join(said) + "."

    def to_dict(self) -> dict[str, int]:
        """Return the counts as plain data."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Texts as tokens on disk, and which of them are learned from.

    Args:
        encoder: what reads them.
        tokens: of every record.
        lengths: tokens that are read of each, special ones included.
        learned: the rows that are learned from.
        held_out: the rows that are judged by.
        counts: what became of the others.
    """

    encoder: Text
    tokens: Tokens
    lengths: np.ndarray
    learned: np.ndarray
    held_out: np.ndarray
    counts: Counts

    @classmethod
    def of(cls, records: Records, encoder: Text, *, hold_out: float, cache: Path) -> "Corpus":
        """Read the texts of an input; no record of validation or test is among them.

        Args:
            records: the records.
            encoder: the input's encoder, its model found on disk.
            hold_out: the share that is judged by.
            cache: where tokens are kept, for training too.
        """
        values: list[pa.ChunkedArray] = [records.values(name) for name in encoder.fields or []]
        tokens = encoder.prepare(values, cache=cache)  # type: ignore[arg-type]
        rows = records.indices("train")
        there = rows[tokens.lengths[rows] > 0]
        keys = _keys(tokens, there)
        judged = np.setdiff1d(np.arange(len(records)), rows)
        elsewhere = np.isin(keys, _keys(tokens, judged[tokens.lengths[judged] > 0]))
        _, first = np.unique(keys, return_index=True)
        once = np.zeros(len(there), bool)
        once[first] = True
        kept, keys = there[once & ~elsewhere], keys[once & ~elsewhere]
        if len(kept) < FEWEST:
            raise DataError(
                f"There are {len(kept)} different texts among the training records to learn from; "
                f"{FEWEST} are the fewest. Add sources: they need no labels."
            )
        held = _held_out(keys, hold_out)
        lengths = encoder.length(tokens, np.ones(len(tokens), bool))
        reach = encoder.reach
        return cls(
            encoder=encoder,
            tokens=tokens,
            lengths=lengths,
            learned=kept[~held],
            held_out=kept[held],
            counts=Counts(
                learned=int((~held).sum()),
                held_out=int(held.sum()),
                empty=len(rows) - len(there),
                repeated=int((~once & ~elsewhere).sum()),
                elsewhere=int(elsewhere.sum()),
                long=int((lengths[kept] > reach).sum()),
                tokens=int(lengths[kept[~held]].sum()),
            ),
        )

    def batch(self, rows: np.ndarray) -> Any:
        """Return the sequences of some rows; long texts take several windows."""
        return self.encoder.collate(self.tokens, [int(row) for row in rows], [True] * len(rows))


def _keys(tokens: Tokens, rows: np.ndarray) -> np.ndarray:
    """Return 64 bits of the hash of each row's tokens."""
    return np.frombuffer(b"".join(tokens.keys(rows)), np.uint64)[::2]


def _held_out(keys: np.ndarray, share: float) -> np.ndarray:
    """Return which texts are held out: by their own hash, so the same in every run."""
    ranks = (keys >> np.uint64(11)).astype(np.float64) / 2.0**53
    held = ranks < share
    few = max(1, min(FEWEST // 2, len(keys) // 10))
    if held.sum() < few:
        held = np.zeros(len(keys), bool)
        held[np.argsort(ranks)[:few]] = True
    elif held.sum() > MOST_HELD_OUT:
        spare = np.flatnonzero(held)
        held[spare[np.argsort(ranks[spare])[MOST_HELD_OUT:]]] = False
    return held
