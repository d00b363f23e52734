"""Progress on a terminal. Only the command line uses it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Tell = Callable[[str, float, float, str], None]


@contextmanager
def shown(quiet: bool = False) -> Iterator[Tell]:
    """Show a bar for every stage that is told of, on standard error."""
    console = Console(stderr=True)
    bars = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[word]}"),
        console=console,
        disable=quiet or not console.is_terminal,
    )
    stages: dict[str, TaskID] = {}

    def tell(stage: str, done: float, total: float, word: str) -> None:
        if stage not in stages:
            stages[stage] = bars.add_task(stage, total=total or None, word="")
        bars.update(stages[stage], completed=done, total=total or None, word=word)

    with bars:
        yield tell
