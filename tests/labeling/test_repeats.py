"""People are asked again about records that they labelled, which shows how sure they are."""

import pytest
from browsers import Served
from desks import desk, project, said, undone

from allrounder.labeling import repeats
from allrounder.labeling.people import Person, this_person
from allrounder.ledger import Answer, Question

ADA, BOB, EVE = Person("ada", "annotator"), Person("bob", "annotator"), Person("eve", "reviewer")
TOPIC = {"topic": {"kind": "multiclass", "labels": ["sports", "politics", "business"]}}


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A desk at which every other record is a repeat, as soon as two others were labelled."""
    monkeypatch.setattr(repeats, "APART", 2)
    monkeypatch.setattr(repeats, "SECONDS", 0)
    found = desk(project(tmp_path / "news", n=20, tasks=TOPIC, label={"repeat": 0.5}))
    yield found
    found.answers.close()


def following(made, person=ADA, *, tab="one", have=(), n=3):
    return made.next(person, tab, have=list(have), want=[], n=n)["records"]


def label(made, count: int, person=ADA, start: int = 0) -> list[str]:
    """Label records one by one; return their keys."""
    keys = []
    for number in range(start, start + count):
        (record,) = following(made, person, n=1)[:1]
        made.answer(person, [said(f"{person.name}{number}", record["key"], "sports")])
        keys.append(record["key"])
    return keys


def again(records, known) -> list[dict]:
    return [one for one in records if one["key"] in known]


def test_a_record_comes_again_as_if_it_were_new_and_shows_agreement(made):
    known = label(made, 4)
    (record,) = again(following(made), known)
    (task,) = record["tasks"]
    assert set(task) == {"task", "question", "suggestion"} and task["suggestion"] is None
    answer = said("again1", record["key"], "politics", question=task["question"])
    assert made.answer(ADA, [answer])["saved"] == ["id-again1"]
    assert made.agreement(ADA)["topic"]["self"] == {"ada": [1, 0.0, pytest.approx(0, abs=1)]}
    assert made.board.standing[record["key"], "topic"].value == "politics"
    assert not again(following(made), known)


def test_it_stays_until_it_is_answered_and_is_asked_once(made):
    known = label(made, 4)
    (record,) = again(following(made), known)
    (same,) = again(following(made), known)
    assert same == record
    assert not again(following(made, tab="two"), known)
    assert again(following(made, have=[record["key"]]), known) == []
    skip = said("again1", record["key"], act="skip", question=record["tasks"][0]["question"])
    made.answer(ADA, [skip])
    assert not again(following(made), known)
    made.answer(ADA, [undone("again2", "again1")])
    assert again(following(made), known) == [record]


def test_a_new_server_remembers_what_was_asked_again(made):
    known = label(made, 4)
    (record,) = again(following(made), known)
    other = desk(made.plan.folder / "news.yaml")
    assert again(following(other), known) == [record]
    other.answers.close()


def test_others_are_not_asked_and_only_reviewers_see_others(made):
    known = label(made, 4)
    (record,) = again(following(made), known)
    assert not again(following(made, BOB), known)
    question = record["tasks"][0]["question"]
    made.answer(ADA, [said("again1", record["key"], "sports", question=question)])
    assert made.agreement(BOB)["topic"]["self"] == {}
    assert made.agreement(EVE)["topic"]["self"]["ada"][:2] == [1, 1.0]


def test_repeats_stand_back_behind_the_share_and_the_distance(made):
    made.repeats.share = 0.0
    known = label(made, 6)
    assert not again(following(made), known)
    made.repeats.share = 0.2
    assert not again(following(made), known)
    made.repeats.share = 0.25
    (record,) = again(following(made), known)
    assert record["key"] in known[:4]


def test_the_batch_that_was_chosen_stays_the_latest(made):
    keys = [made.pool.key(place) for place in range(3)]
    asked = [Question(key=key, task="topic", arm="chosen", strategy="margin") for key in keys]
    made.answers.ask(asked, batch="chosen")
    known = label(made, 5)
    assert again(following(made), known)
    assert {one.batch for one in made.answers.queue()} == {"chosen"}
    assert set(made.queue.batch) == set(keys)


def test_what_was_labelled_just_now_does_not_come_again(made, monkeypatch):
    monkeypatch.setattr(repeats, "SECONDS", 600)
    known = label(made, 6)
    assert not again(following(made), known)


def test_on_the_page_a_repeat_looks_like_any_record(tmp_path, visit):
    file = project(tmp_path / "news", n=120, tasks=TOPIC, label={"repeat": 1.0})
    who = this_person().name
    made = desk(file)
    keys = [made.pool.key(place) for place in range(60)]
    past = {"who": who, "task": "topic", "act": "label", "created": "2026-01-01T10:00:00+00:00"}
    made.answers.append([Answer(id=f"old-{k}", key=k, value="sports", **past) for k in keys])
    made.answers.close()
    with Served(file) as served:
        page = visit(served.url)
        for _ in range(14):
            text = page.text_content(".text")
            page.keyboard.press("2")
            page.wait_for_function(
                "(old) => ![old, undefined].includes(document.querySelector('.text')?.textContent)",
                arg=text,
            )
        page.wait_for_selector(".sync.saved")
        page.click(".count")
        page.wait_for_selector(".agreed p")
        assert f"{who} with oneself: 0% of" in page.text_content(".agreed")
