"""Reading columns of labels, in Arrow, without torch."""

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from allrounder.errors import DataError, did_you_mean, listed
from allrounder.records import BadValue


def strings(values: pa.Array) -> pa.Array:
    """Return `values` as strings; empty and blank cells become null."""
    if pa.types.is_floating(values.type) and pc.all(pc.equal(pc.floor(values), values)).as_py():
        values = values.cast(pa.int64())  # a Parquet column of 0.0, 1.0 with gaps means 0, 1
    text = pc.utf8_trim_whitespace(values.cast(pa.string()))
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def label_column(
    values: pa.Array, labels: list[str] | None, names: dict[str, str] | None
) -> pa.Array:
    """Return `values` as labels, each of them in `labels` where those are declared.

    Args:
        values: as a file has them.
        labels: the label set, if it is declared.
        names: what labels are called now, by what they were called once.
    """
    text = renamed(strings(values), names)
    if labels is not None:
        refuse_unknown(text, labels)
    return text


def renamed(text: pa.Array, names: dict[str, str] | None) -> pa.Array:
    """Return labels by the names that they have now."""
    for old, new in (names or {}).items():
        text = pc.if_else(pc.equal(text, old), pa.scalar(new, text.type), text)
    return text


def refuse_unknown(text: pa.Array, labels: list[str]) -> None:
    """Raise `BadValue` at the first string that is neither null nor one of `labels`."""
    strange = pc.and_(pc.is_valid(text), pc.invert(pc.is_in(text, pa.array(labels, pa.string()))))
    if pc.any(strange).as_py():
        index = pc.index(strange, True).as_py()
        raise BadValue(index, not_a_label(text[index].as_py(), labels))


def not_a_label(word: Any, labels: list[str]) -> str:
    """Return the sentence for a label that was not declared."""
    hint = did_you_mean(str(word), labels)
    return (
        f"{word!r} is not one of the declared labels ({listed(labels)}).{hint} "
        "Correct the file, or add the label to the task."
    )


def numbers(values: pa.Array, *, low: float | None, high: float | None) -> pa.Array:
    """Return `values` as finite floats inside a range; empty cells become null."""
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        values = _parsed(strings(values))
    floats = values.cast(pa.float64())
    limits = f"from {low} to {high}" if low is not None else "that is finite"
    wrong = pc.invert(pc.is_finite(floats))
    if low is not None and high is not None:
        wrong = pc.or_(wrong, pc.or_(pc.less(floats, low), pc.greater(floats, high)))
    if pc.any(wrong).as_py():
        index = pc.index(wrong, True).as_py()
        raise BadValue(index, f"{floats[index].as_py()!r} is not a number {limits}.")
    return floats


def _parsed(text: pa.Array) -> pa.Array:
    try:
        return text.cast(pa.float64())
    except pa.ArrowInvalid:
        for index, word in enumerate(text.to_pylist()):
            if word is not None and not _is_number(word):
                raise BadValue(index, f"expected a number, found {word!r}.") from None
        return pa.array([None if w is None else float(w) for w in text.to_pylist()], pa.float64())


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def lists(values: pa.Array, separator: str) -> pa.Array:
    """Return `values` as lists of strings: real lists, a JSON list, or names with a separator."""
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        return values.cast(pa.list_(pa.string()))
    rows = [_list(i, word, separator) for i, word in enumerate(strings(values).to_pylist())]
    return pa.array(rows, pa.list_(pa.string()))


def _list(index: int, word: str | None, separator: str) -> list[str] | None:
    if word is None:
        return None
    if word.startswith("["):
        found = parse_json(index, word)
        return [str(name) for name in found]
    return [name.strip() for name in word.split(separator) if name.strip()]


def parse_json(index: int, word: str) -> Any:
    """Return the JSON list in `word`, or raise `BadValue`."""
    try:
        found = json.loads(word)
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise BadValue(index, f"expected a JSON list, found {word[:60]!r}.")
    return found


def in_parts(labels: pa.ChunkedArray, size: int = 1 << 16) -> Iterator[list[Any]]:
    """Yield labels as Python values, part by part: never all of a large column at once."""
    for start in range(0, len(labels), size):
        yield labels.slice(start, size).to_pylist()


def class_names(labels: pa.ChunkedArray) -> list[str]:
    """Return the distinct labels of a column in order; whole numbers in the order of numbers."""
    return in_order([str(name) for name in pc.unique(labels.drop_null()).to_pylist()])


def in_order(names: list[str]) -> list[str]:
    """Return names in order; whole numbers in the order of numbers."""
    return sorted(names, key=_natural)


def _natural(name: str) -> tuple[int, float, str]:
    return (0, float(name), name) if _is_number(name) else (1, 0.0, name)


def joined(old: list[str], new: list[str], *, every: bool) -> list[str]:
    """Return the old labels, all or those still wanted, then new ones; refuse one that clashes."""
    plain = {" ".join(name.casefold().split()): name for name in old}
    for name in new:
        near = plain.get(" ".join(name.casefold().split()), name)
        if near != name and name not in old:
            raise DataError(
                f"The new label {name!r} clashes with {near!r} of the run that training starts "
                "from: they differ only in case or space. Write it the old way, or rename it."
            )
    return [name for name in old if every or name in new] + [
        name for name in new if name not in old
    ]


def labels_of(task: Any, *, at_least: int = 2) -> None:
    """Refuse a label set that is too small or names a label twice, and odd new names of labels."""
    labels = task.labels
    names: dict[str, str] = task.renamed or {}
    for old, new in names.items():
        if new in names:
            raise ValueError(
                f"renames {old!r} to {new!r} and that to {names[new]!r}. Give every old label the "
                "name that it has now."
            )
        if labels is not None and old in labels:
            raise ValueError(f"renames {old!r}, which is one of `labels` still. Take it out there.")
    if labels is None:
        return
    if strange := [new for new in names.values() if new not in labels]:
        raise ValueError(
            f"renames a label to {strange[0]!r}, which is none of `labels`."
            f"{did_you_mean(strange[0], labels)}"
        )
    if len(labels) < at_least:
        raise ValueError(f"needs {at_least} labels or more in `labels`. Got {labels!r}.")
    twice = sorted({name for name in labels if labels.count(name) > 1})
    if twice:
        raise ValueError(f"names the label {twice[0]!r} twice in `labels`.")


def balanced(labels: pa.ChunkedArray, names: list[str]) -> dict[str, float]:
    """Return the weight per label that makes every label weigh alike: n / (labels · count)."""
    found = {
        row["values"]: row["counts"] for row in pc.value_counts(labels.drop_null()).to_pylist()
    }
    total = sum(found.values())
    return {
        name: round(total / (len(found) * found[name]), 6) if name in found else 1.0
        for name in names
    }
