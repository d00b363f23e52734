"""The file of rules."""

from datetime import date

import pytest

from allrounder.errors import ProjectError
from allrounder.rules.rule import Rules

FILE = """
version: 3
lexicons: {drugs: drugs.txt, pains: [ache, migraine]}
rules:
  - intent = refund => urgency != low
  - id: alert
    says: text has lexicon drugs => alert = yes
    soft: 2
    owner: safety
    priority: 5
    version: 2
    valid_from: 2026-01-01
    valid_to: 2026-06-30
    tests:
      - {given: {text: Aspirin, alert: yes}, holds: true}
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "drugs.txt").write_text("aspirin\n\nibuprofen\n")
    (tmp_path / "rules.yaml").write_text(FILE)
    return tmp_path / "rules.yaml"


def test_a_file_is_read_with_its_lexicons(file):
    rules = Rules.read(file)
    assert rules.lexicons == {"drugs": ["aspirin", "ibuprofen"], "pains": ["ache", "migraine"]}
    assert [rule.id for rule in rules.rules] == ["rule_1", "alert"]
    assert (rules.version, rules["alert"].version) == ("3", "2")
    assert rules["rule_1"].is_hard and not rules["alert"].is_hard
    assert rules["alert"].tests[0].given["alert"] == "yes"


def test_a_rule_holds_from_its_first_day_to_its_last(file):
    rules = Rules.read(file)
    for day, number in (("2025-12-31", 1), ("2026-01-01", 2), ("2026-06-30", 2), ("2026-07-01", 1)):
        assert len(rules.on(date.fromisoformat(day))) == number


def test_rules_written_out_are_the_same_rules(file):
    rules = Rules.read(file)
    assert Rules.of(rules.to_dict()) == rules


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ([], "rules must hold a list of rules. Got []."),
        ({"rule": []}, "rules: `rule` is not a known key. Did you mean 'rules'? Known: version, "
         "lexicons, rules."),
        ([{"id": "a b", "says": "x = y"}],
         "rules: rules.1 has the id 'a b': an id is letters, digits, _, - and ."),
        ([{"id": "a", "says": "x = y"}, {"id": "a", "says": "x = z"}],
         "rules: two rules have the id 'a'. Give each its own."),
        ([{"says": "x = y", "wight": 1}], "`rules: rules.1.wight` is not a known key. Known: "
         "decodes, id, owner, priority, says, soft, tests, valid_from, valid_to, version."),
        ([{"id": "a"}], "`rules: rules.1.says` is missing: rule cannot do without it."),
        ([{"says": "x = y", "soft": 0}],
         "`rules: rules.1` needs a weight above 0 in `soft`. Got 0.0."),
        ([{"says": "x = y", "valid_from": date(2026, 2, 1), "valid_to": date(2026, 1, 1)}],
         "`rules: rules.1` is valid from 2026-02-01 to 2026-01-01, which is before."),
        ({"rules": ["x = y"], "lexicons": {"none": []}}, "rules: `lexicons.none` holds no phrase."),
    ],
)  # fmt: skip
def test_what_is_no_rule_gets_a_sentence(content, sentence):
    with pytest.raises(ProjectError) as error:
        Rules.of(content)
    assert str(error.value) == sentence


def test_a_power_of_ten_is_a_number_and_no_is_a_label(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text(
        "- {id: a, says: alert = no, soft: 2e-1, tests: [{given: {alert: no}, holds: true}]}\n"
    )
    (rule,) = Rules.read(path).rules
    assert rule.soft == 0.2
    assert rule.tests[0].given == {"alert": "no"}


def test_a_file_that_cannot_be_read_gets_a_sentence(tmp_path):
    with pytest.raises(ProjectError, match=r"rules.yaml cannot be read: No such file"):
        Rules.read(tmp_path / "rules.yaml")
    (tmp_path / "rules.yaml").write_text("rules: [")
    with pytest.raises(ProjectError, match=r"rules.yaml is not YAML: "):
        Rules.read(tmp_path / "rules.yaml")
