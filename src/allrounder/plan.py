"""The project file, read: every section as the objects it describes."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from allrounder.active import STRATEGIES, Strategy
from allrounder.documents import from_yaml, override, put
from allrounder.encoders import ENCODERS, Encoder
from allrounder.errors import ProjectError, did_you_mean, listed
from allrounder.fusion import FUSIONS, Concat, Fusion
from allrounder.injection import Gazetteer, Injection, Knowledge, Reading
from allrounder.kinds import build, dump, importable
from allrounder.knowledge import Base, MentionFacts, Snapshot, known_words
from allrounder.ledger import NAME, PASSWORD, Label, Where
from allrounder.pretraining import PRETRAININGS, Pretraining
from allrounder.records import Field, Made, Source
from allrounder.rules import Rules, Terms
from allrounder.sound import check
from allrounder.synthesis import SYNTHESES, Synthesis, mixing
from allrounder.tasks import TASKS, Task
from allrounder.training.settings import Training
from allrounder.training.starting import Old, Start

SECTIONS = (
    "from", "sources", "inputs", "knowledge", "fusion", "tasks", "pretraining", "synthesis",
    "training", "active", "ledger", "label",
)  # fmt: skip


@dataclass(kw_only=True)
class Plan:
    """What a project file says.

    Args:
        sources: where records come from.
        inputs: an encoder per input.
        tasks: the tasks by name.
        fusion: how inputs are joined for tasks that read all of them.
        training: how the model is trained.
        start: the run that training starts from (`from`).
        knowledge: what is known of the world that records are about.
        pretraining: how an encoder learns without labels.
        synthesis: how labels are made.
        active: how questions are chosen that people are asked.
        ledger: where answers of people are kept: a file, or the URL of a PostgreSQL database.
        label: how people are asked.
        folder: what relative paths are relative to.
        name: the name of the project file.
        sections: the project file as it was written, without defaults.
    """

    sources: list[Source]
    inputs: dict[str, Encoder]
    tasks: dict[str, Task]
    fusion: Fusion = field(default_factory=Concat)
    training: Training = field(default_factory=Training)
    start: Start | None = None
    knowledge: Knowledge | None = None
    pretraining: Pretraining | None = None
    synthesis: list[Synthesis] = field(default_factory=list)
    active: Strategy | None = None
    ledger: str = NAME
    label: Label = field(default_factory=Label)
    folder: Path = field(default_factory=Path)
    name: str = "project"
    sections: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def fields(self) -> dict[str, Field]:
        """The columns that the inputs read, each once, and how their values are read."""
        return {
            name: encoder.field for encoder in self.inputs.values() for name in encoder.fields or []
        }

    @property
    def cache(self) -> Path:
        """Where what can be computed again is kept."""
        return self.folder / ".allrounder"

    @property
    def where(self) -> Where:
        """Where answers of people are kept."""
        return Where.of(self.ledger, self.folder)

    @property
    def made(self) -> Path:
        """The file of labels that were made; answers are in it too unless a server has them."""
        return self.where.file or self.folder / NAME

    def located(self) -> dict[str, Encoder]:
        """Return the encoders with their models found on disk."""
        return {name: encoder.at(self.folder) for name, encoder in self.inputs.items()}

    def opened(self) -> Old | None:
        """Return the run that training starts from; refuse one that does not fit."""
        if self.start is None:
            return None
        old = self.start.open(self.folder)
        old.check(self.inputs, self.tasks)
        old.check_frozen(self.start.freeze, self.inputs, self.tasks, self.fusion)
        return old

    def rules(self) -> Rules | None:
        """Return the rules of the project, if it names any.

        Raises:
            ProjectError: the file cannot be read, or a rule names what is not there.
        """
        if self.knowledge is None or self.knowledge.rules is None:
            return None
        rules = Rules.read(self.folder / self.knowledge.rules)
        self.terms().check(rules)
        return rules

    def terms(self, tasks: Mapping[str, Task] | None = None, *, facts: bool = False) -> Terms:
        """Return the words that rules may use.

        Args:
            tasks: the tasks with their labels learned; by default those that the file declares.
            facts: open the knowledge base for its predicates and types; without, any will do where
                there is one.
        """
        base = self.base() if facts else None
        has_facts = self.knowledge is not None and self.knowledge.facts is not None
        if base is None and has_facts:
            return Terms.of(tasks or self.tasks, self.fields, predicates=None, types=None)
        return Terms.of(
            tasks or self.tasks, self.fields, **known_words(base and MentionFacts(base))
        )

    def base(self, kept: Callable[[], Snapshot] | None = None) -> Base | None:
        """Return the knowledge base as its file says it now.

        Args:
            kept: the facts to take where the file is gone; without it that is refused.
        """
        if self.knowledge is None or self.knowledge.facts is None:
            return None
        facts = self.knowledge.facts
        if kept is not None and facts.find(self.folder) is None:
            return facts.over(kept())
        return facts.open(self.folder, self.cache)

    def columns(self) -> dict[str, "LabelColumn"]:
        """Return what each task promises about its column of labels."""
        return {
            name: LabelColumn(task, self._pointed(task), self._made_of(task))
            for name, task in self.tasks.items()
        }

    def _made_of(self, task: Task) -> dict[str, Made] | None:
        if not task.makes_labels:
            return None
        read = {name: self.inputs[name] for name in task.reading(self.inputs)}
        return {name: Made(one.fields or [name], one.needs_all) for name, one in read.items()}

    def _pointed(self, task: Task) -> str | None:
        if task.reads != "tokens":
            return None
        return (self.inputs[self.reads(task) or ""].fields or [""])[0]

    def reads(self, task: Task) -> str | None:
        """Return the one input that a task reads, or None where it reads several."""
        names = task.reading(self.inputs)
        return names[0] if len(names) == 1 else None

    def to_dict(self) -> dict[str, Any]:
        """Return the project file with every default written out."""
        names = {"from": "start"}
        return {section: dump(getattr(self, names.get(section, section))) for section in SECTIONS}


@dataclass(frozen=True)
class LabelColumn:
    """The column of one task, as `records.load` reads it."""

    task: Task
    of: str | None
    made_of: dict[str, Made] | None = None

    @property
    def type(self) -> Any:
        """The Arrow type of a label."""
        return self.task.type

    def read(self, values: Any, texts: Any) -> Any:
        """Turn raw values into labels."""
        return self.task.read(values, texts)


def read_plan(path: Path, changes: Sequence[str] = ()) -> Plan:
    """Read a project file.

    Args:
        path: the YAML file.
        changes: overrides such as `training.lr=1e-4`; values are YAML.
    """
    if not path.exists():
        near = sorted(p.name for p in path.parent.glob("*.y*ml")) if path.parent.is_dir() else []
        raise ProjectError(
            f"There is no project file {str(path)!r}.{did_you_mean(path.name, near)} "
            f"Project files in {str(path.parent)!r}: {listed(near)}."
        )
    try:
        sections = from_yaml(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path} is not YAML: {_flat(error)}.") from None
    if not isinstance(sections, dict):
        raise ProjectError(f"{path} must hold sections such as {listed(SECTIONS)}.")
    for change in changes:
        put(sections, *override(change), said=f"--set {change!r}")
    return make_plan(sections, folder=path.parent, name=path.stem)


def make_plan(sections: Mapping[str, Any], *, folder: Path, name: str = "project") -> Plan:
    """Return the plan that `sections`, as read from a project file, describe.

    A kind written `module:Class` is looked for in the folder of the project file too.
    """
    _check_sections(sections)
    with importable(folder):
        plan = _built(sections, folder, name)
    check(plan)
    return plan


def _built(sections: Mapping[str, Any], folder: Path, name: str) -> Plan:
    start = _start(sections.get("from"))
    inputs = _inputs(sections["inputs"])
    synthesis = _synthesis(sections.get("synthesis"))
    training = build(Training, sections.get("training") or {}, at="training")
    tasks = {
        task: TASKS.build(spec, at=f"tasks.{task}").over(list(inputs))
        for task, spec in _task_specs(sections["tasks"], start, folder).items()
    }
    return Plan(
        sources=[
            build(Source, spec, at=f"sources.{number}")
            for number, spec in enumerate(_sequence(sections["sources"], "sources"))
        ],
        inputs=inputs,
        tasks=tasks,
        fusion=FUSIONS.build(sections.get("fusion") or "concat", at="fusion"),
        training=mixing(training, synthesis, tasks),
        start=start,
        knowledge=_knowledge(sections.get("knowledge"), inputs),
        pretraining=_pretraining(sections.get("pretraining")),
        synthesis=synthesis,
        active=_active(sections.get("active")),
        ledger=_ledger(sections.get("ledger")),
        label=build(Label, sections.get("label") or {}, at="label"),
        folder=folder,
        name=name,
        sections=deepcopy(dict(sections)),
    )


def _start(spec: Any) -> Start | None:
    spec = {"run": spec} if isinstance(spec, str) else spec
    return None if spec is None else build(Start, spec, at="from")


def _pretraining(spec: Any) -> Pretraining | None:
    return None if spec is None else PRETRAININGS.build(spec, at="pretraining")


def _active(spec: Any) -> Strategy | None:
    """Return the strategy; without a `kind` it is the default one."""
    if isinstance(spec, dict) and "kind" not in spec:
        spec = {"kind": "margin", **spec}
    return None if spec is None else STRATEGIES.build(spec, at="active")


def _synthesis(spec: Any) -> list[Synthesis]:
    """Return one kind or several; a bare name stands for a kind."""
    specs = spec if isinstance(spec, list) else [] if spec is None else [spec]
    return [SYNTHESES.build(one, at="synthesis") for one in specs]


def _ledger(spec: Any) -> str:
    """Return where the ledger is; a password would be copied into every run."""
    if spec is None:
        return NAME
    if not isinstance(spec, str) or not spec.strip():
        raise ProjectError(
            f"`ledger` must be a path or postgresql://user@host/database. Got {spec!r}."
        )
    if Where.of(spec).has_password:
        raise ProjectError(
            "`ledger` holds a password, which would be copied into every run. Put it into the "
            f"environment variable {PASSWORD} instead."
        )
    return spec


def _knowledge(spec: Any, inputs: Mapping[str, Encoder]) -> Knowledge | None:
    """Return the section with every injection on the input that it is for."""
    if spec is None:
        return None
    found = build(Knowledge, spec, at="knowledge")
    if found.facts is None:
        return found
    each = [
        one for injection in found.injection or [Gazetteer()] for one in _placed(injection, inputs)
    ]
    return replace(found, injection=each)


def _placed(injection: Injection, inputs: Mapping[str, Encoder]) -> list[Injection]:
    """Return the injection once for every input that it is for."""
    read = isinstance(injection, Reading)
    texts = [
        name
        for name, encoder in inputs.items()
        if encoder.values == "texts" and len(encoder.fields or []) == 1
        and (encoder.reads_branches or not read)
    ]  # fmt: skip
    wanted = "a single text through a transformer (`kind: text`)" if read else "a single text"
    if injection.of is not None and injection.of not in texts:
        raise ProjectError(
            f"`knowledge.injection.of` is {injection.of!r}, which is no input that reads {wanted}."
            f"{did_you_mean(injection.of, texts)} Such inputs: {listed(texts)}."
        )
    if not texts:
        raise ProjectError(
            f"`knowledge.facts` is for what texts mention, and no input reads {wanted}: "
            f"{listed(inputs)}. Add one, or "
            + ("choose `injection: gazetteer` or `facts`." if read else "remove `knowledge`.")
        )
    return [replace(injection, of=name) for name in texts if injection.of in (None, name)]


def _task_specs(section: Any, start: Start | None, folder: Path) -> dict[str, Any]:
    """Return the tasks, with those that are frozen as the old run learned them."""
    specs = _mapping(section, "tasks")
    missing = [name for name in start.freeze if name not in specs] if start else []
    if not start or not missing:
        return specs
    old = start.open(folder)
    return {**{name: old.specs[name] for name in missing}, **specs}


def _inputs(section: Any) -> dict[str, Encoder]:
    return {
        name: ENCODERS.build(spec, at=f"inputs.{name}").named(name)
        for name, spec in _mapping(section, "inputs").items()
    }


def _check_sections(sections: Mapping[str, Any]) -> None:
    for name in sections:
        if name not in SECTIONS:
            hint = did_you_mean(str(name), SECTIONS)
            raise ProjectError(
                f"`{name}` is not a section of a project file.{hint} Known: {listed(SECTIONS)}."
            )
    for name in ("sources", "inputs", "tasks"):
        if not sections.get(name):
            raise ProjectError(f"The project file has no `{name}`, and cannot do without.")


def _mapping(section: Any, at: str) -> dict[str, Any]:
    if not isinstance(section, Mapping):
        raise ProjectError(f"`{at}` must be a mapping of names to settings. Got {section!r}.")
    return {str(name): spec for name, spec in section.items()}


def _sequence(section: Any, at: str) -> list[Any]:
    if isinstance(section, str | Mapping):
        section = [section]
    if not isinstance(section, list):
        raise ProjectError(f"`{at}` must be a list. Got {section!r}.")
    return [{"path": spec} if isinstance(spec, str) else spec for spec in section]


def _flat(error: Exception) -> str:
    return " ".join(str(error).split())
