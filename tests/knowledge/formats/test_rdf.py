import sys

import pytest

from allrounder.errors import DataError, MissingExtra
from allrounder.knowledge import Fact
from allrounder.knowledge.formats import read

TURTLE = """
@prefix ex: <http://kb.example/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix schema: <https://schema.org/> .
ex:fever a ex:Symptom ;
    rdfs:label "fever"@en, "发烧"@zh ;
    skos:altLabel "high temperature"@en ;
    schema:description "Too warm." ;
    ex:seenIn [ ex:part "head" ] .
ex:Symptom rdfs:subClassOf ex:Finding .
"""


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Write a file and read its facts, sources left out."""
    monkeypatch.chdir(tmp_path)

    def read_back(name, text, **options):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return {fact._replace(source="") for fact in read(name, **options)}

    return read_back


def test_turtle_becomes_facts(told):
    fever, symptom = "http://kb.example/fever", "http://kb.example/Symptom"
    assert told("a.ttl", TURTLE) == {
        Fact(fever, "type", symptom, True),
        Fact(fever, "name", "fever"),
        Fact(fever, "name", "发烧"),
        Fact(fever, "alias", "high temperature"),
        Fact(fever, "description", "Too warm."),
        Fact(fever, "seenIn", "_:a.ttl#1", True),
        Fact("_:a.ttl#1", "part", "head"),
        Fact(symptom, "is_a", "http://kb.example/Finding", True),
    }


def test_names_in_other_languages_are_aliases_if_one_is_chosen(told):
    facts = told("a.ttl", TURTLE, language="zh")
    names = {(fact.predicate, fact.object) for fact in facts if fact.predicate in ("name", "alias")}
    assert names == {("alias", "fever"), ("name", "发烧"), ("alias", "high temperature")}


def test_a_file_read_twice_gives_the_same_facts(told):
    assert told("a.ttl", TURTLE) == told("a.ttl", TURTLE)


def test_predicates_that_end_alike_keep_their_whole_iri(told):
    text = '<http://a.example/x> <http://a.example/p> "1" ; <http://b.example/p> "2" ; <b:q> "3" .'
    assert {fact.predicate for fact in told("a.ttl", text)} == {
        "http://a.example/p", "http://b.example/p", "b:q",
    }  # fmt: skip


@pytest.mark.parametrize("key", ["http://a.example/kind", "kind"])
def test_a_predicate_is_renamed_by_its_iri_or_its_end(told, key):
    text = '<http://a.example/x> <http://a.example/kind> "drug" .'
    (fact,) = told("a.nt", text, predicates={key: "type"})
    assert fact.predicate == "type"


def test_the_other_formats_say_the_same(told):
    expected = {
        Fact("http://e.example/a", "name", "A"),
        Fact("http://e.example/a", "p", "urn:b:c", True),
    }
    assert told("a.nt", (
        '<http://e.example/a> <http://www.w3.org/2000/01/rdf-schema#label> "A" .\n'
        "<http://e.example/a> <http://e.example/p> <urn:b:c> .\n"
    )) == expected  # fmt: skip
    assert told("a.rdf", (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e.example/"'
        ' xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#"><rdf:Description '
        'rdf:about="http://e.example/a"><rdfs:label>A</rdfs:label><e:p rdf:resource="urn:b:c"/>'
        "</rdf:Description></rdf:RDF>"
    )) == expected  # fmt: skip
    assert told("a.jsonld", (
        '{"@context": {"name": "http://schema.org/name", "p": {"@id": "http://e.example/p", '
        '"@type": "@id"}}, "@id": "http://e.example/a", "name": "A", "p": "urn:b:c"}'
    )) == expected  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.ttl",
            "@prefix e: <http://e/> .\ne:a e:p e:b .\ne:a e:p .\n",
            "a.ttl, line 3: expected Turtle, found a mistake: . is not a valid RDF object. "
            "Correct the file or name its format.",
        ),
        (
            "a.nt",
            "<http://a/a> <http://a/b> <http://a/c> .\nx\n",
            "a.nt, line 2: expected N-Triples",
        ),
        (
            "a.rdf",
            '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n<rdf:Description>\n'
            "</rdf:RDF>",
            "a.rdf, line 3: expected RDF/XML",
        ),
        ("a.jsonld", '{"@id": "e:a",\n "e:p" "x"}', "a.jsonld, line 2: expected JSON-LD"),
        (
            "a.jsonld",
            '{"@context": "https://schema.org/", "name": "x"}',
            "a.jsonld: the `@context` lies on the network, where nothing is read from.",
        ),
    ],
)
def test_malformed_rdf_is_named_with_file_and_line(told, name, text, message):
    with pytest.raises(DataError) as caught:
        told(name, text)
    assert str(caught.value).startswith(message)


def test_without_pyoxigraph_one_is_told_what_to_install(told, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyoxigraph", None)
    with pytest.raises(MissingExtra, match=r"pip install 'allrounder\[knowledge\]'"):
        told("a.ttl", TURTLE)
