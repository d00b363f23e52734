"""Trains copies of a project in processes that are killed, goes on with them, and tells what came.

Run as a program it takes lines of JSON, each a list of a project, a folder and moments, and answers
each with a line: what the undisturbed run came to, and what each of the others did. A number k
kills the process with SIGKILL just before it puts its k-th file in place; "step k" kills it after
the k-th training step; a list of moments kills it again and again. Each life is a fork, so that
torch is imported once.
"""

import hashlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import matplotlib.figure
import pandas
import rich.progress
import scipy.stats
import sklearn.metrics
import torch
from transformers import AutoModel, AutoTokenizer, BertModel

from allrounder import Error, Project, running
from allrounder.encoders import transformer
from allrounder.evaluation import gate

IMPORTED = (matplotlib, pandas, rich, scipy, sklearn, running, transformer, gate)
IMPORTED += (AutoModel, AutoTokenizer, BertModel)
"""What a training needs somewhere on its way: loaded before the first fork, not in each life."""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def live(project: Path, moment: Any, resume: bool) -> int | str:
    """Train in a process of its own; return its exit code, or the files it put in place."""
    ear, mouth = os.pipe()
    child = os.fork()
    if not child:
        os.close(ear)
        os._exit(_train(project, moment, resume, mouth))
    os.close(mouth)
    with os.fdopen(ear) as words:
        said = words.read()
    _, status = os.waitpid(child, 0)
    return "killed" if os.WIFSIGNALED(status) else said


def _train(project: Path, moment: Any, resume: bool, mouth: int) -> int:
    count, replace, steps = 0, os.replace, 0

    def counted(*args: Any, **options: Any) -> None:
        nonlocal count
        count += 1
        if moment == count:
            die()
        replace(*args, **options)

    def tell(stage: str, *_: Any) -> None:
        nonlocal steps
        steps += stage == "train"
        if moment == f"step {steps}" and stage == "train":
            die()

    os.replace = counted
    torch.set_num_threads(1)
    try:
        Project.load(project, tell=tell).train(resume=resume)
        os.write(mouth, f"done {count} {steps}".encode())
    except Error as error:
        os.write(mouth, f"refused {error}".encode())
    return 0


def outcome(project: Path) -> dict[str, Any]:
    """Return the scores of every task, the learning curve, and a hash of every weight file."""
    runs = project.parent / "runs"
    if not runs.exists():
        return {"state": "no run"}
    run = sorted(runs.iterdir(), key=lambda path: int(path.name))[-1]
    about = run / "run.json"
    if not about.exists() or json.loads(about.read_text())["state"] != "complete":
        return {"state": "not complete"}
    found = json.loads((run / "metrics.json").read_text())
    for row in found["history"]:
        del row["seconds"]
    weights = sorted(run.rglob("*.safetensors"))
    return {
        "run": run.name,
        "tasks": found["tasks"],
        "snapshots": found["snapshots"],
        "history": found["history"],
        "calibration": json.loads((run / "calibration.json").read_text()),
        "weights": {
            str(path.relative_to(run)): hashlib.md5(path.read_bytes()).hexdigest()
            for path in weights
        },
    }


def main(project: Path, folder: Path, moments: list[Any]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for moment in [None, *moments]:
        home = folder / str(moment).replace(" ", "-")
        shutil.copytree(project.parent, home)
        file, lives = home / project.name, []
        for once in moment if isinstance(moment, list) else [moment]:
            lives.append(live(file, once, resume=bool(lives)))
        if moment is not None:
            lives.append(live(file, None, resume=True))
        said[json.dumps(moment)] = {"lives": lives, **outcome(file)}
    return said


if __name__ == "__main__":
    for line in sys.stdin:
        project, folder, moments = json.loads(line)
        print(json.dumps(main(Path(project), Path(folder), moments)), flush=True)
