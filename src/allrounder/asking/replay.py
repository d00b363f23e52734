"""`ask --simulate`: what each strategy would have gained on labels that are there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from allrounder.active import STRATEGIES, Strategy
from allrounder.active.planning import TRAIN
from allrounder.active.simulation import Stage, Step
from allrounder.asking.inquiry import Inquiry, chosen_strategy, open_inquiry, start_of
from allrounder.checking import learned
from allrounder.errors import DataError, ProjectError
from allrounder.evaluation.sharing import over_seeds
from allrounder.evaluation.table import aligned
from allrounder.plan import Plan
from allrounder.records import SPLITS
from allrounder.tasks import Task

Tell = Callable[[str, float, float, str], None]

ROUNDS = 20

LEAST = 30
"""Labels of a task that judge, below which nothing can be said."""


@dataclass(frozen=True)
class Curve:
    """What came of one strategy.

    Args:
        asked: questions after each round.
        read: records read after each round, the mean over seeds.
        scores: by task, the metric after each round: [seeds, rounds].
    """

    asked: list[int]
    read: list[float]
    scores: dict[str, np.ndarray]

    @property
    def mean(self) -> np.ndarray:
        """The mean over tasks of the last round, by seed."""
        return np.mean([scores[:, -1] for scores in self.scores.values()], axis=0)

    @property
    def area(self) -> np.ndarray:
        """The mean over tasks and rounds, by seed: how good it is all the way."""
        return np.mean([scores.mean(axis=1) for scores in self.scores.values()], axis=0)


@dataclass(frozen=True)
class Replay:
    """What strategies would have gained on the labels that are there.

    Args:
        metrics: by task, what is measured.
        curves: by strategy.
        split: the records that judged.
        notes: sentences on what a reader has to know.
    """

    metrics: Mapping[str, str]
    curves: Mapping[str, Curve]
    split: str
    notes: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "metrics": dict(self.metrics),
            "split": self.split,
            "notes": list(self.notes),
            "strategies": {
                name: {
                    "asked": curve.asked,
                    "read": [round(found, 1) for found in curve.read],
                    "scores": {task: np.round(found, 6).tolist() for task, found in
                               curve.scores.items()},
                }
                for name, curve in self.curves.items()
            },
        }  # fmt: skip

    def __str__(self) -> str:
        head = ["strategy", "questions", "read", *(f"{t}: {m}" for t, m in self.metrics.items()),
                "against random", "all the way"]  # fmt: skip
        rows = [self._row(name, curve) for name, curve in self.curves.items()]
        notes = "\n".join(f"- {note}" for note in self.notes)
        return f"{aligned([head, *rows], left=1)}\n\n{notes}"

    def _row(self, name: str, curve: Curve) -> list[str]:
        last = [f"{scores[:, -1].mean():.3f}" for scores in curve.scores.values()]
        row = [name, f"{curve.asked[-1]:,}", f"{curve.read[-1]:,.0f}", *last]
        base = self.curves["random"]
        if curve is base:
            return [*row, "·", "·"]
        return [*row, _gain(curve.mean - base.mean), _gain(curve.area - base.area)]


def _gain(gains: np.ndarray) -> str:
    """Return a mean over seeds with its interval, in points."""
    points = gains * 100
    if len(points) < 2:
        return f"{points.mean():+.1f}"
    score = over_seeds(points.tolist())
    return f"{score.value:+.1f} [{score.low:+.1f}, {score.high:+.1f}]"


def simulate(
    plan: Plan,
    *,
    runs: Path,
    kinds: Sequence[str] = (),
    n: int | None = None,
    rounds: int = ROUNDS,
    seeds: int = 3,
    tell: Tell,
) -> Replay:
    """Replay the labels of training records, as if they had been asked for one by one.

    Nothing is written, and nothing is measured on test records.

    Args:
        plan: the project file.
        runs: where its runs are.
        kinds: the strategies; by default that of the `active` section. Random is always there.
        n: questions of a round; by default as many as make `rounds` of a third of all labels.
        rounds: how many.
        seeds: how often, each with other random choices.
        tell: called as it goes on.
    """
    own = chosen_strategy(plan, None)
    names = list(dict.fromkeys(["random", *(kinds or [own.kind_name()])]))
    for name in names:
        STRATEGIES.find(name, at="--simulate")
    if seeds < 1 or rounds < 1 or (n is not None and n < 1):
        raise ProjectError("`seeds`, `rounds` and `n` must be 1 or more.")
    inquiry = open_inquiry(plan, runs=runs, strategy=own, tell=tell)
    inquiry, stage, tasks = _staged(plan, inquiry)
    total = sum(int((inquiry.pool.splits[inquiry.known.places(t)] == TRAIN).sum()) for t in tasks)
    n = n or max(len(tasks), total // (3 * rounds))
    curves, done = {}, 0
    for name in names:
        steps = []
        for seed in range(seeds):
            strategy = replace(chosen_strategy(plan, name), seed=seed, random_share=0.0)
            steps.append(list(stage.replayed(strategy, _start(strategy), rounds=rounds, n=n)))
            done += 1
            tell("replay", done, len(names) * seeds, name)
        curves[name] = _curve(steps, list(tasks))
    metrics = {name: task.decides for name, task in tasks.items()}
    notes = _notes(inquiry, stage, n, rounds, seeds)
    return Replay(metrics=metrics, curves=curves, split="validation", notes=notes)


def _start(strategy: Strategy) -> Strategy:
    """Return what begins; chance begins by chance."""
    return strategy if strategy.kind_name() == "random" else start_of(strategy)


def _staged(plan: Plan, inquiry: Inquiry) -> tuple[Inquiry, Stage, dict[str, Task]]:
    """Return the tasks that can be replayed, and the pool that has only these."""
    judge, judged = learned(plan, inquiry.records), {}
    split = SPLITS.index("validation")
    for name, task in inquiry.pool.tasks.items():
        places = inquiry.known.places(name)
        places = places[inquiry.pool.splits[places] == split]
        if task.reads == "record" and len(places) >= LEAST:
            judged[name] = places
    if not judged:
        raise DataError(
            f"There is nothing to replay: no task that reads whole records has {LEAST} labels in "
            "validation. Label some records first, or give a labelled source `split: validation`."
        )
    tasks = {name: inquiry.pool.tasks[name] for name in judged}
    pool = replace(inquiry.pool, tasks=tasks)

    def score(name: str, truths: list[Any], answers: list[Any]) -> float:
        task = judge[name]
        metric = task.metrics()[task.decides]
        found = metric.score(task.array(truths), task.array(answers))
        return found if metric.higher_is_better else -found

    return replace(inquiry, pool=pool), Stage(pool, inquiry.known, score, judged), tasks


def _curve(steps: Sequence[Sequence[Step]], tasks: Sequence[str]) -> Curve:
    rounds = min(len(each) for each in steps)
    return Curve(
        asked=[step.asked for step in steps[0][:rounds]],
        read=[float(np.mean([each[at].read for each in steps])) for at in range(rounds)],
        scores={
            name: np.array([[step.scores[name] for step in each[:rounds]] for each in steps])
            for name in tasks
        },
    )


def _notes(inquiry: Inquiry, stage: Stage, n: int, rounds: int, seeds: int) -> list[str]:
    labels = ", ".join(f"{len(places):,} of {name}" for name, places in stage.judged.items())
    seeded = f"{seeds} seeds, intervals of 95 % over them" if seeds > 1 else "one seed"
    return [
        f"{rounds} rounds of {n} questions about {len(inquiry.pool):,} records, {seeded}; points.",
        f"Heads on {inquiry.origin}, judged by validation labels: {labels}. "
        "Test was not looked at.",
        "`all the way` is the mean over rounds: what you have whenever you stop.",
    ]
