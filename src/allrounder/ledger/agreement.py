"""How far people agree: kappa of two, Krippendorff's alpha of any number, one with oneself.

Cohen's kappa of two persons is (p − e) / (1 − e): p is the share of records on which they say the
same, e the share expected if each drew labels by chance in the own proportions (Cohen, 1960).

Krippendorff's alpha is 1 − D / E. Over the n values of all records with two values or more, D is
the mean distance of two values of a record, a record with m values weighing m; E is the mean
distance of any two values (Krippendorff, 2011, "Computing Krippendorff's Alpha-Reliability"). The
distance δ of two values follows from what they are:

* `nominal`, names: 0 where they are the same, else 1;
* `interval`, numbers: (a − b)²;
* `sets` of names: MASI, 1 − J · M, with J = |a ∩ b| / |a ∪ b| and M = 1 of equal sets, 2/3 where
  one holds the other, 1/3 where they overlap, else 0 (Passonneau, 2006, "Measuring Agreement on
  Set-valued Items"); two empty sets are equal;
* `spans`: Jaccard over labelled characters, 1 − |a ∩ b| / |a ∪ b|, so a span that is a character
  too long costs little.

Both are None where they are not defined: nothing to compare, or all values the same.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np

from allrounder.ledger.events import Answer
from allrounder.ledger.standing import canonical, labels_of, standings

Measure = Literal["nominal", "interval", "sets", "spans"]

COMPARED = 500
"""Values of which any two are compared for the chance agreement of sets and spans; of more, as
many are taken, evenly spread."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far people agree on one task.

    Args:
        measure: what kind of labels these are.
        num_records: how many records two persons or more labelled.
        same: the share of pairs of answers to one record that are the same.
        alpha: Krippendorff's alpha.
        pairs: two persons → the records that both labelled, and Cohen's kappa on them, where two
            sets or spans are the same only if all of them is.
    """

    measure: Measure
    num_records: int
    same: float | None
    alpha: float | None
    pairs: dict[tuple[str, str], tuple[int, float | None]]


def agreement(events: Iterable[Answer], task: str) -> Agreement:
    """Return how far people agree on a task, by what each of them says now."""
    found = standings(one for one in events if one.task == task)
    units = [
        {one.who: one.value for one in standing.answers if one.act == "label"}
        for standing in found.values()
    ]
    units = [unit for unit in units if len(unit) > 1]
    values = [list(unit.values()) for unit in units]
    return Agreement(
        measure=(measure := measure_of(value for unit in values for value in unit)),
        num_records=len(units),
        same=same(values),
        alpha=alpha(values, measure),
        pairs=_pairs(units),
    )


def self_agreement(events: Iterable[Answer], task: str) -> dict[str, Agreement]:
    """Return how far each person agrees with him- or herself on records that were asked again.

    A record was asked again where answers to different questions stand; a label that was changed
    while the same question stood is a correction. Of each question the latest label counts.
    """
    said: dict[tuple[str, str], dict[int | None, Any]] = defaultdict(dict)
    for one in labels_of(one for one in events if one.task == task):
        said[one.who, one.key][one.question] = one.value
    by_person: dict[str, list[list[Any]]] = defaultdict(list)
    for (who, _), by_question in said.items():
        if len(by_question) > 1:
            by_person[who].append(list(by_question.values()))
    return {who: _of_one(values) for who, values in by_person.items()}


def _of_one(values: Sequence[Sequence[Any]]) -> Agreement:
    measure = measure_of(value for unit in values for value in unit)
    return Agreement(
        measure=measure,
        num_records=len(values),
        same=same(values),
        alpha=alpha(values, measure),
        pairs={},
    )


def measure_of(values: Iterable[Any]) -> Measure:
    """Return what kind of labels these are; what is mixed is compared as names."""
    kinds = {_kind(value) for value in values}
    kinds.discard(None)
    if len(kinds) == 1:
        return kinds.pop()  # type: ignore[return-value]
    return "nominal" if kinds else "sets"


def _kind(value: Any) -> Measure | None:
    """Return what kind of label a value is; None for an empty list, which fits two kinds."""
    if isinstance(value, list | tuple):
        if not value:
            return None
        if all(isinstance(one, Mapping) and {"start", "end"} <= one.keys() for one in value):
            return "spans"
        return "sets" if all(isinstance(one, str) for one in value) else "nominal"
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "interval" if is_number else "nominal"


def same(units: Iterable[Sequence[Any]]) -> float | None:
    """Return the share of pairs of values of one record that are the same."""
    hits = pairs = 0
    for values in units:
        counts = Counter(map(canonical, values))
        pairs += len(values) * (len(values) - 1) // 2
        hits += sum(n * (n - 1) // 2 for n in counts.values())
    return hits / pairs if pairs else None


def kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Return Cohen's kappa of two persons on the same records, in the same order."""
    if not first:
        return None
    names = {name: place for place, name in enumerate(dict.fromkeys([*first, *second]))}
    a, b = (np.array([names[name] for name in said]) for said in (first, second))
    shares = (np.bincount(said, minlength=len(names)) / len(said) for said in (a, b))
    agree, chance = float(np.mean(a == b)), float(np.dot(*shares))
    return None if np.isclose(chance, 1) else (agree - chance) / (1 - chance)


