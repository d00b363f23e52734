"""Plots as inline SVG that takes its colours and its font from the page around it.

Matplotlib draws with placeholder colours; they become CSS variables, so one drawing fits light,
dark and paper. Names of tasks and labels stay out of the drawings: the page writes those.
"""

import html
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from allrounder.evaluation.report import Calibration, Coverage, Robustness
from allrounder.lazy import lazy

if TYPE_CHECKING:
    import matplotlib
    from matplotlib import figure
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
else:
    matplotlib, figure = lazy("matplotlib"), lazy("matplotlib.figure")

INK, MUTED, RULE, AFTER, BEFORE = "#010101", "#010102", "#010103", "#010104", "#010105"
CSS = {INK: "ink", MUTED: "muted", RULE: "rule", AFTER: "after", BEFORE: "before"}
STYLE = {
    "svg.fonttype": "none",
    "font.size": 9.5,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
}
SIZE = (5.4, 3.4)
NUM_POINTS = 240
"""How many points of a training curve are drawn; longer curves are averaged in blocks."""


def reliability(found: Calibration) -> str:
    """Draw promise against outcome: on the diagonal, probabilities mean what they say."""
    with matplotlib.rc_context(STYLE):
        drawing, axes = _single()
        promised = np.array([b.confidence for b in found.bins])
        kept = np.array([b.accuracy for b in found.bins])
        share = np.array([b.count for b in found.bins]) / sum(b.count for b in found.bins)
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.vlines(promised, promised, kept, color=BEFORE, linewidth=1.6)
        axes.scatter(promised, kept, s=24 + 220 * share, color=AFTER, zorder=3, clip_on=False)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability given", ylabel="share right")
        said = f"Reliability: calibration error {found.ece_after:.3f} over {len(share)} bins"
        return svg(drawing, said)


