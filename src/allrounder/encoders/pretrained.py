"""What torch modules with pretrained weights share: loading, freezing, and where layers lie."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import transformers
from torch import nn

from allrounder.encoders.modules import Encoding, best_device, choose_precision
from allrounder.encoders.tuned import Tuned
from allrounder.errors import MissingExtra, ProjectError

DROPOUTS = (
    "resid_pdrop", "embd_pdrop", "attn_pdrop", "dropout_rate",
    "hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout",
    "embedding_dropout", "mlp_dropout", "hidden_dropout", "activation_dropout",
    "feat_proj_dropout",
)  # fmt: skip
"""What configurations call the dropout inside an encoder."""

SWITCHED_OFF = {
    "layerdrop": 0.0, "encoder_layerdrop": 0.0, "drop_path_rate": 0.0, "apply_spec_augment": False,
}  # fmt: skip
"""Chance inside models that does not come from torch's generator, or cannot be told about."""

BELOW = re.compile(r"embed|feature_extractor|feature_projection|\.conv\d\.|pre_layrnorm")
"""Weights that lie below all layers."""


class Pretrained(Encoding):
    """A module around a Hugging Face `network`."""

    is_pretrained = True
    network: Any

    def freeze(self, num_top: int | None) -> None:
        """Let only the last `num_top` layers of the network learn; None lets all of it."""
        layers = _layers(self.network)
        self.num_layers = len(layers)
        if num_top is None:
            return
        if num_top and not layers:
            raise ProjectError(
                f"{type(self.network).__name__} shows no list of its layers, so `tune: top:N` "
                "cannot tell them apart. Choose frozen, lora or full."
            )
        if num_top > len(layers):
            raise ProjectError(
                f"`tune: top:{num_top}` asks for more layers than the model has ({len(layers)})."
            )
        self.num_frozen = len(layers) - num_top if num_top else len(layers) + 1
        self.network.requires_grad_(False)
        for layer in layers[self.num_frozen :]:
            layer.requires_grad_(True)

    def adapt(self, rank: int) -> None:
        """Freeze the network and put updates of low rank beside its matrices (Hu et al. 2021)."""
        try:
            import peft  # takes seconds, which only those wait for who need it
        except ImportError:
            raise MissingExtra(
                "`tune: lora` needs peft. Try: pip install 'allrounder[lora]'"
            ) from None
        settings = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear")
        self.network = peft.get_peft_model(self.network, settings)

    @property
    def has_stem(self) -> bool:
        """Whether there are frozen layers that can be run apart from those that learn."""
        return self.is_frozen

    def depth(self, name: str) -> int:
        """Return how many layers above the weight there are; embeddings lie below all of them."""
        found = re.search(r"\.(?:layers?|stages)\.(\d+)\.", name)
        if found:
            return self.num_layers - 1 - int(found[1])
        return self.num_layers if BELOW.search(name) else 0


def reading_attention() -> str | None:
    """Return the attention that trains encoders fastest here; None takes the model's own choice.

    Measured: the plain one on a processor, elsewhere the fused one, which is the choice of models
    that have it; DeBERTa, MPNet and ConvNeXt have not.
    """
    return "eager" if best_device().type == "cpu" else None


def writing_attention() -> str | None:
    """Return the attention that trains decoders fastest here; None takes the model's own choice.

    Measured: the plain one in bf16 on a processor, elsewhere the fused one.
    """
    device = best_device()
    plain = device.type == "cpu" and choose_precision("auto", device) is not None
    return "eager" if plain else None


def load(encoder: Tuned) -> Any:
    """Return the network that lies in the encoder's folder; weights at random in a run's folder."""
    config = dropping(transformers.AutoConfig.from_pretrained(encoder.folder), encoder.dropout)
    how = {"attn_implementation": reading_attention()}
    with quiet():
        if (encoder.folder / "allrounder.json").exists():
            return transformers.AutoModel.from_config(config, dtype=torch.float32, **how)
        return transformers.AutoModel.from_pretrained(
            encoder.folder, config=config, dtype=torch.float32, use_safetensors=True, **how
        )


def dropping(config: Any, dropout: float) -> Any:
    """Return the configuration with the dropout wanted, and no other chance inside the model."""
    settings = {**dict.fromkeys(DROPOUTS, dropout), **SWITCHED_OFF}
    for part in (config, getattr(config, "vision_config", None)):
        for name, value in settings.items():
            if hasattr(part, name):
                setattr(part, name, value)
    return config


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from drawing bars and tables while a model is loaded."""
    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


def _layers(network: nn.Module) -> Sequence[nn.Module]:
    """Return the layers from below, or nothing where a network shows no list of them."""
    depths = getattr(network.config, "depths", None)
    wanted = len(depths) if depths else getattr(network.config, "num_hidden_layers", None)
    for name, module in network.named_modules():
        is_list = isinstance(module, nn.ModuleList) and not name.endswith("conv_layers")
        if is_list and len(module) == wanted:
            return module
    return []
