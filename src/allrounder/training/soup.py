"""A greedy soup: the mean weights of those snapshots that validation is none the worse for."""

from collections.abc import Mapping

from torch import Tensor

from allrounder.evaluation.assess import quick_scores
from allrounder.model import Model, Prepared
from allrounder.training.job import Job, fill
from allrounder.training.keeping import Keeper

INGREDIENTS = 5
"""The most snapshots that go into a soup."""


def cook(job: Job, model: Model, prepared: Prepared, keeper: Keeper) -> str:
    """Make a soup of the best snapshots and leave it to the keeper; return a sentence on it.

    Wortsman et al. 2022, recipe 1: the snapshots are tried from the best to the worst, and each one
    stays if the mean of those that stayed, with it, scores no worse on validation. There they are
    models of several trainings; here they are moments of one. The score is the keeper's
    shortfall, so the soup costs the tasks no more than the best single snapshot.
    """
    if not keeper.best:
        return "Soup: no task has validation labels to choose by; the last snapshot ships."
    first, *others = keeper.ranked[: keeper.most]
    chosen, total, scores = [first], keeper.weights(first), keeper.scores[first]
    for done, step in enumerate(others, 1):
        more = _sum(total, keeper.weights(step))
        fill(model, _mean(more, len(chosen) + 1))
        found = _scores(job, model, prepared)
        if keeper.shortfall(found) <= keeper.shortfall(scores):
            chosen, total, scores = [*chosen, step], more, found
        job.tell("soup", done, len(others), f"{len(chosen)} snapshots")
    if len(chosen) > 1:
        keeper.keep_soup(scores, _mean(total, len(chosen)))
    return _said(keeper, chosen, len(others), scores)


def _scores(job: Job, model: Model, prepared: Prepared) -> dict[str, float]:
    """Return the deciding metric of each task on validation records."""
    found = quick_scores(model, prepared, job.records, job.rows("validation"))
    return {name: metrics[job.tasks[name].decides] for name, metrics in found.items()}


def _sum(ones: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: one + others[name] for name, one in ones.items()}


def _mean(total: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
    return {name: one / count for name, one in total.items()}


def _said(keeper: Keeper, chosen: list[int], tried: int, scores: Mapping[str, float]) -> str:
    if not tried:
        return f"Soup: step {chosen[0]:,} ships alone, as there is no other snapshot."
    if len(chosen) == 1:
        return (
            f"Soup: step {chosen[0]:,} ships alone, as none of the other {tried} snapshots tried "
            "could be averaged in without loss on validation."
        )
    *most, last = [f"{step:,}" for step in sorted(chosen)]
    before, after = keeper.shortfall(keeper.scores[chosen[0]]), keeper.shortfall(scores)
    return (
        f"Soup: the mean of the weights after steps {', '.join(most)} and {last} ships, of "
        f"{tried + 1} snapshots tried. Their mean shortfall from each task's best step on "
        f"validation is {after:.4f}, that of step {chosen[0]:,} alone {before:.4f}."
    )
