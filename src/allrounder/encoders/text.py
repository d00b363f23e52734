"""Text through a pretrained transformer encoder."""

import hashlib
import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from tokenizers import Encoding as Encoded
from tokenizers import Tokenizer

from allrounder.encoders.branches import Branch, fitting
from allrounder.encoders.locate import SHIFTED, copy_settings, read_config
from allrounder.encoders.tokens import Tokens, tokenized
from allrounder.encoders.tuned import Tuned
from allrounder.encoders.vocabulary import Vocabulary, vocabulary
from allrounder.encoders.windows import windowed_lengths
from allrounder.encoders.writers import writer_of
from allrounder.errors import ProjectError
from allrounder.lazy import lazy
from allrounder.spelling import Spelling, spelled

if TYPE_CHECKING:
    import transformers

    from allrounder.encoders import batches, beside, modules, transformer, writing
else:
    transformers, batches = lazy("transformers"), lazy("allrounder.encoders.batches")
    beside, writing = lazy("allrounder.encoders.beside"), lazy("allrounder.encoders.writing")
    transformer = lazy("allrounder.encoders.transformer")


@dataclass(kw_only=True)
class Text(Tuned):
    """One text, or a pair, through any Hugging Face encoder.

    Args:
        fields: the columns that the input reads, one or a pair; by default the input's own name.
        tune: `frozen` (run once, features cached), `top:N` (the last N layers learn, the rest is
            run once), `lora` (Hu et al. 2021), or `full`.
        max_tokens: longer texts are cut; spans tasks read them in overlapping windows.
        pool: how token states become one vector: their `mean`, or the first (`cls`).
        prefix: what the model wants to see before every text, such as `query: `.
    """

    reads_branches: ClassVar[bool] = True
    needs_all: ClassVar[bool] = True

    max_tokens: int = 128
    pool: Literal["mean", "cls"] = "mean"
    prefix: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_tokens < 8:
            raise ValueError(f"has `max_tokens: {self.max_tokens}`. Expected 8 or more.")
        if self.fields is not None and len(self.fields) not in (1, 2):
            raise ValueError(f"reads one text or a pair. Got {len(self.fields)} `fields`.")

    @property
    def reach(self) -> int:
        """The longest sequence read at once: `max_tokens`, or what the model allows if less."""
        return min(self.max_tokens, positions(self.model))

    def prepare(self, values: Sequence[pa.Array], *, cache: Path | None = None) -> Tokens:
        """Tokenize every row."""
        mark = [_fingerprint(self.model), self.prefix, len(values) == 2 and self.reach]
        return tokenized(values, self._tokenize, fingerprint=json.dumps(mark), cache=cache)

    def _tokenize(self, columns: Sequence[pa.Array]) -> pa.RecordBatch:
        texts = [column.to_pylist() for column in columns]
        return self._pairs(*texts) if len(texts) == 2 else self._singles(texts[0])

    def _singles(self, texts: list[str | None]) -> pa.RecordBatch:
        tokenizer = read_tokenizer(self.model)
        tokenizer.no_truncation()
        known = [self.prefix + text for text in texts if text is not None]
        encoded = iter(tokenizer.encode_batch(known, add_special_tokens=False))
        rows = [None if text is None else next(encoded) for text in texts]
        lengths = [0 if row is None else len(row) for row in rows]
        spots = [
            self._offsets(row, text) for row, text in zip(rows, texts, strict=True) if text and row
        ]
        return pa.record_batch(
            {
                "ids": _lists([row.ids for row in rows if row], lengths, pa.int32()),
                "offsets": _lists(spots, [2 * n for n in lengths], pa.int32()),
                "full": pa.array(lengths, pa.int32()),
            }
        )

    def _offsets(self, row: Encoded, text: str) -> list[int]:
        """Return start, end, start, end … in `text`, without the prefix and leading spaces.

        Marks that the tokenizer strips, such as accents, belong to the token before them.
        """
        shift, flat = len(self.prefix), []
        follows = [start for start, _ in row.offsets[1:]] + [shift + len(text)]
        for (start, end), after in zip(row.offsets, follows, strict=True):
            start, end = max(0, start - shift), max(0, end - shift)
            while start < end and text[start].isspace():
                start += 1
            while start < end < after - shift and unicodedata.combining(text[end]):
                end += 1
            flat += (start, end)
        return flat

    def _pairs(self, left: list[str | None], right: list[str | None]) -> pa.RecordBatch:
        tokenizer = read_tokenizer(self.model)
        tokenizer.no_truncation()
        whole = [a is not None and b is not None for a, b in zip(left, right, strict=True)]
        known = [
            (self.prefix + a, b)  # type: ignore[operator]
            for a, b, both in zip(left, right, whole, strict=True)
            if both
        ]
        encoded = tokenizer.encode_batch(known)
        full = iter([len(row) for row in encoded])
        tokenizer.enable_truncation(self.reach)
        cut = [
            r if len(r) <= self.reach else tokenizer.encode(*known[i])
            for i, r in enumerate(encoded)
        ]
        tokenizer.no_truncation()
        rows = iter(cut)
        kept = [next(rows) if both else None for both in whole]
        lengths = [0 if row is None else len(row) for row in kept]
        return pa.record_batch(
            {
                "ids": _lists([row.ids for row in cut], lengths, pa.int32()),
                "types": _lists([row.type_ids for row in cut], lengths, pa.uint8()),
                "full": pa.array([next(full) if both else 0 for both in whole], pa.int32()),
            }
        )

    def length(self, tokens: Tokens, whole: np.ndarray) -> np.ndarray:
        """Return how many tokens of each row are read, special ones included."""
        if len(self.fields or []) == 2:
            return tokens.lengths
        extra = sum(map(len, specials(self.model)))
        return windowed_lengths(tokens.lengths, whole, room=self.reach - extra, extra=extra)

    def collate(self, tokens: Tokens, rows: Sequence[int], whole: Sequence[bool]) -> Any:
        """Return padded sequences; a row of which all is wanted may take several windows."""
        if len(self.fields or []) == 2:
            return batches.pairs(tokens, rows, pad=padding(self.model))
        return batches.singles(
            tokens,
            rows,
            whole,
            reach=self.reach,
            around=specials(self.model),
            pad=padding(self.model),
        )

    def words(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the tokens of texts that are no records', without the prefix."""
        tokens = replace(self, prefix="").prepare([pa.array(texts, pa.string())])
        return [tokens.ids(at) for at in range(len(texts))]

    def fitting(
        self, tokens: Tokens, row: int, branches: Sequence[Branch], *, whole: bool
    ) -> list[Branch]:
        """Return of the branches of a row what is read beside it."""
        room = self.reach - sum(map(len, specials(self.model)))
        length = int(tokens.lengths[row])
        length = length if whole else min(length, room)
        return fitting(branches, length, reach=self.reach, room=room)

    def collate_beside(
        self,
        tokens: Tokens,
        rows: Sequence[int],
        whole: Sequence[bool],
        branches: Sequence[Sequence[Branch]],
    ) -> Any:
        """Return what `collate` does, with what is read beside every row."""
        some = [
            self.fitting(tokens, row, found, whole=wanted)
            for row, wanted, found in zip(rows, whole, branches, strict=True)
        ]
        batch = self.collate(tokens, rows, whole)
        limit, pad = positions(self.model), padding(self.model)
        return beside.placed(batch, some, limit=limit, pad=pad) if any(some) else batch

    def vocabulary(self, texts: Sequence[str]) -> Vocabulary:
        """Return how the tokenizer takes `texts`."""
        tokenizer = read_tokenizer(self.model)
        tokenizer.no_truncation()
        return vocabulary(tokenizer, texts, reach=self.reach)

    def module(self) -> "modules.Encoding":
        """Load the pretrained encoder."""
        return transformer.Transformer(self)

    def writing(self, task: str) -> "modules.Encoding":
        """Load a model that writes, with all that it writes by."""
        writer = writer_of(self.model)
        if writer is None or len(self.fields or []) != 1:
            what = f"{self.model} only reads" if writer is None else "a pair of texts is only read"
            raise ProjectError(
                f"`tasks.{task}` goes on with what was read, and {what}. Choose `light: true`, a "
                "decoder that is learned from nothing, or an input of one text with a model that "
                "writes: GPT-2, Llama, Qwen, Gemma, T5, BART."
            )
        if self.tune == "frozen":
            raise ProjectError(
                f"`tasks.{task}` has nothing to learn to write by: the model of its input is "
                "frozen. Choose `tune: lora`, `top:N` or `full`, or `light: true` for the task."
            )
        return writing.WRITINGS[writer](self)

    def said(self, tokens: Sequence[int]) -> str:
        """Return the text that some tokens stand for, without special ones."""
        return read_tokenizer(self.model).decode(list(tokens), skip_special_tokens=True).strip()

    def spelling(self) -> Spelling:
        """Return what each token writes."""
        return spelled(read_tokenizer(self.model), self.model)

    def save(self, folder: Path) -> None:
        """Copy the configuration and the tokenizer of the model."""
        copy_settings(self.folder, folder, ("tokenizer.json", "tokenizer_config.json"))
        if not (folder / "tokenizer.json").exists():
            read_tokenizer(self.model).save(str(folder / "tokenizer.json"))


def _lists(rows: list[Any], lengths: list[int], kind: pa.DataType) -> pa.ListArray:
    flat = np.concatenate([np.asarray(row) for row in rows]) if rows else np.zeros(0)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(starts), pa.array(flat.astype(kind.to_pandas_dtype())))


