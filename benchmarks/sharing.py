"""What one model for several tasks does to each of them, before and after the fall-back.

Three settings, MiniLM (22M) fully tuned: rated sentences of four sources (rating, polarity,
domain), SNIPS and ATIS together (two intents, two slot tasks), NLU++ banking and hotels together
(two multilabel intents, two slot tasks). In each, a shared model and a single-task twin of every
task are trained with the same seeds and budget (`training: {twins: {seeds: 3}}`); a task that the
shared model hurts on validation records falls back to its own snapshot or to its twin, and the
records judged are test records that nothing was chosen on. Then sampling: four rating tasks whose
sources differ in size up to fortyfold, drawn proportionally, smoothed and uniformly.
Default size: cut training sets, 3 seeds, about 25 minutes on 2 cores; --full: whole sets, 5 seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from common import (
    MINILM,
    arguments,
    data,
    keep,
    mean_interval,
    remembered,
    scratch,
    trained,
    write_jsonl,
)
from joint_intent_slots import SPLITS, read
from pydantic import TypeAdapter
from readers import held_out, nlupp, rated

from allrounder.evaluation.sharing import Sharing, over_seeds, spread

SIZES = {"film": 1000, "editorial": 400, "product": 200, "tweet": 100}
"""Training sentences of each domain at the default size."""
SKEWED = {"film": 1600, "editorial": 160, "product": 80, "tweet": 40}
"""The same where sampling is at stake: forty to one."""
JUDGED = 500
"""Sentences of each domain that are held out, half for validation and half for the test."""
CUT = 1000
"""Training sentences of SNIPS and of ATIS, and utterances of each domain of NLU++."""


def some(rows: Sequence[dict[str, Any]], n: int | None, seed: int = 0) -> list[dict[str, Any]]:
    """Return `n` of the rows, drawn at random, in their order."""
    chosen = np.random.default_rng(seed).permutation(len(rows))[:n]
    return [rows[i] for i in sorted(chosen)]


def write(folder: Path, name: str, parts: Mapping[str, Sequence[dict[str, Any]]]) -> list[Any]:
    """Write the splits of one source; return them as a project file names them."""
    for split, rows in parts.items():
        write_jsonl(folder / f"{name}-{split}.jsonl", rows)
    return [{"path": f"{name}-{split}.jsonl", "split": split} for split in parts]


def domain(name: str, n: int | None) -> dict[str, list[dict[str, Any]]]:
    """Return sentences of one domain; those of one document stay in one split."""
    rows = [row for row in rated() if row["domain"] == name]
    train, rest = held_out(rows, "document", JUDGED / len(rows), seed=0)
    validation, test = held_out(rest, "document", 0.5, seed=1)
    return {"train": some(train, n), "validation": validation, "test": test}


def sentences(folder: Path, full: bool) -> dict[str, Any]:
    """Rated sentences: three tasks on the records of four sources."""
    sources = []
    for name, n in SIZES.items():
        parts = {
            split: [{k: row[k] for k in ("text", "rating", "polarity", "domain")} for row in rows]
            for split, rows in domain(name, None if full else n).items()
        }
        sources += write(folder, name, parts)
    return {
        "sources": sources,
        "tasks": {"rating": {"kind": "regression", "range": [-4, 4]},
                  "polarity": {"kind": "multiclass"}, "domain": {"kind": "multiclass"}},
        "training": {"epochs": 3},
    }  # fmt: skip


def flights(folder: Path, full: bool) -> dict[str, Any]:
    """SNIPS and ATIS in one model: each has an intent and slots of its own."""
    sources, tasks = [], {}
    for name in ("snips", "atis"):
        parts = {new: read(data(name) / old) for old, new in SPLITS.items()}
        parts["train"] = some(parts["train"], None if full else CUT)
        parts = {
            split: [{"text": row["text"], f"{name}_intent": row["intent"],
                     f"{name}_slots": row["slots"]} for row in rows]
            for split, rows in parts.items()
        }  # fmt: skip
        sources += write(folder, name, parts)
        tasks |= {f"{name}_intent": {"kind": "multiclass"}, f"{name}_slots": {"kind": "spans"}}
    return {"sources": sources, "tasks": tasks, "training": {"epochs": 4}}


def service(folder: Path, full: bool) -> dict[str, Any]:
    """NLU++ banking and hotels in one model: each has intents and slots of its own."""
    sources, tasks = [], {}
    for name in ("banking", "hotels"):
        parts = {"train": nlupp(name, range(14)), "validation": nlupp(name, range(14, 17)),
                 "test": nlupp(name, range(17, 20))}  # fmt: skip
        seen = {row["text"].lower() for row in parts["train"]}
        parts = {
            split: [{"text": row["text"], f"{name}_intents": row["intents"],
                     f"{name}_slots": row["slots"]} for row in rows
                    if split == "train" or row["text"].lower() not in seen]
            for split, rows in parts.items()
        }  # fmt: skip
        parts["train"] = some(parts["train"], None if full else CUT)
        sources += write(folder, name, parts)
        tasks |= {f"{name}_intents": {"kind": "multilabel"}, f"{name}_slots": {"kind": "spans"}}
    return {"sources": sources, "tasks": tasks, "training": {"epochs": 6}}


CASES = {"rated sentences": sentences, "SNIPS and ATIS": flights, "NLU++": service}


def project(found: dict[str, Any], **training: Any) -> dict[str, Any]:
    """Return a whole project file from sources, tasks and what is special of its training."""
    common = {"lr": 2e-4, "probe": False}
    return {
        **found,
        "inputs": {"text": {"kind": "text", "model": MINILM, "max_tokens": 64}},
        "training": {**common, **found["training"], **training},
    }


def judged(case: Any, full: bool, seeds: int) -> dict[str, Any]:
    """Train shared model and twins of one setting; return what sharing did, as plain data."""
    folder = scratch()
    _, report = trained(project(case(folder, full), twins={"seeds": seeds}), folder)
    return asdict(report.sharing)


def rows_of(name: str, sharing: Sharing) -> list[list[str]]:
    """Return a line for each task, in hundredths, and one for all of them."""
    lines = [
        [f"{name}: {task}", found.metric, mean_interval([100 * v for v in found.twin]),
         mean_interval([100 * v for v in found.joint]), hundredfold(found.difference),
         found.origin, hundredfold(found.after)]
        for task, found in sharing.tasks.items()
    ]  # fmt: skip
    return [*lines, [f"{name}: all, Δm", "%", "", "", spread(sharing.delta), "",
                     spread(sharing.delta_after)]]  # fmt: skip


def hundredfold(score: Any) -> str:
    """Return a difference in hundredths, with its interval."""
    values = (score.value, score.low, score.high)
    return "{:+.2f} [{:+.2f}, {:+.2f}]".format(*(100 * value for value in values))


def cost_rows(name: str, sharing: Sharing) -> list[list[str]]:
    """Return what one model costs beside its twins."""
    return [
        [f"{name}: {who}", f"{c.seconds:,.0f} s", f"{c.megabytes:,.0f} MB",
         f"{c.milliseconds:.2f} ms"]
        for who, c in sharing.costs.items()
    ]  # fmt: skip


def skewed(folder: Path) -> dict[str, Any]:
    """Ratings of four domains as four tasks: 1,600 sentences down to 40."""
    sources, tasks = [], {}
    for name, n in SKEWED.items():
        parts = {
            split: [{"text": row["text"], name: row["rating"]} for row in rows]
            for split, rows in domain(name, n).items()
        }
        sources += write(folder, name, parts)
        tasks[name] = {"kind": "regression", "range": [-4, 4]}
    return {"sources": sources, "tasks": tasks, "training": {"epochs": 3}}


def sampling(seeds: Sequence[int]) -> list[list[str]]:
    """Return R² of each rating task under each sampling."""
    folder = scratch()
    found = skewed(folder)
    kinds = {"proportional": "proportional", "smoothed, α 0.5": "smoothed", "uniform": "uniform"}
    scores: dict[str, list[list[float]]] = {}
    for name, kind in kinds.items():
        for seed in seeds:
            _, report = trained(project(found, sampling=kind, seed=seed), folder)
            values = [100 * task.deciding.after.value for task in report.tasks.values()]
            scores.setdefault(name, []).append([*values, float(np.mean(values))])
    lines = [
        [name, *map(mean_interval, zip(*values, strict=True))] for name, values in scores.items()
    ]
    base = np.array(scores["proportional"])
    for name in list(kinds)[1:]:
        gains = (np.array(scores[name]) - base).T / 100
        cells = [hundredfold(over_seeds(gain.tolist())) for gain in gains]
        lines.append([f"{name} − proportional", *cells])
    return [["sampling", *(f"{name}, {n:,}" for name, n in SKEWED.items()), "mean"], *lines]


def main() -> None:
    """Measure every setting and print the tables."""
    full = arguments(__doc__).full
    seeds = 5 if full else 3
    table = [["setting: task", "metric", "twin", "joint", "joint − twin", "answers from",
              "shipped − twin"]]  # fmt: skip
    costs = [["setting: what", "training", "weights", "a record"]]
    size = "full" if full else "default"
    for name, case in CASES.items():
        found = remembered("sharing", f"{name} {size}", lambda c=case: judged(c, full, seeds))
        sharing = TypeAdapter(Sharing).validate_python(found)
        table += rows_of(name, sharing)
        costs += cost_rows(name, sharing)
    drawn = remembered("sharing", f"sampling {size}", lambda: sampling(range(seeds)))
    keep("sharing", "Did sharing help?", [table, costs, drawn], [
        "Scores in hundredths, mean ± half of the 95 % interval over seeds; differences with 95 % "
        "intervals over seeds (Student's t); Δm is the mean relative difference in percent.",
        "Whether a task falls back is decided on validation records; the table shows test records.",
        "Twins have the same encoder, seeds, learning rates and epochs as the shared model.",
        f"{seeds} seeds; " + ("whole training sets." if full else
        f"training sets cut: rated sentences {SIZES}, others {CUT:,} a source."),
        "Sampling: R² of four rating tasks in hundredths; the number is training sentences.",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
