"""What was found about rules: how often they speak, how right they are, what decoding changes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from allrounder.evaluation.table import aligned, number, signed
from allrounder.rules.votes import Reliability


@dataclass(kw_only=True)
class RuleReport:
    """How one rule fares.

    Args:
        id: of the rule.
        version: of the rule.
        says: the rule.
        soft: its weight, None for a hard one.
        coverage: the share of records of which its condition holds, by what the tasks say alone.
        num_gold: labelled records of which its condition holds.
        precision: the share of those that the rule is right about.
        before: the share of records whose answers break it without decoding.
        after: the same with decoding.
    """

    id: str
    version: str
    says: str
    soft: float | None
    coverage: float
    num_gold: int
    precision: float | None
    before: float
    after: float


@dataclass(kw_only=True)
class RuledTask:
    """The deciding metric of one task without and with decoding under rules."""

    metric: str
    num_records: int
    before: float
    after: float


@dataclass(kw_only=True)
class RulesReport:
    """What rules did to the answers to some records.

    Args:
        num_records: how many.
        before: the share of them whose answers break a hard rule without decoding.
        after: the same with decoding.
        changed: the share of them of which an answer was changed.
        relaxed: how many there are of which no answer follows all hard rules.
        milliseconds: what decoding costs a record, the model not counted.
        rules: each rule.
        tasks: each task that rules name.
        version: of the file of rules.
    """

    num_records: int
    before: float
    after: float
    changed: float
    relaxed: int
    milliseconds: float
    rules: list[RuleReport]
    tasks: dict[str, RuledTask] = field(default_factory=dict)
    version: str = ""

    @property
    def sentences(self) -> list[str]:
        """One sentence for each thing about rules that is worth a thought."""
        found = [
            f"The rule {rule.id} is right about {rule.precision:.1%} of {rule.num_gold:,} labelled "
            "records only: mend it, or make it soft."
            for rule in self.rules
            if rule.precision is not None and rule.precision < 0.9 and rule.num_gold >= 10
        ]
        if self.relaxed:
            found.append(
                f"No answer to {self.relaxed:,} of {self.num_records:,} records follows all hard "
                "rules: those of the lowest priority gave way, and the answers say which."
            )
        return found

    def __str__(self) -> str:
        head = ["rule", "weight", "coverage", "right on labels", "broken before", "after"]
        rows = [
            [one.id, "hard" if one.soft is None else f"{one.soft:g}", f"{one.coverage:.1%}",
             "–" if one.precision is None else f"{one.precision:.1%} of {one.num_gold:,}",
             f"{one.before:.1%}", f"{one.after:.1%}"]
            for one in self.rules
        ]  # fmt: skip
        tasks = [["task", "metric", "without rules", "with", "change"]]
        tasks += [
            [name, one.metric, number(one.before), number(one.after),
             signed(one.after - one.before)]
            for name, one in self.tasks.items()
        ]  # fmt: skip
        about = (
            f"Rules: {self.before:.1%} of {self.num_records:,} records break a hard rule without "
            f"decoding, {self.after:.1%} with; {self.changed:.1%} get another answer, which takes "
            f"{self.milliseconds:.2f} ms a record"
        )
        tables = [aligned([head, *rows], left=1)]
        tables += [aligned(tasks, left=2)] if self.tasks else []
        return "\n".join([about, "\n\n".join(tables)])


def doubts(votes: Sequence[Reliability]) -> list[str]:
    """Return one sentence for each voting rule that labels speak against."""
    return [
        f"The rule {one.rule} votes for {one.says} in {one.task} and is right about "
        f"{one.precision:.1%} of {one.num_gold:,} labelled records only: mend it."
        for one in votes
        if one.precision is not None and one.precision < 0.5 and one.num_gold >= 10
    ]


def voting(votes: Sequence[Reliability]) -> str:
    """Return what came of the rules that voted on training records, as a table."""
    head = ["voting rule", "task", "label", "coverage", "for", "against", "believed",
            "right on labels"]  # fmt: skip
    rows = [
        [one.rule, one.task, one.says, f"{one.coverage:.1%}",
         "–" if one.against else f"{one.num_votes:,}",
         f"{one.num_votes:,}" if one.against else "–", f"{one.reliability:.1%}",
         "–" if one.precision is None else f"{one.precision:.1%} of {one.num_gold:,}"]
        for one in votes
    ]  # fmt: skip
    return "Votes of rules on training records\n" + aligned([head, *rows], left=3)
