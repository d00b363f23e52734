"""Scores and answers for many records, in length-grouped batches."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from allrounder.encoders.modules import Features
from allrounder.knowledge import MentionFacts
from allrounder.model.frozen import by_length
from allrounder.model.gallery import Gallery
from allrounder.model.knowing import Knowing
from allrounder.model.network import Batch, Model
from allrounder.model.prepared import Prepared
from allrounder.model.ruled import Decided, decided, grouped, reworded
from allrounder.model.scored import Scored
from allrounder.model.subsets import Subset, subsets
from allrounder.rules import Decoder
from allrounder.tasks.matching import joined

BUDGET = 8192
"""Padded tokens of one batch."""


def scored(
    model: Model,
    prepared: Prepared,
    rows: np.ndarray,
    *,
    tasks: Sequence[str] | None = None,
    labeled: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Scored]:
    """Yield the scores of each task, batch by batch; of one that reads inputs all at the end.

    Args:
        model: the model.
        prepared: the tokens of the records.
        rows: the rows to read.
        tasks: the tasks to ask; all by default.
        labeled: ask each task only of rows that carry its label.
        progress: called with the rows done and the rows in all.
    """
    names = list(tasks or model.tasks)
    choose = prepared.labeled if labeled else prepared.asked
    done, held = 0, {name: [] for name in names if model.tasks[name].reads == "inputs"}
    model.eval()
    for part in by_length(prepared, rows, BUDGET):
        part = np.sort(part)
        wanted = choose(part, names)
        if any(mask.any() for mask in wanted.values()):
            with torch.no_grad():
                found = model(prepared.batch(part, wanted))
            for name, scores in found.items():
                at = part[wanted[name]]
                found_part = Scored(name, at, readable(model, prepared, name, at, scores))
                if name in held:
                    held[name].append(found_part)
                else:
                    yield found_part
        done += len(part)
        if progress:
            progress(done, len(rows))
    yield from (_whole(parts) for parts in held.values() if parts)


def _whole(parts: Sequence[Scored]) -> Scored:
    rows = np.concatenate([part.rows for part in parts])
    order = np.argsort(rows)
    return Scored(parts[0].task, rows[order], joined([part.scores for part in parts])[order])


def scored_by_subset(
    model: Model, prepared: Prepared, rows: np.ndarray, *, tasks: Sequence[str]
) -> Iterator[tuple[Subset, Scored]]:
    """Yield the scores of labelled records that have all inputs, as if they had only some.

    Every record is encoded once, whatever the number of subsets. A task that reads the tokens of
    one input is not asked without it.

    Args:
        model: the model.
        prepared: the tokens of the records.
        rows: the rows to read.
        tasks: the tasks to ask, such as join several inputs.
    """
    whole = np.all([prepared.has(name, rows) for name in model.inputs], axis=0)
    model.eval()
    for part in by_length(prepared, rows[whole], BUDGET):
        part = np.sort(part)
        wanted = prepared.labeled(part, tasks)
        if not any(mask.any() for mask in wanted.values()):
            continue
        batch = prepared.batch(part, wanted)
        with torch.no_grad():
            features = model.features(batch)
            for some in subsets(list(model.inputs)):
                found = _scores_of(model, features, batch, some)
                for name, scores in found.items():
                    at = part[wanted[name]]
                    yield some, Scored(name, at, readable(model, prepared, name, at, scores))


def _scores_of(
    model: Model, features: Mapping[str, Features], batch: Batch, some: Subset
) -> dict[str, Tensor]:
    sources = {name: model.reads(model.tasks[name]) for name in batch.places}
    places = {n: at for n, at in batch.places.items() if sources[n] in (None, *some)}
    shown = {name: features[name] for name in some}
    return model.scores(model.read(shown, replace(batch, places=places)))


def answers_of(
    model: Model, prepared: Prepared, part: Scored, known: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the answers of one task, each under the calibration that fits the record's inputs."""
    task = model.tasks[part.task]
    found: dict[int, dict[str, Any]] = {}
    for places, fitted in grouped(prepared, part, known):
        answers = task.answers(part.scores[places], fitted)
        found |= dict(zip(places.tolist(), answers, strict=True))
    return [found[place] for place in range(len(part.rows))]


def readable(model: Model, prepared: Prepared, name: str, rows: np.ndarray, scores: Any) -> Any:
    """Return the scores of a task for some rows as its `decode` reads them, on the CPU."""
    task = model.tasks[name]
    if task.reads == "states":
        known = name in prepared.targets and prepared.targets[name].known(rows).all()
        targets = prepared.target(name, rows).to(model.device) if known else None
        return task.readable(scores, targets)  # type: ignore[attr-defined]
    if task.reads == "record":
        return scores.float().cpu()
    if task.reads == "inputs":
        known = name in prepared.targets and prepared.targets[name].known(rows).all()
        keys = prepared.target(name, rows) if known else None
        return task.readable(scores.float().cpu(), keys)  # type: ignore[attr-defined]
    source = model.reads(task) or ""
    texts = prepared.values[(model.inputs[source].fields or [source])[0]]
    return task.readable(  # type: ignore[attr-defined]
        scores.float().cpu(),
        [texts[int(row)].as_py() for row in rows],
        [prepared.tokens[source].offsets(row) for row in rows],
    )