def scatter(points: Sequence[Sequence[float]], coverage: Coverage | None) -> str:
    """Draw answers against truths, with the band that the intervals span."""
    with matplotlib.rc_context(STYLE):
        drawing, axes = _single()
        truths, answers = np.array(points, dtype=float).T
        low, high = min(truths.min(), answers.min()), max(truths.max(), answers.max())
        edge = 0.04 * (high - low or 1.0)
        line = np.array([low - edge, high + edge])
        if coverage:
            reach = coverage.width / 2
            axes.fill_between(line, line - reach, line + reach, color=AFTER, alpha=0.1, lw=0)
        axes.plot(line, line, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.scatter(truths, answers, s=14, color=AFTER, alpha=0.5, linewidth=0)
        axes.set(xlim=line, ylim=line, xlabel="truth", ylabel="answer")
        return svg(drawing, f"Answers against truths, {len(truths)} records")


def robustness(found: Robustness, metric: str, *, higher_is_better: bool) -> str:
    """Draw one metric for every subset of inputs, fewest at the top, and a line through the best.

    Names that the drawing's own font may lack are numbers instead, as in the table of the page.
    """
    with matplotlib.rc_context(STYLE):
        wide, high = SIZE
        size = (wide, max(high, 1.2 + 0.3 * len(found.subsets)))
        drawing = figure.Figure(figsize=size, layout="constrained")
        axes = drawing.subplots()
        scores = [one.metrics[metric] for one in found.subsets]
        values, places = [score.value for score in scores], range(len(scores))
        best = _best_of_each_size(found, values, -1 if higher_is_better else 1)
        axes.plot([values[at] for at in best], best, color=MUTED, lw=1, linestyle=(0, (4, 3)))
        axes.hlines(places, [s.low for s in scores], [s.high for s in scores], color=AFTER, lw=2)
        axes.scatter(values, places, s=46, color=AFTER, zorder=3, clip_on=False)
        axes.set_yticks(places, _subset_names(found))
        axes.set(xlabel=metric)
        axes.margins(y=0.12)
        axes.invert_yaxis()
        all_of_them = " and ".join(found.subsets[-1].inputs)
        said = f"{metric} by inputs, from {min(values):.3f}; {values[-1]:.3f} with {all_of_them}"
        return svg(drawing, said)


def _best_of_each_size(found: Robustness, values: Sequence[float], sign: int) -> list[int]:
    sizes = [len(one.inputs) for one in found.subsets]
    return [
        min(
            (at for at, other in enumerate(sizes) if other == size),
            key=lambda at: sign * values[at],
        )
        for size in dict.fromkeys(sizes)
    ]


def _subset_names(found: Robustness) -> list[str]:
    names = [" + ".join(one.inputs) for one in found.subsets]
    return names if all(map(str.isascii, names)) else [str(at + 1) for at in range(len(names))]


def learning(
    history: Sequence[dict[str, Any]], task: str, metric: str, snapshot: dict[str, Any]
) -> str | None:
    """Draw the validation metric and the training loss of one task, or None without history."""
    losses = _series(history, lambda row: (row.get("losses") or {}).get(task))
    scores = _series(
        history, lambda row: ((row.get("validation") or {}).get(task) or {}).get(metric)
    )
    if len(losses) < 2:
        return None
    with matplotlib.rc_context(STYLE):
        drawing = figure.Figure(figsize=SIZE, layout="constrained")
        top, bottom = drawing.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        bottom.plot(*_thinned(losses).T, color=BEFORE, linewidth=1.4)
        bottom.set(xlabel="step", ylabel="loss")
        _mark_snapshot(top, scores, snapshot)
        top.set(ylabel="validation")
        drawing.align_ylabels()
        return svg(drawing, _learning_said(losses, scores, snapshot))


def _mark_snapshot(axes: "Axes", scores: np.ndarray, snapshot: dict[str, Any]) -> None:
    if len(scores):
        axes.plot(*scores.T, color=AFTER, linewidth=1.6, marker="o", markersize=2.5)
    if None not in (snapshot.get("shipped_step"), snapshot.get("shipped")):
        at, value = snapshot["shipped_step"], snapshot["shipped"]
        axes.axvline(at, color=MUTED, linewidth=1, linestyle=(0, (2, 2)))
        axes.scatter([at], [value], s=46, color=AFTER, zorder=4, clip_on=False)
    if snapshot.get("best") is not None:
        at, value = snapshot["best_step"], snapshot["best"]
        ring = {"facecolor": "none", "edgecolor": INK, "linewidth": 1.2}
        axes.scatter([at], [value], s=120, zorder=5, clip_on=False, **ring)


def _learning_said(losses: np.ndarray, scores: np.ndarray, snapshot: dict[str, Any]) -> str:
    said = f"Training loss goes from {losses[0, 1]:.3f} to {losses[-1, 1]:.3f}"
    if len(scores):
        said += f"; validation goes from {scores[0, 1]:.3f} to {scores[-1, 1]:.3f}"
    if snapshot.get("best") is not None:
        said += f", best {snapshot['best']:.3f} at step {snapshot['best_step']}"
    return said


def _series(history: Sequence[dict[str, Any]], value: Any) -> np.ndarray:
    """Return [n, 2] steps and values, rows without a finite value left out."""
    pairs = [(row["step"], value(row)) for row in history]
    known = [(step, number) for step, number in pairs if number is not None]
    points = np.array(known, dtype=float).reshape(-1, 2)
    return points[np.isfinite(points).all(1)]


def _thinned(points: np.ndarray) -> np.ndarray:
    blocks = np.array_split(points, min(len(points), NUM_POINTS))
    return np.array([block.mean(0) for block in blocks])


def _single() -> tuple["Figure", "Axes"]:
    drawing = figure.Figure(figsize=SIZE, layout="constrained")
    return drawing, drawing.subplots()


def svg(drawing: "Figure", said: str) -> str:
    """Return the drawing as an SVG element; `said` is what a screen reader says of it."""
    file = io.StringIO()
    salt = re.sub(r"\W", "", said)  # ids differ between the drawings of one page
    with matplotlib.rc_context({"svg.hashsalt": salt}):
        drawing.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'font: ([\d.]+px)[^;"]*', r"font: \1 var(--sans)", text)
    for color, name in CSS.items():
        text = text.replace(color, f"var(--{name})")
    size = re.search(r'viewBox="[^"]*"', text)
    opening = f'<svg role="img" aria-label="{html.escape(said)}" {size.group() if size else ""} '
    text = re.sub(r"<svg\b[^>]*>", opening + 'xmlns:xlink="http://www.w3.org/1999/xlink">', text)
    return text
