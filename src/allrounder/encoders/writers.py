"""Which models can write, by what their configuration says they are."""

from typing import TYPE_CHECKING, Literal

from allrounder.encoders.locate import read_config
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from transformers.models.auto import modeling_auto
else:
    modeling_auto = lazy("transformers.models.auto.modeling_auto")

Writer = Literal["decoder", "encoder-decoder"]


def writer_of(folder: str) -> Writer | None:
    """Return how the model in a folder writes, or None where it only reads.

    A decoder such as GPT-2 or Llama goes on with what it read; an encoder–decoder such as T5 or
    BART writes from what its encoder says. Models that are known for hidden words, such as
    BERT, only read, though their weights could be arranged as a decoder.
    """
    kind = read_config(folder).get("model_type")
    if kind in modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES:
        return "encoder-decoder"
    hidden = modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    if kind in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and kind not in hidden:
        return "decoder"
    return None


def tells(folder: str) -> bool:
    """Return whether the model in a folder is of a kind that tells hidden words, such as BERT."""
    kind = read_config(folder).get("model_type")
    known = kind in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    return known and writer_of(folder) is None
