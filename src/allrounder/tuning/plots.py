"""The search drawn: how it went, and what each key did.

Filled dots are trials that came to their end, hollow grey ones were given up; the ring is the
best. Values far below the rest are drawn at the lower edge, so that they squeeze nothing.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from allrounder.evaluation.plots import AFTER, BEFORE, INK, MUTED, SIZE, STYLE, svg
from allrounder.lazy import lazy
from allrounder.tuning.report import SearchReport, plain
from allrounder.tuning.space import Space
from allrounder.tuning.trials import Trial

if TYPE_CHECKING:
    import matplotlib
    from matplotlib import figure, ticker
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
else:
    matplotlib, figure = lazy("matplotlib"), lazy("matplotlib.figure")
    ticker = lazy("matplotlib.ticker")

LONGEST = 16
"""Letters of a choice's name that are drawn."""
DASHES = (0, (4, 3))


def history(report: SearchReport) -> str:
    """Draw the skill of each trial, and the best so far."""
    with matplotlib.rc_context(STYLE):
        drawing, axes = _single(report)
        complete = [trial for trial in report.trials if trial.state == "complete"]
        _dots(axes, report, [(trial, trial.number) for trial in _shown(report)])
        numbers = [trial.number for trial in complete]
        best = np.maximum.accumulate([trial.value or 0.0 for trial in complete])
        axes.step(numbers, best, where="post", color=AFTER, linewidth=1.4)
        _stood(axes, report)
        axes.set(xlabel="trial", ylabel="skill")
        axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
        said = f"Skill of {len(complete)} trials; the best is {report.best.value:.3f}"
        return svg(drawing, said)


def curves(report: SearchReport) -> str:
    """Draw the skill of each trial as its training went on."""
    with matplotlib.rc_context(STYLE):
        drawing, axes = _single(report)
        low = _floor(report)
        for trial in (t for t in report.trials if t.curve and t.state in ("complete", "pruned")):
            epochs, values = np.array(trial.curve).T
            style = _line(trial, report)
            axes.plot(epochs, np.maximum(values, low), markersize=2.5, **style)
        axes.set(xlabel="epoch", ylabel="skill")
        if axes.get_xlim()[1] > 2:
            axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
        return svg(drawing, f"Skill by epoch of {len(report.trials)} trials, those given up grey")


def _line(trial: Trial, report: SearchReport) -> dict[str, Any]:
    if trial.number == report.best.number:
        return {"color": AFTER, "linewidth": 2.2, "zorder": 4, "marker": "o"}
    if trial.as_it_stands:
        return {"color": INK, "linewidth": 1.2, "linestyle": DASHES, "zorder": 3, "marker": "o"}
    if trial.state == "pruned":
        marks = {"marker": "o", "markerfacecolor": "none"}
        return {"color": BEFORE, "linewidth": 0.9, "zorder": 1, **marks}
    return {"color": AFTER, "linewidth": 1, "alpha": 0.45, "zorder": 2, "marker": "o"}


def slice_of(report: SearchReport, space: Space) -> str:
    """Draw the skill of each trial against the value of one key."""
    with matplotlib.rc_context({**STYLE, "text.parse_math": False}):
        drawing, axes = _single(report)
        shown = [trial for trial in _shown(report) if space.key in trial.values]
        if space.kind == "choice":
            places = [space.values.index(trial.values[space.key]) for trial in shown]
            where = [at + 0.3 * (t.number % 5 - 2) / 5 for at, t in zip(places, shown, strict=True)]
        else:
            where = [trial.values[space.key] for trial in shown]
        _dots(axes, report, list(zip(shown, where, strict=True)))
        _stood(axes, report)
        _scale(axes, space)
        axes.set(ylabel="skill")
        return svg(drawing, f"Skill by {space.key}, {len(shown)} trials")


def _scale(axes: "Axes", space: Space) -> None:
    """Set the scale of a key: a logarithm, whole numbers, or the names of its choices."""
    if space.kind == "choice":
        names = [plain(value) for value in space.values]
        short = [n if len(n) <= LONGEST else n[: LONGEST - 1] + "…" for n in names]
        slanted = sum(map(len, short)) > 45
        axes.set_xticks(range(len(names)), short, rotation=20 if slanted else 0)
        axes.set_xlim(-0.6, len(names) - 0.4)
    elif space.kind == "log":
        axes.set_xscale("log")
        low, high = space.values
        wide = high / low > 200
        axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1,) if wide else (1, 2, 5)))
        axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(ticker.NullLocator())
    elif space.kind == "int":
        axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))


def _dots(axes: "Axes", report: SearchReport, places: Sequence[tuple[Trial, float]]) -> None:
    low = _floor(report)
    for state, style in (
        ("pruned", {"facecolor": "none", "edgecolor": BEFORE, "linewidth": 1}),
        ("complete", {"color": AFTER, "linewidth": 0, "alpha": 0.8}),
    ):
        points = [(x, max(_value(t), low)) for t, x in places if t.state == state]
        if points:
            axes.scatter(*zip(*points, strict=True), s=26, zorder=3, clip_on=False, **style)
    best = [(x, _value(t)) for t, x in places if t.number == report.best.number]
    ring = {"facecolor": "none", "edgecolor": INK, "linewidth": 1.2}
    axes.scatter(*zip(*best, strict=True), s=90, zorder=5, clip_on=False, **ring) if best else None


def _stood(axes: "Axes", report: SearchReport) -> None:
    """Draw the level of the project file as it stood."""
    if report.stood:
        level = max(report.stood.value or 0.0, _floor(report))
        axes.axhline(level, color=MUTED, linewidth=1, linestyle=DASHES)


def _shown(report: SearchReport) -> list[Trial]:
    return [t for t in report.trials if t.state == "complete" or (t.state == "pruned" and t.curve)]


def _value(trial: Trial) -> float:
    """Return what a trial came to: its value, or its last evaluation where it was given up."""
    return trial.curve[-1][1] if trial.value is None else trial.value


def _floor(report: SearchReport) -> float:
    """Return the lowest skill that is drawn where it lies."""
    values = np.array([_value(trial) for trial in _shown(report)])
    best, low = values.max(), float(np.quantile(values, 0.25))
    return max(float(values.min()), low - 1.5 * (best - low))


def _single(report: SearchReport) -> tuple["Figure", "Axes"]:
    drawing = figure.Figure(figsize=SIZE, layout="constrained")
    axes = drawing.subplots()
    low, high = _floor(report), report.best.value or 0.0
    edge = 0.06 * (high - low or 1.0)
    axes.set_ylim(low - edge, high + edge)
    return drawing, axes
