"""The torch side of TSDAE."""

from dataclasses import replace
from typing import Any, ClassVar

import torch
import transformers
from torch import Tensor
from torch.nn import functional

from allrounder.encoders import Text
from allrounder.encoders.batches import Sequences
from allrounder.encoders.pretrained import quiet
from allrounder.encoders.text import padding, specials
from allrounder.encoders.transformer import Transformer
from allrounder.errors import ProjectError
from allrounder.memory import Chosen
from allrounder.pretraining.denoising import Denoising
from allrounder.pretraining.objective import Objective


class Restoring(Objective):
    """A network from whose vector of a damaged text a decoder tells the whole one."""

    is_likelihood: ClassVar[bool] = True

    def __init__(self, settings: Denoising, encoder: Text) -> None:
        super().__init__()
        self.delete_share = settings.delete_share
        self.encoding = Transformer(replace(encoder, tune="full"))
        self.network = self.encoding.network
        self.decoder, fresh = _decoder(encoder)
        _tie(self.decoder, self.network)
        owned = dict(self.named_parameters())  # what is tied has one name of several
        self.fresh = frozenset(owned.keys() & {f"decoder.{name}" for name in fresh})
        self.special = torch.tensor([token for part in specials(encoder.model) for token in part])
        self.padding = padding(encoder.model)
        self.chosen = Chosen(self.decoder)

    def loss(self, batch: Sequences, chance: torch.Generator) -> tuple[Tensor, int]:
        """Return the cross entropy of every token given those before it and the vector."""
        ids, there = batch.ids, batch.mask.bool()
        left = self.damaged(ids.cpu(), there.cpu(), chance).to(ids.device)
        vectors = self.encoding.pool(self.encoding.top(self.encoding.stem(left), left), left)
        self.chosen.places = there[:, 1:]
        logits = self.decoder(
            input_ids=ids[:, :-1],
            attention_mask=there[:, :-1].long(),
            encoder_hidden_states=vectors[:, None],
            encoder_attention_mask=torch.ones_like(ids[:, :1]),
        ).logits
        truths = ids[:, 1:][self.chosen.places]
        return functional.cross_entropy(logits.float(), truths, reduction="sum"), len(truths)

    def damaged(self, ids: Tensor, there: Tensor, chance: torch.Generator) -> Sequences:
        """Return the sequences with tokens deleted; special ones stay, and one other at least.

        Args:
            ids: tokens, [S, T].
            there: which of them are no padding, [S, T].
            chance: the generator that draws.
        """
        free = there & ~torch.isin(ids, self.special)
        drawn = torch.rand(ids.shape, generator=chance).masked_fill(~free, -1.0)
        most = drawn == drawn.max(1, keepdim=True).values
        kept = there & (~free | (drawn >= self.delete_share) | most)
        order = torch.argsort((~kept).long(), dim=1, stable=True)
        lengths = kept.sum(1)
        longest = int(lengths.max())
        mask = torch.arange(longest) < lengths[:, None]
        return Sequences(
            ids=ids.gather(1, order)[:, :longest].masked_fill(~mask, self.padding),
            mask=mask,
            types=None,
            first=torch.arange(len(ids)),
            lead=0,
            lengths=lengths,
        )


def _decoder(encoder: Text) -> tuple[Any, list[str]]:
    """Return the model as a decoder that attends to a vector, and the names of what is new."""
    config = transformers.AutoConfig.from_pretrained(encoder.folder)
    config.is_decoder, config.add_cross_attention, config.use_cache = True, True, False
    try:
        with quiet():
            decoder, found = transformers.AutoModelForCausalLM.from_pretrained(
                encoder.folder,
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                attn_implementation="eager",
                output_loading_info=True,
            )
    except ValueError as error:
        if "Unrecognized configuration class" not in str(error):
            raise
        raise _refusal(encoder) from None
    if not any("crossattention" in name for name in found["missing_keys"]):
        raise _refusal(encoder)
    return decoder, list(found["missing_keys"])


def _refusal(encoder: Text) -> ProjectError:
    return ProjectError(
        f"{encoder.model} is of a kind that has no decoder of its own weights. Choose "
        "`pretraining.kind: contrastive`, or a model such as BERT, RoBERTa or XLM-RoBERTa."
    )


def _tie(decoder: Any, network: Any) -> None:
    """Let the decoder have the encoder's own weights where both have one."""
    base = decoder.base_model
    for name, weight in network.named_parameters():
        place, _, leaf = name.rpartition(".")
        setattr(base.get_submodule(place), leaf, weight)
    decoder.get_output_embeddings().weight = base.get_input_embeddings().weight
