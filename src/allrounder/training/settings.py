"""The `training` section of the project file."""

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from allrounder.kinds import CLOSED, build, switched
from allrounder.training.optimizers import OPTIMIZERS, AdamW, Optimizer
from allrounder.training.pretraining import ALONGSIDE, Alongside
from allrounder.training.sampling import SAMPLINGS, Proportional, Sampling
from allrounder.training.schedules import SCHEDULES, Linear, Schedule
from allrounder.training.weighting import WEIGHTINGS, Sum, Weighting


@dataclass(kw_only=True)
class Twins:
    """Single-task twins that show what sharing one model did to each task.

    Args:
        seeds: how many seeds both sides are trained with; with one, intervals are over records.
        budget: the share of the epochs that both sides are trained for; less than 1 gives an
            early answer and changes nothing.
    """

    __pydantic_config__ = CLOSED

    seeds: int = 1
    budget: float = 1.0

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"has `seeds: {self.seeds}`. Expected 1 or more.")
        if not 0 < self.budget <= 1:
            raise ValueError(f"has `budget: {self.budget}`. Expected more than 0, at most 1.")


@dataclass(kw_only=True)
class Lift(Twins):
    """The same models with knowledge bases that say nothing true, to show what the real one adds.

    Args:
        seeds: how many seeds each of them is trained with; with one, intervals are over records.
        budget: the share of the epochs that each is trained for.
    """


@dataclass(kw_only=True)
class Gate(Twins):
    """The same model without a change and with it, to adopt the change only where it is a gain.

    Args:
        seeds: how many seeds each of them is trained with; with one, intervals are over records.
        budget: the share of the epochs that each is trained for.
    """

    seeds: int = 3


@dataclass(kw_only=True)
class HeadStart:
    """What comes before the main training where labels are few.

    Args:
        steps: contrastive steps on the encoders; 0 only fits the heads.
        batch_records: the most records of a task in a step; every step takes some of each task.
        lr: the learning rate of encoders meanwhile.
        temperature: τ of the contrastive loss: lower looks more at the nearest records.
        penalty: on the squared weights of the heads that are fitted, for vectors of length 1.
    """

    __pydantic_config__ = CLOSED

    steps: int = 60
    batch_records: int = 32
    lr: float = 1e-4
    temperature: float = 0.1
    penalty: float = 0.01

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"has `steps: {self.steps}`. Expected 0 or more.")
        if self.batch_records < 4:
            raise ValueError(
                f"has `batch_records: {self.batch_records}`. Expected 4 or more: pairs to compare."
            )
        for name in ("lr", "temperature", "penalty"):
            if getattr(self, name) <= 0:
                raise ValueError(f"has `{name}: {getattr(self, name)}`. Expected more than 0.")


def _head_start(fields: Any) -> HeadStart | None:
    return None if fields is None else build(HeadStart, fields, at="training.head_start")


def _alongside(spec: Any) -> Alongside | None:
    return None if spec is None else ALONGSIDE.build(spec, at="training.pretraining")


