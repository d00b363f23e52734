"""Small damage that leaves labels as they are."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from allrounder.synthesis.base import Made, Parent, Writing
from allrounder.synthesis.edits import Edit, edited, free_words, is_free, stands_alone
from allrounder.synthesis.material import Material, num_blocks
from allrounder.tasks.words import is_inside_word

Spans = Sequence[Mapping[str, Any]]

MARKS = (". ", "; ", "? ", ": ", "! ", ", ")
WIDE_MARKS = "。；？：！，"
"""What AEDA inserts, and what stands for it where words have no spaces between them."""

KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")

FEWEST_LETTERS = 4
"""Letters of a word below which a slip of the keys makes another word of it."""


@dataclass(kw_only=True)
class Noise(Writing):
    """Words deleted or swapped, punctuation inserted, or slips of the keys: nothing to download.

    One of the operations is drawn for every made record. `delete` and `swap` are two of EDA (Wei
    and Zou 2019), `punctuation` is AEDA (Karimi et al. 2021): up to a third as many marks as there
    are words; `typo` swaps, drops, doubles or mistypes a letter. Spans are not touched, their
    offsets are carried along.

    Args:
        n: records made from each.
        share: of the words that are deleted, swapped or mistyped.
        operations: which of them are drawn from.
    """

    n: int = 1
    share: float = 0.1
    operations: list[Literal["delete", "swap", "punctuation", "typo"]] = field(
        default_factory=lambda: ["delete", "swap", "punctuation", "typo"]
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least("n", 1)
        self._within("share", 0.01, 0.9)
        if not self.operations:
            raise ValueError("has no `operations`. Name one of delete, swap, punctuation, typo.")

    def num_blocks(self, material: Material) -> int:
        """Return how many blocks the labelled training records are."""
        return num_blocks(material.labelled(self._tasks(material)))

    def _tasks(self, material: Material) -> list[str]:
        return material.chosen(self.tasks, material.labelled_tasks, "with labels")

    def blocks(self, material: Material, start: int = 0) -> Iterator[list[Made]]:
        """Yield the noisy records of each block of labelled ones."""
        tasks = self._tasks(material)
        for parents in material.parents(material.labelled(tasks), start):
            yield [
                made
                for parent in parents
                for number in range(self.n)
                if (made := self._made(parent, number, tasks, material)) is not None
            ]

    def _made(
        self, parent: Parent, number: int, tasks: Sequence[str], material: Material
    ) -> Made | None:
        chance = self.chance(parent, number)
        names = [name for name in material.texts if name in parent.fields]
        name = names[chance.integers(len(names))]
        for operation in chance.permutation(self.operations):
            found = varied(
                parent,
                name,
                material,
                lambda text, spans, how=OPERATIONS[operation]: how(text, spans, self.share, chance),
            )
            if found is not None:
                fields, labels = found
                labels = {task: label for task, label in labels.items() if task in tasks}
                return Made(parent=parent, number=number, fields=fields, labels=labels)
        return None


def varied(
    parent: Parent,
    name: str,
    material: Material,
    change: Callable[[str, Spans], list[Edit]],
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the fields and labels of a record with one text changed; None where none can be.

    Args:
        parent: the record.
        name: the field that is changed.
        material: knows which labels point into it.
        change: given a text and all spans in it, returns what is to be changed.
    """
    pointing, spans = material.pointing(parent, name), material.spans(parent, name)
    text = parent.fields[name]
    found = edited(text, edits, spans) if (edits := change(text, spans)) else None
    if found is None or found[0] == text:
        return None
    moved = iter(found[1])
    labels = {task: [next(moved) for _ in parent.labels[task]] for task in pointing}
    return {**parent.fields, name: found[0]}, {**parent.labels, **labels}


def deleted(text: str, spans: Spans, share: float, chance: np.random.Generator) -> list[Edit]:
    """Delete each word with probability `share`: one at least, never all."""
    words = free_words(text, spans)
    if len(words) < 2:
        return []
    drawn = chance.random(len(words))
    gone = (drawn < share) | (drawn == drawn.min())
    gone[drawn.argmax()] = False
    return [_without(text, spans, *words[at]) for at in np.flatnonzero(gone)]


def _without(text: str, spans: Spans, start: int, end: int) -> Edit:
    """Return the deletion of a word with the spaces behind it; words around it stay apart."""
    after = end
    while after < len(text) and text[after].isspace():
        after += 1
    if not is_free(start, after, spans):
        after = end
    around = text[start - 1 : start] + text[after : after + 1]
    glued = len(around) == 2 and is_inside_word(around, 1)
    return Edit(start, after, " " if glued else "")


def swapped(text: str, spans: Spans, share: float, chance: np.random.Generator) -> list[Edit]:
    """Let two words drawn at random change places, for a `share` of the words."""
    words = free_words(text, spans)
    if len(words) < 2:
        return []
    order = np.arange(len(words))
    for _ in range(max(1, round(share * len(words)))):
        pair = chance.choice(len(words), 2, replace=False)
        order[pair] = order[pair[::-1]]
    return [
        Edit(*word, text[slice(*words[other])])
        for word, other in zip(words, order, strict=True)
        if text[slice(*word)] != text[slice(*words[other])]
    ]


def punctuated(text: str, spans: Spans, share: float, chance: np.random.Generator) -> list[Edit]:
    """Insert marks before words, up to a third as many as there are words."""
    words = [word for word in free_words(text, spans) if is_free(word.start, word.start, spans)]
    if not words:
        return []
    count = int(chance.integers(1, max(1, len(words) // 3) + 1))
    drawn = sorted(chance.choice(len(words), count, replace=False).tolist())
    return [_marked(text, words[at].start, stands_alone(text, words[at]), chance) for at in drawn]


def _marked(text: str, at: int, wide: bool, chance: np.random.Generator) -> Edit:
    marks = WIDE_MARKS if wide else MARKS
    return Edit(at, at, marks[chance.integers(len(marks))])


def mistyped(text: str, spans: Spans, share: float, chance: np.random.Generator) -> list[Edit]:
    """Mistype one letter of a `share` of the words of four letters or more."""
    words = [word for word in free_words(text, spans) if word.end - word.start >= FEWEST_LETTERS]
    count = min(len(words), max(1, round(share * len(words))))
    drawn = sorted(chance.choice(len(words), count, replace=False).tolist()) if words else []
    return [Edit(*words[at], _slipped(text[slice(*words[at])], chance)) for at in drawn]


def _slipped(word: str, chance: np.random.Generator) -> str:
    """Return a word with two letters swapped, one dropped, doubled, or its neighbour's key."""
    at, how = int(chance.integers(1, len(word) - 1)), chance.integers(4)
    head, letter, rest = word[:at], word[at], word[at + 1 :]
    if how == 0:
        return head + rest[0] + letter + rest[1:]
    return head + ("", 2 * letter, _neighbour(letter, chance))[how - 1] + rest


def _neighbour(letter: str, chance: np.random.Generator) -> str:
    row = next((row for row in KEYS if letter.lower() in row), letter)
    at = row.find(letter.lower())
    near = [row[place] for place in (at - 1, at + 1) if 0 <= place < len(row)] or [letter]
    found = near[chance.integers(len(near))]
    return found.upper() if letter.isupper() else found


OPERATIONS = {"delete": deleted, "swap": swapped, "punctuation": punctuated, "typo": mistyped}
