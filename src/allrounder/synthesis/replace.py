"""Words told anew by a masked language model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from allrounder.encoders import Text
from allrounder.encoders.locate import locate
from allrounder.lazy import lazy
from allrounder.synthesis.base import Made, Parent, Writing
from allrounder.synthesis.edits import Edit, Word, free_words
from allrounder.synthesis.material import Material, num_blocks
from allrounder.synthesis.noise import varied
from allrounder.synthesis.pretrained import pretrained

if TYPE_CHECKING:
    from allrounder.synthesis import filling
    from allrounder.synthesis.filling import Filler
else:
    filling = lazy("allrounder.synthesis.filling")


@dataclass(frozen=True)
class Slot:
    """A text of which some words are to be told anew."""

    parent: Parent
    number: int
    name: str
    words: list[Word]

    @property
    def text(self) -> str:
        """The text as it is."""
        return self.parent.fields[self.name]


@dataclass(kw_only=True)
class Replace(Writing):
    """Words hidden and told anew by a masked language model, never as they were.

    Words are drawn, all of a text hidden at once, and each drawn anew from the likeliest that the
    model knows as a whole (contextual augmentation, Kobayashi 2018; without labels, as by Wu et al.
    2019). Words in spans and words with digits are left alone; offsets are carried along.

    Args:
        n: records made from each.
        share: of the words that are told anew.
        top: how many of the likeliest words are drawn from.
        model: a model with a trained head for hidden words, as inputs name theirs; by default what
            `allrounder pretrain` made last by kind `masked`.
        batch_records: texts that the model reads at a time.
    """

    n: int = 1
    share: float = 0.15
    top: int = 10
    model: str | None = None
    batch_records: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        self._within("share", 0.01, 0.9)
        for name in ("n", "top", "batch_records"):
            self._at_least(name, 1)

    def num_blocks(self, material: Material) -> int:
        """Return how many blocks the labelled training records are; find the model."""
        self._encoder(material)
        return num_blocks(material.labelled(self._tasks(material)))

    def _tasks(self, material: Material) -> list[str]:
        return material.chosen(self.tasks, material.labelled_tasks, "with labels")

    def _encoder(self, material: Material) -> Text:
        """Return the model as an encoder of texts, found on disk."""
        model = self.model or pretrained(material.folder, "masked")
        found = locate(model, material.folder, at="synthesis")
        return Text(model=str(found), fields=["text"], max_tokens=512)

    def blocks(self, material: Material, start: int = 0) -> Iterator[list[Made]]:
        """Yield the records with words told anew of each block of labelled ones."""
        tasks, encoder = self._tasks(material), self._encoder(material)
        filler = material.once(self.mark, lambda: filling.Filler(encoder, self.top))
        for parents in material.parents(material.labelled(tasks), start):
            slots = [
                slot
                for parent in parents
                for number in range(self.n)
                if (slot := self._slot(parent, number, material, filler)).words
            ]
            yield self._filled(slots, tasks, material, filler)

    def _slot(self, parent: Parent, number: int, material: Material, filler: "Filler") -> Slot:
        """Draw a text of a record, and words of it."""
        chance = self.chance(parent, number)
        names = [name for name in material.texts if name in parent.fields]
        name = names[chance.integers(len(names))]
        text = parent.fields[name]
        words = [] if filler.mask in text else _replaceable(text, material.spans(parent, name))
        count = min(len(words), max(1, round(self.share * len(words))))
        drawn = sorted(chance.choice(len(words), count, replace=False).tolist()) if words else []
        return Slot(parent, number, name, [words[at] for at in drawn])

    def _filled(
        self, slots: Sequence[Slot], tasks: Sequence[str], material: Material, filler: "Filler"
    ) -> list[Made]:
        """Let the model tell the words of all texts, those of like length together."""
        order = sorted(range(len(slots)), key=lambda at: len(slots[at].text))
        made: dict[int, Made] = {}
        for first in range(0, len(order), self.batch_records):
            some = order[first : first + self.batch_records]
            chances = [self.chance(slots[at].parent, slots[at].number).spawn(1)[0] for at in some]
            told = filler.told([(slots[at].text, slots[at].words) for at in some], chances)
            for at, words in zip(some, told, strict=True):
                if (one := _made(slots[at], words, tasks, material)) is not None:
                    made[at] = one
        return [made[at] for at in sorted(made)]


def _replaceable(text: str, spans: Sequence[Mapping[str, Any]]) -> list[Word]:
    """Return the words outside spans that hold no digit: another number is another statement."""
    words = free_words(text, spans)
    return [one for one in words if not any(c.isdigit() for c in text[one.start : one.end])]


def _made(slot: Slot, told: Sequence[str], tasks: Sequence[str], material: Material) -> Made | None:
    edits = [Edit(*word, new) for word, new in zip(slot.words, told, strict=False)]
    found = varied(slot.parent, slot.name, material, lambda text, spans: edits)
    if found is None:
        return None
    labels = {task: label for task, label in found[1].items() if task in tasks}
    return Made(parent=slot.parent, number=slot.number, fields=found[0], labels=labels)
