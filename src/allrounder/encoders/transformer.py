"""The torch side of texts: any Hugging Face encoder that reads tokens."""

import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from allrounder.encoders.batches import Sequences
from allrounder.encoders.locate import SHIFTED
from allrounder.encoders.modules import evaluating, mean_pool
from allrounder.encoders.pretrained import Pretrained, load
from allrounder.errors import ProjectError

if TYPE_CHECKING:
    from allrounder.encoders.text import Text


class Transformer(Pretrained):
    """Any Hugging Face encoder.

    Args:
        encoder: its settings.
        network: the model, where it is loaded already.
    """

    def __init__(self, encoder: "Text", network: Any = None) -> None:
        super().__init__()
        self.pooling = encoder.pool
        self.network = _reader(load(encoder)) if network is None else network
        if getattr(self.network, "pooler", None) is not None:
            self.network.pooler = None  # we pool ourselves; its weights would only be carried along
        self.width = self.network.config.hidden_size
        self.freeze(encoder.num_top)
        self._parts = (self.network, None)
        if 0 < self.num_frozen <= self.num_layers and _can_be_cut(self.network):
            self._parts = _cut(self.network, self.num_frozen)
        if encoder.tune == "lora":
            self.adapt(encoder.lora_rank)
            self._parts = (self.network, None)

    @property
    def has_stem(self) -> bool:
        """Whether there are frozen layers that can be run apart from those that learn."""
        return self._parts[1] is not None or self.is_frozen

    def stem(self, batch: Sequences) -> Tensor:
        """Run the frozen layers, or everything where they cannot be run apart."""
        inputs = {"input_ids": batch.ids, "attention_mask": self._sight(batch)}
        if batch.beside is not None:
            inputs["position_ids"] = batch.beside.positions + self._first_position
        if batch.types is not None and "token_type_ids" in _accepted(self.network):
            inputs["token_type_ids"] = batch.types
        return self._parts[0](**inputs).last_hidden_state

    def top(self, states: Tensor, batch: Sequences) -> Tensor:
        """Run the layers that learn."""
        if self._parts[1] is None:
            return states
        mask = self._sight(batch)
        return self._parts[1](inputs_embeds=states, attention_mask=mask).last_hidden_state

    def _sight(self, batch: Sequences) -> Tensor:
        """Return which tokens are there, [S, T], or which token sees which: [S, 1, T, T]."""
        if batch.beside is None:
            return batch.mask.long()
        if not self._takes_sight:
            raise ProjectError(
                f"{type(self.network).__name__} cannot be told which token sees which, so no facts "
                "can be read beside its texts. Choose `knowledge.injection: gazetteer` or `facts`, "
                "or an encoder such as BERT or XLM-RoBERTa."
            )
        return _additive(batch.beside.visible)

    @cached_property
    def _takes_sight(self) -> bool:
        """Whether all seeing all, said token by token, gives what the network gives by itself."""
        ids = torch.arange(12, device=next(self.network.parameters()).device).view(2, 6)
        ids = ids % self.network.config.vocab_size
        positions = torch.arange(6, device=ids.device).expand(2, 6) + self._first_position
        seen = _additive(torch.ones(2, 6, 6, dtype=torch.bool, device=ids.device))
        with torch.no_grad(), evaluating(self.network):
            plain = self.network(input_ids=ids + 6, attention_mask=torch.ones_like(ids))
            try:
                told = self.network(input_ids=ids + 6, attention_mask=seen, position_ids=positions)
            except (TypeError, RuntimeError, ValueError, AttributeError):
                return False
        return torch.allclose(plain.last_hidden_state, told.last_hidden_state, atol=1e-4)

    @property
    def _first_position(self) -> int:
        """The number of the first token: RoBERTa's table starts behind the padding position."""
        config = self.network.config
        return config.pad_token_id + 1 if config.model_type in SHIFTED else 0

    def pool(self, states: Tensor, batch: Sequences) -> Tensor:
        """Return the mean of the real tokens, or the first token."""
        if self.pooling == "cls":
            return states[batch.first, 0]
        if batch.stitch is None:
            return mean_pool(states, batch.text)
        return mean_pool(states[batch.first], batch.text[batch.first])


def _reader(network: Any) -> Any:
    """Return what reads: of an encoder–decoder only the encoder."""
    return network.get_encoder() if network.config.is_encoder_decoder else network


def _additive(visible: Tensor) -> Tensor:
    """Return what is added to the scores of attention: [S, T, T] → [S, 1, T, T]."""
    lowest = torch.finfo(torch.float32).min
    return torch.zeros(visible.shape, device=visible.device).masked_fill(~visible, lowest)[:, None]


class _Passed(nn.Module):
    """Stands where the embeddings stood: the states come from outside."""

    def forward(self, *_: Any, inputs_embeds: Tensor, **__: Any) -> Tensor:
        return inputs_embeds


def _cut(network: nn.Module, at: int) -> tuple[nn.Module, nn.Module]:
    """Return two networks over the same weights: up to layer `at`, and from there on."""
    layers = list(network.encoder.layer)
    upper = _with(network, encoder=_with(network.encoder, layer=nn.ModuleList(layers[at:])))
    return (
        _with(network, encoder=_with(network.encoder, layer=nn.ModuleList(layers[:at]))),
        _with(upper, embeddings=_Passed()),
    )


def _with(module: nn.Module, **children: nn.Module) -> nn.Module:
    twin = copy.copy(module)
    twin._modules = {**module._modules, **children}
    return twin


def _can_be_cut(network: nn.Module) -> bool:
    """Return whether running the two halves gives what running the whole gives; by trying it."""
    layers = getattr(getattr(network, "encoder", None), "layer", None)
    if not isinstance(layers, nn.ModuleList) or not hasattr(network, "embeddings"):
        return False
    ids = torch.arange(12).view(2, 6) % network.config.vocab_size
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])
    lower, upper = _cut(network, len(layers) // 2)
    with torch.no_grad(), evaluating(network):
        whole = network(input_ids=ids, attention_mask=mask).last_hidden_state
        try:
            states = lower(input_ids=ids, attention_mask=mask).last_hidden_state
            halves = upper(inputs_embeds=states, attention_mask=mask).last_hidden_state
        except (TypeError, RuntimeError, AttributeError):
            return False
    return torch.allclose(whole, halves, atol=1e-5)


def _accepted(network: nn.Module) -> Any:
    base = network.get_base_model() if hasattr(network, "get_base_model") else network
    return base.forward.__code__.co_varnames if hasattr(base.forward, "__code__") else _names(base)


def _names(network: nn.Module) -> list[str]:
    sized = getattr(network.config, "type_vocab_size", 0) or 0
    return ["token_type_ids"] if sized > 1 else []
