"""A project's pool, with what is known of it, ready to be asked about."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np

from allrounder.active import STRATEGIES, Margin, Strategy
from allrounder.active.encoding import KEPT, encoded, num_missing
from allrounder.active.gathering import Gathered, asked_tasks, known_of, model_of, pool_of
from allrounder.active.planning import Planner
from allrounder.active.pool import Known, Pool
from allrounder.asking.speaker import Speaker
from allrounder.checking import load_records
from allrounder.encoders.modules import best_device, choose_precision
from allrounder.errors import DataError, ProjectError, RunError
from allrounder.kinds import dump
from allrounder.ledger import Answer, remaining
from allrounder.loading import load_model
from allrounder.model import Model
from allrounder.plan import Plan, make_plan
from allrounder.records import Records
from allrounder.runs import Run, newest

Tell = Callable[[str, float, float, str], None]

POOL = "pool"
"""The folder of the cache in which vectors are kept."""


@dataclass
class Inquiry:
    """A pool of a project, what is known of it, and how questions are chosen.

    Args:
        strategy: the `active` section.
        records: the records.
        gathered: which of them are the pool.
        pool: what can be asked.
        known: the labels that are there.
        origin: what told the vectors, in words.
        model: the fingerprint of the run that told them, if one did.
        lost: tasks for which choosing lost to chance.
        voices: by task that the latest run answers, that run.
    """

    strategy: Strategy
    records: Records
    gathered: Gathered
    pool: Pool
    known: Known
    origin: str
    model: str | None = None
    lost: frozenset[str] = frozenset()
    voices: Mapping[str, Speaker] = field(default_factory=dict)

    @property
    def planner(self) -> Planner:
        """What chooses questions."""
        return Planner(
            pool=self.pool,
            known=self.known,
            strategy=self.strategy,
            start=start_of(self.strategy),
            switched_off=self.lost,
            voices=self.voices,
        )

    def remember(self, events: Iterable[Answer]) -> None:
        """Take in what people did: what they read is open, what they passed over is closed."""
        found = list(events)
        stands = {one.id for one in remaining(found)}
        keys = np.array([int(one.key, 16) for one in found], dtype=np.uint64)
        for one, place in zip(found, self.gathered.places(keys).tolist(), strict=True):
            if place < 0:
                continue
            self.known.opened[place] = True
            if one.act in ("skip", "flag") and one.id in stands:
                self.known.closed.setdefault(one.task, set()).add(place)


def start_of(strategy: Strategy) -> Strategy:
    """Return what chooses while a task has too few labels.

    Raises:
        ProjectError: that needs a model itself.
    """
    spec = {"kind": strategy.start, "seed": strategy.seed}
    start = STRATEGIES.build(spec, at="active.start")
    if start.needs_model:
        raise ProjectError(
            f"`active.start`: {strategy.start} asks what a model says, and at the start there is "
            f"none. Take one of {', '.join(able())}."
        )
    return start


def able() -> list[str]:
    """Return the kinds that choose without a model."""
    return [name for name, kind in STRATEGIES.builtin.items() if not kind.needs_model]


def chosen_strategy(plan: Plan, kind: str | None) -> Strategy:
    """Return the strategy of a project file, or another kind with what they share."""
    own = plan.active or Margin()
    if kind is None or kind == own.kind_name():
        return own
    found = STRATEGIES.build(kind, at="--strategy")
    shared = {name: value for name, value in dump(own).items() if name in vars(Margin())}
    mine = {name: value for name, value in shared.items() if name in vars(found)}
    return replace(found, **{name: value for name, value in mine.items() if name != "kind"})


def open_inquiry(
    plan: Plan, *, runs: Path, strategy: Strategy, tell: Tell, waits: bool = True
) -> Inquiry:
    """Read the records, and run the encoders over those that were not read before.

    Args:
        plan: the project file.
        runs: where its runs are; the encoders are those of the latest complete one of the same
            inputs, or as they came.
        strategy: how questions are chosen.
        tell: called as it goes on.
        waits: whether encoders may be run over the whole pool although others have been; if not,
            the latest that have been tell the vectors.
    """
    records = load_records(plan, trains=False, tell=tell)
    tasks = asked_tasks(plan.tasks, strategy.tasks)
    if not len(records):
        raise DataError("There is no record to ask about: the sources are empty.")
    gathered = Gathered.of(records)
    run, model = _reader(plan, runs, records, gathered.rows, waits=waits)
    told = partial(_encoding, tell)
    said = encoded(model, records, gathered.rows, cache=plan.cache / POOL, progress=told)
    pool = pool_of(records, gathered, tasks, model.inputs, said)
    return Inquiry(
        strategy=strategy,
        records=records,
        gathered=gathered,
        pool=pool,
        known=known_of(records, gathered, pool),
        origin=f"the encoders of runs/{run.path.name}" if run else "the encoders as they came",
        model=run and run.fingerprint(),
        voices=_voices(plan, run, records, gathered, strategy),
    )


def _reader(
    plan: Plan, runs: Path, records: Records, rows: np.ndarray, *, waits: bool
) -> tuple[Run | None, Model]:
    """Return whose encoders read the pool: those of the latest run, or none's, as they came.

    Where nobody may wait, those of the latest runs that have least to read still.
    """
    if waits:
        run = next(_runs(plan, runs), None)
        return run, _model(plan, run, records, rows)
    best: tuple[int, Run | None, Model] | None = None
    for run in islice(chain(_runs(plan, runs), [None]), KEPT):
        model = _model(plan, run, records, rows)
        missing = num_missing(model, records, rows, cache=plan.cache / POOL)
        if best is None or missing < best[0]:
            best = missing, run, model
        if not missing:
            break
    assert best is not None
    return best[1], best[2]


def _voices(
    plan: Plan, run: Run | None, records: Records, gathered: Gathered, strategy: Strategy
) -> dict[str, Speaker]:
    """Return by task who may speak for it; refuse a strategy that would have nothing to hear.

    Raises:
        ProjectError: it asks for broken rules and names in a tie, and the project has neither
            rules nor `linking`.
    """
    known = plan.knowledge
    if strategy.needs_run and (known is None or not (known.rules or known.linking)):
        raise ProjectError(
            f"`active`: {strategy.kind_name()} looks for answers that break rules and for names "
            "that may mean two things, and the project has no rules and no `linking`. Name a "
            "file of rules (knowledge.rules), set knowledge.linking, or choose another kind."
        )
    if run is None:
        return {}
    speaker = Speaker(plan, run, records, gathered.rows)
    return {name: speaker for name in plan.tasks if speaker.knows(name)}


def _encoding(tell: Tell, done: int, total: int) -> None:
    tell("encode the pool", done, total, "")


def _runs(plan: Plan, runs: Path) -> Iterator[Run]:
    """Yield the complete runs that read the inputs of the project, the latest first."""
    with suppress(RunError):  # nothing is older than what a newer Allrounder wrote
        for run in newest(runs):
            if run.is_complete and _reads_same(plan, run):
                yield run


def _reads_same(plan: Plan, run: Run) -> bool:
    fields = {name: one.get("fields") for name, one in run.project()["inputs"].items()}
    return fields == {name: one.fields for name, one in plan.inputs.items()}


def _model(plan: Plan, run: Run | None, records: Records, rows: np.ndarray) -> Model:
    if run is not None:
        trained = load_model(make_plan(run.project(), folder=plan.folder), run)[0][0]
        return trained.requires_grad_(False)  # blocks are named by what never learns
    device = best_device()
    precision = choose_precision(plan.training.precision, device)
    return model_of(plan.located(), records, rows, precision=precision).to(device)
