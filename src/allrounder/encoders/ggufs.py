"""Models in a GGUF file, made into the folder of an ordinary one, once."""

import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allrounder.encoders.headers import walk
from allrounder.errors import MissingExtra, ProjectError, listed
from allrounder.lazy import lazy

if TYPE_CHECKING:
    import torch
    import transformers

    from allrounder.encoders import pretrained
else:
    torch, transformers = lazy("torch"), lazy("transformers")
    pretrained = lazy("allrounder.encoders.pretrained")

SUFFIX = ".gguf"
MAGIC = b"GGUF"
NEEDS = ("gguf", "accelerate")
EDGE = 1 << 20
"""Bytes at either end of a file by which it is told from others, beside its length."""


def gguf_in(path: Path, at: str) -> Path | None:
    """Return a GGUF file: the path itself, or the only one of a folder.

    Args:
        path: a file or a folder.
        at: the dotted place in the project file, for messages.

    Raises:
        ProjectError: there is no such file, or the folder holds several.
    """
    if path.suffix.lower() == SUFFIX and not path.is_dir():
        if not path.is_file():
            raise ProjectError(f"`{at}.model`: there is no file {path.name!r} in {path.parent}.")
        return path
    found = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else []
    if len(found) > 1:
        names = listed(one.name for one in found)
        raise ProjectError(f"`{at}.model`: {path.name} holds several models: {names}. Name one.")
    return found[0] if found else None


def converted(path: Path, cache: Path, at: str) -> Path:
    """Return the folder of a model that lies in a GGUF file.

    transformers takes the weights out of their few bits; they are kept as bf16, whose rounding is
    far finer than theirs. Nothing in the file is run.

    Args:
        path: the file.
        cache: where what is converted is kept, under what tells the file from others.
        at: the dotted place in the project file, for messages.

    Raises:
        ProjectError: the file is broken, lacks weights, or is of a kind that transformers does
            not read, or there is no room for what is made of it.
        MissingExtra: what reads such files is not installed.
    """
    home = cache / f"{path.stem}-{_mark(path, at)}"
    if (home / "config.json").exists():
        return home
    missing = [name for name in NEEDS if find_spec(name) is None]
    if missing:
        raise MissingExtra(
            f"`{at}.model`: {path.name} is a GGUF file, and what reads such files is not installed "
            f"({listed(missing)}). Try: pip install 'allrounder[gguf]'"
        )
    sys.stderr.write(f"Converting {path.name}, once …\n")
    draft = cache / f".{home.name}.{os.getpid()}"
    try:
        _convert(path, draft, at)
        draft.replace(home)
    except OSError:
        if not (home / "config.json").exists():  # else another process was quicker
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return home


def _mark(path: Path, at: str) -> str:
    """Return what tells a file from others: its ends, its length, and when it was changed."""
    with open(path, "rb") as file:
        first = file.read(EDGE)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - EDGE))
        last = file.read()
    if not first.startswith(MAGIC):
        raise ProjectError(
            f"`{at}.model`: {path.name} is no GGUF file: expected it to begin with {MAGIC!r}, "
            f"found {first[:4]!r}."
        )
    about = f"{size} {path.stat().st_mtime_ns}".encode()
    return hashlib.blake2b(first + last + about, digest_size=8).hexdigest()


def _convert(path: Path, folder: Path, at: str) -> None:
    try:
        walk(path)
        with pretrained.quiet():
            model, tokenizer = _read(path)
    except Exception as error:  # readers of broken files raise whatever they stumble over
        said = " ".join(str(error).split())[:160]
        raise ProjectError(
            f"`{at}.model`: {path.name} could not be read ({type(error).__name__}: {said}). "
            f"Expected a whole GGUF file of a kind that transformers reads: {listed(_known())}."
        ) from error
    try:
        with pretrained.quiet():
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    except Exception as error:  # safetensors raises its own type for a full disk
        raise ProjectError(
            f"`{at}.model`: what is made of {path.name} cannot be kept in {folder.parent} "
            f"({error}). It takes two bytes a weight."
        ) from error


def _read(path: Path) -> tuple[Any, Any]:
    how: dict[str, Any] = {"gguf_file": path.name, "trust_remote_code": False}
    tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, **how)
    if (settings := getattr(transformers, "GgufConfig", None)) is not None:
        how["quantization_config"] = settings(dequantize=True)  # older ones always do so
    model, found = transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, dtype=torch.bfloat16, output_loading_info=True, **how
    )
    if lacking := sorted(found["missing_keys"]):  # transformers would draw them at random
        raise ValueError(f"it lacks {len(lacking)} weights, such as {lacking[0]}")
    model.hf_quantizer = None  # its weights are plain ones by now, and may be written
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    return model, tokenizer


def _known() -> Sequence[str]:
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    reads_only = {name for name in GGUF_SUPPORTED_ARCHITECTURES if "t5" in name}  # no decoders
    return sorted({*GGUF_SUPPORTED_ARCHITECTURES} - {"general", "tokenizer"} - reads_only)
