"""Where the model lies that was pretrained last."""

import json
from contextlib import suppress
from pathlib import Path

from allrounder.errors import ProjectError

MISSING = {
    "masked": "no model was pretrained on hidden words yet. Name one with a trained head, such as "
    "bert-base-uncased, or try: allrounder pretrain",
    "causal": "no decoder was pretrained yet. Name a model that writes, such as gpt2, or make one "
    "with `pretraining: {kind: causal, scratch: true}` and: allrounder pretrain",
}
"""By kind of pretraining, what to do where there is none."""


def pretrained(folder: Path, kind: str) -> str:
    """Return the model that was pretrained last by some kind, as a path from the project file.

    Args:
        folder: that of the project file.
        kind: of pretraining.

    Raises:
        ProjectError: there is none.
    """
    numbers = [int(p.name) for p in (folder / "pretraining").glob("*") if p.name.isdigit()]
    for number in sorted(numbers, reverse=True):
        path = folder / "pretraining" / str(number)
        with suppress(OSError, ValueError):
            about = json.loads((path / "pretraining.json").read_text(encoding="utf-8"))
            if about.get("kind") == kind and (path / "encoder").is_dir():
                return f"pretraining/{number}/encoder"
    raise ProjectError(f"`synthesis.model` is not set, and {MISSING[kind]}")
