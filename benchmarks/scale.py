"""Whether a project of a million records stays small and quick.

Writes a CSV of N short texts with two tasks, then runs `check`, `train` (hashing encoder, a
twentieth of an epoch, no probe) and `predict` on it as whole processes, and reports wall time and
peak memory of each. Default size: N = 100,000 and 1,000,000, about 3 minutes on 2 cores; --full
adds 4,000,000.
"""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from common import arguments, keep, scratch

PROJECT = """
sources: [{path: big.csv, split: {by: ratio, test: 0.01, validation: 0.01}}]
inputs: {text: {kind: hashing, width: 32}}
tasks:
  topic: {kind: multiclass}
  stars: {kind: regression}
training: {epochs: 0.05, batch_records: 256, batch_tokens: 100000, head_lr: 0.01}
"""


def write(folder: Path, count: int) -> None:
    """Write `count` texts; some rows lack a label."""
    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(2000)])
    with open(folder / "big.csv", "w", encoding="utf-8") as file:
        file.write("text,topic,stars\n")
        for start in range(0, count, 10_000):
            size = min(10_000, count - start)
            picks = words[rng.integers(0, 2000, (size, 12))]
            topics = rng.integers(0, 5, size)
            for i in range(size):
                topic = f"t{topics[i]}" if i % 3 else ""
                stars = topics[i] if i % 4 else ""
                file.write(f"{' '.join(picks[i])} about{topics[i]} {start + i},{topic},{stars}\n")
    (folder / "p.yaml").write_text(PROJECT, encoding="utf-8")


def measured(command: list[str], folder: Path) -> tuple[float, float]:
    """Return seconds and peak megabytes of a command."""
    began = time.perf_counter()
    script = (
        "import resource, subprocess, sys; code = subprocess.run(sys.argv[1:]).returncode; "
        "sys.stderr.write(f'PEAK {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}'); "
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *command], cwd=folder, capture_output=True, text=True
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return seconds, int(done.stderr.rsplit("PEAK", 1)[1]) / 1024


def main() -> None:
    """Measure every size and print the table."""
    sizes = [100_000, 1_000_000, *([4_000_000] if arguments(__doc__).full else [])]
    table = [["records", "command", "seconds", "records/s", "peak MB"]]
    allrounder = str(Path(sys.executable).with_name("allrounder"))
    for size in sizes:
        folder = scratch()
        write(folder, size)
        commands = {
            "check": ["check", "p.yaml"],
            "check again": ["check", "p.yaml"],
            "train, 1/20 epoch": ["train", "p.yaml", "--quiet"],
            "predict": ["predict", "p.yaml", "--data", "big.csv", "--out", "out.jsonl"],
        }
        for name, words in commands.items():
            seconds, peak = measured([allrounder, *words], folder)
            table.append(
                [f"{size:,}", name, f"{seconds:.1f}", f"{size / seconds:,.0f}", f"{peak:,.0f}"]
            )
    keep("scale", "Many records", table, [
        "Whole processes, start-up included; peak resident memory, memory-mapped pages included.",
        "Texts of 14 words; hashing encoder, so that reading and writing are what is measured.",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
