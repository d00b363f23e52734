"""Text that is written."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
import pyarrow as pa

from allrounder.kinds import CLOSED, switched
from allrounder.lazy import lazy
from allrounder.tasks import forcing, likeness, pieces
from allrounder.tasks.base import Metric, Reads, Task
from allrounder.tasks.columns import strings

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from allrounder.tasks import drafting
else:
    torch, drafting = lazy("torch"), lazy("allrounder.tasks.drafting")

IGNORED = -100
"""The target where a text has ended."""


@dataclass(kw_only=True)
class Light:
    """The shape of a small decoder that is learned from nothing.

    Args:
        layers: of the decoder.
        width: of its states.
        heads: of its attention.
        vocabulary: how many pieces of text it writes with, at most.
        dropout: inside it.
    """

    __pydantic_config__ = CLOSED

    layers: int = 2
    width: int = 256
    heads: int = 4
    vocabulary: int = 4000
    dropout: float = 0.1

    def __post_init__(self) -> None:
        for name in ("layers", "width", "heads"):
            if getattr(self, name) < 1:
                raise ValueError(f"has `{name}: {getattr(self, name)}`. Expected 1 or more.")
        if self.width % self.heads:
            raise ValueError(
                f"has `width: {self.width}`, no multiple of `heads: {self.heads}`. Change one."
            )
        if self.vocabulary < pieces.LEAST:
            raise ValueError(
                f"has `vocabulary: {self.vocabulary}`, too few for special tokens and the 256 "
                f"bytes. Expected {pieces.LEAST} or more."
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"has `dropout: {self.dropout}`. Expected 0 to less than 1.")


@dataclass(kw_only=True)
class Generation(Task):
    """A text that is written from what is read: an answer, a summary, a verse.

    A model that writes, such as GPT-2, Llama, Qwen, Gemma, T5 or BART, goes on with what it read of
    one text. Any other input needs `light`, a small decoder with cross-attention over the states
    of all inputs that the task reads (Vaswani et al. 2017), for short texts.

    The loss of a record is the mean negative log-likelihood of its tokens and of the end; what was
    read is not told again. A longer label is cut at `max_tokens` in training.

    Args:
        light: learn a small decoder from nothing instead of going on with the input's model:
            `true`, or `{layers: 2, width: 256}`.
        max_tokens: the longest text that is written.
        before: what stands before every text for the model to go on from; tells several tasks of
            one model apart. A decoder sees a line end by default, others nothing.
        beams: how many ways to write are followed; 1 takes the likeliest token every time.
        temperature: above 0 tokens are drawn, the higher the more freely.
        top_p: tokens are drawn from the likeliest that together are this likely.
        top_k: tokens are drawn from this many; 0 from all.
        repeat_penalty: above 1 tokens that stand there already are less likely.
        no_repeat: no stretch of so many tokens is written twice; 0 lets it be.
        seed: of what is drawn.
        schema: the JSON schema that every text obeys which comes to its end.
        regex: what every such text matches as a whole.
        choices: the texts of which each is one.
        terms: what stands in every one, all of it, in any order.
        pieces: what a light decoder writes with; learned from the training labels.
    """

    reads: ClassVar[Reads] = "states"

    light: Annotated[Light | None, switched(Light, "tasks.light")] = None
    max_tokens: int = 64
    before: str | None = None
    beams: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repeat_penalty: float = 1.0
    no_repeat: int = 0
    seed: int = 0
    schema: dict[str, Any] | None = None
    regex: str | None = None
    choices: list[str] | None = None
    terms: list[str] | None = None
    pieces: list[str] | None = None

    def __post_init__(self) -> None:
        for name in ("max_tokens", "beams"):
            if getattr(self, name) < 1:
                raise ValueError(f"has `{name}: {getattr(self, name)}`. Expected 1 or more.")
        for name in ("temperature", "top_k", "no_repeat"):
            if getattr(self, name) < 0:
                raise ValueError(f"has `{name}: {getattr(self, name)}`. Expected 0 or more.")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"has `top_p: {self.top_p}`. Expected more than 0, at most 1.")
        if self.repeat_penalty < 1:
            raise ValueError(f"has `repeat_penalty: {self.repeat_penalty}`. Expected 1 or more.")
        if self.abstain is not None:
            raise ValueError("cannot abstain: a text is no choice. Remove `abstain`.")
        forcing.check(self)

    @property
    def type(self) -> pa.DataType:
        """A label is a text."""
        return pa.string()

    def read(self, values: pa.Array, texts: pa.Array | None) -> pa.Array:
        """Return the texts; blank ones are missing."""
        return strings(values)

    def learn(self, labels: pa.ChunkedArray, every: pa.ChunkedArray) -> Self:
        """Return the task with the pieces of text that a light decoder writes with."""
        if self.light is None or self.pieces is not None:
            return self
        texts = labels.drop_null().to_pylist()
        return replace(self, pieces=pieces.learned(texts, self.light.vocabulary))

    def continued(self, old: Self, *, every: bool) -> Self:
        """Return the task with the pieces of an older run: its weights fit nothing else."""
        return replace(self, pieces=old.pieces) if self.light == old.light else self

    def outputs(self) -> list[str]:
        """Return the one thing that is written."""
        return ["text"]

    def continued_head(self, old: Self, weights: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
        """Return the weights of an older light decoder of the same shape and pieces."""
        same = (self.light, self.pieces) == (old.light, old.pieces)
        return dict(weights) if same else {}

    def metrics(self) -> dict[str, Metric]:
        """Return how likely the labels are, which decides, and how like them what is written is.

        Bits for a character compare models of other tokens too.
        """
        return {
            "bits_per_character": Metric(likeness.bits_per_character, higher_is_better=False),
            "perplexity": Metric(likeness.perplexity, higher_is_better=False),
            **{name: Metric(score) for name, score in likeness.known().items()},
        }

    def array(self, labels: Sequence[Any]) -> np.ndarray:
        """Return one object a record: `text`, and of what was written `loss` and `tokens`."""
        found = np.empty(len(labels), dtype=object)
        found[:] = [label if isinstance(label, dict) else {"text": label} for label in labels]
        return found

    def baseline(self, truths: np.ndarray) -> Any:
        """Return the text that stands there most often, and how often each character does."""
        texts = Counter(truth["text"] for truth in truths)
        counts = Counter(character for truth in truths for character in truth["text"])
        text = min(texts, key=lambda text: (-texts[text], text)) if texts else ""
        return {"text": text, "counts": {**counts, "": len(truths)}}

    def constant(self, label: Any, decoded: Sequence[Any]) -> list[Any]:
        """Return the constant beside every label, counted in the tokens of the model."""
        return [{**label, "tokens": told.get("tokens")} for told in decoded]

    def head(self, width: Any) -> "nn.Module":
        """Build the light decoder, or what lets the model of the input go on."""
        if self.light is not None:
            assert self.pieces is not None, "a light decoder is built of what was learned"
            return drafting.Light(self, width.widths)
        return drafting.Going(width, self)

    def encode(self, labels: Sequence[Any], width: Any = None) -> "Tensor":
        """Return the tokens of each text, -100 where it has ended: [n, K].

        Args:
            labels: texts.
            width: what the head reads, whose model has tokens of its own.
        """
        rows = self.tokens(labels, width)
        found = np.full((len(rows), max(map(len, rows), default=0)), IGNORED, dtype=np.int64)
        for line, row in zip(found, rows, strict=True):
            line[: len(row)] = row
        return torch.from_numpy(found)

    def tokens(self, texts: Sequence[str], width: Any = None) -> list[np.ndarray]:
        """Return the tokens of texts, no more of each than may be written."""
        told = pieces.tokens(texts, self.pieces) if self.pieces else width.words(texts)
        return [row[: self.max_tokens] for row in told]

    def loss(self, scores: "drafting.Draft", targets: "Tensor") -> "Tensor":  # type: ignore[override]
        """Return the mean negative log-likelihood of the tokens of each text and of its end."""
        loss, count = scores.likelihood(targets)
        return loss / count

    def divergence(self, scores: "drafting.Draft", teacher: "Tensor") -> "Tensor":  # type: ignore[override]
        """Return how unlikely a teacher's texts are: what is written has no scores to be kept."""
        return self.loss(scores, teacher)

    def readable(self, scores: "drafting.Draft", targets: "Tensor | None") -> "drafting.Written":
        """Return a draft with how likely it finds the labels, where these are known."""
        return drafting.Written.of(scores, targets)

    def decode(self, scores: "drafting.Written") -> list[Any]:  # type: ignore[override]
        """Return how likely each label is; nothing is written for that, which takes far longer."""
        return scores.told()

    def decode_fully(self, scores: "drafting.Written") -> list[Any]:  # type: ignore[override]
        """Return what is written too."""
        return [
            {**told, "text": text}
            for told, (text, _) in zip(scores.told(), scores.texts, strict=True)
        ]

    def answers(
        self,
        scores: "drafting.Written",  # type: ignore[override]
        calibration: dict[str, float],
        labels: Sequence[Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Return what is written, and whether it came to its end."""
        return [{"text": text, "finished": ended} for text, ended in scores.texts]

    def flat(self, scores: "drafting.Written", targets: "Tensor") -> "tuple[Tensor, Tensor]":  # type: ignore[override]
        """Return nothing: a likelihood is not calibrated."""
        return torch.zeros(len(scores)), torch.zeros(len(scores))

    def manner(self) -> dict[str, Any]:
        """Return how texts are written, as transformers calls it."""
        drawn = {"temperature": self.temperature, "top_p": self.top_p, "top_k": self.top_k}
        return {
            "max_new_tokens": self.max_tokens,
            "num_beams": self.beams,
            "do_sample": self.temperature > 0,
            "repetition_penalty": self.repeat_penalty,
            "no_repeat_ngram_size": self.no_repeat,
            **(drawn if self.temperature > 0 else {}),
        }