@lru_cache(maxsize=8)
def read_tokenizer(folder: str) -> Tokenizer:
    """Return the tokenizer that lies in a model's folder."""
    path = Path(folder) / "tokenizer.json"
    if path.exists():
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_padding()
        return tokenizer
    return _converted(folder)


def _converted(folder: str) -> Tokenizer:
    """Let transformers make a fast tokenizer out of older files such as vocab.txt."""
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, use_fast=True)
        return tokenizer.backend_tokenizer
    except Exception as error:  # transformers raises whatever its many converters raise
        raise ProjectError(
            f"{folder} holds no tokenizer that can be read: expected tokenizer.json ({error})."
        ) from error


@lru_cache(maxsize=8)
def _fingerprint(folder: str) -> str:
    return hashlib.blake2b(read_tokenizer(folder).to_str().encode(), digest_size=16).hexdigest()


@lru_cache(maxsize=8)
def specials(folder: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the special tokens that the model wants before and after one text."""
    encoded = read_tokenizer(folder).encode("a")
    inner = [i for i, special in enumerate(encoded.special_tokens_mask) if not special]
    if not inner:
        return (), ()
    return tuple(encoded.ids[: inner[0]]), tuple(encoded.ids[inner[-1] + 1 :])


def padding(folder: str) -> int:
    """Return the token that fills up short sequences."""
    return read_config(folder).get("pad_token_id") or 0


def positions(folder: str) -> int:
    """Return the longest sequence that the model's position table allows."""
    config = read_config(folder)
    most = config.get("max_position_embeddings") or 1 << 20
    return most - 2 if config.get("model_type") in SHIFTED else most
