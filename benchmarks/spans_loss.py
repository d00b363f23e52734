"""What the loss of a spans record should be worth beside the losses of other tasks.

A task alone does not mind the scale of its loss; tasks in one model do. The loss of a record of T
tokens as the mean over its tokens, three and five times that, √T times that, and as the sum over
its tokens, the negative log-likelihood of the record. Each is a kind of its own, named in the
project file as `spans_loss:Mean`. Three settings: NLU++ (many intents and slots on one record),
SNIPS and ATIS (one intent and slots on one record), and film ratings with SNIPS slots (on
different records). Twins: the same budget for one task alone.
Judged on validation records; no test record is read. Default size: two seeds, about 25 minutes on
2 cores; --full: five seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from common import MINILM, arguments, data, keep, mean_interval, remembered, scratch, trained
from joint_intent_slots import read
from readers import held_out, nlupp, rated
from sharing import some, write

from allrounder.tasks import Spans

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(kw_only=True)
class Mean(Spans):
    """The mean over the T tokens of a record: `factor` · T^`power` times the loss as it is."""

    factor: ClassVar[float] = 1.0
    power: ClassVar[float] = -0.5

    def loss(self, scores: "Tensor", targets: "Tensor") -> "Tensor":
        """Return the loss of each record."""
        known = (targets != -100).sum(-1).clamp(min=1)
        return super().loss(scores, targets) * self.factor * known**self.power


@dataclass(kw_only=True)
class Threefold(Mean):
    """Three times the mean."""

    factor = 3.0


@dataclass(kw_only=True)
class Fivefold(Mean):
    """Five times the mean."""

    factor = 5.0


@dataclass(kw_only=True)
class Root(Mean):
    """√T times the mean: the loss as it is."""

    power = 0.0


@dataclass(kw_only=True)
class Sum(Mean):
    """The sum."""

    power = 0.5


SCALES = (Mean, Threefold, Fivefold, Root, Sum)


def service(folder: Path) -> dict[str, Any]:
    """NLU++: folds 0 to 11 train, 12 and 13 choose, 14 to 16 are judged."""
    sources, tasks = [], {}
    for name in ("banking", "hotels"):
        folds = {"train": range(12), "validation": range(12, 14), "test": range(14, 17)}
        rows = {split: nlupp(name, chosen) for split, chosen in folds.items()}
        sources += write(folder, name, _named(rows, name, 1000))
        tasks |= {f"{name}_intents": {"kind": "multilabel"}, f"{name}_slots": {"kind": "spans"}}
    return {"sources": sources, "tasks": tasks, "epochs": 6}


def flights(folder: Path) -> dict[str, Any]:
    """SNIPS and ATIS: 500 sentences each to train, others of the training split to choose."""
    sources, tasks = [], {}
    for name in ("snips", "atis"):
        sources += write(folder, name, _named(_sentences(name), name, 500))
        tasks |= {f"{name}_intents": {"kind": "multiclass"}, f"{name}_slots": {"kind": "spans"}}
    return {"sources": sources, "tasks": tasks, "epochs": 5}


def apart(folder: Path) -> dict[str, Any]:
    """Film ratings on 1,000 sentences, SNIPS slots on 500 others."""
    films = [row for row in rated() if row["domain"] == "film"]
    pool, _ = held_out(films, "document", 0.3, seed=0)  # the rest is the test of other benchmarks
    train, rest = held_out(pool, "document", 0.2, seed=1)
    choose, judged = held_out(rest, "document", 0.5, seed=2)
    parts = {"train": some(train, 1000), "validation": choose, "test": judged}
    films = {
        split: [{"text": row["text"], "rating": row["rating"]} for row in rows]
        for split, rows in parts.items()
    }
    slots = _named(_sentences("snips"), "snips", 500)
    for rows in slots.values():
        for row in rows:
            del row["snips_intents"]
    return {
        "sources": write(folder, "film", films) + write(folder, "snips", slots),
        "tasks": {"rating": {"kind": "regression", "range": [-4, 4]},
                  "snips_slots": {"kind": "spans"}},
        "epochs": 5,
    }  # fmt: skip


def _sentences(name: str) -> dict[str, Any]:
    """Return 500 training sentences, 300 more to choose by, and the validation split."""
    rows = read(data(name) / "train")
    drawn = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))[:800]]
    return {"train": drawn[:500], "validation": drawn[500:], "test": read(data(name) / "dev")}


def _named(parts: dict[str, Any], name: str, n: int) -> dict[str, Any]:
    """Return rows whose labels bear the name of their data; none judged stands in training."""
    parts = {**parts, "train": some(parts["train"], n)}
    seen = {row["text"].lower() for row in parts["train"]}
    return {
        split: [
            {"text": row["text"], f"{name}_intents": row.get("intents", row.get("intent")),
             f"{name}_slots": row["slots"]}
            for row in rows if split == "train" or row["text"].lower() not in seen
        ]
        for split, rows in parts.items()
    }  # fmt: skip


CASES = {"NLU++": service, "SNIPS and ATIS": flights, "film and SNIPS": apart}


def scores(case: Any, scale: type[Spans] | None, seeds: Sequence[int]) -> dict[str, list[float]]:
    """Return the scores of every task in hundredths, by seed; without a scale those of twins."""
    folder = scratch()
    made = case(folder)
    found: dict[str, list[float]] = {}
    groups = [[name] for name in made["tasks"]] if scale is None else [list(made["tasks"])]
    for seed in seeds:
        for group in groups:
            _, report = trained(_project(made, group, scale or Mean, seed), folder)
            for name, task in report.tasks.items():
                found.setdefault(name, []).append(100 * task.deciding.after.value)
    return found


def _project(made: Any, names: Sequence[str], scale: type[Spans], seed: int) -> dict[str, Any]:
    kinds = {name: dict(made["tasks"][name]) for name in names}
    for task in kinds.values():
        if task["kind"] == "spans":
            task["kind"] = f"spans_loss:{scale.__name__}"
    return {
        "sources": [s for s in made["sources"] if _has(s["path"], names)],
        "inputs": {"text": {"kind": "text", "model": MINILM, "max_tokens": 64}},
        "tasks": kinds,
        "training": {"epochs": made["epochs"], "lr": 2e-4, "probe": False, "seed": seed},
    }


def _has(path: str, names: Sequence[str]) -> bool:
    """Return whether a source carries labels of one of the tasks."""
    source = path.split("-")[0]
    return any(name.startswith(source) or (name, source) == ("rating", "film") for name in names)


def main() -> None:
    """Measure every scale in every setting and print the table."""
    seeds = range(5 if arguments(__doc__).full else 2)
    names = ["twin", *(scale.__name__ for scale in SCALES)]
    table = [["setting: task", *names]]
    for name, case in CASES.items():
        found = [
            remembered("spans_loss", f"{name} {column} {len(seeds)}",
                       lambda c=case, s=scale: scores(c, s, seeds))
            for column, scale in zip(names, [None, *SCALES], strict=True)
        ]  # fmt: skip
        for task in found[0]:
            table.append([f"{name}: {task}", *(f"{np.mean(f[task]):.1f}" for f in found)])
        table.append([f"{name}: mean", *(_mean(one) for one in found)])
    keep("spans_loss", "The scale of the loss of spans", table, [
        "Deciding metric (micro F1, accuracy, span F1, R²) in hundredths, the mean of "
        f"{len(seeds)} seeds; the mean of all tasks with 95 % intervals over seeds.",
        "Judged on validation records, those that other benchmarks choose snapshots by.",
    ])  # fmt: skip


def _mean(found: dict[str, list[float]]) -> str:
    return mean_interval(np.mean(list(found.values()), axis=0).tolist())


if __name__ == "__main__":
    main()
