"""What every kind of pretraining has."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from allrounder.encoders import Encoder, Text
from allrounder.kinds import Kind
from allrounder.pretraining.scratch import Scratch
from allrounder.training.optimizers import OPTIMIZERS, AdamW, Optimizer
from allrounder.training.pretraining import text_of
from allrounder.training.schedules import SCHEDULES, Linear, Schedule

if TYPE_CHECKING:
    from allrounder.pretraining.objective import Objective


@dataclass(kw_only=True)
class Pretraining(Kind, ABC):
    """Learning without labels on the training records' texts.

    Args:
        input: the input whose encoder learns; by default the only one of kind `text`.
        epochs: passes over the texts.
        batch_records: texts in a batch, at most.
        batch_tokens: tokens in a batch, at most.
        lr: the full learning rate.
        head_lr: that of a head that the model did not have.
        optimizer: as in `training`.
        schedule: as in `training`.
        clip: the greatest norm of a gradient; 0 does not clip.
        hold_out: the share of texts that are never learned from, to judge by.
        evaluate_every: epochs between looks at the texts held out.
        patience: looks without a lower loss after which learning ends.
        precision: `auto` takes bf16 matrix products where the processor has them.
        checkpoint_minutes: how often the state is saved so that it can be resumed.
        seed: of every random choice.
    """

    writes: ClassVar[bool] = False
    """Whether a model made from nothing is a decoder."""
    scratch: ClassVar[Scratch | None] = None
    """The model that is made from nothing, for kinds that can begin so."""

    input: str | None = None
    epochs: float = 1.0
    batch_records: int = 64
    batch_tokens: int = 4096
    lr: float = 5e-5
    head_lr: float = 1e-3
    optimizer: Annotated[Optimizer, OPTIMIZERS.field("pretraining.optimizer")] = field(
        default_factory=AdamW
    )
    schedule: Annotated[Schedule, SCHEDULES.field("pretraining.schedule")] = field(
        default_factory=Linear
    )
    clip: float = 1.0
    hold_out: float = 0.05
    evaluate_every: float = 0.25
    patience: int = 4
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    checkpoint_minutes: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        positive = ("epochs", "batch_records", "batch_tokens", "lr", "head_lr", "evaluate_every",
                    "patience")  # fmt: skip
        for name in positive:
            if getattr(self, name) <= 0:
                raise ValueError(f"has `{name}: {getattr(self, name)}`. Expected more than 0.")
        if not 0 < self.hold_out < 1:
            raise ValueError(f"has `hold_out: {self.hold_out}`. Expected between 0 and 1.")

    def chosen(self, inputs: Mapping[str, Encoder]) -> str:
        """Return the name of the input whose encoder learns.

        Raises:
            ProjectError: it is no text through a transformer, or one has to be chosen.
        """
        return text_of(inputs, self.input, at="pretraining")

    @abstractmethod
    def objective(self, encoder: Text) -> "Objective":
        """Load the encoder with what it learns by."""
