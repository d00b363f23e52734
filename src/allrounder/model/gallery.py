"""What a match task searches: the vectors of every value of an input, compared one by one.

Search is exact: a product of matrices, which takes milliseconds for as many values as are kept.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor
from torch.nn import functional as F

from allrounder.errors import RunError
from allrounder.model.tensors import load_tensors, save_tensors

MOST = 200_000
"""Values of one input that are kept."""
SHOWN = 10
"""Finds that an answer lists."""
BLOCK = 1 << 24
"""Similarities that are held in memory at a time."""


@dataclass
class Shelf:
    """The values of one input.

    Args:
        vectors: of length 1: [N, W].
        records: the record in which each value stands first.
        values: the values as a person would read them.
    """

    vectors: Tensor
    records: Sequence[str]
    values: Sequence[str]

    def search(self, queries: Tensor, n: int) -> Iterator[list[dict[str, Any]]]:
        """Yield for each query, [Q, W], the `n` nearest values, the nearest first."""
        n = min(n, len(self.vectors))
        size = max(1, BLOCK // max(len(self.vectors), 1))
        for start in range(0, len(queries), size):
            block = queries[start : start + size].to(self.vectors.dtype)
            near = (block @ self.vectors.T).float().topk(n)
            for cosines, places in zip(near.values.tolist(), near.indices.tolist(), strict=True):
                yield [self._find(*pair) for pair in zip(cosines, places, strict=True)]

    def _find(self, cosine: float, place: int) -> dict[str, Any]:
        return {
            "value": self.values[place],
            "record": self.records[place],
            "similarity": round(min(cosine, 1.0), 6),
        }


@dataclass
class Gallery:
    """The values that one match task searches, by input.

    Args:
        shelves: by input; one without a value is left out.
        left_out: by input, how many values were too many.
    """

    shelves: dict[str, Shelf]
    left_out: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        vectors: Mapping[str, Tensor],
        keys: Mapping[str, Sequence[Any]],
        records: Sequence[str],
        values: Mapping[str, Sequence[str | None]],
    ) -> "Gallery":
        """Return a gallery of the distinct values of some records.

        Args:
            vectors: by input, a vector a record, 0 where it is missing: [n, W].
            keys: by input, what tells each record's value from others.
            records: the names of the records.
            values: by input, its values as a person would read them.
        """
        shelves, left_out = {}, {}
        for name, mine in vectors.items():
            known = (mine != 0).any(-1).numpy()
            first = {key: at for at, key in reversed([*enumerate(keys[name])]) if known[at]}
            rows = sorted(first.values())
            if len(rows) > MOST:
                left_out[name] = len(rows) - MOST
            rows = rows[:MOST]
            if rows:
                shelves[name] = Shelf(
                    F.normalize(mine[rows].float(), dim=-1),
                    [records[row] for row in rows],
                    [values[name][row] or "" for row in rows],
                )
        return cls(shelves, left_out)

    def matches(self, vectors: Mapping[str, Tensor]) -> list[dict[str, Any]]:
        """Return for each record the nearest values of every input that it lacks.

        It is searched with the mean of what it has.

        Args:
            vectors: by input, a vector a record, 0 where it is missing: [n, W].
        """
        table = torch.stack(list(vectors.values()), 1)
        has = (table != 0).any(-1)
        queries = F.normalize(F.normalize(table.float(), dim=-1).sum(1), dim=-1)
        found: list[dict[str, Any]] = [{} for _ in queries]
        for column, name in enumerate(vectors):
            if name not in self.shelves:
                continue
            rows = (has.any(-1) & ~has[:, column]).nonzero()[:, 0].tolist()
            for row, near in zip(
                rows, self.shelves[name].search(queries[rows], SHOWN), strict=True
            ):
                found[row][name] = near
        return found

    def save(self, folder: Path) -> None:
        """Write the gallery into a folder, in place of what is there, whole or not at all."""
        draft, old = (
            folder.with_name(f".{folder.name}.{os.getpid()}{end}") for end in ("", ".old")
        )
        try:
            draft.mkdir(parents=True)
            for name, shelf in self.shelves.items():
                table = pa.table({"record": shelf.records, "value": shelf.values})
                pq.write_table(table, draft / f"{name}.parquet")
                save_tensors(draft / f"{name}.safetensors", {"vectors": shelf.vectors.half()})
            if folder.exists():
                folder.replace(old)
            draft.replace(folder)
        except OSError as error:
            raise RunError(f"{folder} could not be written: {error.strerror or error}.") from error
        finally:
            for left in (draft, old):
                shutil.rmtree(left, ignore_errors=True)

    @classmethod
    def load(cls, folder: Path) -> "Gallery":
        """Return the gallery that `save` wrote; an empty one where there is none."""
        shelves = {}
        for path in sorted(folder.glob("*.safetensors")):
            vectors = load_tensors(path)[0]["vectors"].float()
            try:
                table = pq.read_table(path.with_suffix(".parquet"))
            except (OSError, pa.ArrowInvalid) as error:
                raise RunError(
                    f"{path.with_suffix('.parquet')} cannot be read: {error}."
                ) from error
            columns = table["record"].to_pylist(), table["value"].to_pylist()
            if len(vectors) != table.num_rows:
                raise RunError(f"{path} does not fit the names beside it. Was it replaced?")
            shelves[path.stem] = Shelf(vectors, *columns)
        return cls(shelves)
