"""What can be said about answers beyond metrics, one file per form of answer.

The form is the key under which an answer holds what it says, so a task kind of another package
gets a full report when it answers in one of these forms.
"""

from collections.abc import Sequence
from typing import Any

from allrounder.evaluation.forms.form import Form
from allrounder.evaluation.forms.matches import Matches
from allrounder.evaluation.forms.one_label import OneLabel
from allrounder.evaluation.forms.several_labels import SeveralLabels
from allrounder.evaluation.forms.spans import Spans
from allrounder.evaluation.forms.value import Value
from allrounder.evaluation.forms.written import Written

FORMS: dict[str, Form] = {
    "label": OneLabel(),
    "labels": SeveralLabels(),
    "value": Value(),
    "spans": Spans(),
    "matches": Matches(),
    "text": Written(),
}


def form_of(answers: Sequence[dict[str, Any]]) -> Form:
    """Return the form of some answers; one that says nothing where the form is not known."""
    known = [FORMS[key] for key in answers[0] if key in FORMS]
    return known[0] if known else Form()


__all__ = ["FORMS", "Form", "form_of"]
