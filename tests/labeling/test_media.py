"""Pictures and sounds as browsers take them."""

from io import BytesIO

import pytest
from desks import desk, png, wav, written
from PIL import Image

from allrounder.errors import DataError
from allrounder.labeling.media import shown

TASKS = {"topic": {"kind": "multiclass", "labels": ["a", "b"]}}
INPUTS = {"photo": {"kind": "pixels"}, "call": {"kind": "spectrum"}}


def tiff():
    target = BytesIO()
    Image.open(BytesIO(png((9, 9, 9)))).save(target, "TIFF")
    return target.getvalue()


@pytest.fixture
def pool(tmp_path):
    (tmp_path / "a.tif").write_bytes(tiff())
    (tmp_path / "b.wav").write_bytes(wav(300))
    rows = [{"photo": "a.tif", "call": "b.wav"}]
    return desk(written(tmp_path, rows, INPUTS, TASKS)).pool


def test_a_picture_that_browsers_do_not_show_is_converted(pool):
    type, held = shown(pool.file(pool.key(0), "photo"), "picture")
    assert type == "image/png" and Image.open(BytesIO(held)).size == (64, 48)


def test_a_known_sound_is_sent_as_it_is(pool):
    assert shown(pool.file(pool.key(0), "call"), "sound") == ("audio/wav", wav(300))


def test_another_sound_is_converted(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    target = BytesIO()
    data, rate = soundfile.read(BytesIO(wav(300)))
    soundfile.write(target, data, rate, format="AIFF")
    (tmp_path / "b.aiff").write_bytes(target.getvalue())
    made = written(tmp_path, [{"call": "b.aiff"}], {"call": {"kind": "spectrum"}}, TASKS)
    pool = desk(made).pool
    type, held = shown(pool.file(pool.key(0), "call"), "sound")
    assert type == "audio/wav" and 20_000 < len(held) < 30_000


def test_a_file_that_changed_or_went_is_not_sent(pool, tmp_path):
    value = pool.file(pool.key(0), "photo")
    (tmp_path / "a.tif").write_bytes(png((1, 2, 3)))
    with pytest.raises(DataError, match="has changed"):
        shown(value, "picture")
    (tmp_path / "a.tif").unlink()
    with pytest.raises(DataError, match="cannot be read"):
        shown(value, "picture")


def test_a_field_that_is_no_file_and_a_key_that_is_none_give_nothing(pool):
    assert pool.file("0" * 16, "photo") is None
    assert pool.file("../../etc", "photo") is None
    assert pool.file(pool.key(0), "topic") is None
