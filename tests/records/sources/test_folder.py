import pytest

from allrounder.errors import DataError
from allrounder.records.sources import FORMATS, File


def write(folder, **texts):
    for name, text in texts.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text)


def test_sub_folders_are_labels(tmp_path):
    write(tmp_path, pos__b="好".encode(), pos__a=b"good", neg__c=b"bad", d=b"none", **{".e": b"x"})
    file = File(tmp_path, "texts")
    (batch,) = FORMATS["folder"].batches(file)
    assert [tuple(row.values()) for row in batch.to_pylist()] == [
        ("none", None, "d"),
        ("bad", "neg", "neg/c"),
        ("good", "pos", "pos/a"),
        ("好", "pos", "pos/b"),
    ]
    assert FORMATS["folder"].places(file, [3, 0]) == ["texts/pos/b", "texts/d"]


def test_an_undecodable_file_is_named(tmp_path):
    write(tmp_path, pos__a=b"\xff")
    with pytest.raises(DataError, match=r"^texts/pos/a, line 1: expected text in utf-8"):
        list(FORMATS["folder"].batches(File(tmp_path, "texts")))
