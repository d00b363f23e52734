import gzip
import subprocess
import sys

import pyarrow as pa
import pytest

from allrounder.errors import DataError, ProjectError
from allrounder.records import SPLITS

from .columns import Names, Numbers, Sets, rows


def test_records_carry_fields_labels_and_their_place(desk):
    desk.write("a.csv", "headline,topic,mood\n" + 'x y,a,\n"b, c",,2\n' + "z,b,1.5\n")
    records = desk.load(
        {"path": "a.csv", "map": {"headline": "text"}}, topic=Names(), mood=Numbers()
    )
    assert records.table.column_names == [
        "id", "source", "row", "split", "key", "text", "topic", "mood",
    ]  # fmt: skip
    assert records.values("text").to_pylist() == ["x y", "b, c", "z"]
    assert records.labels("topic").to_pylist() == ["a", None, "b"]
    assert records.take("mood", [2, 0, 1]) == [1.5, None, 2.0]
    assert records.indices(task="mood").tolist() == [1, 2]
    assert sorted(index for split in SPLITS for index in records.indices(split)) == [0, 1, 2]


def test_a_source_without_labels_is_normal(desk):
    desk.write("a.csv", "text,topic\n" + rows(30))
    desk.write("b.jsonl", '{"text": "没有标签"}\n')
    records = desk.load("a.csv", {"path": "b.jsonl", "split": "train"}, topic=Names())
    assert records.take("topic", [30]) == [None]
    assert records.where(30) == "b.jsonl, line 1"


def test_a_second_load_reads_the_cache(desk, monkeypatch):
    desk.write("a.csv", "text,topic\n" + rows(30))
    first = desk.load("a.csv", topic=Names())
    monkeypatch.setattr("allrounder.records.loading._write", None)
    assert desk.load("a.csv", topic=Names()).table.equals(first.table)


def test_a_changed_file_is_read_again(desk):
    desk.write("a.csv", "text,topic\n" + rows(30))
    first = desk.load("a.csv", topic=Names())
    desk.write("a.csv", "text,topic\n" + rows(31))
    assert len(desk.load("a.csv", topic=Names())) == len(first) + 1


def test_a_damaged_cache_is_read_again(desk):
    desk.write("a.csv", "text,topic\n" + rows(30))
    desk.load("a.csv", topic=Names())
    (cached,) = (desk.folder / "cache").glob("*.arrow")
    cached.write_bytes(b"ARROW1 cut short")
    assert len(desk.load("a.csv", topic=Names())) == 30


def test_old_cache_files_are_removed(desk):
    for n in range(20, 27):
        desk.write("a.csv", "text,topic\n" + rows(n))
        desk.load("a.csv", topic=Names())
    assert len(list((desk.folder / "cache").iterdir())) == 4


def test_a_failed_load_leaves_nothing_behind(desk):
    desk.write("a.csv", "text,topic\nx,bad\n")
    with pytest.raises(DataError):
        desk.load("a.csv", topic=Names())
    assert list((desk.folder / "cache").iterdir()) == []


def test_the_fingerprint_tells_content_alone(desk):
    desk.write("a.csv", "text,topic\n" + rows(30))
    desk.write("b.jsonl", "".join(
        f'{{"topic": "{"ab"[i % 2]}", "text": "text number {i}"}}\n' for i in range(30)
    ))  # fmt: skip
    csv, jsonl = desk.load("a.csv", topic=Names()), desk.load("b.jsonl", topic=Names())
    assert csv.fingerprint == jsonl.fingerprint
    desk.write("a.csv", "text,topic\n" + rows(29) + "text number 29,a\n")
    assert desk.load("a.csv", topic=Names()).fingerprint != csv.fingerprint


def test_a_limit_takes_a_fixed_subset_and_moves_nothing(desk):
    desk.write("a.csv", "text,topic\n" + rows(300))
    whole = desk.load("a.csv", topic=Names())
    some = desk.load({"path": "a.csv", "limit": 100}, topic=Names())
    splits = dict(zip(whole.take("id", range(300)), whole.take("split", range(300)), strict=True))
    assert len(some) == 100
    assert all(
        splits[i] == s
        for i, s in zip(some.take("id", range(100)), some.take("split", range(100)), strict=True)
    )
    assert some.where(99) == f"a.csv, line {some.take('row', [99])[0] + 2}"


def test_ids_come_from_the_column_named(desk):
    desk.write("a.csv", "nr,text,topic\n" + "".join(f"n{i},t{i},{i % 2}\n" for i in range(40)))
    records = desk.load({"path": "a.csv", "id": "nr"}, topic=Names())
    assert records.take("id", [3]) == ["n3"]
    assert records.fingerprint == desk.load(
        {"path": "a.csv", "map": {"nr": "id"}}, topic=Names()
    ).fingerprint  # fmt: skip


def test_content_ids_do_not_see_case_and_whitespace(desk):
    desk.write("a.csv", "text,topic\n" + rows(30) + "TEXT  number 3 ,b\n")
    records = desk.load("a.csv", topic=Names())
    assert records.take("id", [3]) == records.take("id", [30])
    assert records.take("split", [3]) == records.take("split", [30])


