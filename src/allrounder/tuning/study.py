"""The study: every trial of a search in SQLite, and Optuna's advice on what to try next.

One process owns the file and is the only one to write; it asks for parameters, hears of every
evaluation and writes down how a trial ended. What is in the file when that process is killed is
all that the next one needs: trials that ended are there, trials that were going on are marked as
killed and enqueued again.

The sampler is multivariate TPE (Bergstra et al., 2011; Falkner et al., 2018), which counts trials
that are going on as bad ones so that workers keep apart. A trial is pruned where its best
evaluation so far lies below the median of earlier trials at the same epoch (Golovin et al., 2017).
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from allrounder.errors import MissingExtra, RunError
from allrounder.lazy import lazy
from allrounder.tuning.space import Space
from allrounder.tuning.trials import ENDED, State, Trial

if TYPE_CHECKING:
    import optuna
    from optuna import distributions, importance, logging, pruners, samplers, storages
    from optuna.trial import FrozenTrial
    from sqlalchemy import exc, pool
else:
    optuna, pool, exc = lazy("optuna"), lazy("sqlalchemy.pool"), lazy("sqlalchemy.exc")
    distributions, importance = lazy("optuna.distributions"), lazy("optuna.importance")
    logging, pruners = lazy("optuna.logging"), lazy("optuna.pruners")
    samplers, storages = lazy("optuna.samplers"), lazy("optuna.storages")

STARTUP = 8
"""Trials drawn at random before the sampler learns from those that ended."""

PRUNES_AFTER = 5
"""Trials that have to be complete before one is pruned."""

COMPARES_WITH = 3
"""Complete trials that have to have come as far for their median to say something."""

PER_EPOCH = 1000
"""Optuna counts evaluations in whole numbers: thousandths of an epoch."""

REDRAWS = 20
"""Draws in a row that were all tried before, after which the spaces are taken to be used up."""

ENOUGH = 8
"""Complete trials below which the importance of keys is chance."""

TRIES = 2
"""How often a trial is begun whose worker dies under a living search."""


def check_extra() -> None:
    """Refuse to begin where Optuna is not installed."""
    try:
        optuna.__version__  # noqa: B018 - a lazy module is imported when it is looked at
    except ImportError:
        raise MissingExtra("Tuning needs Optuna. Try: pip install 'allrounder[tune]'") from None


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Tell in a sentence of a study that cannot be read or written, such as on a full disk."""
    try:
        yield
    except (optuna.exceptions.OptunaError, exc.SQLAlchemyError) as error:
        cause = error.__cause__ or error
        raise RunError(
            f"{path} cannot be read or written: {str(cause).splitlines()[0]}."
        ) from error


