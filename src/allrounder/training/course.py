"""Training one model from its first step, or from its last checkpoint, to its last."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from allrounder.evaluation.assess import quick_scores
from allrounder.model import Model, Prepared
from allrounder.training.checkpoint import restore, save_checkpoint
from allrounder.training.head_start import head_start
from allrounder.training.job import Job
from allrounder.training.keeping import Keeper
from allrounder.training.loop import Loop, Step
from allrounder.training.soup import INGREDIENTS, cook
from allrounder.training.teaching import held_rows, teach

LOSS_ROWS = 400
"""Points of the loss curve, about."""

CHECKPOINT = "checkpoint.safetensors"

START = Step(
    number=0, epoch=0.0, losses={}, lr=0.0, records=0, tokens=0, seconds=0.0, evaluates=True
)
"""What the model is after a head start: a snapshot like any other."""


@dataclass
class Course:
    """What happened so far: rows of the learning curve, and counts for the speed table."""

    history: list[dict[str, Any]] = field(default_factory=list)
    tokens: int = 0
    records: int = 0
    seconds: float = 0.0
    since: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Sentences for the report."""
    told: list[dict[str, float]] = field(default_factory=list)
    """The loss of hidden words of validation texts by step, where these are learned."""

    def take(self, step: Step) -> None:
        """Count a step."""
        self.tokens += step.tokens
        self.records += step.records
        self.seconds += step.seconds
        self.since.append(step.losses)

    def row(self, step: Step, validation: Mapping[str, Any] | None) -> None:
        """Add a row of the learning curve, with the mean losses since the last one."""
        names = dict.fromkeys(name for losses in self.since for name in losses)
        means = {n: float(np.mean([f[n] for f in self.since if n in f])) for n in names}
        self.since = []
        self.history.append(
            {
                "step": step.number,
                "epoch": round(step.epoch, 4),
                "losses": means,
                "validation": validation,
                "lr": step.lr,
                "seconds": round(self.seconds, 3),
            }
        )

    def look(self, loop: Loop, rows: np.ndarray) -> None:
        """Note how well words of validation texts are told, where that is learned."""
        found = loop.lessons and loop.lessons.judged(rows)
        if found:
            self.told.append({"step": loop.state.step, "loss": found.loss})

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.tokens / max(self.seconds, 1e-9)


def train(
    job: Job, model: Model, prepared: Prepared, *, resume: bool = False
) -> tuple[Keeper, Course]:
    """Train until the epochs are used up, or no task has got better for its patience.

    A head start, where one is asked for, comes before the first step; what the model says after
    it is a snapshot like any other, number 0.

    The checkpoint is written every few minutes and at the end; with `resume` training goes on
    from there, to the same result to the last bit on the same machine.
    """
    begin(job, model, prepared)
    loop = Loop(
        model,
        prepared,
        job.rows("train"),
        job.settings,
        sources=job.records.numbers("source"),
        ascent=job.ascent(prepared),
        lessons=job.lessons(prepared),
    )
    _freeze(job, loop, prepared)
    most = INGREDIENTS if job.settings.snapshots == "soup" else 0
    waits = {"patience": job.settings.patience, "least": job.settings.patience_steps}
    keeper = Keeper(job.run.path / "steps", job.tasks, most=most, **waits)
    course, path = Course(), job.run.path / CHECKPOINT
    if resume and path.exists():
        saved = restore(path, loop)
        keeper.restore(saved["keeper"])
        course = Course(**saved["course"])
        _hold(job, loop, prepared, keeper, loop.state.stopped)
    else:
        course.look(loop, job.records.indices("validation"))
        if job.settings.head_start is not None:
            course.notes.append(head_start(job, model, prepared, job.settings.head_start))
            _note(job, loop, prepared, keeper, course, START)
    saved_at = time.monotonic()
    for step in loop.steps():
        course.take(step)
        _note(job, loop, prepared, keeper, course, step)
        job.tell("train", step.epoch, job.settings.num_epochs, _word(course, loop))
        if time.monotonic() - saved_at > 60 * job.settings.checkpoint_minutes:
            save_checkpoint(path, loop, _about(keeper, course))
            saved_at = time.monotonic()
    if job.settings.checkpoint_minutes < float("inf"):
        save_checkpoint(path, loop, _about(keeper, course))
    if loop.ascent is not None:
        course.notes.append(loop.ascent.note(loop.state.multipliers))
    if most:
        course.notes.append(cook(job, model, prepared, keeper))
    return keeper, course


def _freeze(job: Job, loop: Loop, prepared: Prepared) -> None:
    """Let what the old run says of every training record hold the tasks that are kept as they are.

    Learning without forgetting (Li and Hoiem 2016): their labels are not needed.
    """
    loop.state.stopped = list(job.freeze)
    moves = any(name.startswith(("encoders.", "fusion.", "openings.")) for name in loop.names)
    for name in job.freeze if moves else ():
        teach(prepared, name, loop.rows[prepared.asked(loop.rows, [name])[name]])


def begin(job: Job, model: Model, prepared: Prepared) -> None:
    """Let every task that reads records set its fresh head to what its targets alone tell."""
    rows = job.rows("train")
    for name, task in model.tasks.items():
        if task.reads == "record" and name not in job.known:
            place = prepared.targets[name].place[rows]
            targets = prepared.targets[name].values[torch.from_numpy(place[place >= 0])]
            task.begin(model.heads[name], targets.to(model.device))


def _about(keeper: Keeper, course: Course) -> dict[str, Any]:
    return {"keeper": keeper.to_dict(), "course": asdict(course)}


def _note(
    job: Job, loop: Loop, prepared: Prepared, keeper: Keeper, course: Course, step: Step
) -> None:
    """Evaluate where that is due, and add to the learning curve."""
    if not step.evaluates:
        if step.number % max(1, loop.num_steps // LOSS_ROWS) == 0:
            course.row(step, None)
        return
    best, stopped = dict(keeper.best), set(loop.state.stopped)
    with loop.average.worn():
        scores = quick_scores(loop.model, prepared, job.records, job.rows("validation"))
        course.row(step, scores)
        if step.number:
            course.look(loop, job.records.indices("validation"))
        decided = {name: found[job.tasks[name].decides] for name, found in scores.items()}
        weights = dict(loop.model.named_parameters())
        kept = {name: weights[name] for name in loop.names}
        done = keeper.update(step.number, decided, kept)
    loop.state.stopped += [name for name in loop.active() if name in done]
    if loop.goes_on(step):
        keeper.waited.clear()  # tasks that had not begun have not waited
    changed = {name for name, at in keeper.best.items() if at != best.get(name)}
    _hold(job, loop, prepared, keeper, [
        n for n in loop.state.stopped if n in changed or n not in stopped
    ])  # fmt: skip
    if job.watch:
        job.watch(course)


def _hold(job: Job, loop: Loop, prepared: Prepared, keeper: Keeper, tasks: Sequence[str]) -> None:
    """Let the best snapshot of each stopped task teach its head on a share of its records."""
    for name in tasks:
        if name in job.freeze:
            continue
        known = loop.rows[prepared.shown(loop.rows, [name])[name]]
        if job.settings.hold and name in keeper.best and len(known):
            chance = [job.settings.seed, list(job.tasks).index(name)]
            rows = held_rows(known, job.settings.hold, chance)
            teach(prepared, name, rows, keeper.weights(keeper.best[name]))


def _word(course: Course, loop: Loop) -> str:
    stopped = f" · done: {', '.join(loop.state.stopped)}" if loop.state.stopped else ""
    return f"{course.rate:,.0f} tokens/s{stopped}"
