"""Files with one token a line, its tag in the last column, and a blank line between sentences.

Tags may be IOB1, IOB2, BIOES, BILOU or BMES (Ramshaw and Marcus, 1995; Ratinov and Roth, 2009).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import pyarrow as pa

from allrounder.errors import DataError
from allrounder.records.sources.file import File
from allrounder.records.sources.skipped import Batches

BLOCK = 4096
SPANS = pa.list_(pa.struct([("start", pa.int32()), ("end", pa.int32()), ("label", pa.string())]))
TAG = re.compile(r"O|[BIMESLU]-\S+")
UNSPACED = re.compile(
    r"[\u0e00-\u0e7f\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
)
"""Characters of scripts written without spaces: Thai, kana, Han, and their punctuation."""


@dataclass
class Sentence:
    """The tokens of one sentence; no tags where the file has none."""

    line: int
    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)


class Conll:
    """Sentences as columns `text` and `spans`, whose offsets count code points."""

    def batches(self, file: File) -> Batches:
        """Yield the sentences."""
        sentences = _sentences(file)
        while block := list(islice(sentences, BLOCK)):
            joined = [joined_text(sentence.tokens) for sentence in block]
            spans = [
                decoded(sentence.tags, offsets) if sentence.tags else None
                for sentence, (_, offsets) in zip(block, joined, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(
                [pa.array([text for text, _ in joined]), pa.array(spans, SPANS)],
                names=["text", "spans"],
            )

    def places(self, file: File, rows: Sequence[int]) -> list[str]:
        """Return "path, line n" of the first token of each sentence."""
        lines = [sentence.line for sentence in islice(_sentences(file), max(rows) + 1)]
        return [file.at(lines[row]) for row in rows]


def joined_text(tokens: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """Return the text of a sentence and where each of its tokens stands in it."""
    parts: list[str] = []
    offsets: list[tuple[int, int]] = []
    end, before = 0, None
    for token in tokens:
        if before and not (UNSPACED.match(before[-1]) and UNSPACED.match(token[0])):
            parts.append(" ")
            end += 1
        parts.append(token)
        offsets.append((end, end + len(token)))
        end, before = end + len(token), token
    return "".join(parts), offsets


def decoded(tags: Sequence[str], offsets: Sequence[tuple[int, int]]) -> list[dict]:
    """Return the spans that tags of any of the schemes describe."""
    spans: list[dict] = []
    inside = None
    for tag, (start, end) in zip(tags, offsets, strict=True):
        prefix, _, label = tag.partition("-")
        if prefix == "O":
            inside = None
            continue
        if prefix in "BSU" or inside != label:
            spans.append({"start": start, "end": end, "label": label})
        else:
            spans[-1]["end"] = end
        inside = None if prefix in "ESLU" else label
    return spans


def _sentences(file: File) -> Iterator[Sentence]:
    sentence, tagged = None, None
    for number, line in enumerate(file.lines(), 1):
        cells = line.split()
        if not cells or cells[0] == "-DOCSTART-":
            if sentence:
                yield sentence
            sentence = None
            continue
        if line.startswith("# ") and not TAG.fullmatch(cells[-1]):
            continue
        tagged = len(cells) > 1 if tagged is None else tagged
        sentence = sentence or Sentence(number)
        sentence.tokens.append(cells[0])
        if tagged:
            sentence.tags.append(_tag(file, number, cells))
    if sentence:
        yield sentence


def _tag(file: File, number: int, cells: list[str]) -> str:
    if len(cells) == 1:
        raise DataError(
            f"{file.at(number)}: expected a token and its tag, found only {cells[0]!r}. Write the "
            "tag behind the token, or O where it is outside every span."
        )
    if not TAG.fullmatch(cells[-1]):
        raise DataError(
            f"{file.at(number)}: expected a tag such as O, B-PER, I-PER, E-PER or S-PER in the "
            f"last column, found {cells[-1]!r}. Correct the tag."
        )
    return cells[-1]
