"""The `training` section of the project file."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from allrounder.kinds import CLOSED
from allrounder.training.optimizers import OPTIMIZERS, AdamW, Optimizer
from allrounder.training.sampling import SAMPLINGS, Proportional, Sampling
from allrounder.training.schedules import SCHEDULES, Linear, Schedule


@dataclass(kw_only=True)
class HeadStart:
    """What comes before the main training.

    Args:
        steps: x.
    """

    __pydantic_config__ = CLOSED

    loss: Literal["supcon", "pairs"] = "supcon"
    steps: int = 60
    batch_records: int = 32
    lr: float = 2e-5
    temperature: float = 0.1
    strength: float = 1.0


@dataclass(kw_only=True)
class Training:
    """How the model is trained.

    Args:
        epochs: passes over the training records; parts of one are allowed.
        batch_records: the most records in a batch.
        batch_tokens: the most tokens in a batch, padding included.
        lr: the learning rate of encoders.
        head_lr: the learning rate of heads and fusion, which start from nothing.
        optimizer: `adamw` or `sgd`.
        schedule: `linear`, `cosine` or `constant`, each with warm-up.
        sampling: how often records of each group of tasks are drawn.
        weighting: how the losses of tasks become one: `sum`, each times the task's `weight`.
        accumulate: batches whose gradients are added before a step.
        clip: the greatest norm of a gradient; 0 does not clip.
        dropout: of the features on their way into heads.
        patience: evaluations without a better score after which a task stops to train.
        evaluate_every: epochs between evaluations on validation records.
        snapshots: `shared` ships one snapshot for all tasks, so that one pass answers them;
            `own` ships each task's best, at the price of a pass for each snapshot.
        precision: `auto` takes bf16 matrix products where the processor has them.
        checkpoint_minutes: how often training is saved so that it can be resumed.
        probe: whether to train heads on the frozen encoder first, to compare with.
        seed: of every random choice.
    """

    __pydantic_config__ = CLOSED

    epochs: float = 5
    batch_records: int = 32
    batch_tokens: int = 4096
    lr: float = 5e-5
    head_lr: float = 1e-3
    optimizer: Annotated[Optimizer, OPTIMIZERS.field("training.optimizer")] = field(
        default_factory=AdamW
    )
    schedule: Annotated[Schedule, SCHEDULES.field("training.schedule")] = field(
        default_factory=Linear
    )
    sampling: Annotated[Sampling, SAMPLINGS.field("training.sampling")] = field(
        default_factory=Proportional
    )
    weighting: Literal["sum"] = "sum"
    head_start: HeadStart | None = None
    accumulate: int = 1
    clip: float = 1.0
    dropout: float = 0.1
    patience: int = 3
    evaluate_every: float = 1.0
    snapshots: Literal["shared", "own"] = "shared"
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    checkpoint_minutes: float = 2.0
    probe: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_records", "batch_tokens", "accumulate", "patience",
                     "evaluate_every", "lr", "head_lr"):  # fmt: skip
            if getattr(self, name) <= 0:
                raise ValueError(f"has `{name}: {getattr(self, name)}`. Expected more than 0.")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"has `dropout: {self.dropout}`. Expected 0 to less than 1.")
