"""Models that write: a decoder goes on with what it read, an encoder–decoder writes of it."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch import Tensor
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer
from transformers.modeling_outputs import BaseModelOutput

from allrounder.encoders.batches import Sequences
from allrounder.encoders.modules import Features
from allrounder.encoders.pretrained import dropping, quiet, writing_attention
from allrounder.encoders.text import padding, positions
from allrounder.encoders.transformer import Transformer
from allrounder.errors import ProjectError
from allrounder.memory import Chosen, Memory, Writer, apart

if TYPE_CHECKING:
    from allrounder.encoders.text import Text

KEEPING = (DynamicLayer, DynamicSlidingWindowLayer)


class Writing(Transformer, Writer):
    """A transformer with what it writes by. Nothing of it is run ahead, even where it is frozen."""

    kind: Any
    """What transformers loads such a model with."""

    def __init__(self, encoder: "Text") -> None:
        super().__init__(encoder, network=_loaded(encoder, self.kind))
        self.chosen = Chosen(self.network)
        self.end = _one(self.network.config.eos_token_id, encoder.model)
        self.filling, self.room = padding(encoder.model), positions(encoder.model)

    @property
    def has_stem(self) -> bool:
        """What is kept for writing is no state of a layer, so nothing is read ahead."""
        return False

    def stem(self, batch: Sequences) -> Tensor:
        """Return the embeddings of the tokens."""
        return self.network.get_input_embeddings()(batch.ids)

    def finish(self, states: Tensor, batch: Sequences, *, tokens: bool) -> Features:
        """Return the features, and what is written from."""
        last, memory = self.read(states, batch)
        found = Features(self.pool(last, batch), *(self.tokens(last, batch) if tokens else ()))
        return replace(found, memory=memory.at(batch.first))

    @abstractmethod
    def read(self, states: Tensor, batch: Sequences) -> tuple[Tensor, Memory]:
        """Return the last states, and what is written from, of every sequence.

        Facts that are read beside a text are in the memory too, with nothing between.
        """

    def _precision(self, states: Tensor) -> torch.dtype | None:
        kind = states.device.type
        return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None

    def _manner(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return how `generate` is to write."""
        beside, how = apart(options)
        return {
            **beside,
            "generation_config": transformers.GenerationConfig(
                pad_token_id=self.filling, eos_token_id=self.end, **how
            ),
        }


class Decoder(Writing):
    """A decoder such as GPT-2, Llama or Qwen: what it writes goes on with what it read."""

    kind = transformers.AutoModelForCausalLM

    def __init__(self, encoder: "Text") -> None:
        super().__init__(encoder)
        self.room -= encoder.reach
        if not _keeps_all(self._network.config):
            raise ProjectError(
                f"{encoder.model} ({self._network.config.model_type}) sums up what it read in "
                "layers without attention, and no task can go on from that. Choose a model such "
                "as GPT-2, Llama, Qwen or Gemma."
            )

    def read(self, states: Tensor, batch: Sequences) -> tuple[Tensor, Memory]:
        """Return the last states, and keys and values of every layer.

        What is read stands flush right: layers that look no further than a window, as in Gemma 3
        or Mistral, count tokens between, and those that fill up a batch would be counted too.
        """
        order = _flushed_right(batch)
        ids, mask, states = (_ordered(part, order) for part in (batch.ids, batch.mask, states))
        found = self._network.base_model(
            inputs_embeds=states,
            attention_mask=mask.long(),
            position_ids=(mask.long().cumsum(1) - 1).clamp(min=0),
            past_key_values=transformers.DynamicCache(),  # of all tokens; masks draw the windows
            use_cache=True,
        )
        past = tuple((layer.keys, layer.values) for layer in found.past_key_values.layers)
        last = found.last_hidden_state
        memory = Memory(last, mask.bool(), ids, past, self._precision(states))
        return _ordered(last, order.argsort(1)), memory

    @property
    def _network(self) -> Any:
        """The network without what LoRA wraps around it."""
        wrapped = hasattr(self.network, "get_base_model")
        return self.network.get_base_model() if wrapped else self.network

    def logits(self, memory: Memory, ids: Tensor, places: Tensor) -> Tensor:
        """Return the logits at some places, going on from the keys and values of what was read."""
        self.chosen.places = places
        cache = transformers.DynamicCache()
        for number, (keys, values) in enumerate(memory.past or ()):
            cache.update(keys, values, number)
        read = memory.mask.sum(1, keepdim=True)
        try:
            with memory.autocast():
                return self.network(
                    input_ids=ids,
                    attention_mask=torch.cat([memory.mask.long(), torch.ones_like(ids)], 1),
                    position_ids=read + torch.arange(ids.shape[1], device=ids.device),
                    past_key_values=cache,
                    use_cache=True,
                ).logits
        finally:
            self.chosen.places = None

    def written(self, memory: Memory, start: Tensor, options: Mapping[str, Any]) -> Tensor:
        """Return what `generate` goes on with."""
        assert memory.ids is not None, "a decoder remembers the tokens that it read"
        ids = torch.cat([memory.ids.masked_fill(~memory.mask, self.filling), start], 1)
        mask = torch.cat([memory.mask.long(), torch.ones_like(start)], 1)
        with memory.autocast():
            found = self.network.generate(
                input_ids=ids, attention_mask=mask, **self._manner(options)
            )
        return found[:, ids.shape[1] :]


