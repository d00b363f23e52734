"""What frozen encoders say is kept by content, in parts that only grow."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from making import hashing, made, tiny_text

from allrounder.encoders.modules import Features
from allrounder.errors import RunError
from allrounder.model import store_frozen
from allrounder.model.features import FeatureCache, filled
from allrounder.tasks import Multiclass
from allrounder.training.fit import notes_of
from allrounder.training.settings import Training

KEYS = [bytes([n] * 17) for n in range(9)]


def said(rows):
    """Row r: the vector (r, r), and r tokens that say r."""
    for row in rows:
        there = torch.arange(9)[None] < int(row)
        vector = torch.full((1, 2), float(row))
        yield np.array([row]), Features(vector, vector[:, None].expand(1, 9, 2), there)


def fill(folder, rows, run=said):
    keys = [KEYS[row] for row in rows]
    return filled(folder, np.array(rows), keys, run, tokens=True, progress=lambda *_: None)


def test_each_content_is_read_once_whatever_run_asks(tmp_path):
    read = []

    def run(rows):
        read.extend(rows.tolist())
        yield from said(rows)

    fill(tmp_path, [1, 2], run)
    fill(tmp_path, [2, 3, 1], run)
    cache, entries = fill(tmp_path, [3, 2, 1], run)
    assert read == [1, 2, 3]
    assert cache.pooled(entries)[:, 0].tolist() == [3, 2, 1]


def test_entries_of_several_parts_are_gathered_in_order(tmp_path):
    for row in (5, 0, 7):
        fill(tmp_path, [row])
    cache, entries = fill(tmp_path, [7, 5, 0, 7])
    assert len(cache.parts) == 3
    assert cache.pooled(entries)[:, 0].tolist() == [7, 5, 0, 7]
    states, there = cache.tokens(entries)
    assert there.sum(1).tolist() == [7, 5, 0, 7]
    assert all((states[i][there[i]] == row).all() for i, row in enumerate([7, 5, 0, 7]))
    assert not states[~there].any()


def test_a_killed_run_goes_on_where_it_stood(tmp_path, monkeypatch):
    monkeypatch.setattr("allrounder.model.features.PART", 2)

    def killed(rows):
        for number, found in enumerate(said(rows)):
            if number == 5:
                raise KeyboardInterrupt
            yield found

    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path, range(8), killed)
    (tmp_path / ".half.1").mkdir()  # a draft that a kill left
    assert len(FeatureCache(tmp_path).entries) == 4
    cache, entries = fill(tmp_path, range(8))
    assert cache.pooled(entries)[:, 0].tolist() == [*range(8)]


def test_a_full_disk_gets_a_sentence_and_loses_nothing(tmp_path, monkeypatch):
    fill(tmp_path, [1, 2])

    def full(*_):
        raise OSError(28, "No space left on device")

    with (
        monkeypatch.context() as patched,
        pytest.raises(RunError, match=r"No space left on device\. Make room"),
    ):
        patched.setattr(np, "save", full)
        fill(tmp_path, [1, 2, 3])
    assert not list(tmp_path.glob(".*"))
    cache, entries = fill(tmp_path, [1, 2])
    assert cache.pooled(entries)[:, 0].tolist() == [1, 2]


def test_what_does_not_fit_on_the_disk_is_read_in_every_epoch_and_told(tiny, tmp_path, monkeypatch):
    rows = [{"text": f"share {n}", "it": "ab"[n % 2]} for n in range(4)]
    inputs = {"text": tiny_text(tiny, tune="frozen")}
    ready = made({"it": Multiclass(labels=["a", "b"])}, rows, inputs=inputs)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
        store_frozen(ready, np.arange(4), cache=tmp_path, progress=lambda *_: None)
    assert not ready.stored
    (note,) = notes_of(ready, Training())
    assert "too little room to keep what frozen layers say of text" in note
    store_frozen(ready, np.arange(4), cache=tmp_path, progress=lambda *_: None)
    assert ready.stored and not notes_of(ready, Training())


def test_new_records_cost_only_themselves(tiny, tmp_path):
    counts = []
    rows = [{"text": f"share {n}", "it": "ab"[n % 2]} for n in range(6)]
    for n in (4, 6, 6):
        inputs = {"text": tiny_text(tiny, tune="frozen")}
        ready = made({"it": Multiclass(labels=["a", "b"])}, rows[:n], inputs=inputs)
        done = []
        store_frozen(
            ready, np.arange(n), cache=tmp_path, progress=lambda d, _, done=done: done.append(d)
        )
        counts.append(done)
    assert [bool(done) for done in counts] == [True, True, False]
    assert counts[1] == [6], "two of six were new"


def test_what_learns_is_never_kept(tmp_path):
    ready = made({"it": Multiclass(labels=["a", "b"])}, [{"text": "a", "it": "a"}],
                 inputs={"text": hashing("text")})  # fmt: skip
    store_frozen(ready, np.arange(1), cache=tmp_path, progress=lambda *_: None)
    assert not ready.stored


def test_a_batch_without_tokens_may_stand_beside_one_with(tmp_path):
    def run(rows):
        yield from said(rows[:1])
        yield rows[1:], Features(torch.full((2, 2), 9.0))

    cache, entries = fill(tmp_path, [3, 4, 5], run)
    assert len(cache.parts) == 1
    states, there = cache.tokens(entries)
    assert there.sum(1).tolist() == [3, 0, 0]
    assert (states[0][there[0]] == 3).all()
    assert cache.pooled(entries)[:, 0].tolist() == [3, 9, 9]


def test_parts_with_tokens_and_without_serve_one_batch(tmp_path):
    """A task that reads tokens was added to a project whose features were kept before."""

    def vectors(rows):
        yield rows, Features(torch.full((len(rows), 2), 9.0))

    filled(tmp_path, np.array([1, 2]), KEYS[1:3], vectors, tokens=False, progress=lambda *_: None)
    cache, entries = fill(tmp_path, [2, 4, 1])
    assert len(cache.parts) == 2
    states, there = cache.tokens(entries)
    assert there.sum(1).tolist() == [0, 4, 0]
    assert (states[1] == 4).all()


def test_a_part_that_cannot_be_read_is_read_anew(tmp_path):
    cache, _ = fill(tmp_path, [1, 2])
    (cache.parts[0].folder / "pooled.npy").write_bytes(b"")
    cache, entries = fill(tmp_path, [2, 1])
    assert cache.pooled(entries)[:, 0].tolist() == [2, 1]
    assert len(cache.parts) == 1


def test_an_input_that_no_record_has_is_no_trouble(tiny, tmp_path):
    rows = [{"other": "a", "it": "a"}, {"other": "b", "it": "b"}]
    inputs = {"text": tiny_text(tiny, tune="frozen"), "other": hashing("other")}
    ready = made({"it": Multiclass(labels=["a", "b"])}, rows, inputs=inputs)
    store_frozen(ready, np.arange(2), cache=tmp_path, progress=lambda *_: None)
    assert not ready.stored
