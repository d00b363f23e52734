"""`pretrain` from the first text, or from where it was killed, to an encoder that tasks can use.

pretraining/3/
pretraining.json        what is learned from what, and how it went
encoder/                the Hugging Face folder with the lowest loss on what was held out
start/                  the model made from nothing, if it was; deleted at the end
curve.svg               the losses drawn
checkpoint.safetensors  best.safetensors   what `--resume` goes on from; deleted at the end
"""

import json
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import torch

from allrounder.encoders import Text
from allrounder.encoders.text import read_tokenizer
from allrounder.errors import Error, RunError
from allrounder.kinds import dump
from allrounder.pretraining.base import Pretraining
from allrounder.pretraining.corpus import Corpus
from allrounder.pretraining.learning import BEST, CHECKPOINT, Learning, Tell
from allrounder.pretraining.objective import Objective
from allrounder.pretraining.report import PretrainingReport, drawn
from allrounder.pretraining.scratch import texts_of
from allrounder.records import Records
from allrounder.runs import FORMAT, environment, next_numbered, write_json, write_text
from allrounder.training.job import kept_chance

ABOUT, START = "pretraining.json", "start"


def pretrain(
    settings: Pretraining,
    encoder: Text,
    records: Records,
    *,
    name: str,
    folder: Path,
    cache: Path,
    resume: Literal["interrupted", "latest"] | None,
    tell: Tell,
) -> PretrainingReport:
    """Let an encoder go on learning on the training records' texts.

    Args:
        settings: the `pretraining` section.
        encoder: the input's encoder, its model found on disk.
        records: the records; those of validation and test are not looked at.
        name: the input's name.
        folder: where pretrainings are numbered.
        cache: where tokens are kept.
        resume: go on with the latest one that was interrupted, or take the latest one even where
            it is complete.
        tell: called as it goes on.

    Raises:
        DataError: there are too few different texts.
        ProjectError: the model cannot learn in this way.
        RunError: nothing can be resumed, or the disk is full.
    """
    about = {
        "format": FORMAT,
        "state": "learning",
        "input": name,
        "model": None if settings.scratch else encoder.model,
        "settings": dump(settings),
        "records": records.fingerprint,
    }
    path = _resumed(folder, about, complete=resume == "latest") if resume else None
    if path is not None and (found := _about(path))["state"] == "complete":
        return PretrainingReport.read(path, found)
    if path is None:
        path = next_numbered(folder)
        write_json(path / ABOUT, {**about, **environment()})
    with kept_chance():
        learning, encoder = _learned(settings, encoder, records, path=path, cache=cache, tell=tell)
        better = learning.recall(path)
    if better:
        _write(learning.objective, encoder, path / "encoder")
    report = PretrainingReport(
        folder=path,
        input=name,
        kind=settings.kind_name(),
        counts=learning.corpus.counts,
        curve=learning.state.curve,
        seconds=round(learning.state.seconds, 1),
        is_likelihood=learning.objective.is_likelihood,
        kept=better,
        new_head=bool(learning.objective.fresh),
        notes=records.notes,
    )
    write_text(path / "curve.svg", drawn(report))
    keep(report)
    _tidy(path)
    return report


def _learned(
    settings: Pretraining, encoder: Text, records: Records, *, path: Path, cache: Path, tell: Tell
) -> tuple[Learning, Text]:
    """Learn to the end; return what was learned, and the encoder that it began with.

    A folder in which nothing was learned yet goes when that fails.
    """
    try:
        encoder = _begun(settings, encoder, records, path)
        corpus = Corpus.of(records, encoder, hold_out=settings.hold_out, cache=cache)
        learning = Learning(_seeded(settings, encoder), corpus, settings)
        learning.run(path, tell)
    except Error:
        if not (path / CHECKPOINT).exists():
            shutil.rmtree(path, ignore_errors=True)
            with suppress(OSError):
                path.parent.rmdir()  # where it holds no other
        raise
    return learning, encoder


def _tidy(path: Path) -> None:
    """Delete what only an interrupted pretraining needs."""
    shutil.rmtree(path / START, ignore_errors=True)
    for left in (CHECKPOINT, BEST):
        with suppress(OSError):
            (path / left).unlink()


def _begun(settings: Pretraining, encoder: Text, records: Records, path: Path) -> Text:
    """Return the encoder to begin with; where it is made from nothing, that happens once."""
    if settings.scratch is None:
        return encoder
    begun = path / START
    if not (begun / "model.safetensors").exists():
        values: list[pa.ChunkedArray] = [records.values(name) for name in encoder.fields or []]
        texts = texts_of(values, records.indices("train"))
        settings.scratch.make(texts, begun, writes=settings.writes, seed=settings.seed)
    return replace(encoder, model=str(begun))


def keep(report: PretrainingReport) -> None:
    """Write what became of a pretraining beside what it was made with."""
    path = report.folder
    write_json(path / ABOUT, {**_about(path), "state": "complete", **report.to_dict()})


def _about(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path / ABOUT).read_text(encoding="utf-8"))
    return found


def _seeded(settings: Pretraining, encoder: Text) -> Objective:
    """Load the objective; a new head is drawn from the seed."""
    torch.manual_seed(settings.seed)
    return settings.objective(encoder)


def _resumed(folder: Path, about: dict[str, Any], *, complete: bool) -> Path:
    """Return the latest interrupted pretraining; refuse one of other settings or records.

    Args:
        folder: where pretrainings are numbered.
        about: what the project file says now.
        complete: whether one that came to its end will do.
    """
    numbers = sorted((int(p.name) for p in folder.glob("*") if p.name.isdigit()), reverse=True)
    for number in numbers:
        path = folder / str(number)
        with suppress(OSError, ValueError):
            found = _about(path)
            if found.get("state") == "learning" or (complete and found.get("encoder")):
                return _same(path, found, about)
    raise RunError(f"There is no interrupted pretraining under {folder}. Try without --resume.")


def _same(path: Path, found: dict[str, Any], about: dict[str, Any]) -> Path:
    for key, what in (("records", "the records have"), ("settings", "`pretraining` has"),
                      ("model", "the model has"), ("input", "the input has")):  # fmt: skip
        if found.get(key) != json.loads(json.dumps(about[key])):
            raise RunError(
                f"{path} cannot go on: {what} changed since it began. Start anew without --resume."
            )
    return path


def _write(objective: Objective, encoder: Text, folder: Path) -> None:
    """Write the encoder as a Hugging Face folder, whole or not at all."""
    draft = folder.with_name(".encoder")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        objective.keep(draft)
        read_tokenizer(encoder.model).save(str(draft / "tokenizer.json"))
        settings = encoder.folder / "tokenizer_config.json"
        if settings.exists():
            shutil.copyfile(settings, draft / settings.name)
        shutil.rmtree(folder, ignore_errors=True)
        draft.replace(folder)
    except Exception as error:  # safetensors and tokenizers raise their own types for a full disk
        shutil.rmtree(draft, ignore_errors=True)
        raise RunError(
            f"{folder} could not be written: {error}. Free space and --resume."
        ) from error
