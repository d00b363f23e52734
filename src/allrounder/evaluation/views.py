"""What the page shows, laid out: places on a scale, shares of a row, pieces of a text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor
from typing import Any

from allrounder.evaluation import plots
from allrounder.evaluation.report import (
    Confusion,
    LabelReport,
    MetricReport,
    Report,
    Score,
    TaskReport,
    WrongAnswer,
)
from allrounder.evaluation.sharing import Sharing, TaskSharing

CALM_LABELS = 6
"""Up to so many columns, the names of labels stand upright."""
NEAR_ZERO = 0.05
"""What lies so little below zero is drawn at zero: the scale is not stretched for it."""
LOWEST = -0.5
"""What lies lower is drawn here: one hopeless probe must not squeeze all else."""


@dataclass(frozen=True)
class Scale:
    """The stretch of numbers that a row of marks is drawn on."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Return where `value` lies, in percent."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 2)

    @property
    def ticks(self) -> list[float]:
        """The quarters of the way from zero to the upper end, and as many below as there are."""
        step = self.high / 4
        return [step * i for i in range(ceil(self.low / step), 5)]


@dataclass(frozen=True)
class Row:
    """One metric of one task, ready to be drawn."""

    name: str
    found: MetricReport
    scale: Scale
    common: bool

    @property
    def verdict(self) -> str:
        """Whether the gain is better, worse, within noise, or not known."""
        gain = self.found.gain
        if gain is None:
            return "unknown"
        if gain.low > 0:
            return "better"
        return "worse" if gain.high < 0 else "noise"

    @property
    def said(self) -> str:
        """The row in words, for screen readers."""
        before = f", before {self.found.before.value:.3f}" if self.found.before else ""
        return f"baseline {self.found.baseline.value:.3f}{before}, after {self.found.after}"


@dataclass(frozen=True)
class Figure:
    """A drawing with its title and what to look for."""

    title: str
    svg: str
    caption: str


@dataclass(frozen=True)
class Cell:
    """One cell of the confusion matrix; `share` is its part of the row, in percent."""

    count: int
    share: int
    right: bool


@dataclass(frozen=True)
class Piece:
    """A stretch of text between two borders of spans: what is true of it, what was said."""

    text: str
    style: str
    tags: list[tuple[str, str]]


@dataclass(frozen=True)
class Section:
    """One task on the page."""

    name: str
    anchor: str
    task: TaskReport
    headline: Row
    rows: list[Row]
    scale: Scale
    figures: list[Figure]

    @property
    def labels(self) -> list[LabelReport]:
        """The labels, weakest first."""
        return sorted(self.task.per_label, key=lambda label: label.f1)

    @property
    def matrix(self) -> list[tuple[str, list[Cell]]]:
        """The confusion matrix, row by row."""
        return _matrix(self.task.confusion) if self.task.confusion else []

    @property
    def of_spans(self) -> bool:
        """Whether the mistakes are spans, to be marked in their text."""
        said = [error.truth + error.answer for error in self.task.errors if _is_list(error.truth)]
        return any(isinstance(item, dict) for items in said for item in items)

    @property
    def upright(self) -> bool:
        """Whether the heads of the confusion matrix fit upright."""
        return self.task.confusion is None or len(self.task.confusion.labels) <= CALM_LABELS


def sections(report: Report) -> list[Section]:
    """Return the tasks as they stand on the page."""
    summary = summary_scale(report)
    return [
        _section(report, name, f"task-{at}", summary)
        for at, name in enumerate(report.tasks, start=1)
    ]


def summary_scale(report: Report) -> Scale:
    """Return the scale that the deciding metrics share."""
    return _scale([task.deciding for task in report.tasks.values()])


