"""AutoGluon-MultiModal beside Allrounder: an environment of its own, and jobs that run there."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import torch
from common import ROOT

HOME = ROOT / ".kit" / "autogluon-venv"
PEER = Path(__file__).parent / "peers" / "autogluon_peer.py"
PACKAGES = ("torch==2.13.0", "torchvision==0.28.0", "autogluon.multimodal==1.6.3")


def python() -> Path:
    """Return the interpreter of AutoGluon's environment, making it where there is none."""
    path = HOME / "bin" / "python"
    done = HOME / "complete"
    if not done.exists():
        sys.stderr.write(f"Installing AutoGluon into {HOME}, some 2.5 GB\n")
        venv.create(HOME, with_pip=True, clear=True)
        command = [path, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        found = subprocess.run([*command, *PACKAGES], capture_output=True, text=True)
        if found.returncode:
            sys.exit(f"AutoGluon could not be installed:\n{found.stderr.strip()[-2000:]}")
        done.touch()
    return path


def answered(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run a job in a process of its own; return answers and seconds.

    A job is as `peers/autogluon_peer.py` reads it.
    """
    path = folder / "job.json"
    path.write_text(json.dumps(job), "utf-8")
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = subprocess.run(
        [python(), PEER, path, str(torch.get_num_threads())],
        capture_output=True,
        text=True,
        env={**plain, "HF_HUB_OFFLINE": "1"},
    )
    if found.returncode:
        sys.exit(f"AutoGluon failed:\n{found.stderr.strip()[-2000:]}")
    lines = [line for line in found.stdout.splitlines() if line.startswith('{"answers"')]
    return json.loads(lines[-1])
