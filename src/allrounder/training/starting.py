"""The `from` section: a run whose encoders, fusion and heads a new training starts from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from allrounder.encoders import ENCODERS, Encoder
from allrounder.errors import ProjectError, RunError, did_you_mean, listed
from allrounder.fusion import FUSIONS, Fusion
from allrounder.injection import Gazetteer, Injection, Knowledge, named
from allrounder.kinds import CLOSED, build
from allrounder.runs import Run
from allrounder.tasks import TASKS, Task


@dataclass(kw_only=True)
class Start:
    """The run that training starts from.

    Args:
        run: its folder, relative to the project file.
        freeze: tasks of that run that are kept as they are. They need no labels: what the old run
            says of the new records holds them while the encoder goes on.
    """

    __pydantic_config__ = CLOSED

    run: str
    freeze: list[str] = field(default_factory=list)

    def open(self, folder: Path) -> "Old":
        """Return the run, read from disk."""
        path = folder / self.run
        if not path.is_dir():
            raise ProjectError(f"`from.run`: there is no run folder {self.run!r} in {folder}.")
        run = Run.open(path)
        if not run.is_complete:
            raise RunError(f"{path} is not complete: go on with it first (train --resume).")
        sections = run.project()
        old = Old(
            run=run,
            inputs={
                name: ENCODERS.build(spec, at=f"inputs.{name}").named(name)
                for name, spec in sections["inputs"].items()
            },
            tasks={n: TASKS.build(spec, at=f"tasks.{n}") for n, spec in sections["tasks"].items()},
            specs=sections["tasks"],
            fusion=FUSIONS.build(sections.get("fusion") or "concat", at="fusion"),
            injections=_injections(sections.get("knowledge")),
        )
        for name in self.freeze:
            if name not in old.tasks:
                raise ProjectError(
                    f"`from.freeze` names {name!r}, which is no task of {self.run}."
                    f"{did_you_mean(name, old.tasks)} Its tasks: {listed(old.tasks)}."
                )
        return old


@dataclass(frozen=True, kw_only=True)
class Old:
    """A finished run: its inputs and tasks as it learned them."""

    run: Run
    inputs: dict[str, Encoder]
    tasks: dict[str, Task]
    specs: dict[str, Any]
    fusion: Fusion
    injections: dict[str, Injection] = field(default_factory=dict)

    def check(self, inputs: Mapping[str, Encoder], tasks: Mapping[str, Task]) -> None:
        """Refuse inputs that the run's weights do not fit, and tasks that changed their kind."""
        name = self.run.path.name
        shared = {each: encoder for each, encoder in inputs.items() if each in self.inputs}
        if not shared:
            raise ProjectError(
                f"`from`: run {name} reads {listed(self.inputs)}, this project {listed(inputs)}: "
                "with no input in common nothing could be taken over. Leave `from` out."
            )
        for each, encoder in shared.items():
            mine, its = _shape(encoder), _shape(self.inputs[each])
            if mine != its:
                raise ProjectError(
                    f"`inputs.{each}`: run {name} read it with {its}, this project with {mine}. "
                    "Its weights fit only what they were trained in."
                )
        for each, task in tasks.items():
            if each in self.tasks and type(task) is not type(self.tasks[each]):
                raise ProjectError(
                    f"`tasks.{each}` is {task.kind_name()} here and "
                    f"{self.tasks[each].kind_name()} in run {name}. Rename it to start it anew."
                )

    def check_frozen(
        self,
        freeze: Sequence[str],
        inputs: Mapping[str, Encoder],
        tasks: Mapping[str, Task],
        fusion: Fusion,
    ) -> None:
        """Refuse to keep tasks as they are whose heads cannot go on."""
        for name in freeze:
            if not self.goes_on(name, tasks[name], inputs, fusion):
                raise ProjectError(
                    f"`from.freeze` keeps {name!r} as it is, but its head cannot go on: run "
                    f"{self.run.path.name} joined {listed(self.inputs)} by "
                    f"{self.fusion.kind_name()}, this project joins {listed(inputs)} by "
                    f"{fusion.kind_name()}. Use the same `fusion`, or do not freeze it."
                )

    def goes_on(self, name: str, task: Task, inputs: Mapping[str, Encoder], fusion: Fusion) -> bool:
        """Return whether the run has a head for a task that reads part of what it will read."""
        mine = parts_read(task, inputs, fusion)
        return name in self.tasks and bool({*mine} & {*self.parts_read(name)})

    def parts_read(self, name: str) -> list[str]:
        """Return the parts of what the head of a task of the run reads, in order."""
        return parts_read(self.tasks[name], self.inputs, self.fusion)

    def lent(self, name: str, encoder: Encoder) -> Encoder:
        """Return an encoder with what the run learned of its input: weights fit nothing else.

        What the project file says of it stays as it says.
        """
        known = self.inputs.get(name)
        unsaid = [key for key in encoder.learned if getattr(encoder, key) is None]
        return (
            replace(encoder, **{key: getattr(known, key) for key in unsaid}) if known else encoder
        )

    def grown(self, name: str, task: Task, *, declared: bool) -> Task:
        """Return a learned task with what the run knew of it: old labels first, then new ones.

        Args:
            name: the task.
            task: the task with its labels learned.
            declared: whether the project file declares them; old labels it leaves out are dropped.
        """
        if name not in self.tasks:
            return task
        return task.continued(task.called_now(self.tasks[name]), every=not declared)


def _injections(section: Any) -> dict[str, Injection]:
    found = build(Knowledge, section, at="knowledge") if section else None
    return named(found.injection or [Gazetteer()]) if found and found.facts else {}


def parts_read(task: Task, inputs: Iterable[str], fusion: Fusion) -> list[str]:
    """Return the parts of what the head of a task reads, in order: inputs, or what joins them."""
    names = task.reading(inputs)
    if len(names) == 1 or task.reads in ("inputs", "states"):
        return names
    return list(fusion.columns(dict.fromkeys(names, 1)))


def _shape(encoder: Encoder) -> str:
    """Return in words what the weights of an encoder depend on."""
    keys = ("model", "width", "buckets")
    said = [f"{key} {getattr(encoder, key)!r}" for key in keys if hasattr(encoder, key)]
    said += ["tune lora"] if getattr(encoder, "tune", None) == "lora" else []
    return f"{encoder.kind_name()} ({', '.join(said)})"
