"""Windows of long texts: every token is read, in its place, where it sees most."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import hashing, tiny_text

from allrounder.encoders.batches import stitched
from allrounder.encoders.windows import windowed_lengths, windows


@given(length=st.integers(0, 300), room=st.integers(6, 40))
def test_windows_cover_a_text_and_overlap(length, room):
    parts = windows(length, room)
    covered = {at for start, stop in parts for at in range(start, stop)}
    assert covered >= set(range(length))
    assert parts[0][0] == 0
    assert all(stop - start == room for start, stop in parts) or parts == [(0, length)]
    for (_, stop), (start, _) in pairwise(parts):
        assert stop - start >= room // 4


@given(lengths=st.lists(st.integers(1, 90), min_size=1, max_size=4), room=st.integers(6, 20))
def test_each_token_is_taken_from_the_window_in_which_it_stands_farthest_from_a_cut(lengths, room):
    cuts = [windows(length, room) for length in lengths]
    first = np.cumsum([0, *map(len, cuts)])[:-1]
    found = stitched(cuts, first, lengths, lead=1)
    for row, length in enumerate(lengths):
        for at in range(length):
            window = int(found.sequence[row, at]) - first[row]
            start, _ = cuts[row][window]
            assert start + int(found.position[row, at]) - 1 == at
            far = [_edge(at, *cut, length) for cut in cuts[row]]
            assert far[window] == max(far)


def _edge(at, start, stop, length):
    """Return how far a token lies from where its window is cut; ends of the text are no cuts."""
    if not start <= at < stop:
        return -1
    return min(length if start == 0 else at - start, length if stop >= length else stop - 1 - at)


@pytest.mark.parametrize("kind", ["hashing", "tiny"])
def test_stitching_gives_back_the_tokens_of_the_text(tiny, kind):
    options = {"max_tokens": 10}
    encoder = hashing(**options) if kind == "hashing" else tiny_text(tiny, **options)
    texts = ["the bank said shares of acme rose " * n for n in (1, 9, 3)]
    tokens = encoder.prepare([pa.array(texts)])
    batch = encoder.collate(tokens, [0, 1, 2], [True, True, True])
    assert batch.ids.shape[1] <= 10
    for row in range(3):
        n = int(batch.lengths[row])
        found = batch.ids[batch.stitch.sequence[row, :n], batch.stitch.position[row, :n]]
        assert found.tolist() == tokens.ids(row).tolist()


def test_a_row_that_is_not_wanted_whole_is_cut():
    encoder = hashing(max_tokens=10)
    tokens = encoder.prepare([pa.array(["a " * 30, "b " * 30])])
    batch = encoder.collate(tokens, [0, 1], [False, False])
    assert batch.ids.shape == (2, 10)
    assert batch.stitch is None
    torch.testing.assert_close(batch.lengths, torch.tensor([10, 10]))


@given(length=st.integers(0, 400), room=st.integers(4, 60), extra=st.integers(0, 3))
def test_lengths_of_windows_are_those_of_the_windows(length, room, extra):
    parts = windows(length, room)
    true = sum(end - start + extra for start, end in parts) if length else 0
    whole = windowed_lengths(np.array([length]), np.array([True]), room=room, extra=extra)
    assert whole.tolist() == [true]
    first = windowed_lengths(np.array([length]), np.array([False]), room=room, extra=extra)
    assert first.tolist() == [min(length, room) + extra if length else 0]
