import gzip
import io

from hypothesis import given
from hypothesis import strategies as st

from allrounder.records.sources import File
from allrounder.records.sources.file import BLOCK


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff")), st.booleans())
def test_text_is_read_as_it_was_written(text, mark):
    raw = io.BytesIO(("\ufeff" * mark + text).encode())
    assert File(raw, "x").open().read().decode() == text


def test_text_is_read_across_blocks(reading):
    text = "中" * BLOCK
    for encoding in ("utf-8", "gb18030", "utf-16"):
        file = reading.file(text.encode(encoding), encoding)
        with file.open() as stream:
            assert stream.read().decode() == text


def test_bytes_in_another_encoding_are_named(reading):
    content = b"a,b\n" + b"x,1\n" * BLOCK + b"caf\xe9,2\n"
    assert reading.refused("csv", content) == (
        f"a.x, line {BLOCK + 2}: expected text in utf-8, found the byte 0xe9 at byte offset "
        f"{4 * BLOCK + 7}. Save the file as UTF-8 or name its encoding in the source, such as "
        "`encoding: latin-1`, `encoding: cp1252` or `encoding: gb18030`."
    )
    assert reading.rows("csv", content, "latin-1")[-1]["a"] == "café"


def test_a_character_cut_off_at_the_end_is_named(reading):
    assert "found the byte 0xe4 at byte offset 11" in reading.refused(
        "jsonl", b'{"a": "x"}\n\xe4\xb8'
    )


def test_nul_bytes_are_named(reading):
    message = (
        "a.x, line 3: expected text, found a NUL byte. Remove it; if the file is in UTF-16, write "
        "`encoding: utf-16` in the source."
    )
    assert reading.refused("csv", b"a\nb\nc\0\n") == message
    assert reading.refused("jsonl", b'{"a": 1}\n\n\0\n') == message
    assert reading.refused("conll", b"a O\nb O\nc\0 O\n") == message


def test_a_damaged_gzip_file_is_named(reading):
    whole = gzip.compress(b"a,b\n" + bytes(range(1, 100)) * 50)
    for content in (b"no gzip", whole[:-20]):
        file = reading.file(content, name="a.csv.gz")
        try:
            file.open().read()
        except ValueError as error:
            assert str(error).startswith("a.csv.gz: the gzip file is damaged or cut short: ")
        else:
            raise AssertionError("read without complaint")
