"""Files that records name or hold."""

import base64
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from allrounder.errors import DataError
from allrounder.records import BadValue, FileField, NumberField, TextField, content, handed

from .columns import PICTURE, Names

ONE = b"PIC one"
URI = "data:image/png;base64," + base64.b64encode(ONE).decode()


def read(folder, *values, kind=None):
    return PICTURE.read(pa.array(values, kind), folder)


def test_files_are_known_by_their_content(desk):
    desk.write("pics/one.png", ONE)
    desk.write("other.png", ONE)
    found = read(desk.folder, "pics/one.png", None, " ", "other.png")
    digest = hashlib.blake2b(ONE, digest_size=16).hexdigest()
    assert found.values[0].as_py() == {
        "digest": digest, "path": str(desk.folder / "pics/one.png"), "bytes": None,
    }  # fmt: skip
    assert found.values[3].as_py()["digest"] == digest
    assert content(found.values[0].as_py()) == ONE
    assert found.values.is_null().to_pylist() == [False, True, True, False]
    assert found.aside == {}


def test_bytes_data_uris_and_structs_hold_the_file_itself(desk):
    desk.write("one.png", ONE)
    structs = [{"bytes": ONE, "path": "gone.png"}, {"bytes": None, "path": "one.png"}, {}]
    for values in ([ONE], [URI], structs):
        found = read(desk.folder, *values)
        assert content(found.values[0].as_py()) == ONE
        assert found.aside == {}
    assert found.values.is_null().to_pylist() == [False, False, True]
    assert found.values[1].as_py()["path"] == str(desk.folder / "one.png")


def test_the_order_of_many_files_is_kept(desk):
    names = [desk.write(f"{n}.png", b"PIC %d" % n) for n in range(200)]
    found = read(desk.folder, *names)
    assert [content(value)[4:] for value in found.values.to_pylist()] == [
        b"%d" % n for n in range(200)
    ]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("none.png", "expected a picture, found no file 'none.png'."),
        ("one.png/x", "expected a picture, found no file 'one.png/x'."),
        ("empty.png", "expected a picture, found the empty file 'empty.png'."),
        ("pics", "expected a picture, found the folder 'pics'."),
        ("pipe", "expected a picture, found 'pipe', which is no plain file."),
        ("huge.png", "expected a picture, found the file 'huge.png' of 1,073,741,825 bytes: too "
                     "large."),
        ("n" * 300, f"expected a picture, found {'n' * 80!r}, which cannot be read: File name too "
                    "long."),
        ("other.png", "expected a picture, found the bytes b'no '."),
        ("a\0b", "expected a picture, found a path with a NUL character in it."),
        ("https://a.org/b.png", "expected a picture, found the address 'https://a.org/b.png'. "
                                "Save the file and give its path."),
        (b"", "expected a picture, found no bytes."),
        ("data:image/png;base64,", "expected a picture, found no bytes."),
        ("data:image/png;base64,UElD!", "expected a picture, found 'data:image/png;base64,UElD!', "
                                        "a data URI whose base64 is broken."),
        ("data:text/plain,abc", "expected a picture, found 'data:text/plain,abc', a data URI that "
                                "does not say `;base64,`."),
        ("data:," + "A" * (1 << 24), "expected a picture, found a data URI of 16,777,222 "
                                     "characters, more than 16,777,216. Save the file and give "
                                     "its path."),
        (3, "expected a picture, found 3. Give a path, a data URI or the bytes."),
    ],
    ids=lambda value: str(value)[:20].replace("\0", "NUL"),
)  # fmt: skip
def test_what_is_no_file_of_the_kind_is_said_in_words(desk, value, why):
    desk.write("one.png", ONE)
    desk.write("other.png", b"no picture")
    desk.write("empty.png", b"")
    desk.write("pics/one.png", ONE)
    desk.write("huge.png", b"")
    os.truncate(desk.folder / "huge.png", (1 << 30) + 1)
    os.mkfifo(desk.folder / "pipe")
    found = read(desk.folder, value)
    assert (found.aside, found.values.null_count) == ({0: why}, 1)


