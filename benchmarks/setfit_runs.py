"""The SetFit library beside Allrounder: an environment of its own, and jobs that run there."""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from common import ROOT

HOME = ROOT / ".kit" / "setfit-venv"
PEER = Path(__file__).parent / "peers" / "setfit_peer.py"
PACKAGES = (
    "torch==2.13.0",
    "setfit==1.2.0",
    "sentence-transformers==5.7.0",
    "transformers==4.57.6",
    "datasets==5.0.1",
    "huggingface_hub==0.36.2",
)
"""A set that SetFit 1.2.0 accepts; it cannot be imported beside transformers 5."""


def python() -> Path:
    """Return the interpreter of SetFit's environment, making it where there is none."""
    path = HOME / "bin" / "python"
    done = HOME / "complete"
    if not done.exists():
        sys.stderr.write(f"Installing SetFit into {HOME}\n")
        venv.create(HOME, with_pip=True, clear=True)
        command = [path, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        found = subprocess.run([*command, *PACKAGES], capture_output=True, text=True)
        if found.returncode:
            sys.exit(f"SetFit could not be installed:\n{found.stderr.strip()[-2000:]}")
        done.touch()
    return path


def answers(jobs: Sequence[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Run jobs one after another in one process; return answers and seconds of each.

    Jobs are as `peers/setfit_peer.py` reads them.
    """
    path = folder / "jobs.json"
    path.write_text(json.dumps(list(jobs)), "utf-8")
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = subprocess.run(
        [python(), PEER, path, str(torch.get_num_threads())],
        capture_output=True,
        text=True,
        env={**plain, "HF_HUB_OFFLINE": "1"},
    )
    if found.returncode:
        sys.exit(f"SetFit failed:\n{found.stderr.strip()[-2000:]}")
    lines = [line for line in found.stdout.splitlines() if line.startswith('{"answers"')]
    return [json.loads(line) for line in lines]
