import json
from datetime import date

import pytest

from allrounder.errors import DataError
from allrounder.knowledge import Fact
from allrounder.knowledge.formats import read


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Write entities, one a line, and read their facts."""
    monkeypatch.chdir(tmp_path)

    def read_back(*entities):
        lines = [line if isinstance(line, str) else json.dumps(line) for line in entities]
        (tmp_path / "kb.jsonl").write_text("\n".join(lines), encoding="utf-8")
        return read("kb.jsonl")

    return read_back


def test_everything_about_an_entity_becomes_facts(told):
    facts = told(
        {
            "id": "Q1",
            "name": "Acme",
            "aliases": ["ACM", {"alias": "The A", "prior": 0.25}],
            "types": ["company"],
            "description": "Makes anvils.",
            "facts": {"led_by": {"id": "Q2", "from": "2020-01-01"}, "staff": 12, "in": ["X", "Q3"]},
        },
        {"id": "Q3", "name": "Y"},
    )
    source = {"source": "kb.jsonl"}
    assert facts == [
        Fact("Q1", "name", "Acme", **source),
        Fact("Q1", "description", "Makes anvils.", **source),
        Fact("Q1", "alias", "ACM", **source),
        Fact("Q1", "alias", "The A", **source, confidence=0.25),
        Fact("Q1", "type", "company", **source),
        Fact("Q1", "led_by", "Q2", True, date(2020, 1, 1), **source),
        Fact("Q1", "staff", "12", **source),
        Fact("Q1", "in", "X", **source),
        Fact("Q1", "in", "Q3", True, **source),
        Fact("Q3", "name", "Y", **source),
    ]


def test_an_id_alone_is_a_name(told):
    assert told({"id": "fever"}) == [Fact("fever", "name", "fever", source="kb.jsonl")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": ', "kb.jsonl, line 1: column 8 is not JSON"),
        ("[1]", "kb.jsonl, line 1: expected an entity such as"),
        ('{"id": "a", "alias": "b"}', "an entity has no key 'alias'. Did you mean 'aliases'?"),
        ('{"id": "\\ud83d"}', "`id` holds half a character."),
        ('{"id": ' + "[" * 100_000, "kb.jsonl, line 1: the JSON is nested too deeply."),
        ('{"id": 7}', "`id` must be a text. Found 7: put it in quotes."),
        ('{"id": "a", "aliases": [{"alias": "b", "prior": 2}]}', "`prior` must be a number from 0"),
        ('{"id": "a", "facts": ["b"]}', '`facts` must look like {"predicate": "value"}.'),
        ('{"id": "a", "facts": {"b": {"valu": 1}}}', "unknown key 'valu'. Did you mean 'value'?"),
        ('{"id": "a", "facts": {"b": {"value": 1, "from": "2024-01-01", "to": "2023-01-01"}}}',
         "`valid_to` must be after `valid_from`."),
    ],
)  # fmt: skip
def test_a_bad_line_gets_one_sentence(told, line, message):
    with pytest.raises(DataError) as caught:
        told(line)
    assert message in str(caught.value)
