"""What is asked of each record: labels, head, loss, reading of the scores, metrics."""

from allrounder.kinds import Kinds
from allrounder.tasks.base import Metric, Task
from allrounder.tasks.generation import Generation
from allrounder.tasks.match import Match
from allrounder.tasks.multiclass import Multiclass
from allrounder.tasks.multilabel import Multilabel
from allrounder.tasks.ordinal import Ordinal
from allrounder.tasks.regression import Regression
from allrounder.tasks.spans import Spans

TASKS = Kinds[Task](
    "tasks",
    multiclass=Multiclass,
    multilabel=Multilabel,
    regression=Regression,
    ordinal=Ordinal,
    spans=Spans,
    match=Match,
    generation=Generation,
)

__all__ = [
    "TASKS",
    "Generation",
    "Match",
    "Metric",
    "Multiclass",
    "Multilabel",
    "Ordinal",
    "Regression",
    "Spans",
    "Task",
]
