"""The torch side of texts that have to follow a grammar.

Shapes: n records, T tokens so far, V vocabulary.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from allrounder.errors import ProjectError
from allrounder.lazy import lazy
from allrounder.tasks.forcing import Force

if TYPE_CHECKING:
    import llguidance
else:
    llguidance = lazy("llguidance")


class Grammar:
    """A grammar over the tokens of a model.

    Args:
        force: what texts have to be.
        tokens: by token the bytes that it stands for, None for special ones.
        end: the token that ends a text.

    Raises:
        ProjectError: the tokens do not simply add up to texts, or no text of the grammar can be
            written with them.
    """

    def __init__(self, force: Force, tokens: Sequence[bytes | None] | None, end: int) -> None:
        if tokens is None:
            raise ProjectError(
                "`force` follows a text byte by byte, and the tokens of this model do not simply "
                "add up to one, as those of WordPiece do not. Choose a model with another "
                "tokenizer, or `light: true`."
            )
        self.tokens, self.end = list(tokens), end
        self.grammar = force.grammar()
        if not self._can_be_written():
            raise ProjectError(
                "`force` asks for a text that cannot even be begun with the tokens of this model. "
                "Change it, or choose a model whose tokenizer knows its characters."
            )

    @cached_property
    def _tokenizer(self) -> Any:
        return llguidance.LLTokenizer(llguidance.TokenizerWrapper(_Tokens(self.tokens, self.end)))

    def matcher(self) -> Any:
        """Return what follows a text from its beginning."""
        return llguidance.LLMatcher(self._tokenizer, self.grammar, log_level=0)

    def _can_be_written(self) -> bool:
        return bool(self.allowed(self.matcher()).any())

    def allowed(self, matcher: Any) -> np.ndarray:
        """Return which tokens may come next: [V]."""
        found = np.frombuffer(matcher.compute_logit_bias(), np.uint8)[: len(self.tokens)] > 0
        return found if not matcher.is_error() else np.zeros(len(self.tokens), bool)

    def fits(self, tokens: Sequence[int]) -> bool:
        """Return whether a text is a whole one of the grammar."""
        matcher = self.matcher()
        done = matcher.try_consume_tokens(list(tokens))
        return done == len(tokens) and bool(matcher.is_accepting())


class Forcing:
    """Lets `generate` take such tokens only as the grammar allows.

    What is written is told by its tokens, not by its row: beams change places.

    Args:
        grammar: the grammar.
    """

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.lead: int | None = None
        """How many tokens stand before what is written."""
        self.known: dict[tuple[int, ...], Any] = {}

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return the scores of the next token, those that may not come at −∞: [n, V]."""
        self.lead = input_ids.shape[1] if self.lead is None else self.lead
        rows = [tuple(row) for row in input_ids[:, self.lead :].tolist()]
        self.known = {row: self._after(row) for row in set(rows) if self.grammar.end not in row}
        masks = {row: self._mask(matcher, scores) for row, matcher in self.known.items()}
        found = scores.clone()
        for place, row in enumerate(rows):
            if row in masks:  # others have come to their end
                found[place].masked_fill_(~masks[row], -torch.inf)
        return found

    def _after(self, row: tuple[int, ...]) -> Any:
        """Return what follows a text as far as it is written."""
        before = self.known.get(row[:-1]) if row else None
        if before is None:
            matcher = self.grammar.matcher()
            matcher.try_consume_tokens(list(row))
            return matcher
        matcher = before.deep_copy()
        matcher.try_consume_tokens(row[-1:])
        return matcher

    def _mask(self, matcher: Any, scores: Tensor) -> Tensor:
        """Return which tokens may come: [V]; where none may, the text ends there."""
        allowed = np.zeros(scores.shape[1], bool)
        found = self.grammar.allowed(matcher)
        allowed[: len(found)] = found
        if not allowed.any():
            allowed[self.grammar.end] = True
        return torch.from_numpy(allowed).to(scores.device)


class _Tokens:
    """The tokens of a model as llguidance wants them."""

    bos_token_id = None

    def __init__(self, tokens: Sequence[bytes | None], end: int) -> None:
        self.eos_token_id = end
        self.tokens = [b"" if token is None else token for token in tokens]
        self.special_token_ids = [at for at, token in enumerate(tokens) if token is None]
        self._numbers = {token: at for at, token in enumerate(self.tokens) if token}

    def __call__(self, text: bytes) -> list[int]:
        """Return tokens of some bytes, each as long as can be; only for messages."""
        found: list[int] = []
        while text:
            size = next((n for n in range(len(text), 0, -1) if text[:n] in self._numbers), 0)
            if not size:
                return found
            found.append(self._numbers[text[:size]])
            text = text[size:]
        return found