def test_bytes_within_a_table_have_a_limit(desk, monkeypatch):
    monkeypatch.setattr("allrounder.records.media.MOST_HELD", 6)
    assert read(desk.folder, ONE).aside == {
        0: "expected a picture, found 7 bytes, more than 6. Give them as a file."
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(desk):
    (desk.folder / desk.write("one.png", ONE)).chmod(0)
    assert read(desk.folder, "one.png").aside == {
        0: "expected a picture, found 'one.png', which cannot be read: Permission denied."
    }


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("../secret.png", "'../secret.png'"),
        ("pics/../../secret.png", "'pics/../../secret.png'"),
        ("{desk}/secret.png", "'{desk}/secret.png'"),
        ("link.png", "'link.png', a link out of it"),
        ("linked/secret.png", "'linked/secret.png', a link out of it"),
    ],
)
def test_a_path_that_leaves_the_folder_of_its_source_is_refused(desk, path, words):
    desk.write("secret.png", ONE)
    desk.write("data/one.png", ONE)
    (desk.folder / "data/link.png").symlink_to(desk.folder / "secret.png")
    (desk.folder / "data/linked").symlink_to(desk.folder)
    path, words = (text.format(desk=desk.folder) for text in (path, words))
    desk.write("data/a.csv", f"image,topic\none.png,a\n{path},b\n")
    with pytest.raises(DataError) as error:
        desk.load("data/a.csv", fields={"image": PICTURE}, topic=Names())
    assert str(error.value) == (
        "data/a.csv, line 3, column `image`: expected a path in the folder of the source, "
        f"relative to it, found {words}. Put the file there, or the source into a folder that "
        "holds both."
    )


def test_a_path_may_go_up_and_down_within_the_folder_and_links_within_it_are_followed(desk):
    desk.write("pics/one.png", ONE)
    (desk.folder / "link.png").symlink_to(desk.folder / "pics/one.png")
    assert read(desk.folder, "pics/../pics/one.png", "link.png").values.null_count == 0


def test_a_caller_may_name_any_file(desk, monkeypatch):
    desk.write("one.png", ONE)
    (desk.folder / "below").mkdir()
    monkeypatch.chdir(desk.folder / "below")
    values = ["../one.png", desk.folder / "one.png", ONE, URI, {"path": "../one.png"}, None]
    found = handed("image", PICTURE, values).to_pylist()
    assert [content(value) for value in found[:5]] == [ONE] * 5
    assert found[5] is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("none.png", "Record 1: `image`: expected a picture, found no file 'none.png'."),
        (3, "Record 1: `image` must be a path, a data URI or bytes, found 3."),
    ],
)
def test_a_bad_value_of_a_caller_is_refused_in_a_sentence(value, words):
    with pytest.raises(DataError) as error:
        handed("image", PICTURE, [None, value])
    assert str(error.value) == words


def test_a_value_that_cannot_be_trusted_is_refused_before_any_later_one_is_named(desk):
    with pytest.raises(BadValue) as error:
        read(desk.folder, "none.png", "../a", "/b")
    assert error.value.index == 1


def test_a_field_is_written_the_same_in_every_process():
    tests = str(Path(__file__).parents[1])
    code = (
        f"import sys; sys.path += [{tests!r}]; from records.columns import PICTURE as p; print(p)"
    )
    first = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert first.stdout.strip() == str(PICTURE) == "FileField('a picture', refuse_other)"
    assert str(FileField("a sound", refuse_other_too)) != str(FileField("a sound", print))


def refuse_other_too(held: bytes) -> None: ...


def pictures(desk, n=40, **changes):
    """Write pictures and the file that names them; `changes` replace the content of some."""
    for i in range(n):
        desk.write(f"{i}.png", b"PIC %d" % i)
    lines = "".join(f"{i}.png,{'ab'[i % 2]}\n" for i in range(n))
    return desk.write("a.csv", "image,topic\n" + lines)


def test_a_table_of_files_is_kept_and_a_changed_file_is_noticed(desk, monkeypatch):
    source = pictures(desk)
    first = desk.load(source, fields={"image": PICTURE}, topic=Names())
    with monkeypatch.context() as patch:
        patch.setattr("allrounder.records.loading._write", None)
        assert desk.load(source, fields={"image": PICTURE}, topic=Names()).table.equals(first.table)
    desk.write("7.png", b"PIC another")
    again = desk.load(source, fields={"image": PICTURE}, topic=Names())
    assert again.fingerprint != first.fingerprint
    assert content(again.take("image", [7])[0]) == b"PIC another"


