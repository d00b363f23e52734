"""What measurements and counts suggest, in words, each with its evidence. No torch here."""

from collections.abc import Iterator, Mapping, Sequence

from allrounder.errors import listed
from allrounder.evaluation.advice import Hint, Square, verdict
from allrounder.evaluation.score import Score
from allrounder.evaluation.sharing import spread

UNEQUAL = 10
"""Times as many records in the largest group as in the smallest, beyond which to smooth."""
ALIKE = 1.1
"""Sizes that differ by less are taken for the same."""
MOST = 8
"""Tasks up to which every partition is looked at: there are 4,140 of 8."""


def hints(
    affinities: Square,
    groups: Sequence[Sequence[str]],
    counts: Mapping[str, int],
    sizes: Sequence[int],
) -> list[Hint]:
    """Return the advice in words.

    Args:
        affinities: percent of the column's loss that a step of the row's task takes away; empty
            where no weight is shared.
        groups: the groups that they suggest.
        counts: training labels by task.
        sizes: training records by group of one source and the same tasks.
    """
    if not affinities:
        return [
            Hint(
                about="groups",
                sentence="No weight below the heads learns, so the tasks cannot help or hurt one "
                "another: only `inputs.*.tune` changes that.",
            )
        ]
    return [_grouping(affinities, groups), *_orders(counts), _sampling(sizes)]


# ------------------------------------------------------------------ groups


def best_groups(affinities: Square) -> list[list[str]]:
    """Return the partition of tasks whose affinities within groups have the greatest sum.

    Affinities within noise count as 0, and of equal partitions the one with fewer groups is
    taken: tasks are parted only on evidence. Fifty et al. 2021 (section 4.2) take the mean
    instead of the sum, which would part tasks that do nothing to one another.
    """
    names = list(affinities)
    if not names:
        return []
    if len(names) <= MOST:
        return max(
            _partitions(names), key=lambda groups: (_worth(groups, affinities), -len(groups))
        )
    groups = [names]
    while True:
        apart = [[[n for n in groups[0] if n != name], *groups[1:], [name]] for name in groups[0]]
        best = max(apart, key=lambda found: _worth(found, affinities))
        if len(groups[0]) == 1 or _worth(best, affinities) <= _worth(groups, affinities):
            return groups
        groups = best


def _partitions(names: Sequence[str]) -> Iterator[list[list[str]]]:
    """Yield every way to part the names into groups."""
    if not names:
        yield []
        return
    first, rest = names[0], names[1:]
    for groups in _partitions(rest):
        yield [[first], *groups]
        for at, group in enumerate(groups):
            yield [[first, *group], *groups[:at], *groups[at + 1 :]]


def _worth(groups: Sequence[Sequence[str]], affinities: Square) -> float:
    together = {(a, b) for group in groups for a in group for b in group}
    return sum(score.value for a, b, score in _sure(affinities) if (a, b) in together)


Pair = tuple[str, str, Score]
"""Whose step, whose loss, and how much of it is taken away."""


def _pairs(affinities: Square) -> list[Pair]:
    return [(a, b, score) for a, row in affinities.items() for b, score in row.items() if a != b]


def _sure(affinities: Square) -> list[Pair]:
    """Return what is beyond noise; steps that do not even help their own task tell nothing."""
    return [
        (a, b, score)
        for a, b, score in _pairs(affinities)
        if affinities[a][a].low > 0 and verdict(score) != "no evidence"
    ]


def _grouping(affinities: Square, groups: Sequence[Sequence[str]]) -> Hint:
    sure = _sure(affinities)
    helps, hurts = ([_shown(pair) for pair in sure if verdict(pair[2]) == which]
                    for which in ("helped", "hurt"))  # fmt: skip
    if len(groups) > 1:
        parts = " | ".join(", ".join(group) for group in groups)
        return Hint(
            about="groups",
            sentence=f"Part the tasks into {parts}, or let twins decide: steps of some raise the "
            f"loss of others ({'; '.join(hurts)} of the loss taken away).",
            yaml="training: {twins: true}",
        )
    if not sure:
        return Hint(
            about="groups",
            sentence="No evidence for splitting: train together, and let twins show what a short "
            f"probe cannot. {_noise(affinities)}",
            yaml="training: {twins: true}",
        )
    against = f"; against it {'; '.join(hurts)}" if hurts else ""
    return Hint(
        about="groups",
        sentence="Train all tasks together: steps of some take away loss of others "
        f"({'; '.join(helps)}{against}); twins show whether the whole training does.",
        yaml="training: {twins: true}",
    )


def _shown(pair: Pair) -> str:
    a, b, score = pair
    return f"{a} → {b} {spread(score)} %"


def _noise(affinities: Square) -> str:
    """Say what was seen of those steps that tell something, and which do not."""
    blind = [name for name, row in affinities.items() if row[name].low <= 0]
    said = [
        f"Steps of {listed(blind)} do not even help their own task beyond noise on other records: "
        "the probe was too short to tell what they do to others."
    ] if blind else []  # fmt: skip
    telling = [pair for pair in _pairs(affinities) if pair[0] not in blind]
    if telling:
        largest = max(telling, key=lambda pair: abs(pair[2].value))
        said.insert(0, "What a step of one task does to another is within noise (at most "
                    f"{_shown(largest)} of its loss taken away).")  # fmt: skip
    return " ".join(said)


# ------------------------------------------------------------------ order and sampling


def _orders(counts: Mapping[str, int]) -> Iterator[Hint]:
    """Yield the size rule for each task.

    Joint training beats training on the support first where the target is smaller than its
    support (Weller, Seppi and Gardner 2022, "When to use multi-task learning vs intermediate
    fine-tuning"); it did so in over 92 % of their pairs of tasks.
    """
    for name, count in counts.items():
        others = {other: n for other, n in counts.items() if other != name}
        support = max(others, key=lambda other: others[other])
        sizes = f"{name} has {count:,} training labels, {support} {others[support]:,}"
        if count * ALIKE < others[support]:
            said, yaml = "smaller than its support, so train it jointly", None
        elif count > ALIKE * others[support]:
            said = "larger than any other, so where it matters most train the others first"
            yaml = f"training: {{first: [{', '.join(others)}]}}"
        else:
            said, yaml = "about as many, so the size rule says nothing", None
        yield Hint(about="order", sentence=f"{sizes}: {said} (Weller et al. 2022).", yaml=yaml)


def _sampling(sizes: Sequence[int]) -> Hint:
    """Return the sampling that the sizes of groups suggest.

    MaChAmp's own results on 207 treebanks of UD 2.8, from 1,000 to over 1,000,000 tokens: 63.71
    LAS concatenated, 66.66 smoothed with α = 0.5.
    """
    low, high = min(sizes), max(sizes)
    counted = f"The largest group of records has {high:,}, the smallest {low:,}"
    if high > UNEQUAL * low:
        return Hint(
            about="sampling",
            sentence=f"{counted}, more than {UNEQUAL} to 1: smooth the sampling (on 207 treebanks "
            "of unequal size that took MaChAmp from 63.7 to 66.7 LAS).",
            yaml="training: {sampling: {kind: smoothed, alpha: 0.5}}",
        )
    return Hint(
        about="sampling",
        sentence=f"{counted}, no more than {UNEQUAL} to 1: draw records as they are.",
        yaml="training: {sampling: proportional}",
    )