@dataclass(kw_only=True)
class Training:
    """How the model is trained.

    Args:
        epochs: passes over the training records; parts of one are allowed, and after a head start
            0 too.
        batch_records: the most records in a batch.
        batch_tokens: the most tokens in a batch, padding included.
        lr: the learning rate of pretrained encoders.
        head_lr: the learning rate of what starts from nothing: heads, fusion, small encoders.
        optimizer: `adamw` or `sgd`.
        schedule: `linear`, `cosine` or `constant`, each with warm-up.
        sampling: how often records of each group of tasks are drawn.
        weighting: how the losses of tasks make one step: `sum`, each times the task's `weight`,
            or a kind that balances tasks as they learn.
        head_start: contrastive steps and fitted heads before the first epoch; `{}` takes the
            defaults, none by default.
        pretraining: what the encoder of a text learns in every step beside the tasks, of all
            training texts, those without a label too, such as `{kind: masked, weight: 0.3}`; none
            by default.
        accumulate: batches whose gradients are added before a step.
        clip: the greatest norm of a gradient; 0 does not clip.
        dropout: of the features on their way into heads.
        r_drop: α of R-Drop (Liang et al. 2021): every batch is passed twice under different
            dropout, and each task pays α · ½ (KL(p1 ‖ p2) + KL(p2 ‖ p1)) where its two answers
            differ; 0 passes it once. Doubles the time and the memory of a step.
        mixup: α of the Beta distribution of the shares by which records are mixed (Zhang et al.
            2018) where the heads of tasks that read records read them (Verma et al. 2019): the loss
            is that of both labels, by share; 0 mixes nothing.
        ema: decay of an exponential moving average of the weights, such as 0.999, with a warm-up:
            what is evaluated, kept and shipped is the average, while training goes on with the
            weights as they are; 0 averages nothing.
        patience: evaluations without a better score after which a task stops to train.
        patience_steps: steps without one before which no task stops: where records are few, three
            epochs are a handful of steps, and scores of a few records move by chance.
        hold: the share of its records that a stopped task is still shown, to keep to what its best
            snapshot says of them; 0 lets it go.
        first: tasks that train alone for `epochs`, before the others train for as many
            (sequential transfer); by default all tasks train together.
        evaluate_every: epochs between evaluations on validation records.
        twins: whether to train a twin of every task that learns nothing else, under the same
            budget, and to let a task that sharing hurt be answered by its own snapshot or by its
            twin: `true`, or `{seeds: 3}`.
        lift: whether to train the same model with no knowledge base, and with ones whose facts are
            shuffled or whose names are random, under the same budget: what the real one beats them
            by is its lift, and predicates that no task misses are switched off: `true`, or
            `{seeds: 3}`.
        snapshots: `shared` ships one snapshot for all tasks, so that one pass answers them;
            `own` ships each task's best, at the price of a pass for each snapshot; `soup` ships
            the mean weights of those of the best snapshots that validation is none the worse for.
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
    weighting: Annotated[Weighting, WEIGHTINGS.field("training.weighting")] = field(
        default_factory=Sum
    )
    head_start: Annotated[HeadStart | None, BeforeValidator(_head_start)] = None
    pretraining: Annotated[Alongside | None, BeforeValidator(_alongside)] = None
    accumulate: int = 1
    clip: float = 1.0
    dropout: float = 0.1
    r_drop: float = 0.0
    mixup: float = 0.0
    ema: float = 0.0
    patience: int = 3
    patience_steps: int = 100
    hold: float = 0.25
    first: list[str] = field(default_factory=list)
    evaluate_every: float = 1.0
    twins: Annotated[Twins | None, switched(Twins, "training.twins")] = None
    lift: Annotated[Lift | None, switched(Lift, "training.lift")] = None
    snapshots: Literal["shared", "own", "soup"] = "shared"
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    checkpoint_minutes: float = 2.0
    probe: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        positive = ["batch_records", "batch_tokens", "accumulate", "patience", "evaluate_every",
                    "lr", "head_lr"]  # fmt: skip
        if self.head_start is None or self.epochs:
            positive.insert(0, "epochs")
        for name in positive:
            if getattr(self, name) <= 0:
                raise ValueError(f"has `{name}: {getattr(self, name)}`. Expected more than 0.")
        for name in ("patience_steps", "r_drop", "mixup"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"has `{name}: {getattr(self, name)}`. Expected 0 or more.")
        for name in ("ema", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"has `{name}: {getattr(self, name)}`. Expected 0 to less than 1.")
        if not 0 <= self.hold <= 1:
            raise ValueError(f"has `hold: {self.hold}`. Expected 0 to 1.")
        if self.mixup and self.r_drop:
            raise ValueError(
                "has `mixup` and `r_drop`. The one mixes records, the other compares two passes "
                "over each: leave one of them out."
            )

    @property
    def num_epochs(self) -> float:
        """Passes in all: those of the tasks that come `first`, then those of the others."""
        return math.ceil(self.epochs) + self.epochs if self.first else self.epochs
