"""The page about rules says what is so."""

import re
from pathlib import Path

import pytest
import yaml

from allrounder.errors import ProjectError
from allrounder.rules import Rules, Spoken, Terms
from allrounder.rules.trying import tried

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
TERMS = Terms(
    {
        "intent": Spoken("label", ("refund", "complaint", "praise")),
        "urgency": Spoken("rank", ("low", "mid", "high")),
        "topics": Spoken("labels", ("sport", "football", "tennis", "medicine")),
        "mood": Spoken("number"),
        "alert": Spoken("label", ("yes", "no")),
        "entities": Spoken("spans", ("Drug", "Condition")),
    },
    {"text": "text", "price": "number", "country": "text"},
    predicates=["contraindicated", "treats"],
    types=["drug", "药品"],
)


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_file_of_rules_is_one_whose_tests_pass(tmp_path):
    (tmp_path / "painkillers.txt").write_text("aspirin\n")
    (tmp_path / "rules.yaml").write_text(next(b for b in blocks("yaml") if "lexicons:" in b))
    trials = tried(Rules.read(tmp_path / "rules.yaml"), TERMS)
    assert len(trials.trials) == 1 and not trials.failed


def test_every_form_in_the_table_is_a_rule():
    table = PAGE[PAGE.index("## What a rule can say") : PAGE.index("Labels that are no plain")]
    ones = {"A": "intent = refund", "B": "urgency = low", "C": "mood > 1"}
    says = []
    for form in re.findall(r"`([^`]+)`", table):
        if form != "span:":
            form = form.replace("in {…}", "in {refund}").replace("{…}", "{A, B, C}")
            form = form.strip('"') if form.startswith('"') else form
            says.append(re.sub(r"\b[ABC]\b", lambda found: ones[found[0]], form))
    assert len(says) > 25
    TERMS.check(Rules.of({"rules": says, "lexicons": {"painkillers": ["aspirin"]}}))


def test_the_python_block_runs():
    (block,) = blocks("python")
    names = {}
    exec(compile(block, "rules.md", "exec"), names)
    assert names["outcome"].changed == ["intent"]


def test_the_sentence_about_a_name_is_the_one_that_is_shown():
    with pytest.raises(ProjectError) as error:
        TERMS.check(Rules.of(["intent = refnd"]))
    assert f"> {error.value}\n" in PAGE


def test_its_yaml_can_be_read():
    assert all(yaml.safe_load(block) for block in blocks("yaml"))
