"""What a run says of records: tokens that it is unsure of, answers that break rules."""

import numpy as np
import pytest
from sentences import sentences, write_sentences

from allrounder import Project
from allrounder.asking import open_inquiry
from allrounder.errors import ProjectError
from allrounder.plan import read_plan

ACTIVE = {"kind": "margin", "n": 8, "start_n": 10, "random_share": 0, "diversity": 1, "bonus": 0}

RULES = """
rules:
  - {id: who, says: topic = sport => exists span:WHO}
  - {id: gone, says: topic = markets => not exists span:WHO, soft: 0.3}
"""


def desk_of(file):
    plan = read_plan(file)
    return open_inquiry(plan, runs=file.parent / "runs", strategy=plan.active, tell=lambda *_: None)


def write(folder, **active):
    rows = sentences(60) + [{"text": row["text"]} for row in sentences(40, seed=4)]
    knowledge = {"rules": "rules.yaml"}
    file = write_sentences(folder, train=rows, active={**ACTIVE, **active}, knowledge=knowledge)
    (folder / "rules.yaml").write_text(RULES, "utf-8")
    return file


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "desk")


def test_spans_are_asked_by_the_margins_of_their_tokens_once_there_is_a_run(file):
    project = Project.load(file)
    before = project.ask()
    assert {one.strategy for one in before.questions if one.task == "who"} == {"k_means"}
    assert "who is asked by k_means until there is a run that answers it." in before.notes
    project.train()
    after = project.ask()
    spans = [one for one in after.questions if one.task == "who"]
    assert {one.strategy for one in spans} == {"margin"}
    sight = (inquiry := desk_of(file)).planner.sight(
        "who", inquiry.pool.order(0), inquiry.known.opened
    )
    every = inquiry.voices["who"].unsure("who", sight.open, inquiry.strategy.unsure)
    best = sorted(every, reverse=True)[: len(spans)]
    assert sorted(one.score for one in spans) == pytest.approx(sorted(best), abs=1e-4)


def test_a_token_margin_is_the_mean_over_the_tokens_of_a_text(file):
    Project.load(file).train()
    inquiry = desk_of(file)
    speaker = inquiry.voices["who"]
    places = np.arange(5)
    ones = speaker.unsure("who", places, lambda chances: np.ones(len(chances)))
    assert np.allclose(ones, 1)
    apart = [speaker.unsure("who", places[[at]], lambda c: 1 - c.max(1))[0] for at in range(5)]
    together = speaker.unsure("who", places, lambda c: 1 - c.max(1))
    assert np.allclose(apart, together, atol=1e-4)


def test_another_run_gives_other_vectors(file):
    project = Project.load(file)
    project.train()
    first = desk_of(file)
    project.plan.training.seed = 1
    project.train()
    second = desk_of(file)
    some = np.arange(10)
    assert first.model != second.model
    assert not np.allclose(first.pool.vectors["topic"][some], second.pool.vectors["topic"][some])


def test_a_block_that_cannot_be_read_is_made_anew(file):
    some = np.arange(10)
    before = desk_of(file).pool.vectors["topic"][some]
    (block,) = (file.parent / ".allrounder" / "pool").iterdir()
    block.write_bytes(b"half a")
    again = desk_of(file).pool.vectors["topic"][some]
    assert np.array_equal(again, before)


def test_violations_wants_answers_that_rules_changed_or_that_break_some(tmp_path):
    file = write(tmp_path / "rules", kind="violations")
    project = Project.load(file)
    assert {one.strategy for one in project.ask().questions} == {"k_means"}
    project.train()
    inquiry = desk_of(file)
    found = project.ask()
    assert {one.strategy for one in found.questions} == {"violations"}
    places = np.array([one.place for one in found.questions if one.task == "topic"])
    texts = inquiry.records.take("text", inquiry.gathered.rows[places])
    for one, text in zip([q for q in found.questions if q.task == "topic"], texts, strict=True):
        answer = project.predict({"text": text})
        wanted = 2 * ("instead_of" in answer["topic"])
        wanted += len(answer.get("rules", {}).get("violated", ()))
        assert one.score == wanted


def test_violations_wants_names_that_may_mean_two_things(tmp_path):
    rows = sentences(60) + [{"text": row["text"]} for row in sentences(40, seed=4)]
    facts = "A\talias\tAcme Corp\nB\talias\tAcme Corp\nC\talias\tOld Harbor\n"
    known = {
        "facts": "firms.tsv",
        "injection": {"kind": "facts", "dropout": 0.0},
        "linking": {"prior": 1, "context": 0, "coherence": 0, "types": 0, "nil": -5},
    }
    folder = tmp_path / "desk"
    active = {**ACTIVE, "kind": "violations"}
    file = write_sentences(folder, train=rows, active=active, knowledge=known)
    sectors = "".join(f"{name}\tsector\t{what}\n" for name, what in zip("ABC", "xyx", strict=True))
    (folder / "firms.tsv").write_text(facts + sectors, "utf-8")
    project = Project.load(file)
    project.train()
    inquiry = desk_of(file)
    asked = project.ask().questions
    assert {one.strategy for one in asked} == {"violations"}
    for one in asked:
        text = inquiry.records.take("text", inquiry.gathered.rows[[one.place]])[0]
        assert one.score == ("Acme Corp" in text)
    assert any(one.score for one in asked)


def test_violations_without_rules_is_refused(tmp_path):
    file = write_sentences(tmp_path / "desk", active={"kind": "violations"})
    with pytest.raises(ProjectError, match="and the project has no rules and no `linking`"):
        Project.load(file).ask()
