"""One model for pictures, captions and speech, and what is left of it without some of them.

The 925 stamps of `examples/stamps` that have all three inputs; three tasks: category (16), subject
(26, not every stamp has one) and the language that is spoken. Encoders are frozen. First a model
for every subset of the inputs, trained on that subset alone; then the model of all three, asked
with every subset; then what the second gives up against the first. Test stamps share no caption
with training stamps; the split is the same for all, seeds change heads and order.
Default size: three seeds, about 6 minutes on 2 cores, half of it reading the files once; --full:
ten seeds.
"""

import csv
import shutil
import subprocess
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml
from common import ROOT, arguments, keep, mean_interval, trained

from allrounder.evaluation.sharing import over_seeds

EXAMPLE = ROOT / "examples" / "stamps"
TASKS = ("category", "subject", "language")
Scores = dict[tuple[str, ...], dict[str, list[float]]]
"""By subset of inputs and task, a score for each seed, in hundredths."""


def prepared() -> Path:
    """Return a folder with the example, its stamps cut to those that have all inputs."""
    for script in ("prepare.py", "models.py"):
        subprocess.run([sys.executable, str(EXAMPLE / script)], check=True)
    folder = ROOT / ".kit" / "stamps"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(EXAMPLE / "encoders.py", folder / "encoders.py")
    data = folder / "data"
    if not data.exists():
        data.symlink_to(EXAMPLE / "data")
    with open(data / "stamps.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["speech"]]
    with open(data / "whole.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def run(folder: Path, inputs: Sequence[str], seed: int, **more: Any) -> Any:
    """Train on some of the inputs; return the report."""
    sections = yaml.safe_load((EXAMPLE / "stamps.yaml").read_text(encoding="utf-8"))
    sections["sources"][0]["path"] = "data/whole.csv"
    sections["inputs"] = {name: sections["inputs"][name] for name in inputs}
    del sections["tasks"]["language"]["of"]  # here it is to say what other inputs do to it
    sections["training"] |= {"seed": seed, "probe": False}
    _, report = trained({**sections, **more}, folder)
    return report


def measure(folder: Path, seeds: Sequence[int]) -> tuple[Scores, Scores]:
    """Return the scores of models trained on each subset, and of one model asked with each."""
    names = ["picture", "caption", "speech"]
    alone: Scores = {}
    asked: Scores = {}
    for subset in [s for n in (1, 2, 3) for s in combinations(names, n)]:
        for seed in seeds:
            report = run(folder, subset, seed)
            for task in TASKS:
                value = 100 * report.tasks[task].deciding.after.value
                alone.setdefault(subset, {}).setdefault(task, []).append(value)
                if len(subset) == len(names):
                    _ask(asked, task, report.tasks[task])
    return alone, asked


def _ask(asked: Scores, task: str, report: Any) -> None:
    for found in report.robustness.subsets:
        value = 100 * found.metrics[report.decides].value
        asked.setdefault(tuple(found.inputs), {}).setdefault(task, []).append(value)


def differences(alone: Scores, asked: Scores) -> list[list[str]]:
    """Return what one model for all subsets gives up against a model for each."""
    lines = []
    for subset, scores in alone.items():
        cells = []
        for task in TASKS:
            gaps = [a - b for a, b in zip(asked[subset][task], scores[task], strict=True)]
            gap = over_seeds(gaps)
            cells.append(f"{gap.value:+.1f} [{gap.low:+.1f}, {gap.high:+.1f}]")
        lines.append([" + ".join(subset), *cells])
    return lines


def rows_of(scores: Scores) -> list[list[str]]:
    """Return a line for each subset."""
    return [
        [" + ".join(subset), *(mean_interval(found[task]) for task in TASKS)]
        for subset, found in scores.items()
    ]


def main() -> None:
    """Measure every subset and print the tables."""
    seeds = range(10 if arguments(__doc__).full else 3)
    folder = prepared()
    alone, asked = measure(folder, seeds)
    heads = [f"{task}, accuracy" for task in TASKS]
    tables = [
        [["a model trained on", *heads], *rows_of(alone)],
        [["one model, asked with", *heads], *rows_of({s: asked[s] for s in alone})],
        [["one model − a model for it", *TASKS], *differences(alone, asked)],
    ]
    keep("stamps", "Pictures, captions and speech in one model", tables, [
        f"{len(seeds)} seeds; mean ± half of the 95 % interval over seeds, differences with 95 % "
        "intervals (Student's t). Intervals over the test stamps are wider: about ± 5 points.",
        "Encoders, frozen: EfficientNet-lite0, MiniLM, Whisper-tiny.en (English only; it hears "
        "French, Spanish and Russian). Fusion `gated`, `modality_dropout` 0.5, chosen on "
        "validation stamps.",
        "The same snapshot rule, epochs and learning rates for all.",
        "Pictures and captions tell nothing of the language that is spoken, and cost that task "
        "some seven points: the example says `of: speech` of it.",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