class EncoderDecoder(Writing):
    """An encoder–decoder such as T5 or BART: its decoder sees what its encoder says."""

    kind = transformers.AutoModelForSeq2SeqLM

    def read(self, states: Tensor, batch: Sequences) -> tuple[Tensor, Memory]:
        """Return the last states of the encoder."""
        order = _facts_last(batch)
        mask, states = (_ordered(part, order) for part in (batch.mask, states))
        encoder = self.network.get_encoder()
        last = encoder(inputs_embeds=states, attention_mask=mask.long()).last_hidden_state
        return last, Memory(last, mask.bool(), precision=self._precision(states))

    @property
    def begin(self) -> list[int]:
        """The tokens that every text is begun with."""
        return [int(self.network.config.decoder_start_token_id)]

    def logits(self, memory: Memory, ids: Tensor, places: Tensor) -> Tensor:
        """Return the logits at some places."""
        self.chosen.places = places
        try:
            with memory.autocast():
                return self.network(
                    encoder_outputs=BaseModelOutput(last_hidden_state=memory.states),
                    attention_mask=memory.mask.long(),
                    decoder_input_ids=ids,
                    use_cache=False,
                ).logits
        finally:
            self.chosen.places = None

    def written(self, memory: Memory, start: Tensor, options: Mapping[str, Any]) -> Tensor:
        """Return what `generate` writes."""
        with memory.autocast():
            found = self.network.generate(
                encoder_outputs=BaseModelOutput(last_hidden_state=memory.states),
                attention_mask=memory.mask.long(),
                decoder_input_ids=start,
                **self._manner(options),
            )
        return found[:, start.shape[1] :]


WRITINGS = {"decoder": Decoder, "encoder-decoder": EncoderDecoder}


def _loaded(encoder: "Text", kind: Any) -> Any:
    """Return the model with all that it writes by; weights at random in a run's folder."""
    config = dropping(transformers.AutoConfig.from_pretrained(encoder.folder), encoder.dropout)
    how = {"attn_implementation": writing_attention()}
    with quiet():
        if (encoder.folder / "allrounder.json").exists():
            return kind.from_config(config, dtype=torch.float32, **how)
        return kind.from_pretrained(
            encoder.folder, config=config, dtype=torch.float32, use_safetensors=True, **how
        )


def _flushed_right(batch: Sequences) -> Tensor:
    """Return in which order a decoder reads the tokens of sequences: [S, T].

    What fills them up comes first, then what stands before every text, then facts, so that the
    decoder has seen them when it reads the text.
    """
    _read_in_a_row(batch)
    there = batch.mask.bool()
    places = torch.ones_like(batch.ids)
    if batch.beside is not None:
        places.masked_fill_(batch.text.bool(), 2)
        places[:, : batch.lead] = 0
    return places.masked_fill(~there, -1).argsort(dim=1, stable=True)


def _facts_last(batch: Sequences) -> Tensor | None:
    """Return the order in which facts come right behind a text: [S, T]; None without facts."""
    if batch.beside is None:
        return None
    _read_in_a_row(batch)
    places = torch.where(batch.text.bool(), 0, 1).masked_fill(~batch.mask.bool(), 2)
    places[:, : batch.lead] = 0
    return places.argsort(dim=1, stable=True)


def _read_in_a_row(batch: Sequences) -> None:
    """Refuse facts that hang on single mentions."""
    if batch.beside is None:
        return
    there = batch.mask.bool()
    if not (batch.beside.visible | ~(there[:, :, None] & there[:, None, :])).all():
        raise ProjectError(
            "A model that writes reads tokens one after another, so facts cannot hang on single "
            "mentions. Choose `knowledge.injection: verbalized`, `gazetteer` or `facts`."
        )


def _ordered(part: Tensor, order: Tensor | None) -> Tensor:
    """Return the tokens of sequences in an order: [S, T, …]."""
    if order is None:
        return part
    return part.take_along_dim(order if part.ndim == 2 else order[:, :, None], 1)


def _keeps_all(config: Any) -> bool:
    """Return whether every layer keeps keys and values of the tokens that it read."""
    layers = transformers.DynamicCache(config=config).layers
    return hasattr(config, "num_attention_heads") and all(type(it) in KEEPING for it in layers)


def _one(ends: Any, model: str) -> int:
    first = ends[0] if isinstance(ends, list) else ends
    if first is None:
        raise ProjectError(
            f"{model} has no token that ends a text: expected `eos_token_id` in its config.json."
        )
    return int(first)
