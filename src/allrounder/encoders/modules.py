"""The torch side of encoders. Encoder kinds reach it lazily.

Shapes: n records, S sequences (windows count one by one), T tokens, D width.
"""

import copy
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch import Tensor, nn

from allrounder.encoders.batches import Sequences
from allrounder.errors import MissingExtra, ProjectError

try:
    import peft
except ImportError:  # an extra
    peft = None

if TYPE_CHECKING:
    from allrounder.encoders.text import Text


@dataclass(frozen=True)
class Features:
    """What an encoder says of n records: `pooled` [n, D]; where wanted `tokens` [n, T, D].

    `mask` [n, T] says which tokens are there; the others are padding.
    """

    pooled: Tensor
    tokens: Tensor | None = None
    mask: Tensor | None = None

    def to(self, device: Any) -> "Features":
        """Return the features on another device."""
        return Features(
            *(None if part is None else part.to(device) for part in vars(self).values())
        )


class Encoding(nn.Module, ABC):
    """A module from a batch to features, in two parts so that a frozen part can be run once.

    A batch is what `Encoder.collate` returns: `Sequences` for texts. Any other class will do that
    can be moved (`to`), counts its tokens (`num_tokens`), and that `tokens` is written for.
    """

    width: int
    is_pretrained: bool = False
    """Whether weights come from somewhere, and learn at the encoder's rate, not at the heads'."""
    num_layers: int = 0
    num_frozen: int = 0
    """How many of the lowest layers never learn; more than `num_layers` where nothing learns."""

    @abstractmethod
    def stem(self, batch: Any) -> Tensor:
        """Return the states after the part that never learns: [S, T, D]."""

    @abstractmethod
    def top(self, states: Tensor, batch: Any) -> Tensor:
        """Return the last states from those of the stem: [S, T, D] → [S, T, D]."""

    @abstractmethod
    def pool(self, states: Tensor, batch: Any) -> Tensor:
        """Return one vector a record: [S, T, D] → [n, D]."""

    def tokens(self, states: Tensor, batch: Any) -> tuple[Tensor, Tensor]:
        """Return the states of the tokens of each record, [n, T, D], and which are there, [n, T].

        Special tokens, such as those around a text, are left out.
        """
        found = unstitched(states, batch)
        return found, torch.arange(found.shape[1], device=found.device) < batch.lengths[:, None]

    def forward(self, batch: Any, *, tokens: bool) -> Features:
        """Return the features of a batch; token states only where `tokens` asks for them."""
        return self.finish(self.stem(batch), batch, tokens=tokens)

    def finish(self, states: Tensor, batch: Any, *, tokens: bool) -> Features:
        """Return the features from the states of the stem."""
        last = self.top(states, batch)
        return Features(self.pool(last, batch), *(self.tokens(last, batch) if tokens else ()))

    @property
    def has_stem(self) -> bool:
        """Whether there are frozen layers that can be run apart from those that learn."""
        return False

    @property
    def is_frozen(self) -> bool:
        """Whether no weight learns."""
        return not any(weight.requires_grad for weight in self.parameters())

    def depth(self, name: str) -> int:
        """Return how many layers above the weight `name` there are: 0 for the last layer's."""
        return 0


def unstitched(states: Tensor, batch: Sequences) -> Tensor:
    """Return the states of the tokens of each record, without special ones: [n, T, D]."""
    if batch.stitch is not None:
        return states[batch.stitch.sequence, batch.stitch.position]
    longest = int(batch.lengths.max()) if len(batch.lengths) else 0
    return states[:, batch.lead : batch.lead + longest]


