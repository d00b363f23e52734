"""A report in a folder: numbers for machines, a page for people, a card for a hub."""

import json
import math
from pathlib import Path
from typing import Any

from allrounder.evaluation.page import render_card, render_html
from allrounder.evaluation.report import Report
from allrounder.runs import write_text


def write_report(report: Report, folder: Path) -> None:
    """Write metrics.json, report.html and card.md, each whole or not at all."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    numbers = {**report.to_dict(), "history": _finite(report.history)}
    text = json.dumps(numbers, ensure_ascii=False, indent=1, default=str)
    write_text(folder / "metrics.json", text)
    write_text(folder / "report.html", render_html(report))
    write_text(folder / "card.md", render_card(report, "/".join(folder.parts[-2:])))


def _finite(data: Any) -> Any:
    """Return `data` with null for what JSON cannot say: the loss of a run that diverged."""
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
