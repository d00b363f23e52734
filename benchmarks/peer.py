"""Other libraries beside Allrounder: each in an environment of its own, asked with a file."""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from common import ROOT


@dataclass(frozen=True)
class Peer:
    """A library, its script in `peers/`, and the packages of its environment.

    The script is given a JSON file and a number of threads, and prints a line of JSON that begins
    with `answers` for each thing it was asked.
    """

    name: str
    script: str
    packages: Sequence[str]

    def python(self) -> Path:
        """Return the interpreter of the environment, making it where there is none."""
        home = ROOT / ".kit" / f"{self.name.lower()}-venv"
        path, done = home / "bin" / "python", home / "complete"
        if not done.exists():
            sys.stderr.write(f"Installing {self.name} into {home}\n")
            venv.create(home, with_pip=True, clear=True)
            command = [path, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            found = subprocess.run([*command, *self.packages], capture_output=True, text=True)
            if found.returncode:
                sys.exit(f"{self.name} could not be installed:\n{found.stderr.strip()[-2000:]}")
            done.touch()
        return path

    def answered(self, asked: Any, folder: Path) -> list[dict[str, Any]]:
        """Return what the script says, in a process of its own; `folder` keeps the question."""
        path = folder / "asked.json"
        path.write_text(json.dumps(asked), "utf-8")
        script = Path(__file__).parent / "peers" / self.script
        plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        found = subprocess.run(
            [self.python(), script, path, str(torch.get_num_threads())],
            capture_output=True,
            text=True,
            env={**plain, "HF_HUB_OFFLINE": "1"},
        )
        if found.returncode:
            sys.exit(f"{self.name} failed:\n{found.stderr.strip()[-2000:]}")
        lines = [line for line in found.stdout.splitlines() if line.startswith('{"answers"')]
        return [json.loads(line) for line in lines]


SETFIT = Peer(
    "SetFit",
    "setfit_peer.py",
    ("torch==2.13.0", "setfit==1.2.0", "sentence-transformers==5.7.0", "transformers==4.57.6",
     "datasets==5.0.1", "huggingface_hub==0.36.2"),
)  # fmt: skip
"""A set that SetFit 1.2.0 accepts; it cannot be imported beside transformers 5."""

SNORKEL = Peer("Snorkel", "snorkel_peer.py", ("torch==2.13.0", "snorkel==0.10.0"))

AUTOGLUON = Peer(
    "AutoGluon",
    "autogluon_peer.py",
    ("torch==2.13.0", "torchvision==0.28.0", "autogluon.multimodal==1.6.3"),
)
"""Some 2.5 GB."""

SPACY = Peer("spaCy", "spacy_peer.py", ("spacy==3.8.7", "click==8.1.8"))
