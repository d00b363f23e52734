import pyarrow as pa
import pytest
from pyarrow import parquet

from allrounder.errors import DataError, ProjectError
from allrounder.records import inspect

from .columns import Names, Spans, rows

TAGGED = "".join(f"tok{i} B-X\nen O\n\n" for i in range(30))


def test_a_conll_file_fills_its_input_and_task(desk):
    desk.write("a.conll", TAGGED)
    records = desk.load({"path": "a.conll", "input": "text", "task": "entities"}, entities=Spans())
    assert records.take("text", [2]) == ["tok2 en"]
    assert records.take("entities", [2]) == [[{"start": 0, "end": 4, "label": "X"}]]
    assert records.where(2) == "a.conll, line 7"


def test_the_only_field_and_task_need_no_naming(desk):
    desk.write("a.iob", TAGGED)
    assert desk.load("a.iob", entities=Spans()).indices(task="entities").tolist() == [*range(30)]


def test_an_input_must_be_named_where_there_are_several(desk):
    desk.write("a.iob", TAGGED)
    with pytest.raises(ProjectError) as error:
        desk.load("a.iob", fields=["text", "title"], entities=Spans())
    assert str(error.value) == (
        "a.iob: the source needs `input`, the text field that the file fills: text, title."
    )


def test_a_task_must_be_named_where_there_are_several(desk):
    desk.write("a.iob", TAGGED)
    with pytest.raises(ProjectError) as error:
        desk.load("a.iob", entities=Spans(), slots=Spans())
    assert str(error.value) == (
        "a.iob: the source needs `task`, the one whose labels the file holds: entities, slots."
    )


def test_a_folder_fills_its_task(desk):
    for i in range(30):
        desk.write(f"texts/{'ab'[i % 2]}/{i:02d}.txt", f"text {i}")
    records = desk.load({"path": "texts", "task": "topic"}, topic=Names())
    assert sorted(set(records.labels("topic").to_pylist())) == ["a", "b"]
    assert records.where(29) == "texts/b/29.txt"


def test_a_new_file_in_a_folder_is_seen(desk):
    for i in range(30):
        desk.write(f"texts/{'ab'[i % 2]}/{i:02d}.txt", f"text {i}")
    desk.load({"path": "texts", "task": "topic"}, topic=Names())
    desk.write("texts/a/99.txt", "new")
    assert len(desk.load({"path": "texts", "task": "topic"}, topic=Names())) == 31


def test_parquet_numbers_serve_as_text(desk):
    table = pa.table({"text": list(range(30)), "topic": ["a", "b", None] * 10})
    parquet.write_table(table, desk.folder / "a.parquet")
    records = desk.load("a.parquet", topic=Names())
    assert records.take("text", [7]) == ["7"]
    assert records.where(7) == "a.parquet, row 8"


def refused(desk, source, **columns):
    with pytest.raises(DataError) as error:
        desk.load(source, **columns or {"topic": Names()})
    return str(error.value)


def test_lists_are_no_text(desk):
    desk.write("a.jsonl", '{"text": null}\n{"text": ["x"]}\n')
    assert refused(desk, "a.jsonl") == (
        "a.jsonl, line 2, column `text`: expected text, found ['x']."
    )


def test_an_escaped_nul_is_named(desk):
    desk.write("a.jsonl", '{"text": "x"}\n{"text": "a\\u0000"}\n')
    assert refused(desk, "a.jsonl") == (
        "a.jsonl, line 2, column `text`: expected text, found a NUL character. Remove it."
    )


def test_a_label_that_points_into_nothing_is_named(desk):
    desk.write("a.jsonl", '{"title": "x", "spans": [{"start": 0, "end": 1, "label": "X"}]}\n')
    with pytest.raises(DataError) as error:
        desk.load("a.jsonl", fields=["text", "title"], spans=Spans())
    assert str(error.value) == (
        "a.jsonl, line 1, column `spans`: the label points into `text`, which is empty."
    )


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.conll"])
def test_a_file_without_records_is_refused(desk, name):
    desk.write(name, "text,topic\n" if name == "a.csv" else "\n")
    assert refused(desk, name, spans=Spans()) == (
        f"{name}: expected records, found none. Fill the file or take the source out of the "
        "project."
    )


def test_a_label_may_appear_late_in_a_jsonl_file(desk):
    lines = ['{"text": "t%d"}' % i for i in range(5000)]  # noqa: UP031
    lines += [f'{{"text": "u{i}", "label": "{"ab"[i % 2]}"}}' for i in range(9)]
    desk.write("a.jsonl", "\n".join(lines))
    records = desk.load({"path": "a.jsonl", "map": {"label": "topic"}}, topic=Names())
    assert records.indices(task="topic").tolist() == [*range(5000, 5009)]


def test_a_bad_label_behind_the_first_batch_is_named_with_its_line(desk):
    desk.write("a.csv", "text,topic\n" + rows(400_000) + "x,bad\n")
    assert refused(desk, "a.csv").startswith("a.csv, line 400002, column `topic`: ")


def test_lines_fill_their_input_and_those_that_are_skipped_are_told(desk):
    lines = [f"text {i}" for i in range(10_000)]
    lines[16], lines[39], lines[76] = "\u200b ", "a\0b", "x" * 1_000_001
    source = desk.write("corpus.txt", "\n".join(lines))
    records = desk.load({"path": source, "input": "body"}, fields=["body", "title"])
    assert records.take("body", [0, 16, 9996]) == ["text 0", "text 17", "text 9999"]
    assert records.wheres([16, 9996]) == ["corpus.txt, line 18", "corpus.txt, line 10000"]
    assert records.notes == [
        "corpus.txt: 3 of 10,000 lines were skipped: 1 empty (line 17), 1 binary (line 40), "
        "1 longer than 1,000,000 bytes (line 77)."
    ]
    again = desk.load({"path": source, "input": "body"}, fields=["body", "title"])
    assert again.skipped == records.skipped
    assert inspect(again, {}).to_dict()["skipped"][0]["counts"]["binary"] == 1


def test_lines_that_are_all_skipped_are_refused_in_a_sentence(desk):
    desk.write("corpus.txt", b"\n\x00\n \n" + b"x" * 5_000_000)
    with pytest.raises(DataError) as error:
        desk.load("corpus.txt")
    assert str(error.value) == (
        "corpus.txt: expected lines of text, found only lines that are skipped: 2 empty (first: "
        "line 1), 1 binary (line 2), 1 longer than 1,000,000 bytes (line 4). Name the `encoding` "
        "of the file, or its `format` if it does not hold one text a line."
    )


def test_lines_carry_no_labels(desk):
    with pytest.raises(ProjectError) as error:
        desk.load({"path": desk.write("corpus.txt", "a\n"), "task": "topic"}, topic=Names())
    assert str(error.value) == (
        "corpus.txt: the source has `task: topic`, but its lines are texts without labels. Leave "
        "`task` out, or give labels in CSV or JSON lines."
    )
