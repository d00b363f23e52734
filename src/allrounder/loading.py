"""A finished run, ready to answer with what is known now."""

from allrounder.evaluation.said import Passes
from allrounder.model import Knowing, kept_facts, kept_readers, load_passes, saved_inputs
from allrounder.plan import Plan
from allrounder.runs import Run


def load_model(plan: Plan, run: Run) -> Passes:
    """Return the models of a run that answer, with what is known now."""
    base = plan.base(lambda: kept_facts(run.path))
    knowing = None
    if base is not None and plan.knowledge is not None:
        injections = plan.knowledge.injection
        readers = kept_readers(run.path, saved_inputs(run.path, plan.inputs), injections)
        knowing = Knowing.of(base, injections, readers)
    return load_passes(run.path, plan.inputs, plan.tasks, plan.fusion, knowing)
