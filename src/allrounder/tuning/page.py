"""The search as one HTML file that needs nothing else, in the dress of the report on a run."""

from functools import cache
from typing import TYPE_CHECKING

from allrounder.evaluation.table import number, signed
from allrounder.evaluation.views import Figure
from allrounder.lazy import lazy
from allrounder.runs import write_text
from allrounder.tuning import plots
from allrounder.tuning.report import SearchReport, plain
from allrounder.tuning.space import Space, read_spaces

if TYPE_CHECKING:
    import jinja2
    from jinja2 import Environment
else:
    jinja2 = lazy("jinja2")


def write_page(report: SearchReport) -> None:
    """Write `report.html` into the folder of the search."""
    write_text(report.folder / "report.html", render_page(report))


def render_page(report: SearchReport) -> str:
    """Return the page; whatever it quotes is escaped."""
    spaces = read_spaces(report.search)
    return (
        _environment()
        .get_template("search.html.j2")
        .render(
            report=report,
            spaces=spaces,
            course=_course(report),
            slices=[_slice(report, space) for space in spaces],
        )
    )


def _course(report: SearchReport) -> list[Figure]:
    caption = (
        "Filled dots came to their end, hollow grey ones were given up at that skill, the ring is "
        "the best. The line is the best so far"
        + (", the dashes are the project file as it stood." if report.stood else ".")
    )
    return [
        Figure("Trial by trial", plots.history(report), caption),
        Figure(
            "Epoch by epoch",
            plots.curves(report),
            "Thick: the best. Grey: given up, because their best evaluation so far lay below the "
            "median of earlier trials at that epoch. Dashed: the project file as it stood.",
        ),
    ]


def _slice(report: SearchReport, space: Space) -> Figure:
    share = report.importances.get(space.key)
    known = "" if share is None else f"Accounts for {share:.0%} of the differences between trials."
    return Figure(space.key, plots.slice_of(report, space), known)


@cache
def _environment() -> "Environment":
    homes = [
        jinja2.PackageLoader("allrounder.tuning"),
        jinja2.PackageLoader("allrounder.evaluation"),
    ]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(homes),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": lambda value: number(value).replace("-", "−"),
        "signed": lambda value: signed(value).replace("-", "−"),
        "plain": plain,
    }
    return environment
