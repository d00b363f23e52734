"""What a version of the knowledge base would change, before it answers.

Recorded questions are answered twice, with the facts that answer now and with those of the other
version. Answers that differ are listed with the facts between them: those that the two versions do
not share about the entities that the text mentions.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa

from allrounder.errors import ProjectError
from allrounder.knowledge import Fact, Store
from allrounder.model import Knowing, Prepared
from allrounder.prediction import Predictor
from allrounder.reasons import effect
from allrounder.records import Part, stream


@dataclass(frozen=True)
class Shadow:
    """Two versions side by side.

    Args:
        predictor: the run.
        now: what is known now.
        then: what would be known.
        changes: by entity, facts that only one of the two knows, with `+` or `-` in front.
        day: the day whose facts and rules answer.
    """

    predictor: Predictor
    now: Knowing
    then: Knowing
    changes: Mapping[str, Sequence[str]]
    day: date

    @classmethod
    def of(cls, predictor: Predictor, version: int, *, as_of: date | None = None) -> "Shadow":
        """Return the version that answers now beside another one of the same store.

        Raises:
            ProjectError: the project's facts have no versions.
        """
        plan = predictor.plan
        facts = plan.knowledge and plan.knowledge.facts
        if not facts or not facts.is_store(plan.folder):
            raise ProjectError(
                "--shadow compares versions of a store, and `knowledge.facts` is none. Import the "
                "facts into one: allrounder knowledge import."
            )
        with Store(plan.folder / facts.path, read_only=True) as store:
            answering = facts.version or store.active
            diff = store.diff(answering, version)
        changes: dict[str, list[str]] = defaultdict(list)
        for sign, some in (("+", diff.added), ("-", diff.retracted)):
            for fact in some:
                _note(changes, fact, sign)
        day, now = as_of or date.today(), predictor.informed.on(as_of)
        other = replace(facts, version=version).open(plan.folder, plan.cache).at(day)
        assert now is not None
        return cls(predictor, now, now.about(other), changes, day)

    def flips(
        self,
        source: Path | IO[bytes],
        *,
        format: str | None = None,
        map: Mapping[str, str] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield every record of a file of which an answer would change.

        Yields:
            the record; by task `now` and `then`; and `through` which facts.
        """
        for part in stream(source, fields=self.predictor.plan.fields, format=format, map=map):
            yield from self._in(part)

    def _in(self, part: Part) -> Iterator[dict[str, Any]]:
        asked = np.setdiff1d(np.arange(len(part)), list(part.wrong))
        both = [self._answers(part, asked, knowing) for knowing in (self.now, self.then)]
        rows = part.batch.take(pa.array(asked)).to_pylist()
        for place, row, now, then in zip(asked, rows, *both, strict=True):
            changed = [task for task in now if task != "rules" and _differs(now, then, task)]
            if changed:
                yield {
                    "record": row,
                    "now": {task: _main(now[task]) for task in changed},
                    "then": {task: _main(then[task]) for task in changed},
                    "through": self._through(part, int(place)),
                }

    def _answers(self, part: Part, asked: np.ndarray, knowing: Knowing) -> list[dict[str, Any]]:
        predictor = self.predictor
        columns = {
            name: part.values[name] if name in part.values else pa.nulls(len(part), field.type)
            for name, field in predictor.plan.fields.items()
        }
        prepared = Prepared.of(predictor.model, columns, knowing=knowing)
        if not len(asked):
            return []
        decoder = predictor.decoder(self.day)
        return predictor.answerer.answers(prepared, asked, decoder=decoder)

    def _through(self, part: Part, row: int) -> list[str]:
        """Return the facts that changed about anything that the texts of a record mention."""
        found: dict[str, None] = {}
        for name in self.now.inputs:
            text = part.values[(self.predictor.plan.inputs[name].fields or [name])[0]][row].as_py()
            for base in (self.now.base, self.then.base):
                for mention in base.find(text or ""):
                    for entity in mention.candidates:
                        found |= dict.fromkeys(self.changes.get(base.snapshot.entities[entity], ()))
        return list(found)


def _note(changes: dict[str, list[str]], fact: Fact, sign: str) -> None:
    changes[fact.subject].append(f"{sign} {fact}")


def _differs(now: Mapping[str, Any], then: Mapping[str, Any], task: str) -> bool:
    return task not in then or effect(now[task], then[task])["changed"]


def _main(answer: Mapping[str, Any]) -> Any:
    return next(iter(answer.values()))
