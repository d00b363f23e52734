import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from allrounder.knowledge.hierarchy import closure, typed

GRAPHS = st.dictionaries(st.integers(0, 6), st.lists(st.integers(0, 6), max_size=3), max_size=7)


@given(GRAPHS)
def test_all_that_lies_above_is_reached_whatever_the_cycles(above):
    reached = closure(range(7), above)
    for start in range(7):
        known, before = {start}, None
        while known != before:
            before = set(known)
            known |= {parent for node in before for parent in above.get(node, [])}
        assert set(reached[start]) == known


def test_types_are_numbered_by_name():
    types = typed(3, np.array([2, 0, 2]), [["b", "a"], ["c"], ["a"]])
    assert types.names == ["a", "b", "c"]
    assert [types.of(i) for i in range(3)] == [["c"], [], ["a", "b"]]


def test_nobody_has_a_type():
    types = typed(2, np.array([], np.int64), [])
    assert (types.names, types.offsets.tolist()) == ([], [0, 0, 0])
