"""`synthesize`: make labels block by block, keep what is good, go on after a kill.

synthesis/3/
synthesis.json        what was made with which settings, and what became of it

What is kept goes to the ledger, each block together with a note of what became of it, in one
step: so a kill loses at most the block that was being made, and nothing is counted twice.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from allrounder.errors import ProjectError, RunError
from allrounder.kinds import dump
from allrounder.ledger.made import Entry, Ledger
from allrounder.runs import FORMAT, environment, next_numbered, write_json
from allrounder.synthesis.base import Made, Making, Synthesis, identity
from allrounder.synthesis.filters import Filters
from allrounder.synthesis.material import Material
from allrounder.synthesis.report import SynthesisReport, Tally, shown

ABOUT = "synthesis.json"
SOURCE = "synthesis"

Tell = Callable[[str, float, float, str], None]

Resume = Literal["latest", "interrupted"] | None
"""Which synthesis is gone on with: the latest one even where it is complete, to be judged."""


def synthesize(
    kinds: Sequence[Synthesis],
    material: Material,
    *,
    folder: Path,
    ledger: Path,
    resume: Resume,
    tell: Tell,
) -> SynthesisReport:
    """Make labels, and put those that are good into the ledger.

    What a kind made before and does not make again counts no longer.

    Args:
        kinds: the `synthesis` section.
        material: what labels are made from.
        folder: where syntheses are numbered.
        ledger: the ledger of the project.
        resume: go on with the latest synthesis, or with the latest that was interrupted.
        tell: called as it goes on.

    Raises:
        ProjectError: the project has nothing that a kind could make labels of.
        RunError: nothing can be resumed, or the disk is full.
    """
    began = time.monotonic()
    making = [one for one in kinds if isinstance(one, Making)]
    if not making:
        raise ProjectError(
            "`synthesis` names `mix` alone, which makes no records: it happens in `allrounder "
            "train`, as `training.mixup`. Name a kind that makes some, such as noise."
        )
    sizes = [one.num_blocks(material) for one in making]
    about = _about(making, material)
    path = _resumed(folder, about, resume) if resume else None
    if path is None:
        path = next_numbered(folder)
        write_json(path / ABOUT, {**about, "work": uuid4().hex, **environment()})
    work = json.loads((path / ABOUT).read_text(encoding="utf-8"))["work"]
    with Ledger(ledger) as book:
        state = State.of(book.said(work))
        for number, (one, size) in enumerate(zip(making, sizes, strict=True)):
            for block in _Going(one, number, material, book, work).blocks(state, size, tell):
                state.take(block)
        expired = _expired(book, making, state.ids, path)
    report = SynthesisReport(
        folder=path,
        ledger=ledger,
        rows=list(state.tally.rows.values()),
        examples=state.examples,
        expired=expired,
        notes=_notes(making, material),
        seconds=round(time.monotonic() - began, 1),
    )
    keep(report)
    return report


def keep(report: SynthesisReport) -> None:
    """Write what a synthesis came to into its folder."""
    found = json.loads((report.folder / ABOUT).read_text(encoding="utf-8"))
    write_json(report.folder / ABOUT, {**found, "state": "complete", **report.to_dict()})


@dataclass
class State:
    """What was made so far, put together from the notes in the ledger.

    Args:
        done: blocks that are done, by the place of a kind.
        ids: of all that was kept.
        tally: what became of labels.
        examples: by kind, a few pairs of texts.
    """

    done: Counter = field(default_factory=Counter)
    ids: set[str] = field(default_factory=set)
    tally: Tally = field(default_factory=Tally)
    examples: dict[str, list[Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, notes: Iterable[Mapping[str, Any]]) -> "State":
        """Return what the notes of a synthesis come to."""
        state = cls()
        for block in notes:
            state.take(block)
        return state

    def take(self, block: Mapping[str, Any]) -> None:
        """Add what became of a block."""
        kind = block["kind"]
        self.done[block["number"]] += 1
        self.ids.update(block["ids"])
        self.tally.count(kind, block["made"], block["dropped"])
        self.examples[kind] = shown(self.examples.get(kind, []), block["examples"])


@dataclass
class _Going:
    """One kind at work."""

    settings: Making
    number: int
    material: Material
    book: Ledger
    work: str

    def blocks(self, state: State, size: int, tell: Tell) -> Iterable[dict[str, Any]]:
        """Make block by block what is not done yet; yield what became of each."""
        filters, kind = Filters(self.settings, self.material), self.settings.kind_name()
        start = state.done[self.number]
        tell(f"synthesize {kind}", start, size, "")
        for place, made in enumerate(self.settings.blocks(self.material, start), start):
            made = [one for one in made if one.labels]
            kept, dropped = filters.kept(made, state.ids)
            block = self._told(made, kept, dropped)
            self.book.add([self._entry(one) for one in kept], work=self.work, said=block)
            tell(f"synthesize {kind}", place + 1, size, f"{len(state.ids) + len(kept):,} kept")
            yield block

    def _told(
        self, made: Sequence[Made], kept: Sequence[Made], dropped: Mapping[str, Counter]
    ) -> dict[str, Any]:
        text = self.material.text
        firsts = {one.parent.key: one for one in reversed(kept)}.values()
        return {
            "kind": self.settings.kind_name(),
            "number": self.number,
            "made": dict(Counter(task for one in made for task in one.labels)),
            "dropped": {task: dict(why) for task, why in dropped.items()},
            "ids": [identity(self.settings, one) for one in kept],
            "examples": shown([], [self._pair(one, text) for one in [*firsts][::-1]]),
        }

    def _pair(self, made: Made, text: Callable[[Mapping[str, Any]], str]) -> list[str]:
        old, new = text(made.parent.fields), text(made.fields)
        labels = json.dumps(made.labels, ensure_ascii=False)
        return [old, labels if new == old else new]

    def _entry(self, made: Made) -> Entry:
        return Entry(
            id=identity(self.settings, made),
            source=SOURCE,
            generator=self.settings.kind_name(),
            seed=self.settings.seed,
            confidence=made.confidence,
            place=made.parent.place,
            parent=format(made.parent.key, "016x"),
            model=made.model,
            fields=made.fields,
            labels=made.labels,
        )


def _expired(book: Ledger, making: Sequence[Making], kept: set[str], path: Path) -> int:
    """Let what these kinds made before, and not again, count no longer; return how much."""
    names = dict.fromkeys(one.kind_name() for one in making)
    old = [id for name in names for id in book.ids(name) if id not in kept]
    return book.expire(old, f"synthesis {path.name} did not make it again") if old else 0


def _notes(making: Sequence[Making], material: Material) -> list[str]:
    """Say what a reader of the numbers has to know."""
    notes = [note for one in making for note in one.notes(material)]
    return list(dict.fromkeys(notes))


def _about(making: Sequence[Making], material: Material) -> dict[str, Any]:
    """Return what must be the same for an interrupted synthesis to go on."""
    judge = material.judge
    return {
        "format": FORMAT,
        "state": "making",
        "settings": dump(list(making)),
        "records": material.records.fingerprint,
        "run": judge and judge.fingerprint,
    }


def _resumed(folder: Path, about: Mapping[str, Any], resume: Resume) -> Path:
    """Return the synthesis to go on with; refuse one of other settings or records."""
    numbers = sorted((int(p.name) for p in folder.glob("*") if p.name.isdigit()), reverse=True)
    for number in numbers:
        path = folder / str(number)
        with suppress(OSError, ValueError):
            found = json.loads((path / ABOUT).read_text(encoding="utf-8"))
            if found.get("state") == "making" or resume == "latest":
                return _same(path, found, about)
    raise RunError(f"There is no interrupted synthesis under {folder}. Try without --resume.")


def _same(path: Path, found: Mapping[str, Any], about: Mapping[str, Any]) -> Path:
    for key, what in (("records", "the records have"), ("settings", "`synthesis` has"),
                      ("run", "the latest run has")):  # fmt: skip
        if found.get(key) != json.loads(json.dumps(about[key])):
            raise RunError(
                f"{path} cannot go on: {what} changed since it began. Start anew without --resume."
            )
    return path
