"""How a pretraining went, as a table and drawn."""

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allrounder.evaluation.gate import GateReport
from allrounder.evaluation.plots import AFTER, BEFORE, SIZE, STYLE, svg
from allrounder.evaluation.table import aligned, number, perplexity
from allrounder.lazy import lazy
from allrounder.pretraining.corpus import Counts

if TYPE_CHECKING:
    import matplotlib
    from matplotlib import figure
else:
    matplotlib, figure = lazy("matplotlib"), lazy("matplotlib.figure")

INKS = {"ink": "#1f2328", "muted": "#59636e", "rule": "#d1d9e0", "after": "#0b6bcb", "before":
        "#8c959f"}  # fmt: skip
"""Colours of a drawing that stands by itself."""
MOST_ROWS = 12


@dataclass(frozen=True, kw_only=True)
class PretrainingReport:
    """How a pretraining went.

    Args:
        folder: the folder of the pretraining.
        input: the input whose encoder learned.
        kind: of the pretraining.
        counts: what became of the texts.
        curve: a row a look at what was held out: `step`, `epoch`, `loss`, `held_out`.
        seconds: of learning and looking.
        is_likelihood: whether e to the loss is a perplexity over the vocabulary.
        kept: whether learning lowered the loss on what was held out, so that there is an encoder.
        new_head: whether the model had no head for what it learned.
        notes: what belongs into every report on the records.
        gate: what the encoder is worth to the tasks, where that was asked.
        proposed: the project file that adopts it, where it is worth it.
    """

    folder: Path
    input: str
    kind: str
    counts: Counts
    curve: list[dict[str, Any]]
    seconds: float
    is_likelihood: bool
    kept: bool
    new_head: bool = False
    notes: list[str] = field(default_factory=list)
    gate: GateReport | None = None
    proposed: Path | None = None

    @classmethod
    def read(cls, folder: Path, found: dict[str, Any]) -> "PretrainingReport":
        """Return a report from its plain data, without the gate.

        Args:
            folder: the folder of the pretraining.
            found: what `to_dict` gave.
        """
        return cls(
            folder=folder,
            input=found["input"],
            kind=found["kind"],
            counts=Counts(**found["texts"]),
            curve=found["curve"],
            seconds=found["seconds"],
            is_likelihood=found["is_likelihood"],
            kept=found["encoder"] is not None,
            new_head=found["new_head"],
            notes=found.get("of_records", []),
        )

    @property
    def encoder(self) -> Path | None:
        """The Hugging Face folder of the best encoder, if learning did any good."""
        return self.folder / "encoder" if self.kept else None

    @property
    def best(self) -> dict[str, Any]:
        """The look with the lowest loss on what was held out."""
        return min(self.curve, key=lambda row: row["held_out"])

    @property
    def sentences(self) -> list[str]:
        """What is worth knowing."""
        before, after = self.curve[0]["held_out"], self.best["held_out"]
        if not self.kept:
            verdict = (
                f"Learning never lowered the loss on texts held out ({before:.3f}): nothing is "
                "kept. Lower `pretraining.lr`, or leave the model as it is."
            )
        elif self.is_likelihood:
            verdict = (
                f"Held-out perplexity: {perplexity(before)} before, {perplexity(after)} after."
            )
        else:
            verdict = f"Held-out loss: {before:.3f} before, {after:.3f} after."
        said = "The model had no head for this: a new one learned from nothing."
        return [verdict, str(self.counts), *self.notes, *([said] if self.new_head else [])]

    def __str__(self) -> str:
        head = [
            "epoch",
            "step",
            "loss",
            "held out",
            *(["perplexity"] if self.is_likelihood else []),
        ]
        rows = [head]
        every = max(1, math.ceil((len(self.curve) - 1) / MOST_ROWS))
        for place, row in enumerate(self.curve):
            if place % every and row is not self.best and place != len(self.curve) - 1:
                continue
            star = " *" if row is self.best else ""
            loss = "–" if row["loss"] is None else number(row["loss"])
            last = [perplexity(row["held_out"])] if self.is_likelihood else []
            rows.append(
                [f"{row['epoch']:g}", str(row["step"]), loss, number(row["held_out"]) + star, *last]
            )
        table = aligned(rows, left=0) + "\n\n" + "\n".join(self.sentences)
        return f"{table}\n\n{self.gate}" if self.gate else table

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "kind": self.kind,
            "input": self.input,
            "encoder": str(self.encoder) if self.encoder else None,
            "texts": self.counts.to_dict(),
            "curve": self.curve,
            "best": self.best,
            "seconds": self.seconds,
            "is_likelihood": self.is_likelihood,
            "new_head": self.new_head,
            "notes": self.sentences,
            "of_records": self.notes,
            "gate": self.gate and {**asdict(self.gate), "sentences": self.gate.sentences},
            "proposed": self.proposed and str(self.proposed),
        }


def drawn(report: PretrainingReport) -> str:
    """Return the losses by step as an SVG file."""
    with matplotlib.rc_context(STYLE):
        drawing = figure.Figure(figsize=SIZE, layout="constrained")
        axes = drawing.subplots()
        learned = [(row["step"], row["loss"]) for row in report.curve if row["loss"] is not None]
        if learned:
            axes.plot(*zip(*learned, strict=True), color=BEFORE, linewidth=1.4, label="learned")
        held = [(row["step"], row["held_out"]) for row in report.curve]
        axes.plot(*zip(*held, strict=True), color=AFTER, linewidth=1.6, marker="o", markersize=3,
                  label="held out")  # fmt: skip
        axes.set(xlabel="step", ylabel="loss")
        axes.legend(frameon=False)
        text = svg(drawing, f"Held-out loss from {held[0][1]:.3f} to {report.best['held_out']:.3f}")
    for name, color in INKS.items():
        text = text.replace(f"var(--{name})", color)
    text = text.replace("var(--sans)", "sans-serif")
    return text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
