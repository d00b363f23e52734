"""What all encoders with pretrained weights can be told."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from allrounder.encoders.base import Encoder
from allrounder.encoders.locate import locate


@dataclass(kw_only=True)
class Tuned(Encoder):
    """An encoder whose weights come from a model that others have trained.

    Args:
        model: a folder, `package:NAME/FOLDER` inside an installed package, or a hub name.
        tune: `frozen` (run once, features cached), `top:N` (the last N layers learn),
            `lora` (Hu et al. 2021), or `full`.
        dropout: inside the encoder; 0 is faster, and heads have their own.
        layer_decay: each layer learns at this factor of the rate of the layer above.
        unfreeze: epochs after which the next lower layer starts to learn; 0 starts all at once.
        lora_rank: rank of the updates of `tune: lora`.
    """

    model: str
    tune: str = "full"
    dropout: float = 0.0
    layer_decay: float = 1.0
    unfreeze: float = 0.0
    lora_rank: int = 8

    def __post_init__(self) -> None:
        top, _, count = self.tune.partition(":")
        if self.tune not in {"frozen", "lora", "full"} and not (top == "top" and count.isdigit()):
            raise ValueError(f"has `tune: {self.tune}`. Expected frozen, top:N, lora or full.")

    def at(self, folder: Path) -> Self:
        """Return the encoder with `model` as the folder it lies in."""
        name = (self.fields or [self.kind_name()])[0]
        return replace(self, model=str(locate(self.model, folder, at=f"inputs.{name}")))

    @property
    def folder(self) -> Path:
        """The folder of the model, once `at` has found it."""
        return Path(self.model)

    @property
    def num_top(self) -> int | None:
        """How many of the last layers learn: None for all of them."""
        if self.tune.startswith("top:"):
            return int(self.tune[4:])
        return 0 if self.tune == "frozen" else None

    def saved(self, folder: Path) -> Self:
        """Return the encoder that reads all but the weights from `folder`."""
        return replace(self, model=str(folder))


def at_random(augment: Any, tune: str) -> None:
    """Refuse changes at random before an encoder that reads every record once."""
    if augment and tune == "frozen":
        raise ValueError(
            "has `augment` and `tune: frozen`. A frozen encoder reads every record once, "
            "unchanged. Leave one of them out."
        )
