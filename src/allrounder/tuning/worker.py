"""A worker: trains one trial after another, in a process that may be killed at any moment.

Run by the search as ``python -m allrounder.tuning.worker FOLDER``. It reads one line of JSON a
trial and writes one a message:

    ← {"number": 3, "values": {"training.lr": 0.0002}}
    → {"number": 3, "epoch": 1.0, "value": 0.71, "share": 0.2}  after an evaluation
    ← {"prune": false}
    → {"number": 3, "end": "complete", "value": 0.74, "scores": {…}, "seconds": 8.1}

When the search dies its end of the pipe closes, and the worker ends at once.
"""

import json
import math
import os
import queue
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import IO, Any

import torch

from allrounder.checking import load_records
from allrounder.errors import Error
from allrounder.plan import Plan
from allrounder.records import Records
from allrounder.tuning.folder import Folder
from allrounder.tuning.space import changed
from allrounder.tuning.trial import Pruned, run_trial, timed


class Line:
    """The line to the search: messages as JSON, one a line.

    Args:
        ear: where its messages come from.
        mouth: where ours go.
    """

    def __init__(self, ear: IO[str], mouth: IO[str]) -> None:
        self._mouth = mouth
        self._heard: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._listen, args=(ear,), daemon=True).start()

    def _listen(self, ear: IO[str]) -> None:
        for line in ear:
            self._heard.put(json.loads(line))
        os._exit(0)  # nobody is there to tell

    def say(self, **message: Any) -> None:
        """Send a message."""
        self._mouth.write(json.dumps(message) + "\n")
        self._mouth.flush()

    def hear(self) -> dict[str, Any]:
        """Wait for the next message."""
        return self._heard.get()


def main(folder: Folder, line: Line) -> None:
    """Train the trials that the search asks for, until it is gone."""
    plan = folder.plan()
    records = load_records(plan)
    line.say(ready=True)
    while True:
        wanted = line.hear()
        number, began = wanted["number"], time.monotonic()
        said = _tried(folder, plan, records, wanted, line)
        line.say(number=number, seconds=timed(began), **said)


def _tried(
    folder: Folder, plan: Plan, records: Records, wanted: dict[str, Any], line: Line
) -> dict[str, Any]:
    """Train one trial; return how it ended."""
    number, plan = wanted["number"], changed(plan, wanted["values"])

    def watch(epoch: float, value: float) -> bool:
        if not math.isfinite(value):
            raise ValueError(f"the mean skill at epoch {epoch:g} is {value}")
        line.say(number=number, epoch=epoch, value=value, share=epoch / plan.training.num_epochs)
        return bool(line.hear()["prune"])

    try:
        outcome = run_trial(plan, records, scratch=folder.scratch(number), watch=watch)
    except Pruned:
        return {"end": "pruned"}
    except Exception as error:  # whatever it was, it ends this trial and no other
        traceback.print_exc()
        known = isinstance(error, Error)
        return {"end": "failed", "error": f"{'' if known else f'{type(error).__name__}: '}{error}"}
    return {"end": "complete", "value": outcome.value, "scores": outcome.scores}


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the search, which ends us
    torch.set_num_threads(int(sys.argv[2]))
    mouth = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not get between messages
    main(Folder.open(Path(sys.argv[1])), Line(sys.stdin, mouth))