class Answerer:
    """Turns records into answers.

    Args:
        passes: models, each with the tasks it answers; one model answers all of them unless a
            task keeps a snapshot of its own.
        calibration: by task, what `Task.calibrate` found, and `without` some inputs.
        galleries: by match task, what it searches.
        decoder: the rules that answers have to follow; None where there are none at any time.
    """

    def __init__(
        self,
        passes: Sequence[tuple[Model, Sequence[str]]],
        calibration: Mapping[str, dict[str, Any]],
        galleries: Mapping[str, Gallery] | None = None,
        decoder: Decoder | None = None,
    ) -> None:
        self.decoder = decoder
        self._informed: tuple[Knowing, Decoder, Decoder] | None = None
        self.passes = passes
        self.calibration = calibration
        self.galleries = galleries or {}

    def answers(
        self,
        prepared: Prepared,
        rows: np.ndarray,
        *,
        among: Mapping[str, Gallery] | None = None,
        decoder: Decoder | None = None,
    ) -> list[dict[str, Any]]:
        """Return, for each of `rows` in order, the answer of every task that can be asked.

        Under rules, `rules` says what they had to say of a record, and an answer that they changed
        what it stands `instead_of`.

        Args:
            prepared: the records.
            rows: which of them.
            among: what match tasks search instead of their galleries.
            decoder: the rules to follow, such as those of another day, instead of its own.
        """
        return self.variants(prepared, rows, [decoder or self.decoder], among=among)[0]

    def variants(
        self,
        prepared: Prepared,
        rows: np.ndarray,
        decoders: Sequence[Decoder | None],
        *,
        among: Mapping[str, Gallery] | None = None,
    ) -> list[list[dict[str, Any]]]:
        """Return the answers under each of several sets of rules, from one pass over the records.

        Args:
            prepared: the records.
            rows: which of them.
            decoders: the sets of rules; None stands for no rule.
            among: what match tasks search instead of their galleries.
        """
        named = {task for decoder in decoders if decoder for task in decoder.tasks}
        galleries = self.galleries if among is None else among
        found, parts = self._said(prepared, rows, galleries, named)
        order = [*self.passes[0][0].tasks, "rules"]
        every = []
        for decoder in decoders:
            some = {row: dict(answers) for row, answers in found.items()}
            if decoder:
                self._rule(self.asking(decoder, prepared.knowing), parts, prepared, some)
            every.append([{n: one[n] for n in order if n in one} for one in some.values()])
        return every

    def decided(self, prepared: Prepared, rows: np.ndarray, decoder: Decoder) -> dict[int, Decided]:
        """Return what rules do to each of some rows that is asked a task which they name."""
        _, parts = self._said(prepared, rows, {}, set(decoder.tasks))
        known = self.asking(decoder, prepared.knowing)
        return decided(known, parts, prepared, self.calibration, reasons=False)

    def _said(
        self,
        prepared: Prepared,
        rows: np.ndarray,
        galleries: Mapping[str, Gallery],
        named: Collection[str],
    ) -> tuple[dict[int, dict[str, Any]], list[tuple[Model, Scored]]]:
        """Return what tasks answer by themselves, and the scores of those that rules name."""
        found: dict[int, dict[str, Any]] = {int(row): {} for row in rows}
        parts: list[tuple[Model, Scored]] = []
        for model, tasks in self.passes:
            for part in scored(model, prepared, rows, tasks=tasks):
                known = self.calibration.get(part.task, {})
                answers = answers_of(model, prepared, part, known)
                if part.task in named:
                    parts.append((model, part))
                if part.task in galleries:
                    near = galleries[part.task].matches(_by_input(model, part))
                    answers = [{**a, "matches": m} for a, m in zip(answers, near, strict=True)]
                for row, answer in zip(part.rows, answers, strict=True):
                    found[int(row)][part.task] = answer
        return found, parts

    def asking(self, decoder: Decoder, knowing: Knowing | None) -> Decoder:
        """Return the decoder that asks what is known of these records."""
        if knowing is None or knowing is self.passes[0][0].knowing:
            return decoder
        known = self._informed
        if known is None or known[0] is not knowing or known[1] is not decoder:
            self._informed = knowing, decoder, decoder.asking(MentionFacts(knowing.base))
        return self._informed[2]  # type: ignore[index]

    def _rule(
        self,
        decoder: Decoder,
        parts: Sequence[tuple[Model, Scored]],
        prepared: Prepared,
        found: dict[int, dict[str, Any]],
    ) -> None:
        """Put the answers that rules chose in the place of those that they changed."""
        rows = decided(decoder, parts, prepared, self.calibration)
        for model, part in parts:
            known = self.calibration.get(part.task, {})
            changed = reworded(model.tasks[part.task], part, prepared, known, rows)
            for row, answer in changed.items():
                found[row][part.task] = answer
        for row, one in rows.items():
            if (told := one.told()) is not None:
                found[row]["rules"] = told


def galleries_of(
    passes: Sequence[tuple[Model, Sequence[str]]],
    prepared: Prepared,
    rows: np.ndarray,
    records: Sequence[str],
    values: Mapping[str, Sequence[str | None]],
) -> dict[str, Gallery]:
    """Return what each match task can search: the distinct values of some rows.

    Args:
        passes: the models that answer, each with its tasks.
        prepared: the records.
        rows: which of them, rising.
        records: a name for each.
        values: by input, its values at those rows as a person would read them.
    """
    found = {}
    for model, tasks in passes:
        matching = [name for name in tasks if model.tasks[name].reads == "inputs"]
        for part in scored(model, prepared, rows, tasks=matching) if matching else ():
            at = np.searchsorted(rows, part.rows)
            vectors = _by_input(model, part)
            found[part.task] = Gallery.of(
                vectors,
                {name: prepared.keys(name, part.rows) for name in vectors},
                [records[place] for place in at],
                {name: [values[name][place] for place in at] for name in vectors},
            )
    return found


def _by_input(model: Model, part: Scored) -> dict[str, Tensor]:
    """Return the vectors of a match task by input: [n, M, W] → [n, W] each."""
    names = model.tasks[part.task].reading(model.inputs)
    return dict(zip(names, part.scores.vectors.unbind(1), strict=True))
