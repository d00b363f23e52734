"""Which records train, which validate and which test."""

from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from allrounder.errors import listed
from allrounder.records.column import BadValue
from allrounder.records.keys import hashes, mixed, unit
from allrounder.records.source import SPELLINGS, SPLITS, Split

LIMIT = 0x11317
"""The salt that keeps `limit` independent of every split."""

ENOUGH = 3
ROUNDS = 3
NEVER = np.iinfo(np.int64).max


def decisive(split: str | Split, ids: np.ndarray, values: pa.Array | None) -> np.ndarray:
    """Return what decides the split of each record: a hash, a time or the split itself.

    Args:
        split: The name of a split, or the rule.
        ids: A hash of the id of each record.
        values: The column that the rule reads, as strings.

    Raises:
        BadValue: at the first value that decides nothing.
    """
    if isinstance(split, str) or split.by == "ratio":
        return ids
    missing = np.asarray(pc.fill_null(pc.equal(pc.utf8_trim_whitespace(values), ""), True))
    if missing.any():
        raise BadValue(int(missing.argmax()), "expected a value to split by, found none.")
    if split.by == "group":
        return hashes(values.to_pylist())
    return _times(values) if split.by == "date" else _named(values)


def assigned(split: str | Split, decisive: np.ndarray) -> np.ndarray:
    """Return the split of each record as its place in `SPLITS`."""
    if isinstance(split, str):
        return np.full(len(decisive), SPLITS.index(split), np.int8)
    if split.by == "column":
        return decisive.astype(np.int8)
    if split.by == "date":
        return _by_date(split, decisive)
    place = unit(decisive, split.seed)
    return np.where(
        place < split.test, 2, np.where(place < split.test + split.validation, 1, 0)
    ).astype(np.int8)


def kept(ids: np.ndarray, limit: int | None) -> np.ndarray | None:
    """Return the rows of a fixed random subset in their order; None for all."""
    if limit is None or limit >= len(ids):
        return None
    return np.sort(np.argsort(mixed(ids, LIMIT), kind="stable")[:limit])


def completed(
    split: Split, splits: np.ndarray, ids: np.ndarray, labels: Iterable[pa.ChunkedArray]
) -> np.ndarray:
    """Return `splits` with at least one record of every label in every wanted split.

    Only labels with three distinct records or more are looked at; the record that moves is the
    one whose hash lies nearest. The source as a whole counts as one more label.
    """
    splits = splits.copy()
    place = unit(ids, split.seed)
    columns = [np.zeros(len(ids), np.int64), *map(_codes, labels)]
    for _ in range(ROUNDS):
        before = splits.copy()
        for codes in columns:
            _complete(codes, split.wanted, splits, ids, place)
        if (before == splits).all():
            break
    return splits


def _codes(labels: pa.ChunkedArray) -> np.ndarray:
    """Return a number per label, -1 where it is missing."""
    encoded = labels.combine_chunks().dictionary_encode()
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    return np.asarray(encoded.indices.fill_null(-1)).astype(np.int64)


def _complete(
    codes: np.ndarray,
    wanted: tuple[bool, ...],
    splits: np.ndarray,
    ids: np.ndarray,
    place: np.ndarray,
) -> None:
    """Move records between `splits`, in place, for every label that lacks one."""
    order = np.lexsort((ids, codes))
    order = order[codes[order] >= 0]
    first = np.ones(len(order), bool)
    first[1:] = (ids[order][1:] != ids[order][:-1]) | (codes[order][1:] != codes[order][:-1])
    distinct = order[first]
    if not len(distinct):
        return
    counts = np.zeros((int(codes.max()) + 1, len(SPLITS)), np.int64)
    np.add.at(counts, (codes[distinct], splits[distinct]), 1)
    short = (counts.sum(1) >= ENOUGH) & ((counts == 0) & np.array(wanted)).any(1)
    bounds = np.searchsorted(codes[distinct], np.arange(len(counts) + 1))
    moves: dict[int, int] = {}
    for code in np.flatnonzero(short):
        rows = distinct[bounds[code] : bounds[code + 1]]
        moves |= _moves(ids[rows], splits[rows], place[rows], wanted)
    _apply(moves, splits, ids)


def _moves(
    ids: np.ndarray, splits: np.ndarray, place: np.ndarray, wanted: tuple[bool, ...]
) -> dict[int, int]:
    """Return which of the records of one label move where: the nearest of the fullest split."""
    moves = {}
    for target in range(len(SPLITS)):
        if not wanted[target] or (splits == target).any():
            continue
        donor = np.bincount(splits, minlength=len(SPLITS)).argmax()
        chosen = np.where(splits == donor, place, np.inf).argmin()
        splits[chosen] = target
        moves[int(ids[chosen])] = target
    return moves


def _apply(moves: dict[int, int], splits: np.ndarray, ids: np.ndarray) -> None:
    """Move records and their duplicates."""
    if not moves:
        return
    moved = np.array(sorted(moves), np.uint64)
    nearest = np.searchsorted(moved, ids).clip(max=len(moved) - 1)
    targets = np.array([moves[identity] for identity in moved.tolist()], splits.dtype)
    hit = moved[nearest] == ids
    splits[hit] = targets[nearest[hit]]


def _by_date(split: Split, times: np.ndarray) -> np.ndarray:
    ordered = np.sort(times)
    test_from = _cut(split.test, ordered, len(times))
    validation_from = _cut(split.validation, ordered[ordered < test_from], len(times))
    validation_from = min(validation_from, test_from)
    return np.where(times >= test_from, 2, np.where(times >= validation_from, 1, 0)).astype(np.int8)


def _cut(share: float | str, ordered: np.ndarray, num_all: int) -> int:
    """Return the first time that belongs to the latest `share` of all records."""
    if isinstance(share, str):
        return _microseconds(share)
    n = min(round(share * num_all), len(ordered))
    return int(ordered[-n]) if n else NEVER


def _times(values: pa.Array) -> np.ndarray:
    try:
        return np.asarray(values.cast(pa.timestamp("us")).cast(pa.int64()))
    except pa.ArrowInvalid:
        return np.array([_time(index, text) for index, text in enumerate(values.to_pylist())])


def _time(index: int, text: str) -> int:
    try:
        return _microseconds(text.strip())
    except ValueError:
        raise BadValue(
            index, f"expected an ISO date such as 2024-01-31 to split by, found {text!r}."
        ) from None


def _microseconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1e6)


def _named(values: pa.Array) -> np.ndarray:
    return np.array([_name(index, text) for index, text in enumerate(values.to_pylist())])


def _name(index: int, text: str) -> int:
    place = SPELLINGS.get(text.strip().lower())
    if place is None:
        raise BadValue(
            index,
            f"expected a split ({listed(SPELLINGS)}), found {text!r}. Correct the cell, or split "
            "by ratio.",
        )
    return place
