"""What a search found, as text for people and as plain data for machines."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

from allrounder.evaluation.table import aligned, number, signed
from allrounder.tuning.space import read_spaces
from allrounder.tuning.trials import Trial, ended

SHOWN = 8
"""Trials in the table: the best ones, and the project file as it stands."""
WIDTH = 110
"""Letters of a line of text."""


@dataclass(kw_only=True)
class SearchReport:
    """What a search found.

    Args:
        name: the name of the project file.
        folder: the folder of the search.
        search: the spaces as they were written.
        metrics: by task, the metric that decides.
        trials: every trial.
        best: the one with the highest value.
        wanted: how many trials were to end.
        importances: each key's share in how much values differ; empty where too little is known.
        best_file: the project file with the best values.
    """

    name: str
    folder: Path
    search: list[str]
    metrics: dict[str, str]
    trials: list[Trial]
    best: Trial
    wanted: int
    importances: dict[str, float]
    best_file: Path

    @property
    def keys(self) -> list[str]:
        """The keys that were searched."""
        return [space.key for space in read_spaces(self.search)]

    @property
    def short(self) -> list[str]:
        """The keys as heads of columns: their last word, or all of it where two share that."""
        words = [key.rsplit(".", 1)[-1] for key in self.keys]
        return [w if words.count(w) == 1 else k for w, k in zip(words, self.keys, strict=True)]

    @property
    def num_ended(self) -> int:
        """How many trials count."""
        return len(ended(self.trials))

    @property
    def stood(self) -> Trial | None:
        """The trial of the project file as it stood, if it came to its end."""
        found = [t for t in self.trials if t.as_it_stands and t.state == "complete"]
        return found[0] if found else None

    @property
    def ranked(self) -> list[Trial]:
        """The trials that came to their end, best first."""
        complete = [trial for trial in self.trials if trial.state == "complete"]
        return sorted(complete, key=lambda trial: (-(trial.value or 0.0), trial.number))

    @property
    def sentences(self) -> list[str]:
        """What is worth knowing."""
        return [self._verdict(), self._count(), *self._used_up(), *self._failures()]

    def _verdict(self) -> str:
        best, stood = self.best, self.stood
        if stood is None:
            return f"Trial {best.number} is best, with a skill of {number(best.value or 0.0)}."
        if best.as_it_stands:
            return "No trial did better than the project file as it stood."
        gain = signed((best.value or 0.0) - (stood.value or 0.0))
        return (
            f"Trial {best.number} is best: {gain} skill over the project file as it stood, on the "
            "validation records that it was chosen by. Test records were not looked at."
        )

    def _count(self) -> str:
        counts = Counter(trial.state for trial in self.trials)
        said = [f"{n} {state}" for state, n in counts.items()]
        seconds = sum(trial.seconds or 0.0 for trial in self.trials)
        return f"Trials: {', '.join(said)}; {seconds:,.0f} s of training."

    def _used_up(self) -> list[str]:
        if self.num_ended >= self.wanted:
            return []
        return [f"The spaces hold no more than {self.num_ended} different trials, it seems."]

    def _failures(self) -> list[str]:
        failed = [trial for trial in self.trials if trial.error]
        return [f"Trial {failed[0].number} failed: {failed[0].error}"] if failed else []

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "name": self.name,
            "folder": str(self.folder),
            "search": self.search,
            "metrics": self.metrics,
            "best": asdict(self.best),
            "best_file": str(self.best_file),
            "importances": self.importances,
            "trials": [asdict(trial) for trial in self.trials],
            "sentences": self.sentences,
        }

    def __str__(self) -> str:
        parts = [self._table(), self._importances(), "\n".join(map(_listed, self.sentences))]
        return "\n\n".join(part for part in parts if part)

    def _table(self) -> str:
        head = ["trial", *self.short, "skill", *(f"{n} {m}" for n, m in self.metrics.items())]
        shown = self.ranked[:SHOWN]
        if self.stood and self.stood not in shown:
            shown.append(self.stood)
        rows = [
            [
                f"{trial.number}{' (as it stood)' if trial.as_it_stands else ''}",
                *(plain(trial.values.get(key)) for key in self.keys),
                number(trial.value or 0.0),
                *(number(trial.scores[n]) if n in trial.scores else "·" for n in self.metrics),
            ]
            for trial in shown
        ]
        return aligned([head, *rows], left=1)

    def _importances(self) -> str:
        rows = [[key, f"{share:.0%}"] for key, share in self.importances.items()]
        return aligned([["key", "importance"], *rows], left=1) if rows else ""


def _listed(sentence: str) -> str:
    return fill(sentence, WIDTH, initial_indent="- ", subsequent_indent="  ")


def plain(value: Any) -> str:
    """Return a value as a project file would write it; a dot where there is none."""
    if value is None:
        return "·"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {plain(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(plain, value))}]"
    return str(value)
