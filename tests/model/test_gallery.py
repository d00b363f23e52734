"""What is searched: exact search, distinct values, limits, and a folder that gives it back."""

import pytest
import torch
from torch.nn import functional as F

from allrounder.errors import RunError
from allrounder.model import Gallery, gallery


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    chance = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(*shape, generator=chance), dim=-1)


def made(n: int = 30) -> Gallery:
    vectors = {"picture": unit(n, 8), "caption": unit(n, 8, seed=1)}
    keys = {name: list(range(n)) for name in vectors}
    values = {name: [f"{name} {row}" for row in range(n)] for name in vectors}
    return Gallery.of(vectors, keys, [f"record {row}" for row in range(n)], values)


def asked(picture: torch.Tensor | None = None, caption: torch.Tensor | None = None):
    nothing = torch.zeros(1, 8)
    return {"picture": nothing if picture is None else picture[None],
            "caption": nothing if caption is None else caption[None]}  # fmt: skip


def test_the_nearest_come_first_as_by_hand(monkeypatch):
    monkeypatch.setattr(gallery, "BLOCK", 64)
    found, query = made(), unit(8, seed=5)
    (near,) = found.matches(asked(picture=query))
    cosines = found.shelves["caption"].vectors @ query
    assert list(near) == ["caption"]
    order = cosines.argsort(descending=True)[:10].tolist()
    assert [one["record"] for one in near["caption"]] == [f"record {row}" for row in order]
    assert near["caption"][0]["value"] == f"caption {order[0]}"
    assert near["caption"][0]["similarity"] == pytest.approx(float(cosines.max()), abs=1e-5)


def test_a_record_with_every_input_searches_nothing_and_one_with_none_neither():
    found = made()
    assert found.matches(asked(unit(8), unit(8))) == [{}]
    assert found.matches(asked()) == [{}]


def test_equal_values_stand_there_once_under_their_first_record():
    vectors = {"caption": unit(3, 8)[[0, 1, 0, 2]]}
    vectors["caption"][3] = 0
    found = Gallery.of(vectors, {"caption": ["x", "y", "x", None]}, ["a", "b", "c", "d"],
                       {"caption": ["X", "Y", "X", None]})  # fmt: skip
    assert found.shelves["caption"].records == ["a", "b"]


def test_more_values_than_are_kept_are_counted(monkeypatch):
    monkeypatch.setattr(gallery, "MOST", 20)
    found = made(30)
    assert found.left_out == {"picture": 10, "caption": 10}
    assert len(found.shelves["caption"].vectors) == 20


def test_fewer_values_than_are_shown_are_all_shown():
    (near,) = made(4).matches(asked(caption=unit(8)))
    assert len(near["picture"]) == 4


def test_saved_and_loaded_it_finds_the_same(tmp_path):
    found = made()
    found.save(tmp_path / "fits")
    again = Gallery.load(tmp_path / "fits")
    query = asked(picture=unit(8, seed=5))
    one, other = found.matches(query)[0]["caption"], again.matches(query)[0]["caption"]
    assert [near["record"] for near in one] == [near["record"] for near in other]
    assert [near["similarity"] for near in one] == pytest.approx(
        [near["similarity"] for near in other], abs=1e-3
    )
    assert Gallery.load(tmp_path / "nothing").shelves == {}


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    made(5).save(tmp_path / "fits")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gallery.pq, "write_table", full)
    with pytest.raises(RunError, match=r"fits could not be written: No space left on device\."):
        made(7).save(tmp_path / "fits")
    assert [path.name for path in tmp_path.iterdir()] == ["fits"]
    assert len(Gallery.load(tmp_path / "fits").shelves["caption"].values) == 5
    monkeypatch.undo()
    made(7).save(tmp_path / "fits")
    assert [path.name for path in tmp_path.iterdir()] == ["fits"]
    assert len(Gallery.load(tmp_path / "fits").shelves["caption"].values) == 7


def test_a_damaged_folder_is_named(tmp_path):
    made().save(tmp_path)
    (tmp_path / "caption.parquet").write_bytes(b"broken")
    with pytest.raises(RunError, match=r"caption\.parquet cannot be read"):
        Gallery.load(tmp_path)
    made(7).save(tmp_path / "other")
    (tmp_path / "other" / "caption.parquet").replace(tmp_path / "caption.parquet")
    with pytest.raises(RunError, match="does not fit the names beside it"):
        Gallery.load(tmp_path)
