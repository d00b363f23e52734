import pyarrow as pa
import pytest

from allrounder.knowledge.strings import Strings


def test_strings_are_read_by_place():
    strings = Strings(pa.array(["a", "", "维生素", "😀"])[1:])
    assert list(strings) == [strings[0], strings[1], strings[2]] == ["", "维生素", "😀"]
    assert strings[1:] == ["维生素", "😀"]
    assert len(strings) == 3


@pytest.mark.parametrize("place", [-1, 2])
def test_no_string_stands_where_there_is_none(place):
    with pytest.raises(IndexError, match=f"there are 2 strings, none at {place}"):
        Strings(pa.array(["a", "b"]))[place]


def test_a_string_is_found_among_sorted_ones():
    strings = Strings(pa.array(["Z", "a", "é", "维", "😀"]))
    assert [strings.find(word) for word in strings] == [0, 1, 2, 3, 4]
    assert strings.find("b") is None
    assert Strings(pa.array([], pa.string())).find("a") is None