class Study:
    """The trials of one search.

    Args:
        path: the SQLite file.
        spaces: where is searched.
        seed: of the sampler.
    """

    def __init__(self, path: Path, spaces: Sequence[Space], *, seed: int) -> None:
        logging.set_verbosity(logging.WARNING)
        self.spaces, self.seed = list(spaces), seed
        storage = storages.RDBStorage(
            "sqlite://",  # the file is opened below: an address cannot hold every path
            engine_kwargs={"creator": lambda: _opened(path), "poolclass": pool.NullPool},
        )
        self._study = optuna.create_study(
            storage=storage,
            study_name="tuning",
            direction="maximize",
            pruner=pruners.MedianPruner(PRUNES_AFTER, n_min_trials=COMPARES_WITH),
            load_if_exists=True,
        )
        self._running: dict[int, optuna.Trial] = {}

    # ---------------------------------------------------------------- what is to be tried

    def begin(self, drawn: Mapping[str, float | int] | None) -> None:
        """Enqueue the project file as it stands, unless that has been done.

        Args:
            drawn: the numbers that mean it, or None where it lies outside the spaces: then it
                is tried all the same, and the sampler learns nothing from it.
        """
        if not self._study.get_trials(deepcopy=False):
            marks = {"as_it_stands": True, "outside": drawn is None}
            self._study.enqueue_trial(dict(drawn or {}), user_attrs=marks)

    def ask(self) -> Trial | None:
        """Return the trial to begin next, or None where the spaces seem to hold no other."""
        for _ in range(REDRAWS):
            trial = self._drawn()
            if not self._is_repeated(trial):
                return trial
            self._note(trial.number, {"repeated": True})
            self._study.tell(self._running.pop(trial.number), state=optuna.trial.TrialState.FAIL)
        return None

    def _drawn(self) -> Trial:
        self._study.sampler = samplers.TPESampler(seed=self._next_seed(), n_startup_trials=STARTUP)
        trial = self._study.ask()
        self._running[trial.number] = trial
        if not trial.user_attrs.get("outside"):
            for space in self.spaces:
                _draw(trial, space)
        return self._plain(self._frozen(trial.number))

    def _is_repeated(self, trial: Trial) -> bool:
        """Return whether the same was tried before: it would only come to the same."""
        others = [t for t in self.trials if t.state in (*ENDED, "running") and t.values]
        return any(t.values == trial.values and t.number != trial.number for t in others)

    def _next_seed(self) -> int:
        """Return a seed that depends on how many trials were drawn before, not on who drew them.

        So a search that was killed and resumed draws what it would have drawn.
        """
        drawn = sum(map(self._is_drawn, self._study.get_trials(deepcopy=False)))
        return int(np.random.SeedSequence([self.seed, drawn]).generate_state(1)[0])

    def _is_drawn(self, trial: "FrozenTrial") -> bool:
        """Return whether a trial was drawn: not enqueued again, nor killed while it was drawn."""
        if trial.state.name == "WAITING" or "again" in trial.user_attrs:
            return False
        return "as_it_stands" in trial.user_attrs or len(trial.params) == len(self.spaces)

    # ---------------------------------------------------------------- what comes of it

    def heard(self, number: int, epoch: float, value: float, *, last: bool = False) -> bool:
        """Write down an evaluation; return whether the trial is to be given up.

        The file as it stands never is, nor a trial at its last evaluation: that saves nothing.
        """
        trial = self._running[number]
        trial.report(value, round(epoch * PER_EPOCH))
        spared = last or trial.user_attrs.get("as_it_stands")
        return not spared and bool(trial.should_prune())

    def finish(self, number: int, value: float, **facts: Any) -> None:
        """Write down that a trial came to its end."""
        self._note(number, facts)
        self._study.tell(self._running.pop(number), value)

    def prune(self, number: int, **facts: Any) -> None:
        """Write down that a trial was given up."""
        self._note(number, facts)
        self._study.tell(self._running.pop(number), state=optuna.trial.TrialState.PRUNED)

    def fail(self, number: int, error: str, **facts: Any) -> None:
        """Write down that a trial cannot be trained."""
        self._note(number, {"error": error, **facts})
        self._study.tell(self._running.pop(number), state=optuna.trial.TrialState.FAIL)

    def lose(self, number: int, error: str) -> None:
        """Enqueue again a trial whose worker died; one that kills its workers has failed."""
        tries = self._running[number].user_attrs.get("tries", 1)
        if tries >= TRIES:
            self.fail(number, error)
        else:
            self._again(self._frozen(number), tries=tries + 1)
            self._running.pop(number)

    def mend(self) -> int:
        """Enqueue again what a search that was killed had begun; return how many trials that is."""
        dead = [t for t in self._study.get_trials(deepcopy=False) if t.state.name == "RUNNING"]
        for trial in dead:
            self._again(trial, tries=trial.user_attrs.get("tries", 1))
        return len(dead)

    def _again(self, dead: "FrozenTrial", *, tries: int) -> None:
        """Enqueue a trial again, once however often this is interrupted, and mark it as killed."""
        trials = self._study.get_trials(deepcopy=False)
        fixed = dead.system_attrs.get("fixed_params", {})
        known = any(trial.user_attrs.get("again") == dead.number for trial in trials)
        begun = "again" in dead.user_attrs or self._is_drawn(dead)
        if begun and not known and not dead.user_attrs.keys() & {"error", "repeated"}:
            marks = {name: dead.user_attrs[name] for name in MARKS if name in dead.user_attrs}
            marks |= {"again": dead.number, "tries": tries}
            self._study.enqueue_trial({**fixed, **dead.params}, user_attrs=marks)
        self._study.tell(dead.number, state=optuna.trial.TrialState.FAIL)

    def _note(self, number: int, facts: Mapping[str, Any]) -> None:
        for name, fact in facts.items():
            self._running[number].set_user_attr(name, fact)

    # ---------------------------------------------------------------- what is known

    @property
    def trials(self) -> list[Trial]:
        """Every trial there is."""
        return [self._plain(trial) for trial in self._study.get_trials(deepcopy=False)]

    def importances(self) -> dict[str, float]:
        """Return each key's share in how much values differ, by PED-ANOVA (Watanabe et al., 2023).

        Empty where too few trials are complete to say.
        """
        states = (optuna.trial.TrialState.COMPLETE,)
        known = [t for t in self._study.get_trials(deepcopy=False, states=states) if t.params]
        if len({trial.value for trial in known}) < ENOUGH:
            return {}
        study = optuna.create_study(direction="maximize")  # without the file outside the spaces
        study.add_trials(known)
        return {key: float(v) for key, v in importance.get_param_importances(study).items()}

    def _frozen(self, number: int) -> "FrozenTrial":
        return self._study.get_trials(deepcopy=False)[number]

    def _plain(self, trial: "FrozenTrial") -> Trial:
        facts = trial.user_attrs
        return Trial(
            number=trial.number,
            state=_state(trial),
            value=trial.value if trial.state.name == "COMPLETE" else None,
            values={
                s.key: s.value(trial.params[s.key]) for s in self.spaces if s.key in trial.params
            },
            as_it_stands=bool(facts.get("as_it_stands")),
            scores=facts.get("scores", {}),
            curve=[(at / PER_EPOCH, v) for at, v in sorted(trial.intermediate_values.items())],
            seconds=facts.get("seconds"),
            error=facts.get("error"),
        )


MARKS = ("as_it_stands", "outside")
"""Facts that a trial keeps when it is begun again."""


def _draw(trial: "optuna.Trial", space: Space) -> None:
    if space.kind == "choice":
        trial.suggest_categorical(space.key, range(len(space.values)))
    elif space.kind == "int":
        trial.suggest_int(space.key, *space.values)
    else:
        trial.suggest_float(space.key, *space.values, log=space.kind == "log")


def _state(trial: "FrozenTrial") -> State:
    if "repeated" in trial.user_attrs:
        return "repeated"
    if trial.state.name == "FAIL":
        return "failed" if "error" in trial.user_attrs else "killed"
    names: dict[str, State] = {"COMPLETE": "complete", "PRUNED": "pruned", "RUNNING": "running"}
    return names.get(trial.state.name, "waiting")


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=60)
    connection.execute("PRAGMA synchronous=FULL")
    return connection
