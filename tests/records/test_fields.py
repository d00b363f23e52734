"""What is read into the columns of inputs that are no text."""

from pathlib import Path

import pyarrow as pa

from allrounder.records import NumberField


def test_numbers_are_read_from_text_and_what_is_none_is_set_aside():
    read = NumberField().read(pa.array(["1.5", " ", "nan", "2e3", "many", "inf"]), Path())
    assert read.values.to_pylist() == [1.5, None, None, 2000.0, None, None]
    assert read.aside == {
        4: "expected a number, found 'many'.",
        5: "expected a number, found 'inf'.",
    }
