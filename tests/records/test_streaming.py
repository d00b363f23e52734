import io
import json
import tracemalloc

import pyarrow as pa
import pytest

from allrounder.errors import DataError
from allrounder.records import NumberField, TextField, content, stream

from .columns import PICTURE, rows


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


def test_lines_of_text_keep_the_numbers_of_their_lines(desk):
    path = desk.folder / desk.write("a.txt", "one\r\n\r\n\x01\r\ntwo")
    expected = [{"text": "one", "line": 1}, {"text": "two", "line": 4}]
    assert read(path) == expected
    assert read(io.BytesIO(path.read_bytes()), format="lines") == expected


def test_a_line_may_be_mapped_to_one_of_several_inputs(desk):
    path = desk.folder / desk.write("a.txt", "one\n")
    fields = {"premise": TextField(), "hypothesis": TextField()}
    assert read(path, fields=fields, map={"text": "premise"})[0]["premise"] == "one"


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


def test_lines_are_streamed_in_constant_memory_however_long_they_are(desk):
    path = desk.folder / desk.write("a.txt", b"x" * 50_000_000 + b"\n" + b"a text\n" * 100_000)
    tracemalloc.start()
    n = sum(map(len, stream(path, fields={"text": TextField()})))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n == 100_000
    assert most < 30 << 20


def test_reading_may_stop_early(desk):
    path = desk.folder / desk.write("a.csv", "text,topic\n" + rows(400_000))
    parts = stream(path, fields={"text": TextField()}, batch=8)
    assert len(next(parts)) == 8
    parts.close()


def test_a_bad_value_does_not_stop_the_stream_but_is_told_of_its_record(desk):
    desk.write("one.png", b"PIC one")
    lines = "one.png,1\nnone.png,2\nempty.png,x\n,\n,5\n"
    desk.write("empty.png", b"")
    path = desk.folder / desk.write("a.csv", "file,age\n" + lines)
    fields = {"image": PICTURE, "age": NumberField()}
    first, second = stream(path, fields=fields, map={"file": "image"}, batch=3)
    assert first.batch.to_pylist()[1] == {"file": "none.png", "age": "2"}, "columns stay as read"
    assert content(first.values["image"][0].as_py()) == b"PIC one"
    assert first.values["age"].to_pylist() == [1.0, 2.0, None]
    assert first.wrong == {
        1: "`image`: expected a picture, found no file 'none.png'.",
        2: "`image`: expected a picture, found the empty file 'empty.png'. `age`: expected a "
           "number, found 'x'.",
    }  # fmt: skip
    assert second.wrong == {0: "expected a value in `image` and `age`, found none."}


def test_a_path_that_leaves_the_folder_stops_the_stream(desk):
    path = desk.folder / desk.write("a.csv", "image\n../a\n")
    with pytest.raises(DataError, match="line 2, column `image`: expected a path in the folder"):
        list(stream(path, fields={"image": PICTURE}))
