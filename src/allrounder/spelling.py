"""What the tokens of a tokenizer write, byte by byte."""

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from tokenizers import Tokenizer

from allrounder.errors import ProjectError

BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
"""How tokenizers that fall back to bytes call one."""

TRIALS, LENGTH = 40, 6
"""Random texts, and tokens in each, by which a spelling is tried."""


@dataclass(frozen=True)
class Spelling:
    """What every token writes.

    Args:
        tokens: by number, the bytes that it writes behind others; none for special tokens.
        begins: by number, whether it writes the same where a text begins, blanks in front aside.
    """

    tokens: tuple[bytes, ...]
    begins: np.ndarray

    def ending(self, token: int) -> "Spelling":
        """Return the spelling with a token that ends texts, which writes nothing."""
        lacking = max(0, token + 1 - len(self.tokens))
        tokens = [*self.tokens, *(b"",) * lacking]
        tokens[token] = b""
        return Spelling(tuple(tokens), np.append(self.begins, np.zeros(lacking, dtype=bool)))

    @cached_property
    def _behind(self) -> dict[bytes, int]:
        return {token: at for at, token in reversed([*enumerate(self.tokens)]) if token}

    @cached_property
    def _first(self) -> dict[bytes, int]:
        usual = [(at, token) for at, token in enumerate(self.tokens) if token and self.begins[at]]
        return {token: at for at, token in reversed(usual)}

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._behind), default=0)

    def written(self, text: bytes, *, begins: bool = False) -> list[int] | None:
        """Return the fewest tokens that write some bytes; None where none do.

        Args:
            text: the bytes.
            begins: whether a text begins with them; a blank may stand in front of it then.
        """
        if begins:
            found = [self._fewest(lead + text, self._first) for lead in (b"", b" ")]
            return min(filter(None, found), key=len, default=None)
        return self._fewest(text, self._behind)

    def _fewest(self, text: bytes, first: dict[bytes, int]) -> list[int] | None:
        """Return the fewest tokens by dynamic programming over where the rest begins."""
        size = len(text)
        counts = [0 if start == size else size + 1 for start in range(size + 1)]
        steps: list[tuple[int, int]] = [(-1, size)] * (size + 1)
        for start in reversed(range(size)):
            for end in range(min(size, start + self._longest), start, -1):
                token = (self._behind if start else first).get(text[start:end])
                if token is not None and counts[end] + 1 < counts[start]:
                    counts[start], steps[start] = counts[end] + 1, (token, end)
        if counts[0] > size:
            return None
        found, start = [], 0
        while start < size:
            token, start = steps[start]
            found.append(token)
        return found


def spelled(tokenizer: Tokenizer, name: str) -> Spelling:
    """Return what every token writes.

    Args:
        tokenizer: whose tokens.
        name: of the model, for the error.

    Raises:
        ProjectError: what a token writes hangs on more than whether a text begins with it.
    """
    decoder = json.dumps(json.loads(tokenizer.to_str())["decoder"])
    names = {at: token for token, at in tokenizer.get_vocab().items()}
    silent = {at for at, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    size = max(names, default=-1) + 1
    if '"ByteLevel"' in decoder:
        told = [_from_alphabet(names.get(at, "")) for at in range(size)]
        begins = np.ones(size, dtype=bool)
    else:
        told, begins = _probed(tokenizer, names, size, fallback='"ByteFallback"' in decoder)
    tokens = tuple(b"" if at in silent else token for at, token in enumerate(told))
    found = Spelling(tokens, begins)
    _try(tokenizer, found, name)
    return found


def _alphabet() -> dict[str, int]:
    """Return which byte each sign of byte-level tokenizers stands for (Radford et al. 2019)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + n): b for n, b in enumerate(others)}


ALPHABET = _alphabet()


def _from_alphabet(token: str) -> bytes:
    if all(sign in ALPHABET for sign in token):
        return bytes(ALPHABET[sign] for sign in token)
    return token.encode()


def _probed(
    tokenizer: Tokenizer, names: dict[int, str], size: int, *, fallback: bool
) -> tuple[list[bytes], np.ndarray]:
    """Return what tokens write behind a word, and which write the same where a text begins."""
    alone = tokenizer.decode_batch([[at] if at in names else [] for at in range(size)])
    anchor = next((at for at in names if alone[at].isalpha()), 0)
    lead = alone[anchor] if size else ""
    behind = tokenizer.decode_batch([[anchor, at] if at in names else [] for at in range(size)])
    rests = [text[len(lead) :] for text in behind]
    told, same = [rest.encode() for rest in rests], zip(alone, rests, strict=True)
    begins = np.array([first.lstrip() == rest.lstrip() for first, rest in same], dtype=bool)
    bytewise = {at: BYTE.fullmatch(name) for at, name in names.items()} if fallback else {}
    usual = {token for at, token in enumerate(told) if not bytewise.get(at)}
    for at, byte in bytewise.items():
        if byte:  # models write a byte only where no other token does
            alone_byte = bytes([int(byte[1], 16)])
            told[at], begins[at] = b"" if alone_byte in usual else alone_byte, True
    return told, begins


def _try(tokenizer: Tokenizer, spelling: Spelling, name: str) -> None:
    """Refuse a spelling that is not what the tokenizer says of random tokens."""
    draw = random.Random(0)
    usual = [at for at, token in enumerate(spelling.tokens) if token]
    first = [at for at in usual if spelling.begins[at]]
    for _ in range(TRIALS if first else 0):
        row = [draw.choice(first), *draw.choices(usual, k=LENGTH - 1)]
        try:
            text = _joined(spelling.tokens, row)
        except UnicodeDecodeError:
            continue
        if text.strip() != tokenizer.decode(row).strip():
            raise ProjectError(
                f"The tokens of {name} write other letters in other company, so what is written "
                "cannot be forced: take `schema`, `regex`, `choices` or `terms` out of the task, "
                "or write by `light: true`."
            )


def _joined(tokens: Sequence[bytes], row: Sequence[int]) -> str:
    return b"".join(tokens[at] for at in row).decode()
