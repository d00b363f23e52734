"""The galleries of a run: what its match tasks search when the run answers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from allrounder.model.answering import galleries_of
from allrounder.model.gallery import MOST, Gallery
from allrounder.model.network import Model
from allrounder.model.prepared import Prepared
from allrounder.records import Records
from allrounder.tasks import Task

FOLDER = "gallery"


def shelve(
    folder: Path,
    passes: Sequence[tuple[Model, Sequence[str]]],
    prepared: Prepared,
    records: Records,
) -> list[str]:
    """Keep the values of all records in a run folder, for its match tasks to search.

    Args:
        folder: the run folder.
        passes: the models that answer, each with its tasks.
        prepared: the tokens of the records.
        records: the records.

    Returns:
        A sentence for each input of which not all values could be kept.
    """
    model = passes[0][0]
    matching = [name for name, task in model.tasks.items() if task.reads == "inputs"]
    if not matching:
        return []
    rows = np.arange(len(records))
    read = dict.fromkeys(i for name in matching for i in model.tasks[name].reading(model.inputs))
    values = {name: records.legible(model.inputs[name].fields or [name], rows) for name in read}
    found = galleries_of(passes, prepared, rows, records.take("id", rows), values)
    for task, gallery in found.items():
        gallery.save(folder / FOLDER / task)
    return [
        f"{task} searches the first {MOST:,} values of {name}; {num:,} more were left out."
        for task, gallery in found.items()
        for name, num in gallery.left_out.items()
    ]


def load_galleries(folder: Path, tasks: Mapping[str, Task]) -> dict[str, Gallery]:
    """Return the galleries of a run by match task."""
    matching = [name for name, task in tasks.items() if task.reads == "inputs"]
    return {name: Gallery.load(folder / FOLDER / name) for name in matching}