def _section(report: Report, name: str, anchor: str, summary: Scale) -> Section:
    task = report.tasks[name]
    scale = _scale(task.metrics.values())
    return Section(
        name=name,
        anchor=anchor,
        task=task,
        headline=_row(task.decides, task.deciding, summary),
        rows=[_row(metric, found, scale) for metric, found in task.metrics.items()],
        scale=scale,
        figures=_figures(report, name, task),
    )


def _scale(metrics: Iterable[MetricReport]) -> Scale:
    """Return the scale of all those metrics whose best value is 1."""
    values = [score.value for found in metrics if _is_share(found) for score in _scores(found)]
    lowest = max(min(values, default=0.0), LOWEST)
    return Scale(0.0 if lowest > -NEAR_ZERO else floor(lowest * 4) / 4, 1.0)


def _row(name: str, found: MetricReport, common: Scale) -> Row:
    if _is_share(found):
        return Row(name, found, common, common=True)
    ends = [end for score in _scores(found) for end in (score.low, score.high)]
    unit = 10 ** floor(_magnitude(max(map(abs, ends))))
    low, high = min(0.0, floor(min(ends) / unit) * unit), ceil(max(ends) / unit) * unit
    return Row(name, found, Scale(low, high if high > low else low + unit), common=False)


def _magnitude(value: float) -> int:
    return len(str(int(value))) - 1 if value >= 1 else -1


def _is_share(found: MetricReport) -> bool:
    return found.higher_is_better and all(score.high <= 1.0 for score in _scores(found))


def _scores(found: MetricReport) -> list[Score]:
    return [score for score in (found.after, found.before, found.baseline) if score]


def _figures(report: Report, name: str, task: TaskReport) -> list[Figure]:
    found = [_learning(report, name, task), _reliability(task), _scatter(task), _robust(task)]
    return [figure for figure in found if figure]


def _learning(report: Report, name: str, task: TaskReport) -> Figure | None:
    snapshot = report.snapshots.get(name, {})
    svg = plots.learning(report.history, name, task.decides, snapshot)
    if svg is None:
        return None
    caption = f"Above: {task.decides} on validation records. Below: training loss."
    if snapshot:
        caption += f" The ring marks the best step ({snapshot['best_step']:,})"
        caption += _shipped(snapshot)
    return Figure("Learning", svg, caption)


def _shipped(snapshot: Mapping[str, Any]) -> str:
    if snapshot["shipped_step"] is not None:
        return f", the full dot the step that was shipped ({snapshot['shipped_step']:,})."
    return "; a twin ships." if snapshot["shipped"] is None else "; a soup ships."


def _reliability(task: TaskReport) -> Figure | None:
    found = task.calibration
    if found is None:
        return None
    error = f"Expected calibration error {found.ece_after:.3f}"
    if found.ece_before is not None:
        error += f"; {found.ece_before:.3f} before calibration"
    return Figure(
        "Reliability",
        plots.reliability(found),
        f"{error}. On the dashed line, probabilities mean what they say; below it, the model is "
        "too sure. Larger dots hold more answers.",
    )


def _scatter(task: TaskReport) -> Figure | None:
    if not task.scatter:
        return None
    caption = "On the dashed line, the answer is the truth."
    found = task.coverage
    if found:
        caption += (
            " The band is the mean interval; "
            f"{100 * found.observed:.1f} % of truths lie inside the interval of their answer"
        )
        promised = found.promised is not None
        caption += f", {100 * found.promised:.0f} % were promised." if promised else "."
    return Figure("Truth and answer", plots.scatter(task.scatter, found), caption)


def _robust(task: TaskReport) -> Figure | None:
    if task.robustness is None:
        return None
    up = task.deciding.higher_is_better
    caption = (
        f"{task.decides} with its interval for every set of inputs that the model was shown, on "
        f"the same {task.robustness.num_records:,} records with all inputs"
        f"{'' if up else '; lower is better'}. The dashed line joins the best set of each size."
    )
    svg = plots.robustness(task.robustness, task.decides, higher_is_better=up)
    return Figure("When inputs are missing", svg, caption)


