"""What the records of a project hold, and what looks wrong in them."""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from allrounder.records.aside import Aside, num_aside
from allrounder.records.column import Column
from allrounder.records.keys import hashes
from allrounder.records.records import Records
from allrounder.records.source import SPLITS
from allrounder.records.sources import Skipped

EXAMPLES = 3
MOST = 1000
CHUNK = 1 << 14


@dataclass(frozen=True)
class Coverage:
    """What one source gives: records, and labels of each task, per split."""

    source: str
    records: dict[str, int]
    labels: dict[str, dict[str, int]]


@dataclass(frozen=True)
class Quantiles:
    """How numbers lie."""

    n: int
    min: float
    mean: float
    median: float
    p95: float
    max: float


@dataclass(frozen=True)
class Files:
    """How many files there are, and how many of them have a content of their own."""

    n: int
    distinct: int


@dataclass(frozen=True)
class Finding:
    """How often something was found, and where, for up to three pairs of records."""

    n: int
    examples: list[tuple[str, str]]


@dataclass(frozen=True)
class DataReport:
    """The records of a project in numbers.

    Args:
        num_records: All records.
        splits: Split → records.
        empty_splits: The splits without records.
        coverage: What each source gives, in the order of the project file.
        labels: Task with named labels → label → count, most frequent first, at most 1000.
        num_labels: The same tasks → how many different labels there are.
        numbers: Task with numbers → how they lie.
        lengths: Text field → how many characters its texts have.
        values: Number field → how its numbers lie.
        files: File field → how many files it has.
        aside: The bad values for which records were set aside, at most 1000.
        num_aside: How many records were set aside.
        num_read: How many records were read, those set aside included.
        skipped: By source, the lines that gave no record.
        told: Sentences on what people answered.
        duplicates: Records whose content was there before.
        conflicts: Task → contents that carry different labels.
        leaks: Contents that stand in more than one split.
        variants: Task → groups of labels that differ in case or whitespace alone.
    """

    num_records: int
    splits: dict[str, int]
    empty_splits: list[str]
    coverage: list[Coverage]
    labels: dict[str, dict[str, int]]
    num_labels: dict[str, int]
    numbers: dict[str, Quantiles]
    lengths: dict[str, Quantiles]
    duplicates: Finding
    conflicts: dict[str, Finding]
    leaks: Finding
    variants: dict[str, list[list[str]]]
    values: dict[str, Quantiles] = field(default_factory=dict)
    files: dict[str, Files] = field(default_factory=dict)
    aside: list[Aside] = field(default_factory=list)
    num_aside: int = 0
    num_read: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        aside = [one._asdict() for one in self.aside]
        return json.loads(json.dumps({**dataclasses.asdict(self), "aside": aside}))


def inspect(records: Records, columns: Mapping[str, Column]) -> DataReport:
    """Return what the records hold and what looks wrong in them; nothing is refused."""
    splits = records.numbers("split")
    num_split = _per_split(splits)
    counts = _counts(records, columns)
    twice = Repeated.among(records.numbers("key"))
    codes = [_codes(records.labels(task), twice.rows) for task in columns]
    pairs = [twice.pairs(), *map(twice.differing, [splits[twice.rows], *codes])]
    duplicates, leaks, *conflicts = _findings(records, pairs)
    return DataReport(
        num_records=len(records),
        splits=num_split,
        empty_splits=[split for split, n in num_split.items() if not n],
        coverage=_coverage(records),
        labels={task: dict(list(count.items())[:MOST]) for task, count in counts.items()},
        num_labels={task: len(count) for task, count in counts.items()},
        numbers=_numbers(records, [task for task in columns if task not in counts]),
        lengths=_lengths(records),
        duplicates=dataclasses.replace(duplicates, n=len(twice.rows) - len(twice.starts)),
        conflicts={task: found for task, found in zip(columns, conflicts, strict=True) if found.n},
        leaks=leaks,
        variants={task: groups for task, count in counts.items() if (groups := variants(count))},
        values=_described(_fields(records, _numeric)),
        files=_files(records),
        aside=records.aside[:MOST],
        num_aside=num_aside(records.aside),
        num_read=records.num_read,
        skipped=records.skipped,
        told=records.told,
    )


@dataclass(frozen=True)
class Repeated:
    """The records whose content stands more than once.

    `rows` holds them group by group, those of a group rising; `starts` holds the place in `rows`
    where each group begins.
    """

    rows: np.ndarray
    starts: np.ndarray

    @classmethod
    def among(cls, keys: np.ndarray) -> "Repeated":
        """Return the rows whose key is not the only one of its kind."""
        order = np.argsort(keys, kind="stable")
        new = np.ones(len(keys) + 1, bool)
        new[1:-1] = keys[order][1:] != keys[order][:-1]
        repeated = ~(new[:-1] & new[1:])
        return cls(order[repeated], np.flatnonzero(new[:-1][repeated]))

    def pairs(self) -> list[tuple[int, int]]:
        """Return the first two records of every group, in the order of the records."""
        return sorted(
            zip(self.rows[self.starts].tolist(), self.rows[self.starts + 1].tolist(), strict=True)
        )

    def differing(self, values: np.ndarray) -> list[tuple[int, int]]:
        """Return two records from every group whose `values` differ; -1 stands for none."""
        if not len(self.rows):
            return []
        given = np.where(values < 0, np.iinfo(np.int64).max, values.astype(np.int64))
        lowest = np.minimum.reduceat(given, self.starts)
        highest = np.maximum.reduceat(values.astype(np.int64), self.starts)
        ends = [*self.starts[1:].tolist(), len(self.rows)]
        unlike = np.flatnonzero((highest >= 0) & (lowest != highest))
        return sorted(
            self._pair(values, self.starts[group], ends[group]) for group in unlike.tolist()
        )

    def _pair(self, values: np.ndarray, start: int, end: int) -> tuple[int, int]:
        places = start + np.flatnonzero(values[start:end] >= 0)
        other = places[values[places] != values[places[0]]][0]
        return int(self.rows[places[0]]), int(self.rows[other])


