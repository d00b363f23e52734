"""Doubtful labels on the page, and what it shows of whether choosing pays."""

import json

import pytest
from browsers import Served
from desks import desk, written
from sentences import sentences

from allrounder import Project
from allrounder.active.audit import Gain
from allrounder.active.stopping import Outlook
from allrounder.asking.review import Review, TaskReview
from allrounder.labeling.people import Person
from allrounder.ledger import Answers

INPUTS = {"text": {"kind": "hashing", "width": 64, "buckets": 2048}}
TASKS = {
    "topic": {"kind": "multiclass", "labels": ["markets", "sport"]},
    "local": {"kind": "multilabel", "labels": ["near", "far"]},
}
WRONG = 6


@pytest.fixture
def flipped(tmp_path):
    """A labelled project in which some topics are wrong; its file and those texts."""
    rows = [{"text": row["text"], "topic": row["topic"]} for row in sentences(160)]
    rows = list({row["text"]: row for row in rows}.values())
    for row in rows[:WRONG]:
        row["topic"] = "sport" if row["topic"] == "markets" else "markets"
    file = written(tmp_path, [*rows, {"text": "no label at all"}], INPUTS, TASKS)
    return file, {row["text"]: row["topic"] for row in rows[:WRONG]}


def looks(points: int = 3) -> dict:
    """Return a review of a task in which choosing paid the more the longer it went on."""
    gains = [
        Gain(20 * n, 90, 0.7 + 0.02 * n, 0.69, 0.01 + 0.02 * n, -0.03 + 0.01 * n, 0.05 + 0.02 * n)
        for n in range(1, points + 1)
    ]
    curve = [{"answers": 25 * n, **one.to_dict()} for n, one in enumerate(gains, 1)]
    outlook = Outlook(75, 0.93, 0.3, 0.76, 0.81, 0.79, 0.84)
    task = TaskReview("accuracy", gains[-1], outlook)
    return Review(25 * points, {"topic": task}, {"topic": curve}).to_dict()


def doubts(file):
    return Project.load(file).doubts()


def test_wrong_labels_are_found_and_kept_for_the_page(flipped):
    file, wrong = flipped
    found = doubts(file)
    texts = {one.record for one in found.doubts if one.task == "topic"}
    assert len(texts & set(wrong)) >= WRONG - 2
    assert "local has 0 labels: too few to doubt any" in str(found)
    kept = json.loads((file.parent / ".allrounder" / "doubts.json").read_text("utf-8"))
    assert len(kept["doubts"]) == len(found.doubts)


def test_a_label_that_is_settled_or_changed_is_doubted_no_more(flipped):
    file, _ = flipped
    before = {one.key for one in doubts(file).doubts}
    count = len(before)
    made, owner = desk(file), Person("ada", "owner")
    told = made.doubts(owner, have=[], n=50)
    assert len(told["records"]) == count == told["progress"]["doubts"]
    first, second = told["records"][:2]
    (task,) = first["tasks"]
    assert task["has"]["value"] != task["suggestion"]["value"]
    keeps = {"id": "id-000001", "act": "settle", "task": "topic", "value": task["has"]["value"]}
    made.answer(owner, [{**keeps, "key": first["key"]}])
    (task,) = second["tasks"]
    other = {"id": "id-000002", "act": "label", "task": "topic", "key": second["key"]}
    made.answer(owner, [{**other, "value": task["suggestion"]["value"]}])
    after = made.doubts(owner, have=[first["key"]], n=50)
    assert after["drop"] == [first["key"]]
    assert len(after["records"]) == count - 2
    made.answer(owner, [{"id": "id-000003", "act": "undo", "undoes": "id-000001"}])
    assert len(made.doubts(owner, have=[], n=50)["records"]) == count - 1
    left = {one.key for one in doubts(file).doubts}  # as many as are wrong by the new estimate
    assert left & before and second["key"] not in left
    made.answers.close()


def test_a_damaged_file_of_doubts_is_none(flipped):
    file, _ = flipped
    doubts(file)
    (file.parent / ".allrounder" / "doubts.json").write_text("{", "utf-8")
    made = desk(file)
    assert made.doubts(Person("ada", "owner"), have=[], n=5)["records"] == []
    made.answers.close()


def test_doubts_are_settled_by_one_key_each_and_undone(flipped, visit):
    file, _ = flipped
    doubts(file)
    with Served(file) as served:
        page = visit(served.url)
        button = page.locator("#top button", has_text="Doubts (")
        button.wait_for()
        button.click()
        page.wait_for_selector(".has")
        assert "it has: " in page.text_content(".has")
        assert "its label is likely wrong" in page.text_content(".why")
        page.keyboard.press("Enter")  # what is likelier
        page.keyboard.press("Shift+Enter")  # what it has
        page.keyboard.press("Shift+Enter")
        page.keyboard.press("Backspace")
        page.wait_for_selector(".sync.saved")
        page.locator("#top button", has_text="Back to the queue").click()
        page.wait_for_function("() => document.querySelector('.text')")
    with Answers(file.parent / "ledger.db", read_only=True) as ledger:
        events, standing = list(ledger.events()), ledger.standing()
    assert [one.act for one in events] == ["settle", "settle", "settle", "undo"]
    assert len(standing) == 2 and all(one.settled for one in standing.values())


def test_annotators_are_shown_no_doubts(flipped):
    file, _ = flipped
    doubts(file)
    made = desk(file)
    assert "doubts" not in made.progress(Person("bob", "annotator"))
    made.answers.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_progress_shows_whether_choosing_pays(flipped, visit, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe
    file, _ = flipped
    doubts(file)
    cache = file.parent / ".allrounder"
    (cache / "review.json").write_text(json.dumps(looks()), "utf-8")
    with Served(file) as served:
        page = visit(served.url, color_scheme=scheme, reduced_motion="reduce")
        page.locator("#top button", has_text="Doubts (").click()
        page.wait_for_selector(".has")
        page.set_viewport_size({"width": 390, "height": 800})
        found = axe().run(page)
        assert not found.violations_count, found.generate_report()
        page.click(".count")
        page.wait_for_selector(".gains")
        told = page.text_content(".curve")
        assert "60 labels that were chosen beside 60 that chance drew: +7 points" in told
        assert "accuracy 0.76 now; with twice as many labels 0.81" in told.replace("0.760", "0.76")
        assert page.locator(".gains circle").count() == 3
        page.click(".curve summary")
        assert page.locator(".curve tbody tr").count() == 3
        found = axe().run(page)
        assert not found.violations_count, found.generate_report()
