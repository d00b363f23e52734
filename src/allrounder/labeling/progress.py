"""How far everybody is."""

from collections.abc import Mapping
from typing import Any

from allrounder.labeling.board import Board
from allrounder.labeling.forms import Form
from allrounder.labeling.queue import Queue
from allrounder.ledger import Label

SHOWN = 40
"""Labels of a task that are counted one by one, the most frequent ones."""


def progress(
    board: Board, queue: Queue, forms: Mapping[str, Form], who: str, settings: Label
) -> dict[str, Any]:
    """Return how many answers there are, mine and the team's, by task and by label."""
    tasks = {name: _of_task(board, queue, name, who, settings) for name in forms}
    done, asked = queue.num_asked
    seconds = board.seconds(who)
    return {
        "tasks": tasks,
        "mine": sum(one["mine"] for one in tasks.values()),
        "team": sum(one["team"] for one in tasks.values()),
        "target": sum(one["target"] for one in tasks.values()),
        "batch": {"done": done, "asked": asked} if asked else None,
        "disputed": len(board.disputed),
        "seconds": None if seconds is None else round(seconds, 2),
    }


def _of_task(board: Board, queue: Queue, task: str, who: str, settings: Label) -> dict[str, Any]:
    counts = board.labels[task]
    open_ = queue.num_missing[task]
    target = min(settings.target, open_) if settings.target else open_
    return {
        "mine": board.shares[task][who],
        "team": board.num_labelled[task],
        "target": max(target, 0),
        "labels": {name: n for name, n in counts.most_common(SHOWN) if n},
    }
