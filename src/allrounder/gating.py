"""Whether what was pretrained is worth having, and the project file that takes it where it is."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from allrounder.errors import ProjectError
from allrounder.evaluation.gate import GateReport
from allrounder.judging import job_of
from allrounder.plan import Plan, make_plan
from allrounder.pretraining.report import PretrainingReport
from allrounder.pretraining.verb import keep
from allrounder.proposing import proposal, propose
from allrounder.records import Records
from allrounder.runs import Run
from allrounder.training.gate import gated
from allrounder.training.settings import Gate

Tell = Callable[[str, float, float, str], None]

PRETRAINED = "pretrained"


def check_judged(plan: Plan, out: str | None) -> Path:
    """Return where the project file that adopts will lie; refuse what could not be judged.

    Raises:
        ProjectError: a person wrote that file, or there is no model to compare with.
    """
    if plan.pretraining is not None and plan.pretraining.scratch is not None:
        raise ProjectError(
            "--judge compares with the model as it was, and `pretraining.scratch` begins from "
            "nothing. Leave one of them out."
        )
    return proposal(plan, out or f"{plan.name}.{PRETRAINED}.yaml")


def judge_pretrained(
    plan: Plan,
    records: Records,
    report: PretrainingReport,
    *,
    gate: Gate,
    target: Path,
    tell: Tell,
) -> PretrainingReport:
    """Train with the encoder as it was and as it was pretrained; adopt it where it is a gain.

    Where some task gains and none loses, the input takes the pretrained encoder. Where some lose,
    those that gain read the text by an input of their own. Otherwise nothing is adopted.

    Args:
        plan: the project file.
        records: its records, with labels.
        report: what pretraining came to.
        gate: how many seeds, and for what share of the epochs.
        target: what `check_judged` returned.
        tell: called as it goes on.
    """
    if report.encoder is None:
        return report
    model = str(report.encoder.resolve().relative_to(plan.folder.resolve()))
    job = job_of(plan, records, Run(report.folder, {}), tell)
    other = {**job.inputs, report.input: replace(job.inputs[report.input], model=model)}
    changed = replace(job, inputs={name: one.at(plan.folder) for name, one in other.items()})
    found = gated(job, {PRETRAINED: changed}, gate=gate, project=plan.to_dict())
    better, found = _adopted(plan, report.input, model, found)
    if better is not None:
        why = f"{plan.name} with {model} for {', '.join(found.adopted[PRETRAINED])}"
        propose(better, target, verb="pretrain", why=why)
    report = replace(report, gate=found, proposed=target if better else None)
    keep(report)
    return report


def _adopted(
    plan: Plan, name: str, model: str, found: GateReport
) -> tuple[Plan | None, GateReport]:
    """Return the plan in which tasks that gain read the pretrained encoder, and who they are."""
    helped, hurt = found.helped.get(PRETRAINED, []), found.hurt.get(PRETRAINED, [])
    if not helped:
        return None, replace(found, notes=["No task gains beyond noise: keep the model as it is."])
    gains, loses = ", ".join(helped), ", ".join(hurt)
    if not hurt:
        note = f"{gains} gains and no task loses beyond noise: all read the new encoder."
        adopted = {PRETRAINED: list(plan.tasks)}
        return _for_all(plan, name, model), replace(found, adopted=adopted, notes=[note])
    if any(plan.reads(task) is None for task in plan.tasks.values()):
        note = (
            f"{gains} gains and {loses} loses, and some task reads several inputs, so that none "
            "can be set apart: keep the model as it is."
        )
        return None, replace(found, notes=[note])
    note = (
        f"{gains} gains and {loses} loses: the new encoder is an input of its own, "
        f"{name}_{PRETRAINED}, and answering takes a pass of each."
    )
    return _for_some(plan, name, model, helped), replace(
        found, adopted={PRETRAINED: helped}, notes=[note]
    )


def _for_all(plan: Plan, name: str, model: str) -> Plan:
    sections: dict[str, Any] = deepcopy(dict(plan.sections))
    _as_mapping(sections["inputs"], name)["model"] = model
    return make_plan(sections, folder=plan.folder, name=plan.name)


def _for_some(plan: Plan, name: str, model: str, tasks: Sequence[str]) -> Plan:
    """Return the plan with a second input of the same fields, which some tasks read."""
    sections: dict[str, Any] = deepcopy(dict(plan.sections))
    new, spec = f"{name}_{PRETRAINED}", _as_mapping(sections["inputs"], name)
    sections["inputs"][new] = {**spec, "model": model, "fields": plan.inputs[name].fields}
    for each, task in plan.tasks.items():
        _as_mapping(sections["tasks"], each)["of"] = new if each in tasks else plan.reads(task)
    if (alongside := plan.training.pretraining) is not None:  # one of two has to be named now
        words = _as_mapping(sections["training"], "pretraining")
        words["input"] = alongside.chosen(plan.inputs)
    return make_plan(sections, folder=plan.folder, name=plan.name)


def _as_mapping(section: dict[str, Any], name: str) -> dict[str, Any]:
    """Return one entry of a section, whose kind may stand alone, as a mapping that can change."""
    if not isinstance(section[name], dict):
        section[name] = {"kind": section[name]}
    return section[name]
