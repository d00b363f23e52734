"""Causal language modelling."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from allrounder.encoders import Text
from allrounder.kinds import switched
from allrounder.lazy import lazy
from allrounder.pretraining.base import Pretraining
from allrounder.pretraining.scratch import Scratch

if TYPE_CHECKING:
    from allrounder.pretraining import foretelling
    from allrounder.pretraining.objective import Objective
else:
    foretelling = lazy("allrounder.pretraining.foretelling")


@dataclass(kw_only=True)
class Causal(Pretraining):
    """Every token is told from those before it (Radford et al. 2018), and so is the end.

    Only for decoders, such as GPT-2, Llama, Qwen or Gemma. What comes of it can write: see tasks of
    kind `generation`.

    Args:
        scratch: make a new model and its tokenizer from the texts, instead of loading the input's
            `model`: `true`, or `{layers: 6, width: 384}`.
    """

    writes = True
    scratch: Annotated[Scratch | None, switched(Scratch, "pretraining.scratch")] = None

    def objective(self, encoder: Text) -> "Objective":
        """Load the decoder."""
        return foretelling.Foretelling(encoder)
