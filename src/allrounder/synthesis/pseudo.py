"""Self-training: what the latest run is sure of."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from allrounder.errors import ProjectError
from allrounder.synthesis.labelling import Guess, Labelling
from allrounder.synthesis.material import Judge, Material, blocks_of

ANSWERED = ("label", "labels", "rank", "spans")
"""How tasks answer that say how likely an answer is."""


@dataclass(kw_only=True)
class Pseudo(Labelling):
    """Answers of the latest complete run to training records without a label (Lee 2013).

    Its probabilities are calibrated where validation records have labels. Such a label counts until
    another run is complete. A text in which the run finds no span gets no label of a spans task:
    how likely none is, is not known.
    """

    def able(self, material: Material) -> list[str]:
        """Return the tasks of the project whose answers have a probability."""
        self._judge(material)
        return [name for name, task in material.tasks.items() if task.speaks in ANSWERED]

    def model(self, material: Material) -> str:
        """Return the fingerprint of the run."""
        return self._judge(material).fingerprint

    def _judge(self, material: Material) -> Judge:
        if material.judge is None:
            raise ProjectError(
                "`synthesis` of kind pseudo labels records by the latest complete run, and there "
                "is none yet. Try: allrounder train"
            )
        return material.judge

    def guesses(self, material: Material, task: str) -> Iterator[Guess]:
        """Ask the run; it need not know a task that is new."""
        judge = self._judge(material)
        for block in blocks_of(material.unlabelled(task)):
            values = {
                name: material.records.values(name).take(block).combine_chunks()
                for name in material.fields
            }
            for row, answer in zip(block.tolist(), judge.answers(values), strict=True):
                found = _found(answer.get(task, {}))
                if found is not None:
                    yield Guess(row, *found)

    def notes(self, material: Material) -> list[str]:
        """Say until when the labels count."""
        return [
            f"Labels of kind pseudo are answers of {self._judge(material).name}: they count until "
            "another run is complete."
        ]


def _found(answer: Mapping[str, Any]) -> tuple[Any, float] | None:
    """Return the label of an answer and its probability; None where there is none."""
    if answer.get("abstained"):
        return None
    if "spans" in answer:
        spans = [{key: one[key] for key in ("start", "end", "label")} for one in answer["spans"]]
        return (spans, min(one["probability"] for one in answer["spans"])) if spans else None
    for key in ("label", "labels"):
        if answer.get(key) is not None:
            return answer[key], answer["probability"]
    return None
