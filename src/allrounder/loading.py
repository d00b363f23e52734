"""A finished run, ready to answer with what is known now."""

from datetime import date

from allrounder.evaluation.said import Passes
from allrounder.knowledge import Base
from allrounder.model import Knowing, kept_facts, kept_readers, load_passes, saved_inputs
from allrounder.plan import Plan
from allrounder.runs import Run


def load_model(plan: Plan, run: Run) -> Passes:
    """Return the models of a run that answer, with what holds today."""
    base = plan.base(lambda: kept_facts(run.path))
    knowing = None
    if base is not None and plan.knowledge is not None:
        injections, linking = plan.knowledge.injection or [], plan.knowledge.linking
        inputs = saved_inputs(run.path, plan.inputs)
        readers = kept_readers(run.path, inputs, injections, linking=linking is not None)
        knowing = Knowing.of(base.at(date.today()), injections, readers, linking)
    return load_passes(run.path, plan.inputs, plan.tasks, plan.fusion, knowing)


class Informed:
    """What a run knows, kept up with its source of facts.

    Args:
        plan: the project file of the run.
        run: the run folder.
        knowing: what its models were loaded with.
    """

    def __init__(self, plan: Plan, run: Run, knowing: Knowing | None) -> None:
        self.plan = plan
        self.run = run
        self.knowing = knowing
        self._mark = self._now()
        self._days = {knowing.base.day: knowing} if knowing else {}

    def on(self, day: date | None = None) -> Knowing | None:
        """Return what is known of a day, by default today, as the facts are now."""
        if self.knowing is None:
            return None
        mark = self._now()
        if mark != self._mark:
            base = self.plan.base(lambda: kept_facts(self.run.path))
            assert base is not None  # the plan has facts, or nothing would be known
            self.knowing, self._mark, self._days = self.knowing.about(base), mark, {}
        day = day or date.today()
        if day not in self._days:
            self._days = {day: self.knowing.about(self.knowing.base.at(day))}
        return self._days[day]

    def over(self, base: Base) -> Knowing | None:
        """Return what would be known with another knowledge base."""
        return self.knowing and self.knowing.about(base)

    def _now(self) -> object:
        facts = self.plan.knowledge and self.plan.knowledge.facts
        return facts and facts.mark(self.plan.folder)
