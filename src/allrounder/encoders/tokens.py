"""Tokens of many texts: ragged arrays in Arrow, memory-mapped where they were cached."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from allrounder.errors import RunError

CHUNK = 16_384
"""Rows that are tokenized and cached together; appended rows leave earlier chunks as they are."""

Tokenize = Callable[[Sequence[pa.Array]], pa.RecordBatch]


@dataclass(frozen=True)
class Chunk:
    """Views into one chunk: row r holds `ids[starts[r]:starts[r + 1]]`, and so for the others."""

    ids: np.ndarray
    starts: np.ndarray
    offsets: np.ndarray | None
    types: np.ndarray | None
    full: np.ndarray


class Tokens:
    """The tokens of every row.

    Columns of a chunk: `ids` list<int32>; `full` int32, the number of tokens before any cut;
    where wanted `offsets` list<int32> (start and end of each token in turn) and `types`
    list<uint8> (which text of a pair).
    """

    def __init__(self, batches: Sequence[pa.RecordBatch]) -> None:
        self.chunks = [_views(batch) for batch in batches]

    def __len__(self) -> int:
        return sum(len(chunk.starts) - 1 for chunk in self.chunks)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Tokens per row."""
        return np.concatenate(
            [np.diff(chunk.starts) for chunk in self.chunks] or [np.zeros(0, int)]
        )

    @cached_property
    def full(self) -> np.ndarray:
        """Tokens per row before any cut."""
        return np.concatenate([chunk.full for chunk in self.chunks] or [np.zeros(0, int)])

    def keys(self, rows: np.ndarray) -> list[bytes]:
        """Return a hash of the tokens of each of some rows, and of which text they belong to."""
        return [self._key(int(row)) for row in rows]

    def _key(self, row: int) -> bytes:
        types = self.types(row)
        digest = hashlib.blake2b(self.ids(row).tobytes(), digest_size=16)
        digest.update(b"" if types is None else types.tobytes())
        return digest.digest()

    def _at(self, row: int) -> tuple[Chunk, slice]:
        chunk = self.chunks[row // CHUNK]
        row %= CHUNK
        return chunk, slice(chunk.starts[row], chunk.starts[row + 1])

    def ids(self, row: int) -> np.ndarray:
        """Token numbers of one row."""
        chunk, part = self._at(row)
        return chunk.ids[part]

    def types(self, row: int) -> np.ndarray | None:
        """Which text of a pair each token belongs to."""
        chunk, part = self._at(row)
        return None if chunk.types is None else chunk.types[part]

    def offsets(self, row: int) -> np.ndarray:
        """Where each token lies in the text, in code points: [T, 2]."""
        chunk, part = self._at(row)
        if chunk.offsets is None:
            raise AssertionError("these tokens were prepared without offsets")
        return chunk.offsets[part]


def _views(batch: pa.RecordBatch) -> Chunk:
    def flat(name: str) -> np.ndarray | None:
        if name not in batch.schema.names:
            return None
        return batch.column(name).flatten().to_numpy(zero_copy_only=False)

    ids = batch.column("ids")
    offsets = flat("offsets")
    starts = ids.offsets.to_numpy()
    return Chunk(
        ids=flat("ids"),  # type: ignore[arg-type]
        starts=starts - starts[0],
        offsets=None if offsets is None else offsets.reshape(-1, 2),
        types=flat("types"),
        full=batch.column("full").to_numpy(),
    )


def tokenized(
    values: Sequence[pa.Array], tokenize: Tokenize, *, fingerprint: str, cache: Path | None
) -> Tokens:
    """Return the tokens of every row, reading each chunk from `cache` where it is known.

    A chunk is known by the hash of its texts and of the tokenizer's `fingerprint`.
    """
    return Tokens([_chunk(part, tokenize, fingerprint, cache) for part in _parts(values)])


def _parts(values: Sequence[pa.Array]) -> Iterator[list[pa.Array]]:
    for start in range(0, len(values[0]), CHUNK):
        yield [_combined(column.slice(start, CHUNK)) for column in values]


def _combined(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _chunk(
    part: list[pa.Array], tokenize: Tokenize, fingerprint: str, cache: Path | None
) -> pa.RecordBatch:
    if cache is None:
        return tokenize(part)
    path = cache / f"{_digest(part, fingerprint)}.arrow"
    if not path.exists():
        write_arrow(path, tokenize(part))
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).get_batch(0)


def _digest(part: list[pa.Array], fingerprint: str) -> str:
    digest = hashlib.blake2b(fingerprint.encode(), digest_size=16)
    for column in part:
        fresh = pa.concat_arrays([column])  # a slice's buffers hold its neighbours too
        lengths = np.array(pa.compute.binary_length(fresh).fill_null(-1))
        digest.update(lengths.tobytes())
        digest.update("".join(filter(None, fresh.to_pylist())).encode())
    return digest.hexdigest()


def write_arrow(path: Path, batch: pa.RecordBatch) -> None:
    """Write one batch as an Arrow file, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with pa.OSFile(str(draft), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
            writer.write_batch(batch)
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise RunError(f"{path} could not be written: {error.strerror or error}.") from error