def mean_pool(states: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over real tokens: [S, T, D], [S, T] → [S, D]."""
    kept = mask[..., None].to(states.dtype)
    return (states * kept).sum(1) / kept.sum(1).clamp(min=1)


class Transformer(Encoding):
    """Any Hugging Face encoder."""

    is_pretrained = True

    def __init__(self, encoder: "Text") -> None:
        super().__init__()
        self.pooling = encoder.pool
        self.network = _pretrained(encoder)
        self.width = self.network.config.hidden_size
        self._freeze(encoder.num_top)
        self._parts = (self.network, None)
        if 0 < self.num_frozen <= self.num_layers and _can_be_cut(self.network):
            self._parts = _cut(self.network, self.num_frozen)
        if encoder.tune == "lora":
            self.network = _with_lora(self.network, encoder.lora_rank)
            self._parts = (self.network, None)

    def _freeze(self, num_top: int | None) -> None:
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

    @property
    def has_stem(self) -> bool:
        """Whether there are frozen layers that can be run apart from those that learn."""
        return self._parts[1] is not None or self.is_frozen

    def stem(self, batch: Sequences) -> Tensor:
        """Run the frozen layers, or everything where they cannot be run apart."""
        inputs = {"input_ids": batch.ids, "attention_mask": batch.mask.long()}
        if batch.types is not None and "token_type_ids" in _accepted(self.network):
            inputs["token_type_ids"] = batch.types
        return self._parts[0](**inputs).last_hidden_state

    def top(self, states: Tensor, batch: Sequences) -> Tensor:
        """Run the layers that learn."""
        if self._parts[1] is None:
            return states
        mask = batch.mask.long()
        return self._parts[1](inputs_embeds=states, attention_mask=mask).last_hidden_state

    def pool(self, states: Tensor, batch: Sequences) -> Tensor:
        """Return the mean of the real tokens, or the first token."""
        if self.pooling == "cls":
            return states[batch.first, 0]
        if batch.stitch is None:
            return mean_pool(states, batch.mask)
        return mean_pool(states[batch.first], batch.mask[batch.first])

    def depth(self, name: str) -> int:
        """Return how many layers above the weight there are; embeddings lie below all of them."""
        found = re.search(r"\.layers?\.(\d+)\.", name)
        if found:
            return self.num_layers - 1 - int(found[1])
        return self.num_layers if "embeddings" in name else 0


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


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Switch dropout off for a while."""
    before = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(before)


def _pretrained(encoder: "Text") -> nn.Module:
    config = transformers.AutoConfig.from_pretrained(encoder.folder)
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout",
                 "attention_dropout", "embedding_dropout", "mlp_dropout"):  # fmt: skip
        if hasattr(config, name):
            setattr(config, name, encoder.dropout)
    # Measured: the plain attention trains fastest on CPU in bf16, the fused one on CUDA.
    attention = {"attn_implementation": "sdpa" if torch.cuda.is_available() else "eager"}
    if (encoder.folder / "allrounder.json").exists():
        network = transformers.AutoModel.from_config(config, **attention)
    else:
        with quiet():
            network = transformers.AutoModel.from_pretrained(
                encoder.folder, config=config, dtype=torch.float32, use_safetensors=True,
                **attention,
            )  # fmt: skip
    if getattr(network, "pooler", None) is not None:
        network.pooler = None  # we pool ourselves; its weights would only be carried along
    return network


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
    wanted = getattr(network.config, "num_hidden_layers", None)
    for module in network.modules():
        if isinstance(module, nn.ModuleList) and len(module) == wanted:
            return module
    return []


def _accepted(network: nn.Module) -> Any:
    base = network.get_base_model() if hasattr(network, "get_base_model") else network
    return base.forward.__code__.co_varnames if hasattr(base.forward, "__code__") else _names(base)


def _names(network: nn.Module) -> list[str]:
    sized = getattr(network.config, "type_vocab_size", 0) or 0
    return ["token_type_ids"] if sized > 1 else []


def _with_lora(network: nn.Module, rank: int) -> nn.Module:
    if peft is None:
        raise MissingExtra("`tune: lora` needs peft. Try: pip install 'allrounder[lora]'")
    settings = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear")
    return peft.get_peft_model(network, settings)


def choose_precision(wanted: str, device: torch.device) -> torch.dtype | None:
    """Return the type of matrix products: bf16 where the processor has it, None for fp32."""
    if wanted == "fp32":
        return None
    if device.type == "cuda":
        has = torch.cuda.is_bf16_supported()
    else:
        has = torch.ops.mkldnn._is_mkldnn_bf16_supported() and torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if has or wanted == "bf16" else None
