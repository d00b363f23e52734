from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allrounder.errors import DataError
from allrounder.knowledge import Fact
from allrounder.knowledge.formats import FORMATS, WRITTEN, read, write

WORDS = st.sampled_from(["a", "b", "x y", 'say "no"', "维生素", "l1\nl2", "0.5"])
FACTS = st.lists(
    st.builds(
        Fact,
        WORDS,
        st.sampled_from(["p", "name", "alias", "type", "description", "is_a"]),
        WORDS,
        st.booleans(),
        st.sampled_from([None, date(2020, 1, 1)]),
        st.sampled_from([None, date(2021, 1, 1)]),
        st.just("kb"),
        st.sampled_from([0.25, 1.0]),
    ),
    max_size=8,
)


@given(FACTS)
def test_json_lines_give_back_every_fact(tmp_path_factory, facts):
    path = tmp_path_factory.mktemp("kb") / "a.jsonl"
    write(facts, path)
    assert set(read(path, source="kb")) == set(facts)


@given(FACTS)
def test_csv_gives_back_every_statement(tmp_path_factory, facts):
    path = tmp_path_factory.mktemp("kb") / "a.csv"
    write(facts, path)
    same = [fact._replace(is_entity=False) for fact in facts]
    assert {fact._replace(is_entity=False) for fact in read(path, source="kb")} == set(same)


def test_tsv_has_no_room_for_line_ends(tmp_path):
    write([Fact("a", "p", "x y")], tmp_path / "a.tsv")
    assert (tmp_path / "a.tsv").read_text().endswith("a\tp\tx y\t\t\t\n")
    with pytest.raises(DataError, match="TSV cannot hold tabs and line ends, found in: a p “x\n"):
        write([Fact("a", "p", "x\ny")], tmp_path / "a.tsv")


def test_every_format_that_is_read_is_written():
    assert WRITTEN.keys() == FORMATS.keys()


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_a_name_that_ends_in_gz_is_compressed(tmp_path, suffix):
    path = tmp_path / f"a{suffix}.gz"
    write([Fact("a", "p", "b")], path)
    assert path.read_bytes()[:2] == b"\x1f\x8b"
    assert read(path, source="") == [Fact("a", "p", "b")]
