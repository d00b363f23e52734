"""One answer as it stands in a file, and the tasks that answers are to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

Form = Literal["name", "names", "number", "spans"]
"""What a label is: one name or text, a set of names, a number, spans of a text."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A task, as files of labels need to know it.

    Args:
        name: its name.
        form: what its labels are.
        of: the field that spans point into, else the field it is asked about.
        labels: its labels, where they are declared.
    """

    name: str
    form: Form
    of: str
    labels: list[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """An answer with its record.

    Args:
        fields: the inputs of the record, as a person would read them.
        task: the task, as the file calls it; None where it does not say.
        form: what the file shows the label to be; None where the task must tell.
        value: the label.
        stands: whether it is what counts of all that was said; in files that are written.
        why: why it cannot be taken, where that is so; in files that are read.
        place: where it stands in the file.
        key: the hash of the record's content, where the file has it.

    The rest is as in `Answer`.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    task: str | None = None
    form: Form | None = None
    value: Any = None
    act: str = "label"
    who: str | None = None
    created: str = ""
    seconds: float | None = None
    model: str | None = None
    suggested: Any = None
    source: str = "import"
    id: str | None = None
    key: str | None = None
    stands: bool = True
    why: str | None = None
    place: str = ""


def form_of(type: pa.DataType) -> Form:
    """Return what labels of an Arrow type are."""
    if pa.types.is_list(type):
        return "spans" if pa.types.is_struct(type.value_type) else "names"
    return "number" if pa.types.is_floating(type) else "name"


def encoded(thing: Any) -> bytes:
    """Return JSON as bytes; half a character, which UTF-8 has no bytes for, stays an escape."""
    return json.dumps(thing, ensure_ascii=False).encode("utf-8", "backslashreplace")
