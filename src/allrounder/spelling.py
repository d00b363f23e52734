"""What the tokens of a vocabulary stand for, byte by byte."""

import json
import re
from typing import Any

from tokenizers import Tokenizer

BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
SPACE = "▁"


def spelled(tokenizer: Tokenizer) -> list[bytes | None] | None:
    """Return by token the bytes that it adds to a text, None for special ones.

    Args:
        tokenizer: a tokenizer of bytes (GPT-2, Llama 3, Qwen), of pieces that mark spaces (Llama 2,
            Gemma, T5), or one whose tokens are put together as they are.

    Returns:
        None where tokens do not simply add up to the text, as in WordPiece.
    """
    said = json.loads(tokenizer.to_str())
    read = _reader(_kinds(said.get("decoder")))
    if read is None:
        return None
    special = {one["id"] for one in said.get("added_tokens", []) if one["special"]}
    unknown = said["model"].get("unk_token")
    names = tokenizer.get_vocab(with_added_tokens=True)
    found: list[bytes | None] = [None] * (max(names.values()) + 1)
    for name, number in names.items():
        if number not in special and name != unknown:
            found[number] = read(name)
    return found


def _kinds(decoder: Any) -> set[str]:
    """Return the kinds of decoders that a tokenizer puts tokens together by."""
    if decoder is None:
        return set()
    if decoder["type"] == "Sequence":
        return {kind for one in decoder["decoders"] for kind in _kinds(one)}
    return {decoder["type"]}


def _reader(kinds: set[str]) -> Any:
    if "ByteLevel" in kinds:
        alphabet = _alphabet()
        return lambda name: bytes(alphabet[c] for c in name) if set(name) <= alphabet.keys() else (
            name.encode()
        )  # fmt: skip
    if kinds & {"Metaspace", "ByteFallback"} or ("Replace" in kinds and "Fuse" in kinds):
        return _marked
    return str.encode if kinds == {"Fuse"} else None


def _marked(name: str) -> bytes:
    byte = BYTE.fullmatch(name)
    return bytes([int(byte[1], 16)]) if byte else name.replace(SPACE, " ").encode()


def _alphabet() -> dict[str, int]:
    """Return by character the byte that tokenizers of bytes write it for."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {
        chr(256 + place): byte for place, byte in enumerate(others)
    }
