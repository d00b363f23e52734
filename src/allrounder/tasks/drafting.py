"""The torch side of texts that are written.

Shapes: n records, T tokens read, K tokens written, D width, V vocabulary.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional

from allrounder.errors import ProjectError
from allrounder.memory import Chosen, Memory, Writer, apart
from allrounder.tasks import forcing, pieces
from allrounder.tasks.forced import Forced

if TYPE_CHECKING:
    from allrounder.tasks.generation import Generation

IGNORED = -100


@dataclass(frozen=True)
class Draft:
    """What is about to be written of n records.

    Args:
        writer: what writes: `logits`, `written`, and the token that is its `end`.
        memory: what was read.
        start: the tokens that every text is begun with.
        options: how texts are written, as transformers calls it.
        said: the text that some tokens stand for.
        seed: of what is drawn.
        forced: what the texts obey, if anything.
    """

    writer: Writer
    memory: Memory
    start: list[int]
    options: Mapping[str, Any]
    said: Callable[[Sequence[int]], str]
    seed: int = 0
    forced: Forced | None = None

    def __len__(self) -> int:
        return len(self.memory)

    def at(self, rows: Tensor) -> "Draft":
        """Return the drafts of some records."""
        return replace(self, memory=self.memory.at(rows))

    def likelihood(self, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the negative log-likelihood of each text and its end, and of how many tokens.

        Args:
            targets: the tokens of the texts, -100 where they have ended: [n, K].
        """
        there = targets != IGNORED
        before = targets.new_tensor(self.start).expand(len(targets), -1)
        ids = torch.cat([before, targets.masked_fill(~there, self.writer.end)], 1)
        counts = there.sum(1) + 1
        steps = torch.arange(ids.shape[1], device=ids.device) - (len(self.start) - 1)
        places = (steps >= 0) & (steps < counts[:, None])
        ends = ids.new_full((len(ids), 1), self.writer.end)
        truths = torch.cat([ids[:, 1:], ends], 1)[places]
        logits = self.writer.logits(self.memory, ids, places)
        losses = functional.cross_entropy(logits.float(), truths, reduction="none")
        rows = torch.repeat_interleave(torch.arange(len(ids), device=ids.device), counts)
        return losses.new_zeros(len(ids)).index_add(0, rows, losses), counts

    def written(self, streamer: Any = None) -> list[tuple[str, bool]]:
        """Return the texts, and whether each came to its end and obeys what is forced.

        Args:
            streamer: told of every token, as transformers tells one.
        """
        start = torch.tensor(self.start, device=self.memory.states.device)
        options = {**self.options, **({"streamer": streamer} if streamer else {})}
        if self.forced is not None:
            options["logits_processor"] = transformers.LogitsProcessorList([self.forced.steps()])
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(self.seed)
            rows = self.writer.written(self.memory, start.expand(len(self), -1), options)
        return [self._judged(*self._told(row)) for row in rows.tolist()]

    def _told(self, row: list[int]) -> tuple[str, bool]:
        ended = self.writer.end in row
        return self.said(row[: row.index(self.writer.end)] if ended else row), ended

    def _judged(self, text: str, ended: bool) -> tuple[str, bool]:
        return text, ended and (self.forced is None or self.forced.obeyed(text))

    def pieces(self) -> Iterator[str]:
        """Yield the text of one record bit by bit, as it is written; with beams all at once."""
        if self.options["num_beams"] > 1:
            yield self.written()[0][0]
            return
        stream = Stream()
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(self.written, stream)
            done.add_done_callback(lambda _: stream.end())
            told, ids = "", []
            for token in stream:
                ids.append(token)
                text = self._told(ids)[0]
                if not text.endswith("\ufffd") and len(text) > len(told):
                    yield text[len(told) :]
                    told = text
            whole = done.result()[0][0]
            if len(whole) > len(told):
                yield whole[len(told) :]


class Stream:
    """Tokens as they are written, handed from one thread to another."""

    def __init__(self) -> None:
        self.tokens: SimpleQueue[int | None] = SimpleQueue()
        self.begun = False

    def put(self, value: Tensor) -> None:
        """Take the next token; what comes first is what was read."""
        if self.begun:
            for token in value.flatten().tolist():
                self.tokens.put(token)
        self.begun = True

    def end(self) -> None:
        """Say that nothing more comes."""
        self.tokens.put(None)

    def __iter__(self) -> Iterator[int]:
        return iter(self.tokens.get, None)


@dataclass(frozen=True)
class Written:
    """Drafts of some records, and how likely they find the labels.

    Args:
        draft: the drafts.
        loss: the negative log-likelihood of each label, [n], where labels are known.
        tokens: of how many tokens each, [n].
    """

    draft: Draft
    loss: Tensor | None = None
    tokens: Tensor | None = None

    @classmethod
    def of(cls, draft: Draft, targets: Tensor | None) -> "Written":
        """Return drafts with how likely they find some targets."""
        if targets is None:
            return cls(draft)
        with torch.no_grad():
            loss, tokens = draft.likelihood(targets)
        return cls(draft, loss.cpu(), tokens.cpu())

    def __len__(self) -> int:
        return len(self.draft)

    def __getitem__(self, places: np.ndarray) -> "Written":
        rows = torch.as_tensor(places)
        moved = rows.to(self.draft.memory.states.device)
        known = self.loss is not None and self.tokens is not None
        some = (self.loss[rows], self.tokens[rows]) if known else (None, None)  # type: ignore[index]
        return Written(self.draft.at(moved), *some)

    def told(self) -> list[dict[str, Any]]:
        """Return how likely each label is, as plain data."""
        if self.loss is None or self.tokens is None:
            return [{} for _ in range(len(self))]
        pairs = zip(self.loss.tolist(), self.tokens.tolist(), strict=True)
        return [{"loss": round(loss, 6), "tokens": tokens} for loss, tokens in pairs]

    @cached_property
    def texts(self) -> list[tuple[str, bool]]:
        """What is written, and whether each text came to its end; it is written once."""
        return self.draft.written()


