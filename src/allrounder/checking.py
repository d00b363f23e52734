"""What `check` says of a project before anything is trained. Starts without torch."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from allrounder.encoders.vocabulary import Vocabulary
from allrounder.errors import ProjectError, listed
from allrounder.evaluation.advice import Advice
from allrounder.evaluation.table import aligned
from allrounder.knowledge.findings import Stats, stats_of
from allrounder.ledger import Answers, given
from allrounder.plan import Plan
from allrounder.records import (
    SPLITS,
    DataReport,
    Records,
    TextField,
    answered,
    check_records,
    inspect,
    load,
)
from allrounder.rules import Rules, Terms
from allrounder.rules.counting import countable
from allrounder.rules.votes import refuse_silence, voters
from allrounder.tasks import Task
from allrounder.tasks.columns import class_names
from allrounder.tasks.words import is_inside_word

Tell = Callable[[str, float, float, str], None]

SAMPLE = 5_000
"""Texts of each input that are tokenized to see how far they are from the vocabulary."""

SHOWN = 10
"""Bad values that are listed."""

RARE = 0.02
"""Share of texts with a mention below which a knowledge base can hardly matter."""

FEW = 30
"""Labels of a task in a split below which its scores say little."""


@dataclass(kw_only=True)
class CheckReport:
    """What was found.

    Args:
        data: the records in numbers.
        vocabulary: by input, how far its texts are from the encoder's vocabulary.
        inside_words: by spans task, the share of spans that begin or end inside a word.
        untrained: by task, the labels that no training record carries.
        frozen: the tasks that are kept as they are, and need no labels.
        sharing: what a short probe says of sharing one model, where it was asked for.
        knowledge: the knowledge base in numbers, and what is odd about it.
        mentioned: by input, the share of a sample of its texts that mention an entity.
    """

    data: DataReport
    vocabulary: dict[str, Vocabulary]
    inside_words: dict[str, float]
    untrained: dict[str, list[str]]
    frozen: list[str] = field(default_factory=list)
    sharing: Advice | None = None
    knowledge: Stats | None = None
    mentioned: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            **self.data.to_dict(),
            "vocabulary": {n: dataclasses.asdict(found) for n, found in self.vocabulary.items()},
            "inside_words": self.inside_words,
            "untrained": self.untrained,
            "advice": self.advice,
            "sharing": self.sharing and dataclasses.asdict(self.sharing),
            "knowledge": self.knowledge and self.knowledge.to_dict(),
            "mentioned": self.mentioned,
        }

    @property
    def advice(self) -> list[str]:
        """Plain sentences on what is worth a thought, gravest first."""
        return [
            *_aside(self.data),
            *map(str, self.data.skipped),
            *self.data.told,
            *_leaks(self.data),
            *_labels(self.data, self.frozen),
            *_untrained_labels(self.untrained),
            *_spans(self.inside_words),
            *_texts(self.vocabulary),
            *_unmentioned(self.mentioned),
        ]

    def __str__(self) -> str:
        data = self.data
        parts = [_coverage(data), _label_table(data), _text_table(self), _value_table(data)]
        parts += [_aside_table(data), _knowledge_table(self)]
        advice = "\n".join(f"- {line}" for line in self.advice) or "Nothing looks wrong."
        parts += [advice, str(self.sharing or "")]
        return "\n\n".join(part for part in parts if part)


def load_records(plan: Plan, *, trains: bool = True, tell: Tell | None = None) -> Records:
    """Read the sources of a plan into one table on disk, and lay over it what people answered.

    Args:
        plan: the plan.
        trains: whether every task must have labels, and every split records.
        tell: called as reading goes on.
    """
    columns = plan.columns()
    records = load(
        plan.sources,
        fields=plan.fields,
        columns=columns,
        folder=plan.folder,
        cache=plan.cache / "records",
        trains=False,
        tell=tell,
    )
    answers, told = _answers(plan)
    if answers:
        records = answered(records, answers, columns)
    if trains:
        check_records(records, columns, plan.start.freeze if plan.start else ())
    return replace(records, told=[*records.told, *told]) if told else records


def _answers(plan: Plan) -> tuple[dict[tuple[str, str], Any], list[str]]:
    """Return the labels that people gave, by key and task, and what is to be told of them."""
    if not given(plan.where):
        return {}, []
    with Answers(plan.where, read_only=True) as ledger:
        return ledger.labels(), [ledger.newer] if ledger.newer else []


def in_numbers(plan: Plan, records: Records) -> dict[str, Any]:
    """Return what a report says of the records: counts per source, task and split."""
    found = inspect(records, plan.columns())
    return {
        **found.to_dict(),
        "records": {row.source: row.records for row in found.coverage},
        "coverage": {row.source: row.labels for row in found.coverage},
    }


def check(plan: Plan, *, tell: Tell | None = None) -> CheckReport:
    """Read every source and look at what is there; nothing is trained."""
    inputs = plan.located()
    plan.opened()
    records = load_records(plan, tell=tell)
    if (rules := plan.rules()) is not None:
        terms = plan.terms(learned(plan, records), facts=True)
        terms.check(rules)
        if plan.knowledge and plan.knowledge.votes:
            refuse_silence(voters(rules.today(), terms), rules)
        if plan.knowledge and plan.knowledge.rules_loss:
            countable(rules.today().decoding(), terms)
    frozen = plan.start.freeze if plan.start else []
    found = {}
    for name, encoder in inputs.items():
        if not isinstance(encoder.field, TextField):
            continue
        text = _sample(records, (encoder.fields or [name])[0])
        if (vocabulary := encoder.vocabulary(text)) is not None:
            found[name] = vocabulary
    return CheckReport(
        data=inspect(records, plan.columns()),
        vocabulary=found,
        inside_words={
            name: _inside_words(records, name, column.of)
            for name, column in plan.columns().items()
            if column.of is not None and not getattr(column.task, "split_words", False)
        },
        untrained={
            name: found
            for name, task in plan.tasks.items()
            if name not in frozen
            and hasattr(task, "labels")
            and (found := _untrained(records, name))
        },
        frozen=frozen,
        **_known(plan, records),
    )


def _known(plan: Plan, records: Records) -> dict[str, Any]:
    """Return the knowledge base in numbers, and how often texts mention what it knows."""
    base = plan.base()
    if base is None or plan.knowledge is None:
        return {}
    mentioned, injections = {}, plan.knowledge.injection or []
    for injection in injections:
        injection.check(base)
    for name in dict.fromkeys(found.of or "" for found in injections):
        texts = _sample(records, (plan.inputs[name].fields or [name])[0])
        linked = base.link(pa.array(texts, pa.string()))
        has = np.diff(linked.mentions.starts) > 0
        mentioned[name] = round(float(has.mean()), 4) if len(has) else 0.0
    return {"knowledge": stats_of(base.snapshot), "mentioned": mentioned}


def ruled(plan: Plan, tell: Tell | None = None) -> tuple[Rules, Terms]:
    """Return the rules of a project and the words that they may use.

    Labels that the project file does not declare are read from its records.

    Raises:
        ProjectError: there are no rules, or one names what is not there.
    """
    rules = plan.rules()
    if rules is None:
        raise ProjectError("The project has no rules. Name their file: knowledge.rules.")
    terms = plan.terms(facts=True)
    if any(terms.tasks[name].labels is None for name in terms.named(rules)):
        terms = plan.terms(learned(plan, load_records(plan, tell=tell)), facts=True)
    terms.check(rules)
    return rules, terms


def learned(plan: Plan, records: Records) -> dict[str, Task]:
    """Return the tasks with the labels that the records carry."""
    train = records.indices("train")
    every = {name: records.labels(name) for name in plan.tasks}
    return {n: task.learn(every[n].take(train), every[n]) for n, task in plan.tasks.items()}


def _untrained(records: Records, name: str) -> list[str]:
    """Return the labels that records carry, but no training record does."""
    every = records.labels(name)
    train = every.take(records.indices("train"))
    known = set(_carried(train))
    return [label for label in _carried(every) if label not in known]


def _carried(column: pa.ChunkedArray) -> list[str]:
    """Return the labels that some record carries; numbers are none."""
    flat = column.drop_null()
    if pa.types.is_list(flat.type):
        flat = pc.list_flatten(flat)
    if pa.types.is_struct(flat.type):
        flat = pc.struct_field(flat, "label")
    return class_names(flat) if pa.types.is_string(flat.type) else []


def _inside_words(records: Records, task: str, field: str) -> float:
    """Return the share of a task's spans that begin or end inside a word, on a sample."""
    known = records.indices(task=task)
    rows = known[:: max(1, len(known) // SAMPLE)]
    edges = [
        is_inside_word(text, span["start"]) or is_inside_word(text, span["end"])
        for text, spans in zip(records.take(field, rows), records.take(task, rows), strict=True)
        for span in spans
    ]
    return round(float(np.mean(edges)), 5) if edges else 0.0


def _sample(records: Records, field: str) -> list[str]:
    """Return texts spread evenly over all records, so that every source is seen."""
    known = np.flatnonzero(np.asarray(records.values(field).is_valid()))
    every = max(1, len(known) // SAMPLE)
    return records.take(field, known[::every][:SAMPLE])


def _coverage(data: DataReport) -> str:
    """Return the coverage matrix: records, and labels per task, by source and split."""
    tasks = list(dict.fromkeys(task for row in data.coverage for task in row.labels))
    head = ["source", "split", "records", *tasks]
    rows = [
        [row.source, split, f"{row.records[split]:,}",
         *(_count(row.labels.get(task, {}).get(split, 0)) for task in tasks)]
        for row in data.coverage
        for split in SPLITS
        if row.records[split]
    ]  # fmt: skip
    return aligned([head, *rows], left=2)


def _count(n: int) -> str:
    return f"{n:,}" if n else "·"


def _label_table(data: DataReport) -> str:
    rows = [[task, _spread(task, data)] for task in data.labels]
    rows += [
        [task, f"{n.n:,} numbers from {n.min:g} to {n.max:g}, mean {n.mean:.3g}"]
        for task, n in data.numbers.items()
    ]
    return aligned([["task", "labels"], *rows], left=2)


def _spread(task: str, data: DataReport) -> str:
    counts = list(data.labels[task].items())
    shown = ", ".join(f"{label} {n:,}" for label, n in counts[:8])
    return shown + (f", … ({data.num_labels[task] - 8} more)" if len(counts) > 8 else "")


def _text_table(report: CheckReport) -> str:
    head = ["text", "characters: median", "95 %", "longest"]
    rows = [
        [field, f"{n.median:,.0f}", f"{n.p95:,.0f}", f"{n.max:,.0f}"]
        for field, n in report.data.lengths.items()
    ]
    tables = [aligned([head, *rows], left=1)] if rows else []
    head = ["input", "tokens a word", "unknown", "in 4 or more", "longest", "cut"]
    rows = [
        [name, f"{v.pieces:.2f}", f"{v.unknown:.2%}", f"{v.long_split:.2%}", f"{v.longest:,}",
         f"{v.cut:.1%}"]
        for name, v in report.vocabulary.items()
    ]  # fmt: skip
    tables += [aligned([head, *rows], left=1)] if rows else []
    return "\n\n".join(tables)


def _value_table(data: DataReport) -> str:
    """Return what is in the inputs that are no text."""
    rows = [
        [field, f"{n.n:,} numbers from {n.min:g} to {n.max:g}, median {n.median:.3g}, "
         f"95 % up to {n.p95:.3g}"]
        for field, n in data.values.items()
    ]  # fmt: skip
    rows += [
        [field, f"{found.n:,} files, {found.distinct:,} of them different"]
        for field, found in data.files.items()
    ]
    return aligned([["input", "values"], *rows], left=2) if rows else ""


def _aside_table(data: DataReport) -> str:
    rows = [[*map(str, one)] for one in data.aside[:SHOWN]]
    if len(data.aside) > SHOWN:
        rows.append([f"… ({len(data.aside) - SHOWN:,} more)", "", ""])
    return aligned([["set aside", "field", "reason"], *rows], left=3) if rows else ""


def _aside(data: DataReport) -> Iterator[str]:
    if data.num_aside:
        was = "was" if data.num_aside == 1 else "were"
        yield (
            f"{data.num_aside:,} of {data.num_read:,} records {was} set aside, as listed above. "
            "Mend or remove them."
        )


def _things(data: DataReport) -> str:
    """Return what a record is called where its content is meant."""
    return "records" if data.values or data.files else "texts"


def _leaks(data: DataReport) -> Iterator[str]:
    things = _things(data)
    if data.leaks.n:
        first, second = data.leaks.examples[0]
        yield (
            f"{data.leaks.n:,} {things} stand in more than one split, such as {first} and "
            f"{second}: scores will look better than they are. Leave `id` out, so that equal "
            f"{things} share a split, or split by group."
        )
    if data.duplicates.n:
        repeated = "the text of " if things == "texts" else ""
        yield f"{data.duplicates.n:,} records repeat {repeated}another one."


def _labels(data: DataReport, frozen: Sequence[str]) -> Iterator[str]:
    for task, found in data.conflicts.items():
        first, second = found.examples[0]
        yield (
            f"{found.n:,} {_things(data)} carry different labels for {task}, such as {first} and "
            f"{second}."
        )
    for task, groups in data.variants.items():
        names = ", ".join(" = ".join(map(repr, group)) for group in groups[:3])
        yield f"Labels of {task} that differ only in case or space: {names}. Make them one."
    tasks = dict.fromkeys(task for row in data.coverage for task in row.labels)
    for task in (name for name in tasks if name not in frozen):
        for split in SPLITS:
            n = sum(row.labels.get(task, {}).get(split, 0) for row in data.coverage)
            if n < FEW:
                yield f"{task} has {n} labels in {split}: too few to say much."


def _untrained_labels(untrained: dict[str, list[str]]) -> Iterator[str]:
    for task, labels in untrained.items():
        yield f"No training record carries these labels of {task}: {listed(labels)}."


def _spans(inside_words: dict[str, float]) -> Iterator[str]:
    for task, share in inside_words.items():
        if share:
            yield (
                f"{share:.1%} of the spans of {task} begin or end inside a word, where no answer "
                f"can: set `tasks.{task}.split_words: true` if that is meant."
            )


def _knowledge_table(report: CheckReport) -> str:
    if report.knowledge is None:
        return ""
    shares = ", ".join(f"{share:.1%} of {name}" for name, share in report.mentioned.items())
    return f"knowledge, {report.knowledge}\nmention something: {shares}"


def _unmentioned(mentioned: dict[str, float]) -> Iterator[str]:
    for name, share in mentioned.items():
        if share < RARE:
            yield (
                f"Only {share:.1%} of the texts of {name} mention anything that the knowledge base "
                "knows: are its names those that texts use? Add aliases."
            )


def _texts(vocabulary: dict[str, Vocabulary]) -> Iterator[str]:
    for name, found in vocabulary.items():
        if found.cut:
            yield (
                f"{found.cut:.1%} of the texts of {name} are longer than {found.reach} tokens: "
                "spans tasks read them in windows, other tasks their beginning."
            )
        if found.unknown > 0.01:
            yield (
                f"{found.unknown:.1%} of the tokens of {name} are unknown to its encoder: choose "
                "one that reads this language."
            )
        if found.long_split > 0.05:
            words = ", ".join(found.strange[:5])
            yield (
                f"{found.long_split:.1%} of the words of {name} fall into four tokens or more, "
                f"such as {words}: the encoder has hardly met this kind of text."
            )
