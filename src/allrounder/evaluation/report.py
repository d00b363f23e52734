"""What an evaluation found, as plain data: it goes to JSON and back, to a terminal, to a page."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import TypeAdapter

from allrounder.evaluation import advice as advices
from allrounder.evaluation.advice import Advice, Outcome
from allrounder.evaluation.lift import KnowledgeReport
from allrounder.evaluation.rules import RulesReport, doubts, voting
from allrounder.evaluation.score import Score
from allrounder.evaluation.sharing import Sharing
from allrounder.evaluation.table import aligned, number, signed
from allrounder.evaluation.telling import Telling
from allrounder.rules.votes import Reliability


@dataclass(kw_only=True)
class MetricReport:
    """One metric of one task.

    Args:
        higher_is_better: whether a greater value is a better one.
        after: the trained model.
        before: the linear probe on the encoder as it was before fine-tuning.
        baseline: a constant answer.
        gain: what fine-tuning gained over the probe, from paired resamples; above zero is better.
    """

    higher_is_better: bool
    after: Score
    before: Score | None
    baseline: Score
    gain: Score | None


@dataclass(kw_only=True)
class LabelReport:
    """How one label fares; `support` counts how often it is the truth."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(kw_only=True)
class Confusion:
    """How often each true label (row) got each answer (column)."""

    labels: list[str]
    counts: list[list[int]]


@dataclass(kw_only=True)
class Bin:
    """Decisions of similar confidence: what they promised and how many were right."""

    confidence: float
    accuracy: float
    count: int


@dataclass(kw_only=True)
class Calibration:
    """Whether probabilities mean what they say; ECE is the expected calibration error."""

    ece_before: float | None
    ece_after: float
    bins: list[Bin]


@dataclass(kw_only=True)
class Coverage:
    """The share of truths inside the answered intervals, and the mean width of those."""

    promised: float | None
    observed: float
    width: float


@dataclass(kw_only=True)
class WrongAnswer:
    """One mistake worth reading. Offsets of spans count from the start of the clipped text.

    `glimpses` are small views of its pictures and sounds, as data URIs.
    """

    text: str
    where: str
    truth: Any
    answer: Any
    probability: float | None
    glimpses: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class SubsetReport:
    """How a task fares when only some of its inputs are shown to the model.

    Args:
        inputs: those that are shown.
        metrics: by name, the deciding one first.
        confidence: the mean probability of what is said, where the kind has one.
        ece: the expected calibration error.
    """

    inputs: list[str]
    metrics: dict[str, Score]
    confidence: float | None = None
    ece: float | None = None


@dataclass(kw_only=True)
class Robustness:
    """How a task fares on the same `num_records` with every subset of inputs, fewest first."""

    num_records: int
    subsets: list[SubsetReport]


@dataclass(kw_only=True)
class DirectionReport:
    """How well one input finds another: the right value among the first 1, 5 and 10.

    Args:
        asked: the input that is asked with.
        searched: the input whose values are searched.
        num_searches: how many records asked.
        num_candidates: how many values were searched.
        recall: the share of searches that find the right one, by how many finds count.
        chance: the same for a ranking at random.
        median_rank: of the right one.
    """

    asked: str
    searched: str
    num_searches: int
    num_candidates: int
    recall: dict[str, Score]
    chance: dict[str, float]
    median_rank: float


@dataclass(kw_only=True)
class TaskReport:
    """What was found about one task; a part that its kind does not have is empty or None."""

    kind: str
    num_records: int
    resamples: int
    decides: str
    metrics: dict[str, MetricReport]
    num_withheld: int = 0
    per_label: list[LabelReport] = field(default_factory=list)
    confusion: Confusion | None = None
    calibration: Calibration | None = None
    coverage: Coverage | None = None
    scatter: list[list[float]] = field(default_factory=list)
    errors: list[WrongAnswer] = field(default_factory=list)
    directions: list[DirectionReport] = field(default_factory=list)
    robustness: Robustness | None = None

    @property
    def deciding(self) -> MetricReport:
        """The metric that decides which snapshot is best."""
        return self.metrics[self.decides]