def test_a_file_is_shown_by_its_path_from_the_folder_of_its_source(desk):
    desk.write("data/pics/0.png", b"PIC")
    lines = "image,age,topic\n" + "pics/0.png,1.50,a\n" + "".join(f",{i},b\n" for i in range(2, 30))
    fields = {"image": PICTURE, "age": NumberField()}
    records = desk.load(desk.write("data/a.csv", lines), fields=fields, topic=Names())
    assert records.shown("image", [0, 1]) == ["pics/0.png", None]
    assert records.shown("age", [0, 1]) == ["age 1.5", "age 2"]


@pytest.mark.parametrize("options", [{}, {"input": "image"}])
def test_a_folder_of_files_fills_an_input_of_files(desk, options):
    for i in range(200):
        desk.write(f"pics/{'ab'[i % 2]}/{i:03d}.png", b"PIC %d" % i)
    desk.write("pics/a/000.png", b"JPG")
    fields = {"image": PICTURE, **({"text": TextField()} if options else {})}
    records = desk.load({"path": "pics", "task": "topic", **options}, fields=fields, topic=Names())
    assert len(records) == 199
    assert sorted(set(records.labels("topic").to_pylist())) == ["a", "b"]
    assert content(records.take("image", [198])[0]) == b"PIC 199"
    assert records.where(198) == "pics/b/199.png"
    assert records.aside == [
        ("pics/a/000.png", "image", "expected a picture, found the bytes b'JPG'.")
    ]


def test_equal_files_share_key_and_split_wherever_they_lie(desk):
    for i in range(20):
        desk.write(f"a{i}.png", b"PIC %d" % i)
        desk.write(f"b{i}.png", b"PIC %d" % i)
    lines = "".join(f"{side}{i}.png,{'ab'[i % 2]}\n" for side in "ab" for i in range(20))
    records = desk.load(
        desk.write("a.csv", "image,topic\n" + lines), fields={"image": PICTURE}, topic=Names()
    )
    splits, keys = records.numbers("split"), records.numbers("key")
    assert (splits[:20] == splits[20:]).all()
    assert (keys[:20] == keys[20:]).all()


def test_parquet_may_hold_the_files(desk):
    structs = [{"bytes": b"PIC %d" % i, "path": None} for i in range(200)]
    table = pa.table({"image": structs, "topic": ["a", "b"] * 100})
    parquet.write_table(table, desk.folder / "a.parquet")
    records = desk.load(
        {"path": "a.parquet", "limit": 150}, fields={"image": PICTURE}, topic=Names()
    )
    assert len(records) == 150
    assert records.shown("image", [0])[0].startswith("file ")
    row = records.take("row", [149])[0]
    assert content(records.take("image", [149])[0]) == b"PIC %d" % row


def test_json_lines_may_hold_files_and_are_read_in_small_blocks(desk, monkeypatch):
    monkeypatch.setattr("allrounder.records.sources.jsonl.MOST", 500)
    uris = [base64.b64encode(b"PIC %d" % i).decode() for i in range(60)]
    lines = "".join(
        f'{{"image": "data:image/png;base64,{uri}", "topic": "{"ab"[i % 2]}"}}\n'
        for i, uri in enumerate(uris)
    )
    records = desk.load(desk.write("a.jsonl", lines), fields={"image": PICTURE}, topic=Names())
    assert [content(value) for value in records.take("image", range(60))] == [
        b"PIC %d" % i for i in range(60)
    ]


def test_a_row_of_a_table_that_is_too_long_is_named(desk):
    name = desk.write("a.csv", f"image,topic\nx,a\n{'A' * 12_000_000},b\n")
    with pytest.raises(DataError) as error:
        desk.load(name, fields={"image": PICTURE}, topic=Names())
    assert str(error.value) == (
        "a.csv, line 3: the row is too long to be read. Give long values as paths of files, or "
        "write JSON lines."
    )
