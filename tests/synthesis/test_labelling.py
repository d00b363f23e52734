"""Labels of records that have none: by a run, by rules; likely, balanced, from training alone."""

from dataclasses import replace

import pyarrow as pa
import pytest
from sentences import sentences

from allrounder.errors import ProjectError
from allrounder.synthesis import Pseudo, RuleVotes
from allrounder.synthesis.material import Judge

ROWS = [
    {"text": f"{row['text']} {n}"} if n % 3 else {**row, "text": f"{row['text']} {n}"}
    for n, row in enumerate(sentences(60))
]
TAGGED = {"kind": "multilabel", "labels": ["money", "play"]}


def everything(settings, material):
    return [one for block in settings.blocks(material) for one in block]


def judged(material, answer, **changes):
    """Return material with a run that answers each text by a function."""
    asked = []

    def answers(columns):
        assert isinstance(columns["text"], pa.Array)
        asked.extend(columns["text"].to_pylist())
        return [answer(text) for text in columns["text"].to_pylist()]

    judge = Judge(name="runs/7", fingerprint="f7", answers=answers)
    return replace(material, open_judge=lambda: judge, **changes), asked


def by_number(text):
    """Be the surer the higher the number at the end; sport is rare."""
    number = int(text.split()[-1])
    label, chance = "sport" if number % 10 == 1 else "markets", 0.5 + number / 130
    return {"topic": {"label": label, "probability": chance, "probabilities": {}}}


def test_only_sure_answers_to_training_records_without_a_label_are_kept(material):
    found, asked = judged(material(train=ROWS), by_number)
    made = everything(Pseudo(confidence=0.8, tasks=["topic"]), found)
    free = [row["text"] for row in ROWS if "topic" not in row]
    assert asked == free
    assert [one.fields["text"] for one in made] == [t for t in free if int(t.split()[-1]) >= 39]
    assert {one.model for one in made} == {"f7"}
    assert all(one.confidence == round(0.5 + int(one.fields["text"].split()[-1]) / 130, 6)
               for one in made)  # fmt: skip
    assert all(list(one.labels) == ["topic"] for one in made)


def test_each_label_goes_to_so_many_records_the_likeliest_first(material):
    found, _ = judged(material(train=ROWS), by_number)
    made = everything(Pseudo(confidence=0, per_label=3, tasks=["topic"]), found)
    numbers = {"sport": [], "markets": []}
    for one in made:
        numbers[one.labels["topic"]].append(int(one.fields["text"].split()[-1]))
    assert numbers == {"sport": [11, 31, 41], "markets": [56, 58, 59]}


def test_spans_count_by_their_least_sure_and_none_found_is_no_label(material):
    def answer(text):
        spans = [
            {"start": 0, "end": 4, "label": "WHO", "text": text[:4], "probability": 0.99},
            {"start": 5, "end": 8, "label": "WHO", "text": text[5:8], "probability": 0.6},
        ]
        return {"who": {"spans": spans if "Acme" in text else []}}

    found, _ = judged(material(train=ROWS), answer)
    made = everything(Pseudo(confidence=0.5, tasks=["who"]), found)
    assert made
    assert {one.confidence for one in made} == {0.6}
    assert all("Acme" in one.fields["text"] for one in made)
    assert made[0].labels["who"][0] == {"start": 0, "end": 4, "label": "WHO"}
    assert everything(Pseudo(confidence=0.7, tasks=["who"]), found) == []


def test_withheld_answers_and_tasks_that_the_run_does_not_know_give_nothing(material):
    withheld = {"label": None, "probability": 0.99, "abstained": True}
    found, _ = judged(material(train=ROWS), lambda text: {"topic": withheld})
    assert everything(Pseudo(confidence=0), found) == []


def test_labels_of_several_tasks_stand_in_one_record(material):
    def answer(text):
        span = {"start": 0, "end": 4, "label": "WHO", "text": "", "probability": 0.91}
        return {**by_number(text), "who": {"spans": [span]}}

    found, _ = judged(material(train=ROWS), answer)
    made = everything(Pseudo(confidence=0.9), found)
    both = [one for one in made if len(one.labels) == 2]
    assert both
    assert all(one.confidence <= 0.91 for one in both)
    assert len({one.parent.key for one in made}) == len(made)


def test_without_a_run_it_says_how_to_get_one(material):
    with pytest.raises(ProjectError, match="there is none yet"):
        Pseudo().num_blocks(material(train=ROWS))


def test_numbers_are_not_labelled(material):
    tasks = {"mood": {"kind": "regression", "range": [0, 9]}}
    rows = [{"text": row["text"], "mood": n % 5} for n, row in enumerate(sentences(30))]
    some = {"validation": rows[:4], "test": rows[4:8], "train": [*rows[8:], {"text": "Free"}]}
    found, _ = judged(material(tasks=tasks, **some), lambda text: {})
    with pytest.raises(ProjectError, match="that it can label, and the project has none: mood"):
        Pseudo().num_blocks(found)


# ------------------------------------------------------------------ rules

RULES = """
rules:
  - {id: played, says: text has match => topic = sport}
  - {id: earned, says: text has shares => topic = markets and tags has money}
  - {id: coached, says: text has coach => tags has play}
  - {id: unearned, says: text has coach => not tags has money}
"""


@pytest.fixture
def ruled(material, tmp_path):
    (tmp_path / "rules.yaml").write_text(RULES)
    tasks = {"topic": {"kind": "multiclass"}, "tags": TAGGED}
    rows = []
    for row in ROWS:
        tags = ["play"] if "coach" in row["text"] else ["money"]
        known = {"topic": row["topic"], "tags": tags} if "topic" in row else {}
        rows.append({"text": row["text"], **known})
    some = {"validation": rows[0:6:3], "test": rows[6:18:3], "train": rows[18:]}
    return material(tasks=tasks, knowledge={"rules": "rules.yaml"}, **some)


def test_what_rules_vote_is_the_label_of_records_without_one(ruled):
    made = everything(RuleVotes(confidence=0.6, tasks=["topic"]), ruled)
    assert made
    for one in made:
        assert "topic" not in one.parent.labels
        word = {"sport": "match", "markets": "shares"}[one.labels["topic"]]
        assert word in one.fields["text"]
        assert one.confidence >= 0.6
        assert one.model is None


def test_of_several_labels_rules_have_to_decide_on_each(ruled):
    made = everything(RuleVotes(confidence=0.55, tasks=["tags"]), ruled)
    assert all(one.labels["tags"] in ([], ["money"], ["play"]) for one in made)
    assert everything(RuleVotes(confidence=1, tasks=["tags"]), ruled) == []


def test_without_rules_it_says_where_to_name_them(material):
    with pytest.raises(ProjectError, match="Name a file of rules as"):
        RuleVotes().num_blocks(material(train=ROWS))
