"""Rules that ask what a text mentions."""

import csv

import pytest
import yaml
from strategies import INTENTS, TERMS, TOPICS

from allrounder import Project, cli
from allrounder.errors import ProjectError
from allrounder.knowledge import Base, Fact, MentionFacts, Snapshot
from allrounder.rules import Decoder, Rules, Terms
from allrounder.rules.meaning import ListedFacts
from allrounder.rules.parser import parse
from allrounder.rules.trying import tried
from allrounder.rules.votes import Votes
from allrounder.types import Variable

FACTS = MentionFacts(
    Base(
        Snapshot.of(
            [
                Fact("a", "name", "阿司匹林"),
                Fact("a", "alias", "aspirin"),
                Fact("a", "type", "nsaid", True),
                Fact("nsaid", "is_a", "药品"),
            ]
        )
    )
)
DRUG = "阿司匹林对他无效"


@pytest.mark.parametrize(
    ("says", "read"),
    [
        ("text mentions drug", "text mentions drug"),
        ('text mentions "药品"', "text mentions 药品"),
        ("text mentions mentions", "text mentions mentions"),
        ("text not mentions drug", "not text mentions drug"),
        ("not text mentions drug and mood > 0", "(not text mentions drug) and mood > 0"),
    ],
)
def test_it_is_read_and_written(says, read):
    tree = parse(says, rule="Rule 'r'")
    assert tree == parse(read, rule="Rule 'r'") == parse(str(tree), rule="Rule 'r'")


@pytest.mark.parametrize(
    ("says", "terms", "words"),
    [
        (
            "text mentions drgu",
            TERMS,
            "Rule 'rule_1', column 1: expected a type, found 'drgu'. Did you mean 'drug'? Types: "
            "drug, 药品, mentions.",
        ),
        (
            "price > 1 => text mentions drug",
            Terms(TERMS.tasks, TERMS.fields),
            "Rule 'rule_1', column 14: expected a knowledge base with types for `mentions`, found "
            "none. Name one: knowledge.facts in the project file.",
        ),
        (
            "price mentions drug",
            TERMS,
            "Rule 'rule_1', column 1: expected a text before `mentions`, found 'price'. Texts: "
            "text.",
        ),
    ],
)
def test_what_is_not_there_is_refused(says, terms, words):
    with pytest.raises(ProjectError) as caught:
        terms.check(Rules.of([says]))
    assert str(caught.value) == words


def test_a_type_must_be_named():
    with pytest.raises(ProjectError, match="expected a type of the knowledge base, found the end"):
        Rules.of(["text mentions"])


@pytest.mark.parametrize(
    ("text", "picked"), [(DRUG, "refund"), ("Aspirin!", "refund"), ("无效", "praise")]
)
@pytest.mark.parametrize(
    "says",
    ["text mentions 药品 => intent = refund", "intent != refund => text not mentions 药品"],
)
def test_answers_follow_it(says, text, picked):
    decoder = Decoder(Rules.of([says]), TERMS, FACTS)
    assert decoder.fields == ["text"]
    asked = {"intent": [Variable(None, INTENTS, (2.0, 0.2, 3.0), 1)]}
    outcome = decoder.decode(asked, {"text": text})
    assert INTENTS[outcome.picks["intent"][0]] == picked


def test_it_votes():
    rules = Rules.of(["text mentions 药品 => topics has art", "text not mentions 药品 => mood > 0"])
    columns = {"text": [DRUG, "无效", None], "price": [None] * 3}
    votes = Votes.of(rules, TERMS, columns, FACTS)
    assert votes.speaks.tolist() == [[1, 0, -1]]
    assert votes.voters[0].labels == ("art",) and "art" in TOPICS


def test_cases_ask_the_facts_that_they_list_or_those_of_the_project():
    says = "text mentions 药品 => intent = refund"
    broken = {"given": {"text": DRUG, "intent": "praise"}, "holds": False}
    cases = [
        broken,
        {**broken, "facts": [], "holds": True},
        {**broken, "facts": [["他", "type", "病人"], ["病人", "is_a", "药品"]]},
    ]
    rules = Rules.of([{"says": says, "tests": cases}])
    assert not tried(rules, TERMS, FACTS).failed
    assert [trial.number for trial in tried(rules, TERMS).failed] == [1]


def test_listed_facts_lead_up_to_types_in_circles_too():
    facts = ListedFacts([("a", "is_a", "B"), ("b", "is_a", "A"), ("x", "type", "a")])
    assert facts.mentions("an X here", "B")
    assert not facts.mentions("an y here", "B")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A project of texts on wares, whose kinds only the knowledge base tells, and its rules."""
    folder = tmp_path_factory.mktemp("shop")
    wares = {"阿司匹林": "药品", "布洛芬": "药品", "苹果": "水果", "香蕉": "水果"}
    with open(folder / "news.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "topic"])
        for at in range(12):
            for name, kind in wares.items():
                topic = "医药" if kind == "药品" else "食品"
                writer.writerow([f"{name}今天第{at}次涨价", topic if at < 8 else ""])
    facts = "".join(f"{name}\ttype\t{kind}\n" for name, kind in wares.items())
    (folder / "wares.tsv").write_text(facts, encoding="utf-8")
    says = {"id": "pills", "says": "text mentions 药品 => topic = 医药"}
    says["tests"] = [{"given": {"text": "买布洛芬", "topic": "食品"}, "holds": False}]
    rules = yaml.safe_dump({"rules": [says]}, allow_unicode=True)
    (folder / "rules.yaml").write_text(rules, encoding="utf-8")
    project = {
        "sources": ["news.csv"],
        "inputs": {"text": {"kind": "hashing", "width": 16, "buckets": 512}},
        "knowledge": {"facts": "wares.tsv", "rules": "rules.yaml", "votes": True},
        "tasks": {"topic": "multiclass"},
        "training": {"epochs": 1, "precision": "fp32"},
    }
    (folder / "shop.yaml").write_text(yaml.safe_dump(project), encoding="utf-8")
    return folder / "shop.yaml"


def test_in_a_project_it_is_tested_checked_trained_with_and_follows_facts_that_change(shop):
    assert not Project.load(shop).test_rules().failed
    assert not Project.load(shop).check_rules().failed
    report = Project.load(shop).train().to_dict()
    assert report["votes"][0]["num_votes"] > 0
    project = Project.load(shop)
    assert project.predict({"text": "布洛芬"})["topic"]["label"] == "医药"
    assert "rules" not in project.predict({"text": "西瓜"})
    with open(shop.with_name("wares.tsv"), "a", encoding="utf-8") as file:
        file.write("西瓜\ttype\t药品\n")
    told = project.predict({"text": "西瓜"})
    assert (told["topic"]["label"], told["rules"]["fired"]) == ("医药", ["pills"])


def test_a_type_that_is_not_there_is_refused_by_check(shop, capsys):
    path = shop.with_name("rules.yaml")
    kept = path.read_text(encoding="utf-8")
    path.write_text("rules: [text mentions 药 => topic = 医药]", encoding="utf-8")
    try:
        assert cli.main(["check", str(shop), "--quiet"]) == 2
    finally:
        path.write_text(kept, encoding="utf-8")
    assert "expected a type, found '药'. Did you mean '药品'?" in capsys.readouterr().err