def _matrix(confusion: Confusion) -> list[tuple[str, list[Cell]]]:
    return [
        (label, [_cell(count, sum(row), at == right) for at, count in enumerate(row)])
        for right, (label, row) in enumerate(zip(confusion.labels, confusion.counts, strict=True))
    ]


def _cell(count: int, total: int, right: bool) -> Cell:
    return Cell(count, round(100 * count / total) if total else 0, right)


def pieces(error: WrongAnswer) -> list[Piece]:
    """Cut the text of a mistake at the borders of true and answered spans."""
    spans = [*error.truth, *error.answer]
    borders = {0, len(error.text)} | {s["start"] for s in spans} | {s["end"] for s in spans}
    cuts = sorted(borders)
    found, waiting = [], []
    for start, end in pairwise(cuts):
        style, tags = _marks(error, start, end)
        waiting += tags
        if any(s["start"] < end < s["end"] for s in spans):  # no tag inside a word
            found.append(Piece(error.text[start:end], style, []))
        else:
            found.append(Piece(error.text[start:end], style, waiting))
            waiting = []
    return found


def _marks(error: WrongAnswer, start: int, end: int) -> tuple[str, list[tuple[str, str]]]:
    """Return the style of a piece, and the names of the spans that end with it."""
    true = _covering(error.truth, start, end)
    said = _covering(error.answer, start, end)
    right = bool(true and said and _place(true) == _place(said))
    verdict = "right" if right else "wrong"
    style = [verdict] * bool(said) + ["true"] * bool(true)
    tags = []
    if said and said["end"] == end:
        tags.append((verdict, said["label"]))
    if true and true["end"] == end and not right:
        tags.append(("true", true["label"]))
    return " ".join(style), tags


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _covering(spans: Sequence[dict[str, Any]], start: int, end: int) -> dict[str, Any] | None:
    return next((s for s in spans if s["start"] <= start and end <= s["end"]), None)


def _place(span: dict[str, Any]) -> tuple[int, int, str]:
    return span["start"], span["end"], span["label"]


@dataclass(frozen=True)
class Counts:
    """Records of one source per split: all of them, and those labelled for each task."""

    source: str
    rows: list[tuple[str, list[int]]]


def data_counts(data: dict[str, Any]) -> tuple[list[str], list[Counts]]:
    """Return the names of the splits, and the counts of each source."""
    records, coverage = data.get("records") or {}, data.get("coverage") or {}
    splits = list(dict.fromkeys(split for counts in records.values() for split in counts))
    tables = [
        Counts(
            source,
            [("records", _by_split(counts, splits))]
            + [(task, _by_split(n, splits)) for task, n in (coverage.get(source) or {}).items()],
        )
        for source, counts in records.items()
    ]
    return splits, tables


def _by_split(counts: dict[str, int], splits: list[str]) -> list[int]:
    return [counts.get(split, 0) for split in splits]


@dataclass(frozen=True)
class Shared:
    """One task beside its twin, ready to be drawn: gains in percent of the twin's score."""

    name: str
    task: TaskSharing
    low: float
    value: float
    high: float


def shared(sharing: Sharing) -> list[Shared]:
    """Return what sharing did to each task, in percent of its twin's score."""
    found = []
    for name, task in sharing.tasks.items():
        unit = 100 / max(abs(sum(task.twin) / len(task.twin)), 1e-9)
        gain = task.difference
        found.append(Shared(name, task, unit * gain.low, unit * gain.value, unit * gain.high))
    return found


def shared_scale(rows: Sequence[Shared]) -> Scale:
    """Return a scale that has zero in its middle and all gains on it."""
    reach = max([1.0, *(abs(end) for row in rows for end in (row.low, row.high))])
    nice = next(step for step in (1, 2, 4, 8, 20, 40, 80, 200, 10**9) if reach <= step)
    return Scale(-float(nice), float(nice))
