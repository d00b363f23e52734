"""The torch side of sounds: Hugging Face models over waveforms and spectrograms.

Shapes: S windows of n records, T tokens, D width.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from allrounder.encoders.augment import Sounds
from allrounder.encoders.hearing import Kaldi, Mels, Waves
from allrounder.encoders.modules import mean_pool
from allrounder.encoders.pretrained import Pretrained, load
from allrounder.encoders.sounding import Windows
from allrounder.errors import ProjectError

if TYPE_CHECKING:
    from allrounder.encoders.audio import Audio


class Speech(Pretrained):
    """A model of sounds; its states are one vector for a window, then one for each frame.

    In training mode sounds are changed at random as `augment` says.
    """

    def __init__(self, encoder: "Audio") -> None:
        super().__init__()
        self.pooling, self.hearing = encoder.pool, encoder.hearing
        self.network = load(encoder)
        if isinstance(self.hearing, Mels):
            self.network = _shortened(self.network.get_encoder(), self.hearing)
        elif encoder.pool != "mean" and not isinstance(self.hearing, Kaldi):
            self._refuse()
        if isinstance(self.hearing, Mels) and encoder.pool != "mean":
            self._refuse()
        self.width = self.network.config.hidden_size
        self.freeze(encoder.num_top)
        if encoder.tune == "lora":
            self.adapt(encoder.lora_rank)
        self.changed = Sounds(encoder.changes)

    def _refuse(self) -> None:
        raise ProjectError(
            f"`pool: {self.pooling}`: {type(self.network).__name__} has nothing but frames. "
            "Choose mean."
        )

    def stem(self, batch: Windows) -> Tensor:
        """Run the whole model: [S, 1 + T, D]."""
        values = self.changed(batch.values, batch.sizes) if self.training else batch.values
        if isinstance(self.hearing, Kaldi):
            return self._patches(values)
        if isinstance(self.hearing, Mels):
            states = self.network(input_features=values).last_hidden_state
        else:
            states = self._frames(values, batch.sizes)
        vectors = mean_pool(states, batch.mask(states.shape[1]))
        return torch.cat([vectors[:, None], states], 1)

    def _patches(self, values: Tensor) -> Tensor:
        found = self.network(input_values=values.mT)
        states = found.last_hidden_state[:, 2:]  # two tokens come before the patches
        vectors = {
            "mean": states.mean(1),
            "cls": found.last_hidden_state[:, 0],
            "pooler": found.pooler_output,
        }
        return torch.cat([vectors[self.pooling][:, None], states], 1)

    def _frames(self, values: Tensor, sizes: Tensor) -> Tensor:
        """Return the frames of waveforms; a model that hears padding gets equal lengths at once."""
        assert isinstance(self.hearing, Waves)
        if self.hearing.masks:
            steps = torch.arange(values.shape[1], device=values.device)
            mask = (steps < sizes[:, None]).long()
            return self.network(input_values=values, attention_mask=mask).last_hidden_state
        found: dict[int, Tensor] = {}
        for size in sizes.unique().tolist():
            places = (sizes == size).nonzero().flatten()
            states = self.network(input_values=values[places, :size]).last_hidden_state
            found.update(zip(places.tolist(), states, strict=True))
        return nn.utils.rnn.pad_sequence([found[at] for at in range(len(sizes))], batch_first=True)

    def top(self, states: Tensor, batch: Windows) -> Tensor:
        """Everything was run before."""
        return states

    def pool(self, states: Tensor, batch: Windows) -> Tensor:
        """Return the mean over the windows of each record."""
        return batch.averaged(states[:, 0])

    def tokens(self, states: Tensor, batch: Windows) -> tuple[Tensor, Tensor]:
        """Return the frames of each record, window after window: [n, T, D]."""
        found = states[batch.stitch.sequence, 1 + batch.stitch.position]
        there = torch.arange(found.shape[1], device=found.device) < batch.lengths[:, None]
        return found, there


def _shortened(encoder: Any, hearing: Mels) -> Any:
    """Return Whisper's encoder with as many positions as a window has frames."""
    positions = hearing.reach // (2 * hearing.hop)
    table = encoder.embed_positions.weight
    learns = table.requires_grad
    encoder.embed_positions = nn.Embedding.from_pretrained(table.detach()[:positions].clone())
    encoder.embed_positions.weight.requires_grad_(learns)
    encoder.config.max_source_positions = encoder.max_source_positions = positions
    return encoder
