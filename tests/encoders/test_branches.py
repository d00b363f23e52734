"""Texts beside a text: what sees them, how they are numbered, and that the rest stays."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from making import tiny_text

from allrounder.encoders.branches import Branch, fitting
from allrounder.errors import ProjectError

TEXT = "acme rose in the market"


def branch(*ids, anchor=None):
    return Branch(np.array(ids, np.int64), anchor)


def batch(encoder, texts, branches):
    tokens = encoder.prepare([pa.array(texts)])
    rows = range(len(texts))
    return encoder.collate_beside(tokens, rows, [True] * len(texts), branches)


def states(encoder, texts, branches):
    """Return the states of all tokens of a text, without those beside it."""
    module = encoder.module().eval()
    with torch.no_grad():
        found = module(batch(encoder, texts, branches), tokens=True)
    return found


def test_branches_that_belong_to_tokens_that_are_not_read_are_left_out():
    branches = [branch(1, 2, anchor=(0, 1)), branch(3, anchor=(4, 6)), branch(4, anchor=(2, 2))]
    (found,) = fitting(branches, 5, reach=64, room=62)
    assert found.anchor == (0, 1)


def test_branches_take_no_more_than_a_text_may():
    found = fitting([branch(*range(9), anchor=(0, 1)), branch(*range(9))], 3, reach=12, room=5)
    assert [len(one.ids) for one in found] == [9, 2]


def test_nothing_is_written_behind_a_text_that_fills_the_room():
    assert fitting([branch(1, 2)], 8, reach=10, room=8) == []


def test_a_branch_is_numbered_on_from_its_tokens_and_seen_by_these_alone(tiny):
    found = batch(tiny_text(tiny), [TEXT], [[branch(7, 8, anchor=(1, 2))]])
    assert found.ids[0, -2:].tolist() == [7, 8]
    assert found.beside.positions[0].tolist() == [0, 1, 2, 3, 4, 5, 6, 3, 4]
    sight = found.beside.visible[0]
    assert sight[:7, :7].all()
    assert torch.nonzero(sight[:7, 7]).ravel().tolist() == [2]
    assert torch.nonzero(sight[7]).ravel().tolist() == [2, 7, 8]
    assert found.text[0].tolist() == [True] * 7 + [False] * 2


def test_what_goes_on_behind_a_text_sees_all_and_is_seen(tiny):
    found = batch(tiny_text(tiny), [TEXT], [[branch(7, 8)]])
    assert found.beside.positions[0].tolist() == list(range(9))
    assert found.beside.visible.all()


def test_padding_and_other_records_change_nothing(tiny):
    encoder = tiny_text(tiny)
    mine = [branch(7, 8, anchor=(1, 2))]
    alone = states(encoder, [TEXT], [mine])
    both = states(encoder, [TEXT, TEXT + " and the bank said so"], [mine, [branch(*range(9))]])
    assert torch.allclose(alone.tokens[0, :5], both.tokens[0, :5], atol=1e-5)
    assert torch.allclose(alone.pooled[0], both.pooled[0], atol=1e-5)


def test_only_what_sees_a_branch_is_changed_by_the_first_layer(tiny):
    encoder = tiny_text(tiny)
    module = encoder.module().eval()
    module.network.encoder.layer = module.network.encoder.layer[:1]
    with torch.no_grad():
        plain, told = (
            module(batch(encoder, [TEXT], [some]), tokens=True).tokens[0]
            for some in ([], [branch(7, 8, anchor=(1, 2))])
        )
    moved = (plain - told).abs().amax(-1) > 1e-6
    assert moved.tolist() == [False, True, False, False, False]


def test_branches_lie_in_the_window_that_their_tokens_are_taken_from(tiny):
    encoder = tiny_text(tiny, max_tokens=12)
    text = " ".join([TEXT] * 4)
    at = 13
    found = batch(encoder, [text], [[branch(7, anchor=(at, at + 1))]])
    sequence, place = (int(part[0, at]) for part in (found.stitch.sequence, found.stitch.position))
    assert found.ids[sequence, -1] == 7
    assert bool(found.beside.visible[sequence, place, -1])
    assert found.mask[:, -1].sum() == 1


def test_numbers_stay_inside_the_table_of_positions(tiny):
    encoder = tiny_text(tiny)
    text = "acme " * 62
    found = batch(encoder, [text], [[branch(*range(5, 25), anchor=(60, 62))]])
    assert int(found.beside.positions.max()) == 63
    assert states(encoder, [text], [[branch(7, anchor=(60, 62))]]).pooled.isfinite().all()


def test_branches_are_read_without_the_prefix(tiny):
    (words,) = tiny_text(tiny, prefix="query: ").words(["the bank"])
    assert len(words) == 2


def test_an_encoder_that_cannot_be_told_what_sees_what_is_refused(tiny, monkeypatch):
    encoder = tiny_text(tiny)
    module = encoder.module()
    monkeypatch.setattr(type(module), "_takes_sight", False)
    with pytest.raises(ProjectError, match="BertModel cannot be told which token sees which"):
        module(batch(encoder, [TEXT], [[branch(7)]]), tokens=False)
