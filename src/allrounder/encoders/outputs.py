"""Output layers as wide as a vocabulary, run only where they are wanted."""

from typing import Any

from torch import Tensor


class Chosen:
    """Lets the output layer of a network see some places only: [S, T, D] → [N, D].

    Args:
        network: a Hugging Face model with an output layer over its vocabulary.
    """

    def __init__(self, network: Any) -> None:
        self.places: Tensor | None = None
        """Which places are seen, [S, T]; None lets it see all of them."""
        network.get_output_embeddings().register_forward_pre_hook(self._only)

    def _only(self, module: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return inputs if self.places is None else (inputs[0][self.places],)
