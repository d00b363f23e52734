"""An encoder of one's own: the mean colour of a picture."""

from dataclasses import dataclass

import numpy as np
import torch

from allrounder.encoders import Pixels
from allrounder.encoders.modules import Encoding


@dataclass(kw_only=True)
class MeanColour(Pixels):
    """The mean colour of a picture, nothing else."""

    def module(self):
        """Build nothing that learns but a scale."""
        return Colours()


class Colours(Encoding):
    width = 3

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(3))

    def stem(self, batch):
        return batch.values.flatten(2).mT

    def top(self, states, batch):
        return states * self.scale

    def pool(self, states, batch):
        return states.mean(1)


def colour(red: int, green: int, blue: int) -> bytes:
    """Return a picture of one colour."""
    import io

    from PIL import Image

    held = io.BytesIO()
    Image.fromarray(np.full((9, 9, 3), (red, green, blue), np.uint8)).save(held, "PNG")
    return held.getvalue()
