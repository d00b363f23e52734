"""What is read into the columns of inputs that are no text."""

import hashlib
from pathlib import Path

import pyarrow as pa

from allrounder.records import FileField, NumberField, content


def refuse_short(held: bytes) -> None:
    if len(held) < 3:
        raise ValueError(f"expected three bytes, found {len(held)}.")


def test_numbers_are_read_from_text_and_what_is_none_is_set_aside():
    read = NumberField().read(pa.array(["1.5", " ", "nan", "2e3", "many", "inf"]), Path())
    assert read.values.to_pylist() == [1.5, None, None, 2000.0, None, None]
    assert read.aside == {
        4: "expected a number, found 'many'.",
        5: "expected a number, found 'inf'.",
    }


def test_files_are_known_by_their_content(tmp_path):
    (tmp_path / "one").write_bytes(b"abc")
    (tmp_path / "two").write_bytes(b"a")
    field = FileField("a file", refuse_short)
    read = field.read(pa.array(["one", None, "two"]), tmp_path)
    digest = hashlib.blake2b(b"abc", digest_size=16).hexdigest()
    assert read.values[0].as_py()["digest"] == digest
    assert content(read.values[0].as_py()) == b"abc"
    assert read.values.is_null().to_pylist() == [False, True, True]
    assert read.aside == {2: "expected three bytes, found 1."}
    embedded = field.read(pa.array([b"abc"]), tmp_path).values[0].as_py()
    assert embedded == {"digest": digest, "path": None, "bytes": b"abc"}