def _findings(records: Records, pairs: Sequence[Sequence[tuple[int, int]]]) -> list[Finding]:
    """Return the pairs as places; every file is looked through only once."""
    shown = [pair for some in pairs for pair in some[:EXAMPLES]]
    places = iter(records.wheres([index for pair in shown for index in pair]))
    return [
        Finding(len(some), [(next(places), next(places)) for _ in some[:EXAMPLES]])
        for some in pairs
    ]


def _codes(labels: pa.ChunkedArray, rows: np.ndarray) -> np.ndarray:
    """Return a number per label that is the same for equal labels, -1 for a missing one."""
    chosen = labels.take(pa.array(rows, pa.int64()))
    if pa.types.is_nested(chosen.type):
        found = [_hashed(chosen.slice(start, CHUNK)) for start in range(0, len(chosen), CHUNK)]
        codes = np.concatenate([np.zeros(0, np.int64), *found])
    else:
        encoded = pa.concat_arrays(chosen.chunks or [pa.array([], chosen.type)]).dictionary_encode()
        codes = np.asarray(encoded.indices.fill_null(0)).astype(np.int64)
    return np.where(np.asarray(chosen.is_null()), -1, codes)


def _hashed(labels: pa.ChunkedArray) -> np.ndarray:
    texts = [json.dumps(label, sort_keys=True) for label in labels.to_pylist()]
    return (hashes(texts) >> np.uint64(1)).astype(np.int64)


def _per_split(splits: np.ndarray) -> dict[str, int]:
    counts = np.bincount(splits, minlength=len(SPLITS)).tolist()
    return dict(zip(SPLITS, counts, strict=True))


def _coverage(records: Records) -> list[Coverage]:
    sources, splits = records.numbers("source"), records.numbers("split")
    valid = {task: np.asarray(records.labels(task).is_valid()) for task in records.tasks}
    return [
        Coverage(
            source=source.path,
            records=_per_split(splits[sources == number]),
            labels={
                task: _per_split(splits[(sources == number) & mask]) for task, mask in valid.items()
            },
        )
        for number, source in enumerate(records.sources)
    ]


def _counts(records: Records, tasks: Iterable[str]) -> dict[str, dict[str, int]]:
    """Return how often each label of the tasks with named labels stands, most frequent first."""
    names = {task: _names(records.labels(task)) for task in tasks}
    return {task: _counted(found) for task, found in names.items() if found is not None}


def _names(labels: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return the names within labels, one or several each; None where they are numbers."""
    if pa.types.is_boolean(labels.type):
        return labels.cast(pa.string())
    if pa.types.is_list(labels.type):
        labels = pc.list_flatten(labels)
    if pa.types.is_struct(labels.type) and labels.type.get_field_index("label") >= 0:
        labels = pc.struct_field(labels, "label")
    return labels if pa.types.is_string(labels.type) else None


def _counted(names: pa.ChunkedArray) -> dict[str, int]:
    counted = pc.value_counts(names.drop_null()).to_pylist()
    pairs = sorted((-entry["counts"], entry["values"]) for entry in counted)
    return {name: -n for n, name in pairs}


def variants(labels: Iterable[str]) -> list[list[str]]:
    """Return the groups of labels that differ in case or whitespace alone."""
    groups = defaultdict(list)
    for label in labels:
        groups["".join(label.casefold().split())].append(label)
    return [sorted(group) for group in groups.values() if len(group) > 1]


def _numbers(records: Records, tasks: Iterable[str]) -> dict[str, Quantiles]:
    labels = {task: records.labels(task) for task in tasks}
    return _described({task: column for task, column in labels.items() if _numeric(column.type)})


def _lengths(records: Records) -> dict[str, Quantiles]:
    texts = _fields(records, pa.types.is_string)
    return _described({name: pc.utf8_length(column) for name, column in texts.items()})


def _files(records: Records) -> dict[str, Files]:
    found = {}
    for name, column in _fields(records, pa.types.is_struct).items():
        digests = pc.struct_field(column, "digest").drop_null()
        found[name] = Files(len(digests), len(pc.unique(digests)))
    return found


def _fields(records: Records, wanted: Callable[[pa.DataType], bool]) -> dict[str, pa.ChunkedArray]:
    """Return the fields whose values are of a wanted type."""
    columns = {name: records.values(name) for name in records.fields}
    return {name: column for name, column in columns.items() if wanted(column.type)}


def _numeric(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def _described(columns: Mapping[str, pa.ChunkedArray]) -> dict[str, Quantiles]:
    """Return how the numbers of each column lie; one without any is left out."""
    return {
        name: _quantiles(column) for name, column in columns.items() if pc.count(column).as_py()
    }


def _quantiles(values: pa.ChunkedArray) -> Quantiles:
    numbers = values.drop_null().to_numpy()
    low, middle, high, top = np.quantile(numbers, [0, 0.5, 0.95, 1]).tolist()
    return Quantiles(len(numbers), low, float(numbers.mean()), middle, high, top)
