"""Why a run answers as it does: what the answer would be without a fact, a mention or a rule.

Reasons are counterfactual. Everything that was told of a text is kept back once, one piece at a
time, and the record is answered again; what changes is the effect of that piece. What rules did is
in `reasons`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from allrounder.errors import DataError, RunError
from allrounder.knowledge import Base
from allrounder.model import Knowing, Lent, Prepared, kept_facts
from allrounder.prediction import Predictor
from allrounder.reasons import effect, rule_reasons

MOST = 256
"""Pieces of one record that are kept back, one after the other; the rest is only counted."""


@dataclass(frozen=True)
class Piece:
    """Something told of a text that can be kept back: what an entity lends, or a whole mention."""

    mention: int
    entity: int | None = None
    said: str | None = None


@dataclass(frozen=True)
class Named:
    """A mention: its input, its place among the mentions of that text, and what it may mean.

    Where candidates are weighed, `likely` says how likely each is and `nil` how likely none is.
    """

    input: str
    place: int
    start: int
    end: int
    candidates: Sequence[int]
    priors: Sequence[float]
    likely: Sequence[float] | None = None
    nil: float | None = None


def explained(
    predictor: Predictor, record: Mapping[str, Any], *, as_of: date | None = None
) -> dict[str, Any]:
    """Return the answers to a record, and the reasons for them.

    Args:
        predictor: the run.
        record: `{field: value}`.
        as_of: explain the answer with the facts and the rules that hold on this day.

    Returns:
        `answers`; `mentions` with their candidates; `reasons`, one for every fact that was told
        and for every mention, with its effect on each task; `rules`, those in force on the day,
        as `rule_reasons` gives them; `versions` of model, facts and rules, with which `replayed`
        gives the same answers again.
    """
    day = as_of or date.today()
    knowing = predictor.informed.on(day)
    return _explained(predictor, record, knowing, day)


def replayed(predictor: Predictor, told: Mapping[str, Any]) -> dict[str, Any]:
    """Explain a record again with the facts and the rules of a stored explanation.

    Raises:
        DataError: it is no explanation.
        RunError: the run is another one, or has other weights or rules since, or those facts are
            nowhere to be found.
    """
    try:
        record, versions = told["record"], told["versions"]
        day = date.fromisoformat(versions["as_of"])
        run, facts = versions["run"], versions["facts"]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            "This is no explanation as `predict --explain` writes it: expected `record` and "
            f"`versions` with run, facts and a day ({type(error).__name__}: {error})."
        ) from None
    mine = predictor.informed.run.path.name
    if run != mine:
        raise RunError(f"The explanation is of run {run}, and this is {mine}: load runs/{run}.")
    _check_versions(predictor, versions)
    if facts is None:
        return _explained(predictor, record, None, day)
    base = _known_by(predictor, facts, day)
    return _explained(predictor, record, predictor.informed.over(base), day)


def _known_by(predictor: Predictor, facts: Mapping[str, Any], day: date) -> Base:
    """Return the knowledge base with a fingerprint, wherever it still is."""
    for base in _bases(predictor, facts["version"]):
        held = base.at(day)
        if held.snapshot.fingerprint == facts["fingerprint"]:
            return held
    raise RunError(
        f"The facts of the explanation (version {facts['version']}, {facts['fingerprint'][:8]}) "
        "are neither in the project nor in the run. A store keeps all its versions: name it as "
        "`knowledge.facts.path`."
    )


def _bases(predictor: Predictor, version: int) -> Iterator[Base]:
    plan, run = predictor.plan, predictor.informed.run
    knowledge = plan.knowledge
    if knowledge is None or knowledge.facts is None:
        return
    yield knowledge.facts.over(kept_facts(run.path))
    if knowledge.facts.find(plan.folder) is not None:
        yield replace(knowledge.facts, version=None).open(plan.folder, plan.cache)
        if knowledge.facts.is_store(plan.folder):
            yield replace(knowledge.facts, version=version).open(plan.folder, plan.cache)


def _explained(
    predictor: Predictor, record: Mapping[str, Any], knowing: Knowing | None, day: date
) -> dict[str, Any]:
    values = predictor.handed([record])
    named = _named(predictor, values, knowing)
    pieces = list(_pieces(named, knowing)) if knowing else []
    prepared = _keeping_back(predictor, values, knowing, named, pieces[:MOST])
    rows, decoder = np.arange(len(prepared)), predictor.decoder(day)
    usual, *others = predictor.answerer.answers(prepared, rows, decoder=decoder)
    return {
        "record": {name: value for name, value in record.items() if name in predictor.plan.fields},
        "answers": usual,
        "mentions": [_mention(one, values, predictor, knowing) for one in named],
        "reasons": [
            _reason(piece, usual, other, knowing)
            for piece, other in zip(pieces[:MOST], others, strict=True)
        ],
        "not_looked_at": max(0, len(pieces) - MOST),
        "rules": rule_reasons(predictor, prepared, decoder, usual),
        "versions": _versions(predictor, knowing, day),
    }


def _named(
    predictor: Predictor, values: Mapping[str, pa.Array], knowing: Knowing | None
) -> list[Named]:
    """Return every mention of a record."""
    found = []
    for name in knowing.inputs if knowing else ():
        field = (predictor.plan.inputs[name].fields or [name])[0]
        text = values[field][0].as_py() or ""
        found += _mentions(name, text, knowing)  # type: ignore[arg-type]
    return found


def _mentions(name: str, text: str, knowing: Knowing) -> list[Named]:
    if knowing.linking is None:
        return [Named(name, place, *one) for place, one in enumerate(knowing.base.find(text))]
    found = knowing.linkers[name].link(text)
    return [
        Named(name, place, *mention, likely, nil)
        for place, (mention, likely, nil) in enumerate(found)
    ]


def _pieces(named: Sequence[Named], knowing: Knowing) -> Iterator[Piece]:
    """Yield all that is told of a record, mention by mention."""
    for number, one in enumerate(named):
        yield Piece(number)
        for entity in one.candidates:
            said = dict.fromkeys(
                item for name in knowing.on(one.input) for item in knowing.lent(name, entity)
            )
            for item in said:
                yield Piece(number, entity, item)


def _keeping_back(
    predictor: Predictor,
    values: Mapping[str, pa.Array],
    knowing: Knowing | None,
    named: Sequence[Named],
    pieces: Sequence[Piece],
) -> Prepared:
    """Return the record as it is, and then once for each piece, which is kept back."""
    columns = {
        name: pa.concat_arrays([column] * (1 + len(pieces))) for name, column in values.items()
    }
    prepared = Prepared.of(predictor.model, columns, knowing=knowing)
    hidden = {row: {_lent(piece, named)} for row, piece in enumerate(pieces, start=1)}
    return replace(prepared, hidden=hidden)


def _lent(piece: Piece, named: Sequence[Named]) -> Lent:
    whose = named[piece.mention]
    return Lent(whose.input, whose.place, piece.entity, piece.said)


def _mention(
    one: Named, values: Mapping[str, pa.Array], predictor: Predictor, knowing: Knowing | None
) -> dict[str, Any]:
    assert knowing is not None
    field = (predictor.plan.inputs[one.input].fields or [one.input])[0]
    base, text = knowing.base, values[field][0].as_py()
    likely = [{} if one.likely is None else {"probability": round(value, 6)}
              for value in one.likely or one.priors]  # fmt: skip
    return {
        "input": one.input,
        "start": one.start,
        "end": one.end,
        "text": text[one.start : one.end],
        "candidates": [
            {"id": base.snapshot.entities[entity], "name": base.names[entity],
             "prior": round(prior, 6), **probability}
            for entity, prior, probability in zip(one.candidates, one.priors, likely, strict=True)
        ],
        **({} if one.nil is None else {"nil": round(one.nil, 6)}),
    }  # fmt: skip


def _reason(
    piece: Piece, usual: Mapping[str, Any], other: Mapping[str, Any], knowing: Knowing | None
) -> dict[str, Any]:
    """Return one piece and what the answers would be without it."""
    assert knowing is not None
    whose = {} if piece.entity is None else {
        "entity": knowing.base.snapshot.entities[piece.entity], "fact": piece.said
    }  # fmt: skip
    tasks = [task for task in usual if task in other and task != "rules"]
    effects = {task: effect(usual[task], other[task]) for task in tasks}
    return {"mention": piece.mention, **whose, "effects": effects}


def _versions(predictor: Predictor, knowing: Knowing | None, day: date) -> dict[str, Any]:
    facts = knowing and {
        "version": knowing.base.snapshot.version,
        "fingerprint": knowing.base.snapshot.fingerprint,
    }
    book = predictor.rulebook
    rules = book and {"version": book.rules.version, "fingerprint": book.rules.fingerprint}
    return {
        "run": predictor.informed.run.path.name,
        "model": predictor.fingerprint,
        "facts": facts,
        "rules": rules,
        "as_of": day.isoformat(),
    }


def _check_versions(predictor: Predictor, versions: Mapping[str, Any]) -> None:
    """Refuse to replay on other weights or rules; older explanations name neither."""
    path = predictor.informed.run.path
    if versions.get("model", predictor.fingerprint) != predictor.fingerprint:
        raise RunError(
            f"{path} no longer has the weights that the explanation is of: they were changed "
            "since, as `evaluate --twins` does. Restore them, or explain the record anew."
        )
    told, book = versions.get("rules"), predictor.rulebook
    if told and told["fingerprint"] != (book and book.rules.fingerprint):
        raise RunError(
            f"The rules of the explanation ({told['fingerprint'][:8]}) are no longer those of "
            f"{path}. Restore its rules.yaml, or explain the record anew."
        )
