"""The torch side of pictures: any Hugging Face vision model.

Shapes: n records, P patches, D width.
"""

import inspect
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from allrounder.encoders.augment import Pictures
from allrounder.encoders.grids import Grids
from allrounder.encoders.modules import evaluating
from allrounder.encoders.pretrained import Pretrained, load
from allrounder.errors import ProjectError

if TYPE_CHECKING:
    from allrounder.encoders.image import Image


class Vision(Pretrained):
    """A vision model; its states are one vector for the picture, then one for each patch.

    In training mode pictures are changed at random as `augment` says: that happens here, on the
    device and from torch's generator, because decoding does not know what a batch is for.
    """

    def __init__(self, encoder: "Image") -> None:
        super().__init__()
        self.pooling = encoder.pool
        self.network = load(encoder)
        # A model with two towers, such as CLIP and SigLIP, sees with one of them.
        self.network = getattr(self.network, "vision_model", self.network)
        if "pixel_values" not in _keywords(self.network):
            raise ProjectError(
                f"{encoder.folder} holds a {type(self.network).__name__}, which reads no pictures. "
                "Expected a vision model, such as ViT, DINOv2, ConvNeXt, CLIP or SigLIP."
            )
        if encoder.pool != "pooler":
            _drop_pooler(self.network)
        self.resizes = "interpolate_pos_encoding" in _keywords(self.network)
        steps = encoder.preprocessing
        self.changed = Pictures(encoder.changes, steps.mean, steps.std, steps.scale)
        blank = Grids(torch.zeros(1, 3, *steps.shape), encoder.reach)
        with torch.no_grad(), evaluating(self):
            # A model that cannot be pooled so, or makes other patches, says it here.
            self.width = self.stem(blank).shape[-1]
        self.freeze(encoder.num_top)
        if encoder.tune == "lora":
            self.adapt(encoder.lora_rank)

    def stem(self, batch: Grids) -> Tensor:
        """Run the whole model: [n, 1 + P, D]."""
        pixels = self.changed(batch.values) if self.training else batch.values
        options = {"interpolate_pos_encoding": True} if self.resizes else {}
        found = self.network(pixel_values=pixels, **options)
        states = found.last_hidden_state
        if states.ndim == 4:
            states = states.flatten(2).mT
        lead = states.shape[1] - batch.num_patches
        if lead < 0:
            raise ProjectError(
                f"{type(self.network).__name__} makes {states.shape[1]} tokens of a picture, and "
                f"its config.json led to expect {batch.num_patches}: it is not supported."
            )
        vector = self._vector(found, states, lead)
        return torch.cat([vector[:, None], states[:, lead:]], 1)

    def _vector(self, found: Any, states: Tensor, lead: int) -> Tensor:
        if self.pooling == "mean":
            return states[:, lead:].mean(1)
        if self.pooling == "cls" and lead:
            return states[:, 0]
        pooled = getattr(found, "pooler_output", None)
        if self.pooling == "cls" or pooled is None:
            what = "token before its patches" if self.pooling == "cls" else "pooler"
            raise ProjectError(
                f"`pool: {self.pooling}`: {type(self.network).__name__} has no {what}. Choose mean."
            )
        return pooled.flatten(1)

    def top(self, states: Tensor, batch: Grids) -> Tensor:
        """Everything was run before."""
        return states

    def pool(self, states: Tensor, batch: Grids) -> Tensor:
        """Return the vector of the whole picture."""
        return states[:, 0]

    def tokens(self, states: Tensor, batch: Grids) -> tuple[Tensor, Tensor]:
        """Return the patches, row by row: [n, P, D]; all of them are there."""
        found = states[:, 1:]
        return found, found.new_ones(found.shape[:2], dtype=torch.bool)


def _drop_pooler(network: Any) -> None:
    """Leave out weights of poolers that are not read: they would only be carried along."""
    if isinstance(getattr(network, "pooler", None), torch.nn.Module) and _parameters(
        network.pooler
    ):
        network.pooler = None
    if getattr(network, "use_head", False):  # SigLIP
        network.use_head, network.head = False, None


def _parameters(module: torch.nn.Module) -> bool:
    return any(True for _ in module.parameters())


def _keywords(network: Any) -> Any:
    return inspect.signature(network.forward).parameters