@dataclass(kw_only=True)
class Report:
    """Everything one evaluation found, and how the model came to be.

    Args:
        tasks: what was found, per task.
        sharing: what sharing did to each task, where twins were trained.
        knowledge: what the knowledge base adds, where that was asked for.
        rules: what rules did to the answers, where the project has rules.
        votes: what came of the rules that voted on training records.
        telling: how well words are told, where that was learned beside the tasks.
        advice: what a probe said of sharing before training, where one was asked for.
        history: rows of the training curve: step, epoch, losses, validation, lr, seconds.
        snapshots: per task best_step, best, shipped_step (none of a soup) and shipped.
        speed: counts and rates, such as train_tokens_per_second.
        data: records per source and split, and coverage per source, task and split.
        notes: plain sentences.
        project: the resolved project file.
        environment: versions and machine.
        split: the split that was judged.
        created: when, as text.
    """

    tasks: dict[str, TaskReport]
    sharing: Sharing | None = None
    rules: RulesReport | None = None
    votes: list[Reliability] = field(default_factory=list)
    knowledge: KnowledgeReport | None = None
    telling: Telling | None = None
    advice: Advice | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    snapshots: dict[str, dict[str, Any]] = field(default_factory=dict)
    speed: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    project: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    split: str = "test"
    created: str = ""

    @property
    def findings(self) -> list[str]:
        """One sentence for each task that did not clearly gain, or does not beat a constant."""
        return [line for name, task in self.tasks.items() for line in _findings(name, task)]

    @property
    def sentences(self) -> list[str]:
        """The notes, what sharing did, and the findings, each once."""
        shared = self.sharing.sentences if self.sharing else []
        foreseen = advices.sentences(self.outcomes)
        known = self.knowledge.sentences if self.knowledge else []
        ruled = self.rules.sentences if self.rules else []
        ruled = [*ruled, *doubts(self.votes)]
        words = self.telling.sentences if self.telling else []
        told = [*self.notes, *words, *shared, *foreseen, *known, *ruled, *self.findings]
        return list(dict.fromkeys(told))

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """By task what was foreseen and what came of it, where there are advice and twins."""
        return advices.outcomes(self.advice, self.sharing) if self.advice and self.sharing else {}

    def __str__(self) -> str:
        head = ["task", "metric", "baseline", "before", "after", "gain", "n"]
        rows = [
            [name, metric, *_cells(found), f"{task.num_records:,}"]
            for name, task in self.tasks.items()
            for metric, found in task.metrics.items()
        ]
        tables = [aligned([head, *rows], left=2), *([str(self.sharing)] if self.sharing else [])]
        tables += [advices.checked(self.outcomes)] if self.outcomes else []
        tables += [
            _by_subset(n, task.robustness) for n, task in self.tasks.items() if task.robustness
        ]
        tables += [str(self.knowledge)] if self.knowledge else []
        tables += [str(self.rules)] if self.rules else []
        tables += [voting(self.votes)] if self.votes else []
        tables += [_by_direction(n, task) for n, task in self.tasks.items() if task.directions]
        return "\n".join(["\n\n".join(tables), *_listed(self.sentences)])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON; `findings` are added for readers of the file."""
        return {**dataclasses.asdict(self), "findings": self.findings}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return the report that `to_dict` gave."""
        fields = {name: value for name, value in data.items() if name != "findings"}
        return TypeAdapter(cls).validate_python(fields)


def _by_subset(name: str, found: Robustness) -> str:
    """Return the metrics of one task as a table, a row for each subset of inputs."""
    metrics = list(found.subsets[0].metrics)
    rows = [
        [" + ".join(one.inputs), *(str(one.metrics[metric]) for metric in metrics), _ece(one)]
        for one in found.subsets
    ]
    head = [f"{name}, when it reads", *metrics, "calibration error"]
    about = f"{found.num_records:,} records with all inputs, some of them hidden"
    return f"{about}\n{aligned([head, *rows], left=1)}"


def _by_direction(name: str, task: TaskReport) -> str:
    """Return how well each input of a match task finds the others, as a table."""
    cuts = list(task.directions[0].recall)
    head = [f"{name}, asked with", "finds", *(f"recall@{n} (chance)" for n in cuts),
            "median rank", "searches", "candidates"]  # fmt: skip
    rows = [
        [one.asked, one.searched,
         *(f"{one.recall[n]} ({number(one.chance[n])})" for n in cuts),
         f"{one.median_rank:g}", f"{one.num_searches:,}", f"{one.num_candidates:,}"]
        for one in task.directions
    ]  # fmt: skip
    return aligned([head, *rows], left=2)


def _ece(found: SubsetReport) -> str:
    return "–" if found.ece is None else number(found.ece)


def _cells(found: MetricReport) -> list[str]:
    before = number(found.before.value) if found.before else "–"
    gain = "–"
    if found.gain:
        low, high = signed(found.gain.low), signed(found.gain.high)
        gain = f"{signed(found.gain.value)} [{low}, {high}]"
    return [number(found.baseline.value), before, str(found.after), gain]


def _listed(sentences: list[str]) -> list[str]:
    return ["", *(f"- {sentence}" for sentence in sentences)] if sentences else []


def _findings(name: str, task: TaskReport) -> list[str]:
    found, lines = task.deciding, []
    after = number(found.after.value)
    if found.before and found.gain and found.gain.value <= 0:
        lines.append(
            f"{name} does not beat its before-fine-tuning probe "
            f"({task.decides} {after} against {number(found.before.value)})."
        )
    elif found.gain and found.gain.low <= 0:
        lines.append(
            f"{name} gains {signed(found.gain.value)} {task.decides} over its before-fine-tuning "
            f"probe, which is within noise [{signed(found.gain.low)}, {signed(found.gain.high)}]."
        )
    if not _better(found):
        lines.append(
            f"{name} does not beat a constant answer "
            f"({task.decides} {after} against {number(found.baseline.value)})."
        )
    return lines


def _better(found: MetricReport) -> bool:
    after, constant = found.after.value, found.baseline.value
    return after > constant if found.higher_is_better else after < constant
