"""A report in a folder: numbers for machines, a page for people, a card for a hub."""

import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any

from allrounder.evaluation.page import render_card, render_html
from allrounder.evaluation.report import Report


def write_report(report: Report, folder: Path) -> None:
    """Write metrics.json, report.html and card.md, each whole or not at all."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    numbers = {**report.to_dict(), "history": _finite(report.history)}
    text = json.dumps(numbers, ensure_ascii=False, indent=1, default=str)
    _replace(folder / "metrics.json", text)
    _replace(folder / "report.html", render_html(report))
    _replace(folder / "card.md", render_card(report, "/".join(folder.parts[-2:])))


def _finite(data: Any) -> Any:
    """Return `data` with null for what JSON cannot say: the loss of a run that diverged."""
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def _replace(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        file.write(text)
    os.chmod(file.name, 0o644)  # temporary files are born unreadable to others
    os.replace(file.name, path)
