import io
import json

import pyarrow as pa
import pytest

from allrounder.errors import DataError
from allrounder.records import TextField, stream

from .columns import rows


def read(*args, **options) -> list[dict]:
    parts = stream(*args, **{"fields": {"text": TextField()}, **options})
    return [row for part in parts for row in part.batch.to_pylist()]


def test_every_column_stays_and_fields_are_added(desk):
    path = desk.folder / desk.write("a.csv", "nr,headline\n01,x\n02,y\n")
    assert read(path, map={"headline": "text"}) == [
        {"nr": "01", "headline": "x", "text": "x"},
        {"nr": "02", "headline": "y", "text": "y"},
    ]


def test_batches_are_no_larger_than_asked(desk):
    path = desk.folder / desk.write("a.csv", "text,topic\n" + rows(10))
    parts = list(stream(path, fields={"text": TextField()}, batch=4))
    assert [len(part) for part in parts] == [4, 4, 2]


def test_a_map_to_a_task_is_left_alone(desk):
    path = desk.folder / desk.write("a.csv", "text,label\nx,a\n")
    assert read(path, map={"label": "topic"}) == [{"text": "x", "label": "a"}]


@pytest.mark.parametrize(
    ("format", "content"), [(None, '{"text": "x"}\n{"text": "y"}\n'), ("csv", "text\nx\ny\n")]
)
def test_standard_input_is_read_once(format, content):
    assert read(io.BytesIO(content.encode()), format=format) == [{"text": "x"}, {"text": "y"}]
    wrapped = io.TextIOWrapper(io.BytesIO(content.encode()))
    assert read(wrapped, format=format) == [{"text": "x"}, {"text": "y"}]


def test_an_error_on_standard_input_counts_records():
    with pytest.raises(DataError) as error:
        read(io.BytesIO(b'{"text": "x"}\n{"text": " "}\n'))
    assert str(error.value) == (
        "standard input, record 2: expected text in `text`, found none. Fill in the text or "
        "remove the record."
    )


def test_text_without_tags_can_be_streamed(desk):
    path = desk.folder / desk.write("a.conll", "a\nb\n\nc\n")
    assert [row["text"] for row in read(path)] == ["a b", "c"]


def test_a_missing_file_is_named(desk):
    with pytest.raises(DataError, match="there is no such file or folder"):
        read(desk.folder / "a.csv")


def test_a_long_file_is_streamed_in_constant_memory(desk):
    lines = "".join(json.dumps({"text": f"text {i}"}) + "\n" for i in range(100_000))
    path = desk.folder / desk.write("a.jsonl", lines)
    before = pa.total_allocated_bytes()
    most = max(
        pa.total_allocated_bytes() - before for _ in stream(path, fields={"text": TextField()})
    )
    assert most < 4 << 20


def test_reading_may_stop_early(desk):
    path = desk.folder / desk.write("a.csv", "text,topic\n" + rows(400_000))
    parts = stream(path, fields={"text": TextField()}, batch=8)
    assert len(next(parts)) == 8
    parts.close()