def test_two_fields_may_come_from_different_sources(desk):
    desk.write("a.csv", "text,topic\n" + rows(30))
    desk.write("b.csv", "title,text,topic\nonly a title,,a\n")
    records = desk.load(
        "a.csv", {"path": "b.csv", "split": "train"}, fields=["text", "title"], topic=Names()
    )
    assert records.take("text", [30]) == [None]
    assert records.take("title", [0, 30]) == [None, "only a title"]


def test_jsonl_labels_keep_their_type(desk):
    lines = [f'{{"text": "t{i}", "tags": ["a", "b"], "mood": {i}}}' for i in range(40)]
    lines += ['{"text": "none"}', '{"text": "null", "tags": null, "mood": null}']
    desk.write("a.jsonl", "\n".join(lines))
    records = desk.load("a.jsonl", tags=Sets(), mood=Numbers())
    assert records.take("tags", [0, 40, 41]) == [["a", "b"], None, None]
    assert records.take("mood", [7, 40]) == [7.0, None]


def test_gzip_and_byte_order_marks_make_no_difference(desk):
    text = ("\ufefftext,topic\n" + rows(30)).encode()
    desk.write("a.csv.gz", gzip.compress(text))
    desk.write("b.csv", text.removeprefix(b"\xef\xbb\xbf"))
    desk.write("c.csv", text.decode().encode("utf-16"))
    zipped = desk.load("a.csv.gz", topic=Names())
    assert zipped.fingerprint == desk.load("b.csv", topic=Names()).fingerprint
    wide = desk.load({"path": "c.csv", "encoding": "utf-16"}, topic=Names())
    assert zipped.fingerprint == wide.fingerprint
    assert zipped.where(29) == "a.csv.gz, line 31"


def test_a_large_file_stays_out_of_memory(desk):
    desk.write("a.csv", "text,topic\n" + rows(200_000))
    pool = pa.default_memory_pool()
    before = pa.total_allocated_bytes()
    records = desk.load("a.csv", topic=Names())
    assert len(records) == 200_000
    assert pa.total_allocated_bytes() - before < 1 << 20
    assert pool.max_memory() < 512 << 20