class Going(nn.Module):
    """Lets the model of an input go on with what it read; it has no weights of its own.

    Args:
        voice: the model, and its tokens.
        task: how texts are written.
    """

    def __init__(self, voice: Any, task: "Generation") -> None:
        super().__init__()
        forced = None
        if forcing.setting(task) is not None:
            forced = Forced(task, voice.spelling(), voice.writer.end, "the model")
        # a tuple: the weights belong to the encoder
        self._parts = (voice.writer, voice.said, forced)
        usual = "" if voice.writer.begin else "\n"
        (words,) = voice.words([usual if task.before is None else task.before])
        self.start = [*voice.writer.begin, *map(int, words)] or [voice.writer.end]
        self.options, self.seed = task.manner(), task.seed
        wanted = len(self.start) + task.max_tokens
        if wanted > voice.writer.room:
            raise ProjectError(
                f"A task of kind `generation` may write `max_tokens: {task.max_tokens}` behind "
                f"{len(self.start)} that stand before, and beside what is read the model has "
                f"places for {voice.writer.room}. Lower the `max_tokens` of the task or of its "
                "input."
            )

    def forward(self, memory: Memory) -> Draft:
        """Return what is about to be written."""
        writer, said, forced = self._parts
        return Draft(writer, memory, self.start, self.options, said, self.seed, forced)


class Light(nn.Module, Writer):
    """A small decoder with cross-attention over the states of all inputs that a task reads.

    Args:
        task: its shape, and the pieces of text that it writes with.
        widths: of the states of each input.
    """

    def __init__(self, task: "Generation", widths: Mapping[str, int]) -> None:
        super().__init__()
        assert task.light is not None and task.pieces is not None
        self.pieces, shape = task.pieces, task.light
        begin, self.end = pieces.ends(task.pieces)
        self.room = task.max_tokens + 2
        self.start, self.options, self.seed = [begin], task.manner(), task.seed
        self.forced = None
        if forcing.setting(task) is not None:
            self.forced = Forced(task, pieces.spelling(task.pieces), self.end, "a light decoder")
        self.projections = nn.ModuleDict(
            {name: nn.Linear(width, shape.width) for name, width in widths.items()}
        )
        self.decoder = transformers.BertLMHeadModel(
            transformers.BertConfig(
                vocab_size=pieces.size(task.pieces),
                hidden_size=shape.width,
                num_hidden_layers=shape.layers,
                num_attention_heads=shape.heads,
                intermediate_size=4 * shape.width,
                max_position_embeddings=self.room,
                hidden_dropout_prob=shape.dropout,
                attention_probs_dropout_prob=shape.dropout,
                is_decoder=True,
                add_cross_attention=True,
                pad_token_id=self.end,
                bos_token_id=begin,
                eos_token_id=self.end,
                attn_implementation="sdpa",
            )
        )
        self.chosen = Chosen(self.decoder)

    def forward(self, memories: Mapping[str, Memory]) -> Draft:
        """Return what is about to be written of what all inputs say."""
        found = [(self.projections[name](m.states), m) for name, m in memories.items()]
        memory = replace(
            found[0][1],
            states=torch.cat([states for states, _ in found], 1),
            mask=torch.cat([memory.mask for _, memory in found], 1),
            ids=None,
            past=None,
        )
        said = lambda row: pieces.said(row, self.pieces)  # noqa: E731
        return Draft(self, memory, self.start, self.options, said, self.seed, self.forced)

    def logits(self, memory: Memory, ids: Tensor, places: Tensor) -> Tensor:
        """Return the logits of the token that follows at some places: [N, V]."""
        self.chosen.places = places
        try:
            with memory.autocast():
                return self.decoder(
                    input_ids=ids,
                    encoder_hidden_states=memory.states,
                    encoder_attention_mask=memory.mask.long(),
                    use_cache=False,
                ).logits
        finally:
            self.chosen.places = None

    def written(self, memory: Memory, start: Tensor, options: Mapping[str, Any]) -> Tensor:
        """Return the tokens that are written: [n, K]."""
        beside, how = apart(options)
        settings = transformers.GenerationConfig(
            pad_token_id=self.end, eos_token_id=self.end, **how
        )
        with memory.autocast():
            found = self.decoder.generate(
                input_ids=start,
                attention_mask=torch.ones_like(start),
                encoder_hidden_states=memory.states,
                encoder_attention_mask=memory.mask.long(),
                past_key_values=transformers.EncoderDecoderCache(
                    transformers.DynamicCache(), transformers.DynamicCache()
                ),
                generation_config=settings,
                **beside,
            )
        return found[:, start.shape[1] :]
