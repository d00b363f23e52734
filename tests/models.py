"""Hugging Face models of a few thousand random weights, as folders, and the files they read."""

import io
import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from allrounder.encoders.pretrained import quiet

VISION = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 32,
    "patch_size": 8,
}
WORDS = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 99,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
SPEECH = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [16, 16, 16],
    "conv_stride": [5, 4, 4],
    "conv_kernel": [10, 4, 4],
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
WHISPER = {
    "d_model": 16,
    "encoder_layers": 3,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "vocab_size": 99,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
    "num_mel_bins": 20,
}
AST = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_mel_bins": 32,
    "max_length": 64,
}
SQUARE = {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}}
CROPPED = {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}}

MODELS: dict[str, tuple[Any, dict[str, Any]]] = {
    "vit": (lambda: transformers.ViTConfig(**VISION), SQUARE),
    "dinov2": (
        lambda: transformers.Dinov2Config(**{**VISION, "mlp_ratio": 2}),
        {"image_processor_type": "BitImageProcessor", **CROPPED},
    ),
    "convnext": (
        lambda: transformers.ConvNextConfig(hidden_sizes=[8, 8, 8, 16], depths=[1, 1, 1, 1]),
        {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 64}},
    ),
    "clip": (
        lambda: transformers.CLIPConfig(vision_config=VISION, text_config=WORDS),
        {"image_processor_type": "CLIPImageProcessor", **CROPPED},
    ),
    "siglip": (
        lambda: transformers.SiglipConfig(vision_config=VISION, text_config=WORDS),
        {**SQUARE, "image_processor_type": "SiglipImageProcessor"},
    ),
    "whisper": (
        lambda: transformers.WhisperConfig(**WHISPER),
        {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 20},
    ),
    "wav2vec2": (
        lambda: transformers.Wav2Vec2Config(**SPEECH),
        {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "do_normalize": True},
    ),
    "hubert": (
        lambda: transformers.HubertConfig(**SPEECH, feat_extract_norm="layer",
                                          do_stable_layer_norm=True),
        {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "do_normalize": True},
    ),
    "ast": (
        lambda: transformers.ASTConfig(**AST),
        {"feature_extractor_type": "ASTFeatureExtractor", "num_mel_bins": 32, "max_length": 64},
    ),
}  # fmt: skip
"""Configuration and preprocessing of one model of each architecture."""


def save_tiny_model(folder: Path, name: str) -> str:
    """Write a random model of an architecture of MODELS; return its folder."""
    config, preprocessing = MODELS[name]
    torch.manual_seed(11)
    with quiet():
        network = transformers.AutoModel.from_config(config())
        with torch.no_grad():
            for weight in network.parameters():
                if weight.ndim > 1:
                    weight.normal_(0, 0.2)
        network.save_pretrained(folder)
    words = json.dumps(preprocessing)
    (folder / "preprocessor_config.json").write_text(words, encoding="utf-8")
    return str(folder)


def drawing(seed: int, width: int = 40, height: int = 30, form: str = "PNG") -> bytes:
    """Return a picture file of coloured noise."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    held = io.BytesIO()
    Image.fromarray(coarse).resize((width, height)).save(held, form)
    return held.getvalue()


def tone(seed: int, seconds: float = 0.5, rate: int = 16_000, channels: int = 1) -> bytes:
    """Return a WAV file: a tone of its own pitch in a little noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    sound = 0.3 * np.sin(2 * np.pi * (200 + 137 * seed) * time) + rng.normal(0, 0.05, len(time))
    return wav(np.repeat(sound[:, None], channels, 1), rate)


def wav(sound: np.ndarray, rate: int) -> bytes:
    """Return a sound [N, channels] as a WAV file of 16 bits."""
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(sound.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return held.getvalue()
