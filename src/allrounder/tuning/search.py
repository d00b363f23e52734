"""A search from its first trial, or from where it was killed, to its report."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from allrounder.checking import load_records
from allrounder.errors import ProjectError, RunError
from allrounder.plan import Plan
from allrounder.proposing import proposal, propose
from allrounder.tuning.crew import Crew, Message, Worker, crew
from allrounder.tuning.folder import Folder
from allrounder.tuning.page import write_page
from allrounder.tuning.report import SearchReport
from allrounder.tuning.space import as_it_stands, changed, check_spaces, read_spaces
from allrounder.tuning.study import Study, check_extra, in_words
from allrounder.tuning.trials import Trial, best_of, ended

Tell = Callable[[str, float, float, str], None]

TRIALS = 20


def tune(
    plan: Plan,
    *,
    search: Sequence[str],
    trials: int | None,
    workers: int,
    out: str | Path | None,
    resume: bool,
    tell: Tell,
) -> SearchReport:
    """Search keys of a project file for the values that serve its validation records best.

    Args:
        plan: the project file.
        search: the spaces; none where a search is resumed.
        trials: how many trials are to end; 20, or as many as the resumed search asked for.
        workers: how many are trained at a time.
        out: the name of the project file with the best values, beside the one searched.
        resume: go on with the latest search instead of starting a new one.
        tell: called as trials end.

    Raises:
        ProjectError: a space, a number or `out` is not as it must be; nothing was trained.
        RunError: the search cannot be resumed, or no trial came to an end.
        MissingExtra: Optuna is not installed.
    """
    check_extra()
    _check_counts(trials, workers)
    target = proposal(plan, str(out or f"{plan.name}.best.yaml"))
    folder = _resumed(plan, search, trials) if resume else _begun(plan, search, trials or TRIALS)
    with folder.held() as lock, in_words(folder.path / "study.db"):
        study = Study(folder.path / "study.db", folder.search.spaces, seed=folder.search.seed)
        study.mend()
        study.begin(as_it_stands(plan, folder.search.spaces))
        hunt = Hunt(study, wanted=folder.search.trials, tell=tell)
        if hunt.num_open:
            with crew(folder.path, size=min(workers, hunt.num_open), lock=lock) as hands:
                hunt.run(hands)
        folder.tidy()
        return _reported(plan, folder, study, target)


def _check_counts(trials: int | None, workers: int) -> None:
    for name, count in (("trials", trials), ("workers", workers)):
        if count is not None and count < 1:
            raise ProjectError(f"`{name}` must be 1 or more. Got {count}.")


def _begun(plan: Plan, search: Sequence[str], trials: int) -> Folder:
    spaces = read_spaces(search)
    check_spaces(plan, spaces)
    fingerprint = load_records(plan).fingerprint
    return Folder.create(plan, spaces, trials=trials, records=fingerprint)


def _resumed(plan: Plan, search: Sequence[str], trials: int | None) -> Folder:
    folder = Folder.latest(plan)
    spaces = read_spaces(search) if search else []
    folder.check_same(plan, spaces, load_records(plan).fingerprint)
    if trials is not None and trials != folder.search.trials:
        folder.search = replace(folder.search, trials=trials)
        folder.save()
    return folder


class Hunt:
    """Hands trials to workers and writes down what they say.

    Args:
        study: the trials.
        wanted: how many trials are to end.
        tell: called as they go on.
    """

    def __init__(self, study: Study, *, wanted: int, tell: Tell) -> None:
        self.study, self.wanted, self.tell = study, wanted, tell
        self.shares: dict[int, float] = {}
        """How far each trial that goes on has come."""
        self.done = ended(study.trials)

    @property
    def num_open(self) -> int:
        """How many trials have to be begun yet."""
        return max(0, self.wanted - len(self.done) - len(self.shares))

    def run(self, crew: Crew) -> None:
        """Go on until as many trials have ended as were wanted."""
        self._tell()
        while len(self.done) < self.wanted:
            worker, message = crew.heard()
            if message is None:
                self._bury(worker)
                crew.replace(worker)
            elif "epoch" in message:
                self._hear(worker, message)
            else:
                self._conclude(worker, message)
                self._hand(worker)
            self._tell()

    def _hand(self, worker: Worker) -> None:
        """Give a worker the next trial, if one is left and another can be found."""
        worker.ready = True
        trial = self.study.ask() if self.num_open else None
        if trial is None:
            self.wanted = min(self.wanted, len(self.done) + len(self.shares))
        else:
            worker.number = trial.number
            self.shares[trial.number] = 0.0
            worker.say(number=trial.number, values=_tried(trial))

    def _hear(self, worker: Worker, message: Message) -> None:
        """Write down an evaluation, and say whether it is worth going on."""
        number, share = message["number"], min(1.0, message["share"])
        self.shares[number] = share
        last = share > 1 - 1e-6
        prune = self.study.heard(number, message["epoch"], message["value"], last=last)
        worker.say(prune=prune)

    def _conclude(self, worker: Worker, message: Message) -> None:
        """Write down how a trial ended; a worker that is only ready has none."""
        if worker.number is None:
            return
        number, facts = message["number"], {"seconds": message["seconds"]}
        if message["end"] == "complete":
            self.study.finish(number, message["value"], scores=message["scores"], **facts)
        elif message["end"] == "pruned":
            self.study.prune(number, **facts)
        else:
            self.study.fail(number, message["error"], **facts)
        self._off(worker)

    def _bury(self, worker: Worker) -> None:
        """Write down that a worker died over its trial."""
        if worker.number is not None:
            self.study.lose(worker.number, f"its worker was {worker.death}")
            self._off(worker)

    def _off(self, worker: Worker) -> None:
        self.shares.pop(worker.number or 0, None)
        worker.number = None
        self.done = ended(self.study.trials)

    def _tell(self) -> None:
        best = best_of(self.done)
        word = f"best {best.value:.3f}" if best else ""
        self.tell("tune", len(self.done) + sum(self.shares.values()), self.wanted, word)


def _tried(trial: Trial) -> dict[str, object]:
    """Return what a trial changes: nothing where it is the project file as it stands."""
    return {} if trial.as_it_stands else trial.values


def _reported(plan: Plan, folder: Folder, study: Study, target: Path) -> SearchReport:
    trials = [trial for trial in study.trials if trial.state not in ("waiting", "repeated")]
    best = best_of(trials)
    if best is None:
        first = next((t.error for t in trials if t.error), "every one was given up")
        raise RunError(f"No trial of {folder.path} came to its end. The first one: {first}")
    said = f"trial {best.number} of {folder.path.parent.name}/{folder.path.name}"
    why = f"{plan.name} with the values of {said}, skill {best.value:.4f}"
    propose(changed(plan, _tried(best)), target, verb="tune", why=why)
    report = SearchReport(
        name=plan.name,
        folder=folder.path,
        search=folder.search.search,
        metrics={name: task.decides for name, task in plan.tasks.items()},
        trials=trials,
        best=best,
        wanted=folder.search.trials,
        importances=study.importances(),
        best_file=target,
    )
    write_page(report)
    return report
