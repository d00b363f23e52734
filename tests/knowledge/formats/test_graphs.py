"""Facts as RDF, and back."""

import sys
from datetime import date
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allrounder.errors import DataError, MissingExtra
from allrounder.knowledge import Fact
from allrounder.knowledge.facts import RESERVED
from allrounder.knowledge.formats import UNDATED, read, write
from allrounder.knowledge.formats.iris import called, id_iri, named, predicate_iris

ODD = [
    "a", "x y", "维生素 C", "http://kb.example/x", "urn:", "urn:allrounder:id:a", "_:kb.ttl#1",
    "50%", "a:b", "Note: x", "<>&\"'{}|\\^`", "é", "𝒳", "led_by", "q1", "2", ";_", "x;_", "/../",
    "name",    "http://kb.example/led_by", "http://other.example/led_by", "http://kb.example/a/../b/./c",
    "http://www.w3.org/2000/01/rdf-schema#label", "\ufdd0", "\ue000",
]  # fmt: skip
NAMES = st.one_of(
    st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
)
FACTS = st.lists(
    st.builds(
        lambda subject, predicate, object, is_entity: Fact(
            subject, predicate, object, is_entity and predicate not in RESERVED[:2] + RESERVED[4:]
        ),
        NAMES,
        st.one_of(st.sampled_from(RESERVED), NAMES),
        NAMES,
        st.booleans(),
    ),
    max_size=8,
)


@pytest.mark.parametrize("kind", [kind for kind in UNDATED if kind != "rdfxml"])
@given(facts=FACTS)
def test_every_fact_comes_back_as_it_was(tmp_path_factory, kind, facts):
    path = tmp_path_factory.mktemp("kb") / "a"
    write(facts, path, format=kind)
    assert set(read(path, format=kind, source="")) == set(facts)


SAID = [
    Fact("发烧", "name", "发烧"),
    Fact("发烧", "alias", "high temperature"),
    Fact("发烧", "type", "症状"),
    Fact("发烧", "type", "a finding", True),
    Fact("发烧", "is_a", "http://kb.example/Finding", True),
    Fact("发烧", "description", "Line 1\nline <2>"),
    Fact("发烧", "seen in", "the head", True),
    Fact("发烧", "50%", "0.5"),
    Fact("发烧", "领导", "a:b", True),
    Fact("http://kb.example/Finding", "http://other.example/p", "x"),
]


@pytest.mark.parametrize("suffix", [".ttl", ".nt", ".rdf", ".jsonld", ".ttl.gz"])
def test_the_suffix_chooses_the_format(tmp_path, suffix):
    path = tmp_path / f"kb{suffix}"
    write(SAID, path)
    assert set(read(path, source="")) == set(SAID)


def test_rdf_xml_is_xml_that_others_can_read(tmp_path):
    write(SAID, tmp_path / "kb.rdf")
    assert len(ElementTree.parse(tmp_path / "kb.rdf").getroot()) > 0


def test_reserved_predicates_are_terms_that_others_know(tmp_path):
    write(SAID[:5], tmp_path / "kb.ttl")
    text = (tmp_path / "kb.ttl").read_text(encoding="utf-8")
    assert text.partition("\n\n")[0].splitlines()[-4:] == [
        'id:发烧 rdfs:label "发烧" ;',
        '\tskos:altLabel "high temperature" ;',
        '\ta "症状" , id:a\\%20finding ;',
        "\trdfs:subClassOf <http://kb.example/Finding> .",
    ]


@pytest.mark.parametrize("name", ODD)
def test_an_id_comes_back_from_its_iri(name):
    assert named(id_iri(name)) == name


def test_predicates_that_would_be_shortened_are_encoded():
    both = {"led_by", "http://kb.example/led_by"}
    found = predicate_iris(both)
    back = called(found.values())
    assert {back[iri] for iri in found.values()} == both
    assert found["led_by"] == "urn:allrounder:predicate:led_by"


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (
            Fact("a", "p", "x\x01y"),
            "RDF/XML cannot hold the character '\\x01', found in: a p “x\x01y”. Write Turtle or "
            "N-Triples.",
        ),
        (
            Fact("a", "b:1", "x"),
            "RDF/XML cannot hold the predicate 'b:1', which must end with a name that begins with "
            "a letter. Write Turtle or N-Triples.",
        ),
    ],
)
def test_what_rdf_xml_has_no_room_for_is_refused_and_leaves_what_was_there(tmp_path, fact, words):
    path = tmp_path / "kb.rdf"
    path.write_text("before")
    with pytest.raises(DataError) as caught:
        write([fact], path)
    assert str(caught.value) == words
    assert [file.read_text() for file in tmp_path.iterdir()] == ["before"]


def test_what_plain_rdf_cannot_say_is_written_once(tmp_path):
    path = tmp_path / "kb.nt"
    years = [Fact("a", "p", "x", False, date(y, 1, 1), date(y + 1, 1, 1)) for y in (2020, 2022)]
    write(years, path)
    assert read(path, source="") == [Fact("a", "p", "x")]


def test_without_pyoxigraph_one_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyoxigraph", None)
    with pytest.raises(MissingExtra, match=r"pip install 'allrounder\[knowledge\]'"):
        write(SAID, tmp_path / "kb.ttl")
    assert not list(tmp_path.iterdir())
