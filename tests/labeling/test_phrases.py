"""A phrase that somebody marks becomes a rule, with what is known of how often it is right."""

import pytest
import yaml
from browsers import Served
from desks import desk, said, written
from starlette.testclient import TestClient

from allrounder import Project
from allrounder.errors import ProjectError
from allrounder.labeling.app import Server
from allrounder.labeling.people import People, Person
from allrounder.labeling.phrases import weight, wilson

INPUTS = {"text": {"kind": "hashing"}}
TASKS = {
    "topic": {"kind": "multiclass", "labels": ["refund", "praise", "other thing"]},
    "tags": {"kind": "multilabel", "labels": ["urgent", "late"]},
    "mood": {"kind": "regression"},
}
OWNER = Person("ada", "owner")
ROWS = [
    *({"text": f"I want my Money Back, case {n}.", "topic": "refund"} for n in range(9)),
    {"text": "Money back? No, thank you!", "topic": "praise"},
    *({"text": f"Please send my money back {n}."} for n in range(5)),
    *({"text": f"The moneybackguarantee {n} is nice", "topic": "praise"} for n in range(4)),
    *({"text": f"我要退款，订单{n}", "topic": "refund", "tags": ["late"]} for n in range(6)),
]


@pytest.fixture
def file(tmp_path):
    return written(tmp_path, ROWS, INPUTS, TASKS)


@pytest.fixture
def made(file):
    found = desk(file)
    yield found
    found.answers.close()


def body(phrase="money back", task="topic", label="", **more) -> dict:
    return {"field": "text", "phrase": phrase, "task": task, "label": label, **more}


def key_of(made, start: str) -> str:
    keys = [made.pool.key(place) for place in range(len(made.pool))]
    return next(key for key in keys if made.pool.text(key, "text").startswith(start))


def test_it_is_measured_as_rules_find_it_whole_words_in_any_case(made):
    found = made.phrase(body())
    assert found["label"] == "refund"
    assert found["says"] == 'text has "money back" => topic = "refund"'
    assert (found["right"], found["labelled"], found["with"]) == (9, 10, 15)
    assert (found["records"], found["unlabelled"]) == (len(ROWS), 5)
    assert found["weight"] == pytest.approx(1.61, abs=0.01)
    assert found["low"] < 0.9 < found["high"]
    assert made.phrase(body(label="praise"))["right"] == 1
    assert made.phrase(body(label="refund"))["against"] == ["Money back? No, thank you!"]


def test_chinese_phrases_and_sets_of_labels(made):
    found = made.phrase(body("退款", "tags"))
    assert found["says"] == 'text has "退款" => tags has "late"'
    assert (found["right"], found["labelled"]) == (6, 6)


def test_what_people_say_counts_and_test_records_do_not(made, tmp_path):
    key = key_of(made, "Please")
    made.answer(OWNER, [said("1", key, "refund")])
    assert made.phrase(body())["labelled"] == 11
    source = {"path": "pool.jsonl", "split": "test"}
    whole = yaml.safe_load((tmp_path / "news.yaml").read_text("utf-8"))
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({**whole, "sources": [source]}), "utf-8")
    other = desk(tmp_path / "test.yaml")
    assert other.phrase(body(label="refund"))["with"] == 0
    other.answers.close()


def test_it_is_saved_with_the_record_as_its_test_and_the_next_beside_it(made, file):
    before = file.read_text("utf-8")
    kept = made.keep_phrase(OWNER, body(label="refund", soft=1.6, key=key_of(made, "I want")))
    assert kept == {"says": 'text has "money back" => topic = "refund"', "file": "rules.yaml"}
    assert file.read_text("utf-8").startswith(before.rstrip("\n").split("\n")[0])
    path = file.parent / "rules.yaml"
    path.write_text("# Ours.\n" + path.read_text("utf-8"), "utf-8")
    made.keep_phrase(OWNER, body("退款", "tags", "late", key=key_of(made, "我要")))
    assert path.read_text("utf-8").startswith("# Ours.\n")
    project = Project.load(file)
    first, second = project.plan.rules().rules
    assert (first.soft, first.owner, second.soft) == (1.6, "ada", None)
    assert first.tests[0].given["topic"] == "refund"
    assert project.test_rules().failed == [] and not project.check_rules().failed


def test_what_cannot_be_saved_gets_a_sentence_and_changes_nothing(made, file):
    made.keep_phrase(OWNER, body(label="refund", key=key_of(made, "I want")))
    rules, before = file.parent / "rules.yaml", (file.parent / "rules.yaml").read_text("utf-8")
    for wrong, sentence in (
        (body(label="refund"), "There is a rule that says so already"),
        (body("money back", label="praise"), "This rule cannot stand beside the others"),
        (body(label="nothing"), "topic has no label 'nothing'"),
        (body(task="mood"), "There is no task 'mood' whose labels a phrase could mean"),
        (body(" "), "A phrase is a text of 1 to 200 characters"),
        ({**body(label="refund"), "field": "titel"}, "There is no text 'titel'"),
        ({**body(label="refund"), "soft": "much"}, "`soft` must be a number"),
    ):
        with pytest.raises(ProjectError, match=sentence):
            made.keep_phrase(OWNER, wrong)
    assert rules.read_text("utf-8") == before


def test_a_phrase_with_quotation_marks_is_read_back(made, file):
    phrase = 'say "no" \\ never'
    made.keep_phrase(OWNER, body(phrase, label="other thing"))
    (rule,) = Project.load(file).plan.rules().rules
    assert rule.says == 'text has "say \\"no\\" \\\\ never" => topic = "other thing"'


def test_annotators_make_no_rules(made, file):
    people = People(file.parent / "people.yaml")
    token = people.add("bob", "annotator")
    web = TestClient(Server(made, people).app(), base_url="http://127.0.0.1:8400")
    web.post("/api/sign-in", json={"token": token})
    web.headers["X-Token"] = web.get("/api/session").json()["token"]
    for path in ("/api/phrase", "/api/rule"):
        assert web.post(path, json=body()).status_code == 403


def test_the_interval_and_the_weight_by_hand():
    assert wilson(9, 10) == (0.5958, 0.9821)
    assert wilson(0, 0) == (0.0, 1.0)
    assert weight(9, 10) == pytest.approx(1.61)
    assert weight(5, 10) is None and weight(0, 0) is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_mark_a_phrase_press_r_and_save(file, visit, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe
    with Served(file) as served:
        page = visit(served.url, color_scheme=scheme, reduced_motion="reduce")
        while "money back" not in page.text_content(".text"):
            page.keyboard.press("Space")
        page.evaluate(
            "() => { const node = document.querySelector('.text .piece').firstChild;"
            " const at = node.data.indexOf('money back'); const range = document.createRange();"
            " range.setStart(node, at); range.setEnd(node, at + 10);"
            " getSelection().removeAllRanges(); getSelection().addRange(range); }"
        )
        page.keyboard.press("r")
        page.wait_for_selector(".says")
        assert page.input_value(".rule input[type=text]") == "money back"
        assert "9 have the label: 90%" in page.text_content(".measured")
        found = axe().run(page)
        assert not found.violations_count, found.generate_report()
        page.keyboard.press("Enter")
        page.wait_for_selector(".toast")
        assert "Saved in rules.yaml" in page.text_content(".toast")
        assert not page.locator("dialog").count()
    (rule,) = Project.load(file).plan.rules().rules
    assert rule.says == 'text has "money back" => topic = "refund"' and rule.soft == 1.61
