"""Mixing records in training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from allrounder.errors import ProjectError
from allrounder.synthesis.base import Synthesis
from allrounder.tasks import Task
from allrounder.training.settings import Training


@dataclass(kw_only=True)
class Mix(Synthesis):
    """Records mixed in training, where heads read them: no records are made.

    It stands for `training.mixup` (Zhang et al. 2018; Verma et al. 2019).

    Args:
        alpha: of the Beta distribution that shares are drawn from; small ones mix little.
    """

    alpha: float = 0.2

    def __post_init__(self) -> None:
        self._at_least("alpha", 1e-3)


def mixing(
    training: Training, synthesis: Sequence[Synthesis], tasks: Mapping[str, Task]
) -> Training:
    """Return the `training` section with what `synthesis` says of mixing records.

    Raises:
        ProjectError: both say something else, or no task reads what could be mixed.
    """
    for one in (one for one in synthesis if isinstance(one, Mix)):
        if training.mixup not in (0, one.alpha):
            raise ProjectError(
                f"`synthesis` mixes with `alpha: {one.alpha}` and `training.mixup` is "
                f"{training.mixup}: they are one thing. Leave one of them out."
            )
        training = replace(training, mixup=one.alpha)
    if training.mixup and not any(task.reads == "record" for task in tasks.values()):
        raise ProjectError(
            "`training.mixup` mixes records where heads read one vector each, and no task does: "
            "it is for multiclass, multilabel, ordinal and regression tasks. Remove it."
        )
    return training
