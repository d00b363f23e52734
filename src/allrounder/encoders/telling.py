"""Networks that tell hidden words. Imports torch.

Shapes: S sequences, T tokens, P places, V vocabulary.
"""

from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional

from allrounder.encoders.batches import Sequences
from allrounder.encoders.hiding import Hides, vocabulary
from allrounder.encoders.modules import Encoding
from allrounder.encoders.pretrained import quiet, reading_attention
from allrounder.encoders.text import Text
from allrounder.encoders.writers import tells
from allrounder.errors import ProjectError
from allrounder.memory import Chosen


class HiddenWords(nn.Module):
    """A network that says which words were hidden (Devlin et al. 2019).

    Args:
        settings: how many words are drawn.
        encoder: the input, its model found on disk.
    """

    fresh: frozenset[str]
    """The names of weights that no one has trained."""

    def __init__(self, settings: Hides, encoder: Text) -> None:
        super().__init__()
        self.settings = settings
        self.network, fresh = load_telling(encoder)
        owned = dict(self.named_parameters())  # what is tied has one name of several
        self.fresh = frozenset(owned.keys() & {f"network.{name}" for name in fresh})
        self.words = vocabulary(encoder.model)
        self.chosen = Chosen(self.network)

    def loss(self, batch: Sequences, chance: torch.Generator) -> tuple[Tensor, int]:
        """Return the summed cross entropy of the words that were drawn, and how many they are."""
        ids, places = self.words.hidden(batch.ids.cpu(), batch.mask.cpu(), self.settings, chance)
        places = places.to(batch.ids.device)
        sized = getattr(self.network.config, "type_vocab_size", 0) or 0
        types = batch.types if sized > 1 else None
        logits = self.told(ids.to(batch.ids.device), batch.mask, places, types)
        truths = batch.ids[places]
        return functional.cross_entropy(logits, truths, reduction="sum"), len(truths)

    def told(
        self, ids: Tensor, there: Tensor, places: Tensor, types: Tensor | None = None
    ) -> Tensor:
        """Return the scores of every token of the vocabulary at some places: [P, V].

        Args:
            ids: tokens as they are read, [S, T].
            there: which of them are no padding, [S, T].
            places: which of them are to be told, [S, T].
            types: of which text of a pair each token is, [S, T], where the model knows such.
        """
        self.chosen.places = places
        more = {} if types is None else {"token_type_ids": types}
        return self.network(input_ids=ids, attention_mask=there.long(), **more).logits.float()


class Teller(HiddenWords):
    """The head for hidden words of a model that is trained for tasks.

    It is the head of the model itself, or a fresh one tied to its embeddings, and it reads by the
    network of the tasks, which it does not own: what is learned here is learned there.

    Args:
        settings: how many words are drawn.
        encoder: the input, its model found on disk.
        encoding: the module that reads the input for the tasks.
    """

    def __init__(self, settings: Hides, encoder: Text, encoding: Encoding) -> None:
        if not tells(encoder.model):
            raise ProjectError(
                f"`training.pretraining`: {encoder.model} is of a kind that cannot tell hidden "
                "words. BERT, RoBERTa, XLM-RoBERTa, DistilBERT, ELECTRA and ModernBERT can: choose "
                "such a model, or remove it."
            )
        super().__init__(settings, encoder)
        lender: Any = encoding.network
        inner, output = self.network.base_model_prefix, self.network.get_output_embeddings()
        if output.weight is self.network.get_input_embeddings().weight:
            output.weight = lender.get_input_embeddings().weight
        setattr(self.network, inner, _Borrowed(lender))


class _Borrowed(nn.Module):
    """Stands where a network stood, and reads by one that belongs to another module."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.lender = (network,)  # in a tuple its weights are not taken for ours

    def forward(self, *words: Any, **more: Any) -> Any:
        return self.lender[0](*words, **more)

    def __getattr__(self, name: str) -> Any:
        """Return what some heads look up in what they read by, such as its embeddings."""
        if name == "lender":
            raise AttributeError(name)
        return getattr(self.lender[0], name)


def load_telling(encoder: Text) -> tuple[Any, list[str]]:
    """Return the network with a head for hidden words, and the names of what is new in it.

    Raises:
        ProjectError: the model is of a kind that cannot tell hidden words.
    """
    try:
        with quiet():
            network, found = transformers.AutoModelForMaskedLM.from_pretrained(
                encoder.folder,
                dtype=torch.float32,
                use_safetensors=True,
                attn_implementation=reading_attention(),
                output_loading_info=True,
            )
    except ValueError as error:
        if "Unrecognized configuration class" not in str(error):
            raise
        raise ProjectError(
            f"{encoder.model} is of a kind that cannot tell hidden words. Choose "
            "`pretraining.kind: contrastive`, or a model such as BERT, RoBERTa or XLM-RoBERTa."
        ) from None
    return network, [name for name in found["missing_keys"] if "pooler" not in name]
