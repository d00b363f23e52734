"""What must hold for the records as a whole."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from allrounder.errors import DataError, did_you_mean, listed
from allrounder.records.column import Column
from allrounder.records.records import Records
from allrounder.records.source import SPLITS


def check_records(
    records: Records, columns: Mapping[str, Column], without: Sequence[str] = ()
) -> None:
    """Refuse records that cannot train and judge a model; a table just written goes with them.

    Args:
        records: All records.
        columns: Task → how its labels are read.
        without: Tasks that may have no labels.

    Raises:
        DataError: where a task has no label or only one class, or a split has no record.
    """
    try:
        _check(records, columns, without)
    except DataError:
        if records.fresh is not None:
            with suppress(OSError):
                records.fresh.unlink()
        raise


def _check(records: Records, columns: Mapping[str, Column], without: Sequence[str]) -> None:
    table = records.table
    tasks = [task for task in columns if task not in without]
    for task in tasks:
        if made_of := columns[task].made_of:
            _check_made(task, table[task], made_of)
        else:
            _check_labels(task, table[task], records.columns)
    _check_splits(np.bincount(table["split"].to_numpy(), minlength=len(SPLITS)).tolist())
    for task in tasks:
        _check_trains(task, table)


def _check_made(task: str, labels: pa.ChunkedArray, inputs: Iterable[str]) -> None:
    if not pc.count(labels).as_py():
        raise DataError(
            f"`tasks.{task}` matches {listed(inputs)}: expected records with two of them or more, "
            "found none. Put what belongs together into one record."
        )


def _check_labels(task: str, labels: pa.ChunkedArray, found: Mapping[str, Sequence[str]]) -> None:
    num_labels = pc.count(labels).as_py()
    if not num_labels:
        raise DataError(_unlabelled(task, found))
    if not pa.types.is_string(labels.type):
        return
    classes = pc.unique(labels.drop_null()).slice(0, 2).to_pylist()
    if len(classes) == 1:
        raise DataError(
            f"`tasks.{task}`: expected labels of at least two classes, found only {classes[0]!r}, "
            f"{num_labels} times. Add records of another class or remove the task."
        )


def _check_trains(task: str, table: pa.Table) -> None:
    if not pc.any(pc.and_(pc.equal(table["split"], 0), table[task].is_valid())).as_py():
        raise DataError(
            f"`tasks.{task}` has labels, but none in a training record. Change the `split` of a "
            "source that carries them."
        )


def _unlabelled(task: str, found: Mapping[str, Sequence[str]]) -> str:
    hint = did_you_mean(task, dict.fromkeys(name for names in found.values() for name in names))
    columns = "; ".join(f"{path} has {listed(names)}" for path, names in list(found.items())[:5])
    return (
        f"`tasks.{task}` has no label in any source: expected a filled column {task!r}. Found: "
        f"{columns}.{hint} Name the column in `map` of its source, such as "
        f"`map: {{label: {task}}}`, or remove the task."
    )


def _check_splits(counts: Sequence[int]) -> None:
    for name, count in zip(SPLITS, counts, strict=True):
        if count:
            continue
        remedy = (
            "Give a smaller share to validation and test"
            if name == "train"
            else f"Give it a share of a source, such as `split: {{by: ratio, {name}: 0.2}}`"
        )
        pairs = listed(f"{split} {n}" for split, n in zip(SPLITS, counts, strict=True))
        raise DataError(
            f"`sources`: expected records in train, validation and test, found none for {name} "
            f"({pairs}). {remedy}, or name a file that holds it with `split: {name}`."
        )
