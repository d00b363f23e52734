"""Vectors that lie in several files."""

import numpy as np
import pytest

from allrounder.active.encoding import BLOCK, Blocks

COUNT = 2 * BLOCK + 100


@pytest.fixture(scope="module")
def whole() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(COUNT, 3)).astype(np.float16)


@pytest.fixture(scope="module")
def blocks(whole) -> Blocks:
    return Blocks([whole[start : start + BLOCK] for start in range(0, COUNT, BLOCK)])


@pytest.mark.parametrize(
    "places",
    [
        [],
        [0],
        [COUNT - 1],
        [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, COUNT - 1],
        [COUNT - 1, 0, BLOCK, BLOCK, 5],
        range(COUNT),
        range(COUNT - 1, -1, -7),
    ],
    ids=["none", "first", "last", "edges", "mixed and twice", "all", "falling"],
)
def test_they_are_found_across_files_in_the_order_that_is_asked(whole, blocks, places):
    places = np.array(places, np.int64)
    assert len(blocks) == COUNT
    np.testing.assert_array_equal(blocks[places], whole[places])