def alpha(units: Iterable[Sequence[Any]], measure: Measure = "nominal") -> float | None:
    """Return Krippendorff's alpha; a record has as many values as persons labelled it."""
    known = [list(values) for values in units if len(values) > 1]
    if not known:
        return None
    found, expected = _DISAGREEMENTS[measure](known)
    return None if np.isclose(expected, 0) else 1 - found / expected


def _nominal(units: Sequence[Sequence[Any]]) -> tuple[float, float]:
    """Return D and E of names: m² − Σ n² ordered pairs of a record with m values differ."""
    total: Counter[str] = Counter()
    found = 0.0
    for values in units:
        counts = Counter(map(canonical, values))
        total += counts
        m = len(values)
        found += (m * m - sum(n * n for n in counts.values())) / (m - 1)
    n = total.total()
    return found / n, (n * n - sum(c * c for c in total.values())) / (n * (n - 1))


def _interval(units: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return D and E of numbers: Σ (a − b)² over ordered pairs is 2 (m Σ a² − (Σ a)²)."""
    flat = np.array([value for values in units for value in values], np.float64)
    flat -= flat.mean()  # the same distances, without the loss of digits of large numbers
    ends = np.cumsum([len(values) for values in units])
    starts = np.concatenate([[0], ends[:-1]])
    m, n = ends - starts, len(flat)
    sums, squares = np.add.reduceat(flat, starts), np.add.reduceat(flat**2, starts)
    found = np.sum(2 * (m * squares - sums**2) / (m - 1)) / n
    return float(found), float(2 * (n * np.sum(flat**2) - flat.sum() ** 2) / (n * (n - 1)))


def _by_distance(
    distance: Callable[[Any, Any], float], read: Callable[[Any], Any]
) -> Callable[[Sequence[Sequence[Any]]], tuple[float, float]]:
    """Return what gives D and E by comparing values pair by pair."""

    def disagreements(units: Sequence[Sequence[Any]]) -> tuple[float, float]:
        each = [[read(value) for value in values] for values in units]
        flat = [value for values in each for value in values]
        found = sum(
            2 * sum(distance(a, b) for a, b in combinations(values, 2)) / (len(values) - 1)
            for values in each
        )
        places = np.linspace(0, len(flat) - 1, min(len(flat), COMPARED)).astype(int)
        counts = Counter(flat[place] for place in places.tolist())
        n = len(places)
        expected = sum(
            2 * distance(a, b) * counts[a] * counts[b] for a, b in combinations(counts, 2)
        )
        return found / len(flat), expected / (n * (n - 1))

    return disagreements


def masi(a: frozenset[Any], b: frozenset[Any]) -> float:
    """Return the distance of two sets that Passonneau (2006) calls MASI."""
    if a == b:
        return 0.0
    shared = len(a & b)
    weight = 0.0 if not shared else 2 / 3 if a <= b or b <= a else 1 / 3
    return 1 - shared / len(a | b) * weight


def overlap(a: frozenset[Any], b: frozenset[Any]) -> float:
    """Return the Jaccard distance over characters of two sets of spans (start, end, label)."""
    if a == b:
        return 0.0
    shared = sum(
        max(0, min(end, other_end) - max(start, other_start))
        for start, end, label in a
        for other_start, other_end, other in b
        if label == other
    )
    return 1 - shared / (_length(a) + _length(b) - shared)


def _length(spans: frozenset[Any]) -> int:
    return sum(end - start for start, end, _ in spans)


def _spans(value: Sequence[Mapping[str, Any]]) -> frozenset[Any]:
    return frozenset((one["start"], one["end"], str(one.get("label"))) for one in value)


_DISAGREEMENTS: dict[str, Callable[[Sequence[Sequence[Any]]], tuple[float, float]]] = {
    "nominal": _nominal,
    "interval": _interval,
    "sets": _by_distance(masi, frozenset),
    "spans": _by_distance(overlap, _spans),
}


def _pairs(
    units: Sequence[Mapping[str, Any]],
) -> dict[tuple[str, str], tuple[int, float | None]]:
    shared: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for unit in units:
        for a, b in combinations(sorted(unit), 2):
            shared[a, b].append((canonical(unit[a]), canonical(unit[b])))
    return {pair: (len(said), kappa(*zip(*said, strict=True))) for pair, said in shared.items()}
