"""The report as one HTML file that needs nothing else, and as a model card."""

from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

from allrounder.errors import listed
from allrounder.evaluation import views
from allrounder.evaluation.report import Report, TaskReport
from allrounder.evaluation.table import number, signed
from allrounder.lazy import lazy

if TYPE_CHECKING:
    import jinja2
    from jinja2 import Environment
else:
    jinja2 = lazy("jinja2")

HUB_TASKS = {"spans": "token-classification", "match": "feature-extraction"}
"""What the model hub calls a kind of task; every other one is text classification there."""


def render_html(report: Report) -> str:
    """Return the report as one self-contained page; whatever it quotes is escaped."""
    splits, counts = views.data_counts(report.data)
    found = views.sections(report)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            title=_title(report),
            sections=found,
            shared=(rows := views.shared(report.sharing) if report.sharing else []),
            shared_scale=views.shared_scale(rows),
            scale=views.summary_scale(report),
            pieces=views.pieces,
            splits=splits,
            counts=counts,
            project=_yaml(report.project),
        )
    )


def render_card(report: Report, folder: str) -> str:
    """Return a model card in Markdown; `folder` is where the run is loaded from."""
    splits, counts = views.data_counts(report.data)
    return (
        _environment()
        .get_template("card.md.j2")
        .render(
            report=report,
            title=_title(report),
            front=_yaml(_front_matter(report)),
            weak={name: _weak(task) for name, task in report.tasks.items()},
            splits=splits,
            counts=counts,
            folder=folder,
        )
    )


@cache
def _environment() -> "Environment":
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("allrounder.evaluation"),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": lambda value: _typeset(number(value)),
        "signed": lambda value: _typeset(signed(value)),
        "tick": lambda value: _typeset(f"{value:g}"),
        "plain": _plain,
        "cell": _cell,
        "few": listed,
    }
    return environment


def _typeset(shown: str) -> str:
    """Return a number with a minus as wide as the plus."""
    return shown.replace("-", "−")


def _title(report: Report) -> str:
    return str(report.project.get("name") or "Evaluation report")


def _yaml(data: dict[str, Any]) -> str:
    return yaml.dump(data, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100)


class _Dumper(yaml.SafeDumper):
    """Writes every object that YAML has no word for as its text, and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(tuple, yaml.SafeDumper.represent_list)
_Dumper.add_multi_representer(object, lambda dumper, data: dumper.represent_str(str(data)))


def _plain(value: Any) -> str:
    """Return a fact for people: thousands apart, few decimals."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return (
        f"{value:,}"
        if isinstance(value, int)
        else f"{value:,.1f}"
        if value >= 1
        else f"{value:.3g}"
    )


def _cell(value: Any) -> str:
    """Return text that is harmless in a table cell of a Markdown page."""
    text = " ".join(str(value).split())
    for sign, harmless in {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "\\|", "`": "'"}.items():
        text = text.replace(sign, harmless)
    return text.replace("[", "\\[").replace("*", "\\*").replace("_", "\\_")


def _front_matter(report: Report) -> dict[str, Any]:
    inputs = report.project.get("inputs") or {}
    models = [spec.get("model") for spec in inputs.values() if isinstance(spec, dict)]
    base = list(dict.fromkeys(model for model in models if model))
    front: dict[str, Any] = {"library_name": "allrounder", "tags": ["allrounder", "multi-task"]}
    if base:
        front["base_model"] = base[0] if len(base) == 1 else base
    results = [_result(name, task, report.split) for name, task in report.tasks.items()]
    return {**front, "model-index": [{"name": _title(report), "results": results}]}


def _result(name: str, task: TaskReport, split: str) -> dict[str, Any]:
    return {
        "task": {"type": HUB_TASKS.get(task.kind, "text-classification"), "name": name},
        "dataset": {"name": "own records", "type": "own", "split": split},
        "metrics": [
            {"type": metric, "value": found.after.value} for metric, found in task.metrics.items()
        ],
    }


WEAK = 0.6


def _weak(task: TaskReport) -> list[Any]:
    """Return labels that the model cannot be trusted with, the weakest first."""
    low = [label for label in task.per_label if label.f1 < WEAK]
    return sorted(low, key=lambda label: label.f1)[:8]
