"""The torch side of texts that are forced: which tokens may follow.

Shapes: n texts, K tokens so far, V vocabulary.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers
from torch import Tensor

from allrounder.errors import ProjectError, listed
from allrounder.spelling import Spelling
from allrounder.tasks import forcing

if TYPE_CHECKING:
    from allrounder.tasks.generation import Generation

FAINT = -1e4
"""The score of a token that is taken where nothing else is left."""


class _Tokens:
    """Tokens as llguidance asks for them."""

    bos_token_id = None

    def __init__(self, spelling: Spelling, end: int) -> None:
        self.spelling, self.eos_token_id, self.special_token_ids = spelling, end, [end]
        self.tokens = list(spelling.tokens)

    def __call__(self, text: bytes) -> list[int]:
        return self.spelling.written(text) or []


class Forced:
    """What a task forces, compiled for the tokens of what writes.

    Args:
        task: what is forced.
        spelling: what each token writes.
        end: the token that ends a text.
        name: of what writes, for errors.

    Raises:
        ProjectError: no tokens write what is forced.
    """

    def __init__(self, task: "Generation", spelling: Spelling, end: int, name: str) -> None:
        setting = forcing.setting(task)
        assert setting is not None, "nothing is forced"
        self.library, self.grammar = forcing.library(setting), forcing.grammar(task)
        self.spelling, self.end = spelling.ending(end), end
        self.known = self._known(self.spelling, end)
        single = tuple(bytes([byte]) for byte in range(256))
        self.letters = self._known(Spelling((*single, b""), np.ones(257, dtype=bool)), 256)
        self._check(task, setting, name)

    def _known(self, spelling: Spelling, end: int) -> Any:
        told = self.library.TokenizerWrapper(_Tokens(spelling, end))
        return self.library.LLTokenizer(told, slices=[])

    def _check(self, task: "Generation", setting: str, name: str) -> None:
        """Refuse what no tokens write, and choices that `max_tokens` would always cut."""
        begins = task.choices is not None
        texts = [*(task.choices or ()), *(task.terms or ())]
        sizes = {text: self._size(text, begins=begins) for text in texts}
        if lost := [text for text, size in sizes.items() if size is None]:
            raise ProjectError(
                f"The tokens of {name} cannot write {listed(map(repr, lost))}, which `{setting}` "
                "asks for. Spell it as the model's texts are spelled, or take it out."
            )
        text, size = max(sizes.items(), key=lambda pair: pair[1] or 0, default=("", 0))
        if begins and (size or 0) >= task.max_tokens:
            raise ProjectError(
                f"`choices` has {text!r}, which takes {name} {size} tokens and one that ends it. "
                f"Got `max_tokens: {task.max_tokens}`; raise it to {(size or 0) + 1} or more."
            )
        if not self.steps().may_begin():
            raise ProjectError(
                f"The tokens of {name} write nothing that `{setting}` begins with. Change it, or "
                "take a model that writes such letters."
            )

    def _size(self, text: str, *, begins: bool) -> int | None:
        """Return how many tokens a text takes at least; None where no tokens write it."""
        found = [self.spelling.written(text.encode(), begins=begins)]
        if not begins:
            found.append(self.spelling.written(b" " + text.encode()))
        return min((len(tokens) for tokens in found if tokens is not None), default=None)

    def matcher(self, known: Any) -> Any:
        """Return what follows the grammar from its start, over some tokens."""
        return self.library.LLMatcher(known, self.grammar, log_level=0)

    def obeyed(self, text: str) -> bool:
        """Return whether a text as it is told obeys."""
        matcher = self.matcher(self.letters)
        read = [*text.encode()]
        return matcher.try_consume_tokens(read) == len(read) and matcher.is_accepting()

    def steps(self) -> "Steps":
        """Return the mask of one go at writing."""
        return Steps(self)


class Steps(transformers.LogitsProcessor):
    """Leaves of the next tokens those that may follow what is written so far.

    What was followed is kept by what is written, not by its row: beams change rows between steps.
    Where a text has gone where no token leads on, it may only end; it is told as not finished.

    Args:
        forced: what is forced.
    """

    def __init__(self, forced: Forced) -> None:
        self.forced = forced
        self.lead: int | None = None
        """How many tokens stand before what is written."""
        self.followed: dict[tuple[int, ...], tuple[Any, np.ndarray] | None] = {}

    def may_begin(self) -> bool:
        """Return whether any token begins a text that obeys; a blank alone begins nothing."""
        begun = self._begun()
        first = [int(at) for at in np.flatnonzero(begun[1])]
        blanks = [at for at in first if self.forced.spelling.tokens[at].isspace()]
        self.followed = {(): begun}
        behind = (self._after((at,)) for at in blanks)
        return len(first) > len(blanks) or any(found and found[1].any() for found in behind)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return the scores of the next tokens, those that may not follow at -inf: [n, V]."""
        if self.lead is None:
            self.lead = input_ids.shape[1]
        rows = [tuple(row) for row in input_ids[:, self.lead :].tolist()]
        self.followed = {row: self._after(row) for row in rows}
        return torch.stack(
            [self._masked(row, line) for row, line in zip(rows, scores, strict=True)]
        )

    def _masked(self, row: tuple[int, ...], scores: Tensor) -> Tensor:
        if self.forced.end in row:
            return scores  # it has ended, and is only filled up
        found = self.followed[row]
        if found is None:
            return torch.full_like(scores, -torch.inf)
        width = min(len(found[1]), len(scores))
        allowed = torch.zeros(len(scores), dtype=torch.bool)
        allowed[:width] = torch.from_numpy(found[1][:width])
        if not allowed.any():
            allowed[self.forced.end] = True
            scores = torch.full_like(scores, FAINT)
        allowed = allowed.to(scores.device)
        masked = scores.masked_fill(~allowed, -torch.inf)
        if torch.isinf(masked).all():  # `no_repeat` forbids what is forced, which comes first
            return masked.masked_fill(allowed, FAINT)
        return masked

    def _after(self, row: tuple[int, ...]) -> tuple[Any, np.ndarray] | None:
        """Return what follows the grammar behind some tokens, and which may come next: [V].

        None where the tokens do not obey, as in beams that have nowhere left to go.
        """
        if row in self.followed or self.forced.end in row:
            return self.followed.get(row)
        if not row:
            return self._begun()
        before = self.followed.get(row[:-1])
        if before is None or not before[1][row[-1] : row[-1] + 1].any():
            return None
        matcher = before[0].deep_copy()
        matcher.consume_token(row[-1])
        return matcher, self._next(matcher)

    def _begun(self) -> tuple[Any, np.ndarray]:
        matcher = self.forced.matcher(self.forced.known)
        allowed, end = self._next(matcher), self.forced.end
        ends = allowed[end]
        allowed &= self.forced.spelling.begins
        allowed[end] = ends
        return matcher, allowed

    def _next(self, matcher: Any) -> np.ndarray:
        """Return which tokens may come next: [V]."""
        size = len(self.forced.spelling.tokens)
        ends = matcher.is_accepting()
        bits = np.frombuffer(matcher.compute_bitmask(), np.uint8)
        allowed = np.unpackbits(bits, bitorder="little")[:size].astype(bool)
        allowed[self.forced.end] = ends
        return allowed
