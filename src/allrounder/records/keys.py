"""Hashes that name a record by its content and spread records evenly."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from allrounder.records.field import keyed

_hash = partial(blake2b, digest_size=8)


def hashes(texts: Sequence[str]) -> np.ndarray:
    """Return 64 even bits per text, the same on every machine."""
    return np.frombuffer(b"".join([_hash(text.encode()).digest() for text in texts]), ">u8").astype(
        np.uint64
    )


def content_keys(fields: Mapping[str, pa.Array]) -> np.ndarray:
    """Return a hash per record of all its fields, case and runs of whitespace made alike.

    A field that a record does not have leaves no trace, so a new field changes no key.
    """
    columns = [_normalised(name, keyed(array)) for name, array in fields.items()]
    return hashes(
        columns[0] if len(columns) == 1 else list(map("".join, zip(*columns, strict=True)))
    )


def _normalised(name: str, texts: list[str | None]) -> list[str]:
    head, tail = f"{name}\x1f", "\x1e"
    return [
        "" if text is None else head + " ".join(text.casefold().split()) + tail for text in texts
    ]


def hexadecimal(keys: np.ndarray) -> pa.Array:
    """Return the ids of records that have no id of their own."""
    return pa.array([format(key, "016x") for key in keys.tolist()], pa.string())


def mixed(keys: np.ndarray, salt: int) -> np.ndarray:
    """Return new, independent bits for each salt (splitmix64; Steele, Lea and Flood, 2014)."""
    with np.errstate(over="ignore"):
        z = keys + np.uint64((salt + 1) * 0x9E3779B97F4A7C15 & (1 << 64) - 1)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def unit(keys: np.ndarray, salt: int) -> np.ndarray:
    """Return numbers from 0 up to, but not including, 1."""
    return (mixed(keys, salt) >> np.uint64(11)) * 2.0**-53


class Digest:
    """A hash of Arrow columns that depends on their values alone, not on chunks or buffers."""

    def __init__(self) -> None:
        self._parts: dict[str, blake2b] = defaultdict(blake2b)

    def update(self, place: str, array: pa.Array) -> None:
        """Take in the next values of the column named `place`."""
        self._add(f"{place}.valid", np.asarray(array.is_valid().cast(pa.uint8())))
        kind = array.type
        if pa.types.is_struct(kind):
            for child, values in zip(kind, array.flatten(), strict=True):
                self.update(f"{place}.{child.name}", values)
        elif pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
            self._add(f"{place}.length", np.asarray(pc.list_value_length(array).fill_null(0)))
            self.update(f"{place}.item", array.flatten())
        elif pa.types.is_string(kind):
            self._strings(place, array.fill_null(""))
        else:
            values = array.cast(pa.float64()) if pa.types.is_floating(kind) else array
            self._add(
                place,
                np.asarray(
                    values.cast(pa.uint8()) if pa.types.is_boolean(kind) else values.fill_null(0)
                ),
            )

    def hexdigest(self) -> str:
        """Return the hash of everything taken in."""
        whole = blake2b(digest_size=16)
        for place in sorted(self._parts):
            whole.update(place.encode() + b"\0" + self._parts[place].digest())
        return whole.hexdigest()

    def _add(self, place: str, values: np.ndarray) -> None:
        self._parts[place].update(np.ascontiguousarray(values).tobytes())

    def _strings(self, place: str, array: pa.Array) -> None:
        _, bounds, data = array.buffers()
        offsets = np.frombuffer(bounds, np.int32)[array.offset : array.offset + len(array) + 1]
        self._add(f"{place}.length", np.diff(offsets))
        if data is not None:
            self._parts[place].update(memoryview(data)[offsets[0] : offsets[-1]])
