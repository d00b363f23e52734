"""How people are asked: the section `label` of the project file."""

from dataclasses import dataclass, field

from allrounder.kinds import CLOSED


@dataclass(kw_only=True)
class Label:
    """How the labelling page asks.

    Args:
        blind: the share of questions that come without the model's suggestion, which measures how
            much suggestions sway people.
        repeat: the share of a person's records that she has labelled before, which shows how far
            she agrees with herself.
        overlap: how many persons are to answer each question.
        lock_minutes: how long a record is kept for a person who has not been heard of.
        guidelines: a text file that is shown beside the records.
        target: how many labels of each task are wanted; by default one for every record.
        ask: whether questions are chosen in the background while people answer.
        train: the number of new labels after which a model is trained in the background, and the
            next questions are chosen by it; by default none is.
        hosts: names by which the page may be reached besides this machine's own addresses.
    """

    __pydantic_config__ = CLOSED

    blind: float = 0.1
    repeat: float = 0.02
    overlap: int = 1
    lock_minutes: float = 15.0
    guidelines: str | None = None
    target: int | None = None
    ask: bool = True
    train: int | None = None
    hosts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("blind", "repeat"):
            if not 0 <= (share := getattr(self, name)) <= 1:
                raise ValueError(f"has `{name}: {share}`. Expected a share from 0 to 1.")
        if self.overlap < 1:
            raise ValueError(f"has `overlap: {self.overlap}`. Expected 1 or more.")
        if self.lock_minutes <= 0:
            raise ValueError(f"has `lock_minutes: {self.lock_minutes}`. Expected more than 0.")
        for name in ("target", "train"):
            if (found := getattr(self, name)) is not None and found < 1:
                raise ValueError(f"has `{name}: {found}`. Expected 1 or more.")
