"""Records: read from files of many formats, split, checked, and kept on disk."""

from allrounder.records.answered import answered, labels_read
from allrounder.records.aside import Aside, as_csv
from allrounder.records.checks import check_records
from allrounder.records.column import BadValue, Column, Made
from allrounder.records.field import Field, NumberField, Read, TextField
from allrounder.records.handing import handed
from allrounder.records.inspection import DataReport, inspect
from allrounder.records.loading import load
from allrounder.records.media import FileField, content
from allrounder.records.records import Records
from allrounder.records.source import SPLITS, Source, Split
from allrounder.records.streaming import Part, stream

__all__ = [
    "SPLITS",
    "Aside",
    "BadValue",
    "Column",
    "DataReport",
    "Field",
    "FileField",
    "Made",
    "NumberField",
    "Part",
    "Read",
    "Records",
    "Source",
    "Split",
    "TextField",
    "answered",
    "as_csv",
    "check_records",
    "content",
    "handed",
    "inspect",
    "labels_read",
    "load",
    "stream",
]