def test_importing_records_needs_neither_torch_nor_its_like():
    code = (
        "import sys, allrounder.records; "
        "print({'torch', 'transformers', 'sklearn', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def refused(desk, *sources, fields=("text",), error=DataError, **columns) -> str:
    with pytest.raises(error) as caught:
        desk.load(*sources, fields=fields, **columns or {"topic": Names()})
    return str(caught.value)


def test_a_missing_file_names_its_neighbours(desk):
    desk.write("data/news.csv", "text\n")
    desk.write("data/old.csv", "text\n")
    assert refused(desk, "data/new.csv") == (
        "data/new.csv: there is no such file or folder. Did you mean 'news.csv'? "
        f"{desk.folder / 'data'} holds news.csv, old.csv. Correct `path` in the source; it is "
        "relative to the project file."
    )


def test_a_missing_folder_names_its_neighbours(desk):
    desk.write("data/news.csv", "text\n")
    assert "Did you mean 'data'?" in refused(desk, "dta/news.csv")


def test_a_file_without_any_field_names_its_columns(desk):
    desk.write("a.csv", "texts,label\nx,y\n")
    assert refused(desk, "a.csv") == (
        "a.csv: expected a column for at least one input (text), found the columns texts, label. "
        "Did you mean 'texts'? Say in the source which column holds it, such as "
        "`map: {texts: text}`."
    )


def test_a_mapped_column_that_is_not_there_names_those_found(desk):
    desk.write("a.csv", "text,topic\n" + rows(3))
    message = (
        "a.csv: the source names the column 'topics', which is not in the file. Did you mean "
        "'topic'? Columns found: text, topic. Correct the name in the source."
    )
    assert refused(desk, {"path": "a.csv", "map": {"topics": "topic"}}) == message
    assert refused(desk, {"path": "a.csv", "id": "topics"}) == message
    split = {"by": "group", "column": "topics"}
    assert refused(desk, {"path": "a.csv", "split": split}) == message


def test_a_map_to_nothing_in_the_project_is_refused(desk):
    desk.write("a.csv", "text,label\nx,y\n")
    spec = {"path": "a.csv", "map": {"label": "topics"}}
    assert refused(desk, spec, error=ProjectError) == (
        "a.csv: column 'label' is to fill 'topics', which is neither an input nor a task. Did you "
        "mean 'topic'? Known: text, topic, id."
    )


def test_two_columns_for_one_task_are_refused(desk):
    desk.write("a.csv", "text,x,y\n1,2,3\n")
    spec = {"path": "a.csv", "map": {"x": "topic", "y": "topic"}}
    assert refused(desk, spec, error=ProjectError) == (
        "a.csv: the columns x, y are all to fill 'topic'. Keep one."
    )


def test_a_task_without_a_label_names_the_columns(desk):
    desk.write("a.csv", "text,mod\n" + rows(30))
    assert refused(desk, "a.csv", mood=Names()) == (
        "`tasks.mood` has no label in any source: expected a filled column 'mood'. Found: a.csv "
        "has text, mod. Did you mean 'mod'? Name the column in `map` of its source, such as "
        "`map: {label: mood}`, let people label records (allrounder label), or remove the task."
    )


def test_a_task_with_one_class_is_refused(desk):
    desk.write("a.csv", "text,topic\nx,a\ny,a\n")
    assert refused(desk, "a.csv") == (
        "`tasks.topic`: expected labels of at least two classes, found only 'a', 2 times. Add "
        "records of another class or remove the task."
    )


def test_a_split_without_records_is_refused(desk):
    desk.write("a.csv", "text,topic\nx,a\ny,b\n")
    assert refused(desk, {"path": "a.csv", "split": "train"}) == (
        "`sources`: expected records in train, validation and test, found none for validation "
        "(train 2, validation 0, test 0). Give it a share of a source, such as "
        "`split: {by: ratio, validation: 0.2}`, or name a file that holds it with "
        "`split: validation`."
    )
    assert "found none for train" in refused(desk, {"path": "a.csv", "split": "test"})


def test_a_task_whose_labels_are_all_held_out_is_refused(desk):
    desk.write("a.csv", "text,topic,mood\nx,a,\ny,b,\nz,a,\n")
    desk.write("b.csv", "text,topic,mood\nu,a,glad\nv,b,sad\n")
    desk.write("c.csv", "text,topic,mood\nw,a,glad\nr,b,sad\n")
    given = [("a.csv", "train"), ("b.csv", "validation"), ("c.csv", "test")]
    sources = [{"path": path, "split": split} for path, split in given]
    message = refused(desk, *sources, topic=Names(), mood=Names())
    assert message == (
        "`tasks.mood` has labels, but none in a training record. Change the `split` of a source "
        "that carries them."
    )


def test_a_row_without_text_is_named_and_the_others_counted(desk):
    desk.write("a.csv", "text,topic\nx,a\n  ,b\n\u3000,a\n")
    assert refused(desk, "a.csv") == (
        "a.csv, line 3: expected text in `text`, found none. The same holds for 1 more. Fill in "
        "the text or remove the record."
    )


def test_a_bad_label_is_named_with_file_line_and_column(desk):
    desk.write("a.csv", 'text,label\n"x\ny",good\nz,bad\n')
    assert refused(desk, {"path": "a.csv", "map": {"label": "topic"}}) == (
        "a.csv, line 4, column `label`: expected one of good, fine, found 'bad'."
    )


def test_an_id_that_stands_twice_is_refused(desk):
    desk.write("a.csv", "nr,text,topic\n7,x,a\n8,y,b\n7,z,b\n")
    assert refused(desk, {"path": "a.csv", "id": "nr"}) == (
        "a.csv, line 4, column `nr`: expected ids that are all different, found '7' again, first "
        "at a.csv, line 2. Give each record its own id, or leave `id` out."
    )


def test_a_missing_id_is_refused(desk):
    desk.write("a.csv", "nr,text,topic\n7,x,a\n ,y,b\n")
    assert refused(desk, {"path": "a.csv", "id": "nr"}) == (
        "a.csv, line 3, column `nr`: expected an id, found none. Fill it in."
    )


def test_a_file_is_no_folder(desk):
    desk.write("a.csv", "text\nx\n")
    assert refused(desk, {"path": "a.csv", "format": "folder"}) == (
        "a.csv: expected what `format: folder` names, found a file."
    )


def test_a_cache_that_cannot_be_written_is_named(desk):
    desk.write("a.csv", "text,topic\n" + rows(30))
    desk.write("cache", "a file where the folder should be")
    assert refused(desk, "a.csv") == (
        f"{desk.folder / 'cache'}: the records cannot be kept there: File exists. Make room or "
        "let the folder be written to."
    )


def test_a_file_that_changed_cannot_be_cited(desk):
    desk.write("a.csv", "text,topic\n" + rows(30))
    records = desk.load("a.csv", topic=Names())
    desk.write("a.csv", "text,topic\nx,y\n")
    with pytest.raises(DataError, match=r"^a\.csv: the file is not the one that was read"):
        records.where(29)


def test_an_unknown_split_or_task_is_refused(desk):
    desk.write("a.csv", "text,topic\n" + rows(30))
    records = desk.load("a.csv", topic=Names())
    with pytest.raises(ValueError, match=r"Did you mean 'test'\? Got 'tst'"):
        records.indices("tst")
    with pytest.raises(KeyError, match="Did you mean 'topic'"):
        records.labels("topics")


def test_a_name_that_is_taken_is_refused(desk):
    assert refused(desk, error=ProjectError, key=Names()) == (
        "`tasks.key`: expected a name of its own, found that of a column of ours. Choose a name "
        "other than id, source, row, split, key, text."
    )
    assert refused(desk, error=ProjectError, text=Names()) == (
        "`tasks.text`: expected a name of its own, found that of an input. Choose a name other "
        "than id, source, row, split, key, text."
    )
