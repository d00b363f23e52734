"""Does telling hidden words beside few labels help the tasks of one model.

Rated sentences, three tasks of one model (rating, polarity, domain), one small encoder (BERT of two
layers with a real head for hidden words, all of it tuned), 100 and 500 labelled records, which
every seed draws anew; the other training texts lie beside them without labels. The same training
without `training.pretraining`, and with it at two weights: same steps, same seeds. `pretrain`
before the tasks, on the same texts, is measured by pretraining.py.

Default size: five seeds, some twenty minutes of one core.
--full: 100 labels, one weight, and four times as many texts in every step, so that as many are
read in all as `pretrain` reads; not run yet.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from common import arguments, keep, mean_interval, remembered, scratch, trained, write_jsonl
from pretraining import NUM_TEXTS, NUM_VALIDATION, SEEDS, encoder, rows_of, sections

from allrounder.evaluation.gate import Gain
from allrounder.evaluation.sharing import over_seeds, spread

DATA = "rated"
EPOCHS = {100: 30, 500: 12}
WITHOUT = "without"
WEIGHTS: dict[str, float | None] = {WITHOUT: None, "weight 0.3": 0.3, "weight 1": 1.0}
TEXTS_A_STEP, MANY_TEXTS = 64, 256


def told(size: int, seed: int, weight: float | None, texts: int) -> dict[str, Any]:
    """Train once; return scores on validation and test, seconds, and how words are told.

    Args:
        size: records with labels.
        seed: of what is drawn.
        weight: of hidden words; None trains without.
        texts: how many a step tells words of.
    """
    train, validation, test = rows_of(DATA)
    drawn = set(np.random.default_rng([seed, size]).permutation(len(train))[:size].tolist())
    free = [{"text": row["text"]} for at, row in enumerate(train[:NUM_TEXTS]) if at not in drawn]
    labelled = [train[at] for at in sorted(drawn)]
    folder = scratch()
    for split, rows in (("train", labelled + free), ("validation", validation), ("test", test)):
        write_jsonl(folder / f"{split}.jsonl", rows)
    words = {"kind": "masked", "weight": weight, "batch_records": texts, "batch_tokens": 1 << 16}
    training = {
        "epochs": EPOCHS[size],
        "evaluate_every": EPOCHS[size] / 6,
        "lr": 5e-4,
        "head_lr": 2e-3,
        "seed": seed,
        "probe": False,
        "pretraining": words if weight else None,
    }
    _, report = trained(sections(DATA, encoder(False), training=training), folder)
    return {
        "test": {name: task.deciding.after.value for name, task in report.tasks.items()},
        "validation": {name: one["shipped"] for name, one in report.snapshots.items()},
        "metrics": {name: task.decides for name, task in report.tasks.items()},
        "higher": {n: task.deciding.higher_is_better for n, task in report.tasks.items()},
        "seconds": report.speed["train_seconds"],
        "telling": report.telling and vars(report.telling),
    }


def rows(size: int, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[list[str]]:
    """Return a row a task and weight: what it is without and with, gains, verdict."""
    table = []
    for task, metric in found[WITHOUT][0]["metrics"].items():
        sign = 1 if found[WITHOUT][0]["higher"][task] else -1
        for arm in [arm for arm in found if arm != WITHOUT]:
            without, with_ = (
                {split: np.array([one[split][task] for one in found[who]])
                 for split in ("test", "validation")}
                for who in (WITHOUT, arm)
            )  # fmt: skip
            gains = {split: over_seeds((sign * (with_[split] - without[split])).tolist())
                     for split in with_}  # fmt: skip
            gain = Gain(values=with_["test"].tolist(), gain=gains["test"],
                        validation=gains["validation"])  # fmt: skip
            table.append([task, metric, f"{size:,}", arm, f"{without['test'].mean():.3f}",
                          f"{with_['test'].mean():.3f}", spread(gain.gain),
                          spread(gain.validation), gain.verdict])  # fmt: skip
    return table


def cost(size: int, arm: str, found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a row on what a training takes, and how well hidden words are told after it."""
    seconds = mean_interval([one["seconds"] for one in found])
    told_of = [one["telling"] for one in found if one["telling"]]
    if not told_of:
        return [f"{size:,}", arm, seconds, "–", "–", "–", "–"]
    looks = [np.exp([one["validation"][at]["loss"] for one in told_of]) for at in (0, -1)]
    test = (np.exp([one[key] for one in told_of]) for key in ("loss", "constant"))
    return [f"{size:,}", arm, seconds, *(f"{each.mean():.0f}" for each in (*looks, *test))]


def main() -> None:
    """Train, and keep two tables."""
    full = arguments(__doc__).full
    texts = MANY_TEXTS if full else TEXTS_A_STEP
    arms = dict([*WEIGHTS.items()][:2]) if full else WEIGHTS
    called = "pretraining_inside_full" if full else "pretraining_inside"
    table = [["task", "metric", "labels", "words", "without", "with", "gain on test",
              "on validation", "gate"]]  # fmt: skip
    costs = [["labels", "words", "seconds", "perplexity before", "at the end", "test, shipped",
              "constant"]]  # fmt: skip
    for size in (100,) if full else EPOCHS:
        found = {
            arm: [remembered(called, f"{size}-{arm}-{seed}",
                             lambda s=size, r=seed, w=weight: told(s, r, w, texts))
                  for seed in range(SEEDS)]
            for arm, weight in arms.items()
        }  # fmt: skip
        table += rows(size, found)
        costs += [cost(size, arm, one) for arm, one in found.items()]
    keep(called, "Telling hidden words beside few labels", [table, costs], [
        f"BERT of two layers and 4.4 million weights, all of it tuned; {SEEDS} seeds, each with "
        "other labelled records; validation and test records stay. 95 % intervals over seeds.",
        f"The texts of up to {NUM_TEXTS:,} training records lie beside the labelled ones without "
        f"labels; every step tells words of {texts} of them. All sides train for the same "
        "steps.",
        "Gate: by the interval on validation records, as `pretrain --judge` decides.",
        f"Perplexity of hidden words: on {NUM_VALIDATION} validation texts before the first step "
        "and at the last look, and on test texts by the snapshot that ships, which is the best for "
        "the tasks. The constant knows how often each token stands in training texts.",
        "Weights and the texts of a step were set beforehand; none was chosen by a score. --full "
        "was added after the default size had shown no gain.",
    ])  # fmt: skip
    sys.stdout.flush()


if __name__ == "__main__":
    main()
