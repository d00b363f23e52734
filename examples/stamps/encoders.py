"""EfficientNet-lite0 as an input of pictures: how a model of your own comes into a project file.

It needs the architecture from a package: pip install --no-deps efficientnet-lite-pytorch==0.1.0
"""

from dataclasses import dataclass

import torch
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import load_file
from torch import Tensor

from allrounder.encoders.grids import Grids
from allrounder.encoders.image import Image
from allrounder.encoders.modules import Encoding


@dataclass(kw_only=True)
class Lite0(Image):
    """EfficientNet-lite0, trained on ImageNet (Tan and Le 2019): 7 × 7 patches of 1280 numbers."""

    def module(self) -> Encoding:
        """Build the network; in a run folder there are no weights, they come from the run."""
        return Net(self)


class Net(Encoding):
    """States are the mean of all patches, then every patch: [n, 1 + 49, 1280]."""

    width = 1280
    is_pretrained = True

    def __init__(self, encoder: Lite0) -> None:
        super().__init__()
        self.network = EfficientNet.from_name("efficientnet-lite0")
        weights = encoder.folder / "model.safetensors"
        if weights.exists():
            self.network.load_state_dict(load_file(weights))
        self.network.requires_grad_(encoder.tune != "frozen")

    @property
    def has_stem(self) -> bool:
        """Whether it may be run once: only where nothing of it learns."""
        return self.is_frozen

    def stem(self, batch: Grids) -> Tensor:
        """Run the network up to its last feature map."""
        patches = self.network.extract_features(batch.values).flatten(2).mT
        return torch.cat([patches.mean(1, keepdim=True), patches], 1)

    def top(self, states: Tensor, batch: Grids) -> Tensor:
        """Everything was run before."""
        return states

    def pool(self, states: Tensor, batch: Grids) -> Tensor:
        """Return the mean of all patches."""
        return states[:, 0]

    def tokens(self, states: Tensor, batch: Grids) -> tuple[Tensor, Tensor]:
        """Return the patches; all of them are there."""
        patches = states[:, 1:]
        return patches, patches.new_ones(patches.shape[:2], dtype=torch.bool)
