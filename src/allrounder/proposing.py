"""A project file that a verb proposes, beside the one that it was asked of."""

from pathlib import Path

from allrounder.documents import to_yaml
from allrounder.errors import ProjectError
from allrounder.plan import Plan
from allrounder.runs import write_text

MARK = "# Written by allrounder "


def proposal(plan: Plan, name: str) -> Path:
    """Return where a proposed file will lie: beside the first, whose paths it keeps.

    Args:
        plan: the project file that was asked of.
        name: the name of the new file.

    Raises:
        ProjectError: it would lie elsewhere, or in place of a file that a person wrote.
    """
    named = Path(name)
    if named.parent != Path() and named.parent.resolve() != plan.folder.resolve():
        raise ProjectError(
            f"--out {str(name)!r} must be a name in {str(plan.folder)!r}, beside the project file: "
            "the paths of its sources are relative to that folder."
        )
    target = plan.folder / named.name
    if target.exists() and not _is_ours(target):
        raise ProjectError(
            f"{target} exists, and Allrounder did not write it. Give another name with --out, or "
            "move it."
        )
    return target


def _is_ours(path: Path) -> bool:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.readline().startswith(MARK)


def propose(plan: Plan, target: Path, *, verb: str, why: str) -> None:
    """Write a project file whose first line says where it comes from.

    Args:
        plan: what it is to say.
        target: what `proposal` returned.
        verb: of the command line.
        why: what is changed, and why, in a few words.
    """
    head = f"{MARK}{verb}: {why}; comments were not kept.\n"
    write_text(target, head + to_yaml(plan.sections))
