"""What every format promises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allrounder.errors import DataError
from allrounder.knowledge.formats import FORMATS, read

WHOLE = {
    "csv": 'subject,predicate,object,valid_from\na,p,"x, y",2020-01-01\n',
    "tsv": "a\tp\tb\t2020-01-01\t2021-01-01\t0.5\n",
    "jsonl": '{"id": "a", "aliases": [{"alias": "b", "prior": 1}], "facts": {"p": {"id": "c"}}}\n',
    "turtle": '@prefix e: <http://e/> .\ne:a e:p "x"@en, [ e:q e:b ] .\n',
    "ntriples": '<http://e/a> <http://e/p> "x" .\n',
    "rdfxml": '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/">'
    '\n<rdf:Description rdf:about="http://e/a"><e:p>x</e:p></rdf:Description></rdf:RDF>\n',
    "jsonld": '{"@id": "http://e/a", "http://e/p": "x"}\n',
}


def test_every_format_has_a_whole_file_here():
    assert WHOLE.keys() == FORMATS.keys()


@pytest.mark.parametrize("format", FORMATS)
def test_a_whole_file_is_read(tmp_path, format):
    path = tmp_path / "kb.txt"
    path.write_text(WHOLE[format], encoding="utf-8")
    facts = read(path, format=format)
    assert facts
    assert {fact.source for fact in facts} == {"kb.txt"}


@pytest.mark.parametrize("format", FORMATS)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_in_one_sentence(tmp_path_factory, format, data):
    whole = WHOLE[format].encode()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 12)))
    path = tmp_path_factory.mktemp("kb") / "kb.txt"
    path.write_bytes(whole[:start] + data.draw(st.binary(max_size=4)) + whole[end:])
    try:
        read(path, format=format)
    except DataError as error:
        assert str(error).startswith(str(path))


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_file_has_no_facts_or_is_refused(tmp_path, format):
    path = tmp_path / "kb.txt"
    path.write_bytes(b"")
    try:
        assert read(path, format=format) == []
    except DataError as error:
        assert str(error).startswith(str(path))


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_that_is_not_there_is_named(tmp_path, format):
    with pytest.raises(DataError, match=r"kb\.txt: cannot be opened: No such file"):
        read(tmp_path / "kb.txt", format=format)
