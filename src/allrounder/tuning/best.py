"""The best of a search, written back as a project file beside the one that was searched."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from allrounder.documents import to_yaml
from allrounder.errors import ProjectError
from allrounder.plan import Plan
from allrounder.runs import write_text
from allrounder.tuning.space import changed
from allrounder.tuning.trials import Trial

MARK = "# Written by allrounder tune"


def check_target(plan: Plan, out: str | Path | None) -> Path:
    """Return where the best project file will lie: beside the searched one, whose paths it keeps.

    Raises:
        ProjectError: it would lie elsewhere, or in place of a file that a person wrote.
    """
    named = Path(out) if out else Path(f"{plan.name}.best.yaml")
    if named.parent != Path() and named.parent.resolve() != plan.folder.resolve():
        raise ProjectError(
            f"--out {str(out)!r} must be a name in {str(plan.folder)!r}, beside the project file: "
            "the paths of its sources are relative to that folder."
        )
    target = plan.folder / named.name
    if target.exists() and not _is_ours(target):
        raise ProjectError(
            f"{target} exists, and no search wrote it. Give another name with --out, or move it."
        )
    return target


def _is_ours(path: Path) -> bool:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.readline().startswith(MARK)


def write_best(
    plan: Plan, values: Mapping[str, Any], target: Path, *, best: Trial, folder: Path
) -> None:
    """Write the project file with the best values: keys in order, comments not kept."""
    said = f"trial {best.number} of {folder.parent.name}/{folder.name}, skill {best.value:.4f}"
    head = f"{MARK}: {plan.name} with the values of {said}; comments were not kept.\n"
    write_text(target, head + to_yaml(changed(plan, values).sections))
