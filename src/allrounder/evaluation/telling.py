"""How well a model tells words that it learned to tell beside its tasks."""

from dataclasses import dataclass, field

from allrounder.evaluation.table import perplexity


@dataclass(kw_only=True)
class Telling:
    """How well hidden words are told. Losses are in nats a token.

    Args:
        input: whose words they are.
        num_learned: texts that were learned from.
        num_judged: test texts that were looked at.
        num_words: tokens of them that were hidden.
        loss: of these, by the weights that ship.
        constant: the same by what knows only how often each token stands in training texts.
        validation: rows of `step` and `loss` on validation texts; step 0 is before training.
    """

    input: str
    num_learned: int
    num_judged: int
    num_words: int
    loss: float
    constant: float
    validation: list[dict[str, float]] = field(default_factory=list)

    @property
    def sentences(self) -> list[str]:
        """What is worth knowing."""
        told = (
            f"Hidden words of {self.input}: perplexity {perplexity(self.loss)} on "
            f"{self.num_judged:,} test texts, {perplexity(self.constant)} by a constant that knows "
            f"how often each token stands; learned from {self.num_learned:,} texts."
        )
        if not self.validation:
            return [told]
        first, last = (perplexity(self.validation[at]["loss"]) for at in (0, -1))
        return [f"{told} On validation texts it was {first} before training, {last} at its end."]
