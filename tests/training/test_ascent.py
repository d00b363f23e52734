"""Training towards the rules: when it begins, what it weighs, what it changes."""

import json

import numpy as np
import pytest
import yaml
from making import made, settings

from allrounder import Project, ProjectError
from allrounder.checking import load_records
from allrounder.evaluation import Report
from allrounder.injection import Consistency
from allrounder.judging import job_of
from allrounder.model.rules_loss import RulesLoss
from allrounder.rules import Rules, Terms
from allrounder.runs import Run
from allrounder.tasks import Multiclass, Multilabel, Spans
from allrounder.training.ascent import Ascent
from allrounder.training.loop import Loop
from allrounder.training.twins import alone_of, part_of

TASKS = {
    "intent": Multiclass(labels=["refund", "praise"]),
    "topics": Multilabel(labels=["ORG", "LOC"]),
    "entities": Spans(labels=["ORG", "LOC"]),
}
WORDS = "Acme the bank said shares rose fell in Ruritania of a great poor match".split()
RULES = [
    {"id": "same", "says": "topics has ORG <=> exists span:ORG"},
    {"id": "light", "says": "intent = praise => topics has LOC", "soft": 0.01},
]


def rows_of(size, *, labelled):
    chance = np.random.default_rng(0)
    rows = []
    for number in range(size):
        row = {"text": " ".join(["Acme", *chance.choice(WORDS, chance.integers(2, 7))])}
        if number < labelled:
            firms = [{"start": 0, "end": 4, "label": "ORG"}] * (number % 2)
            intent = ["refund", "praise"][number % 2]
            row |= {"intent": intent, "topics": ["LOC"], "entities": firms}
        rows.append(row)
    return rows


def loop_of(keys, *, rules=RULES, seed=3, **training):
    prepared = made(TASKS, rows_of(40, labelled=16))
    fields = {n: e.field for e in prepared.model.inputs.values() for n in e.fields}
    course = settings(epochs=8, batch_records=8, head_lr=0.02, seed=seed, **training)
    loss = RulesLoss(Rules.of(rules), Terms.of(TASKS, fields))
    lengths, free = prepared.lengths(), np.arange(16, 40)
    ascent = Ascent(loss, prepared, free, lengths, Consistency(**keys), course)
    return Loop(prepared.model, prepared, np.arange(16), course, ascent=ascent)


def broken(loop):
    """Return how likely the records break the first rule, on average."""
    loop.model.eval()
    found = loop.ascent.loss.followed(loop.prepared, np.arange(40))["same"]
    return found.broken.mean().item()


def test_multipliers_wait_then_rise_with_what_is_broken_up_to_their_bounds():
    loop = loop_of({"step": 0.5, "most": 0.4, "after": 0.5})
    seen = []
    for step in loop.steps():
        seen.append((step.epoch, dict(loop.state.multipliers)))
    assert all(not found for epoch, found in seen if epoch <= 4.0)
    values = [found["same"] for _, found in seen if found]
    assert values == sorted(values)
    assert 0 < values[0] <= 0.5
    assert values[-1] == 0.4, "no more than `most`"
    assert seen[-1][1]["light"] == 0.01, "a soft rule no more than what it weighs"


def test_training_towards_the_rules_breaks_them_less():
    base, pulled = loop_of({"step": 0.0}), loop_of({"weight": 0.5, "most": 0.5, "after": 0.0})
    for loop in (base, pulled):
        for _ in loop.steps():
            pass
    assert broken(pulled) < 0.7 * broken(base)


def test_records_without_labels_are_drawn_by_the_number_of_the_step_alone():
    ascent = loop_of({"unlabelled": 1.0}).ascent
    first, again, other = (ascent._drawn(step, 8) for step in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()
    assert len(set(first.tolist())) == 8
    assert first.min() >= 16
    assert len(ascent._drawn(3, 400)) == 24, "no more than there are"
    assert len(loop_of({"unlabelled": 0}).ascent._drawn(1, 8)) == 0


def test_two_trainings_are_the_same_to_the_last_bit():
    found = []
    for _ in range(2):
        loop = loop_of({"weight": 0.1, "after": 0.0})
        found.append([step.losses for step in loop.steps()] + [loop.state.multipliers])
    assert found[0] == found[1]


def test_the_tasks_that_come_first_are_not_pulled():
    loop = loop_of({"weight": 0.1, "after": 0.0}, first=["entities"])
    steps = loop.steps()
    for step in steps:
        if loop.goes_on(step):
            break
        assert loop.state.multipliers == {}
    next(steps)
    assert loop.state.multipliers


def test_the_report_is_told_of_multipliers_and_of_rules_left_out():
    loop = loop_of({}, rules=[*RULES, {"id": "facts", "says": 'intent = refund or text has "x"'}])
    assert loop.ascent.note({"same": 0.25}) == (
        "Rules loss (experimental): multipliers at the end: same 0.250."
    )
    assert "it never began" in loop.ascent.note({})


# ------------------------------------------------------------------ a project of it


def write(folder, rules="- topics has ORG <=> exists span:ORG\n", loss=True, **training):
    """Write a project of which half of the training records have no labels; return its file."""
    folder.mkdir(exist_ok=True)
    for split, size in (("train", 24), ("validation", 8), ("test", 8)):
        rows = rows_of(size, labelled=size // 2 if split == "train" else size)
        for number, row in enumerate(rows):
            row["text"] += f" {split} {number}"
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(lines)
    (folder / "rules.yaml").write_text(rules)
    project = {
        "sources": [{"path": f"{s}.jsonl", "split": s} for s in ("train", "validation", "test")],
        "inputs": {"text": {"kind": "hashing", "width": 16, "buckets": 512}},
        "knowledge": {"rules": "rules.yaml", "rules_loss": loss},
        "tasks": {name: {"kind": kind, "labels": TASKS[name].labels} for name, kind in
                  (("intent", "multiclass"), ("topics", "multilabel"), ("entities", "spans"))},
        "training": {"epochs": 4, "batch_records": 8, "head_lr": 0.03, "precision": "fp32",
                     "probe": False, **training},
    }  # fmt: skip
    (folder / "pulled.yaml").write_text(yaml.safe_dump(project, sort_keys=False))
    return folder / "pulled.yaml"


def the_job(file):
    plan = Project.load(file).plan
    run = Run(file.parent / "run", {})
    return job_of(plan, load_records(plan), run, lambda *_: None).learned()


def test_a_project_is_trained_towards_its_rules_and_the_report_tells(tmp_path):
    project = Project.load(write(tmp_path / "pulled"))
    report = project.train()
    (note,) = [note for note in report.notes if note.startswith("Rules loss")]
    assert note.startswith("Rules loss (experimental): multipliers at the end: rule_1 0.")
    kept = Report.from_dict(project.run.json("metrics.json"))
    assert note in kept.notes
    told = kept.project["knowledge"]["rules_loss"]
    assert told == {"weight": 0.0, "step": 0.02, "most": 0.3, "after": 0.25, "unlabelled": 1.0}
    assert project.predict({"text": "Acme fell"})["topics"]


def test_without_it_nothing_is_pulled(tmp_path):
    job = the_job(write(tmp_path / "plain", loss=False))
    assert job.unlabelled().tolist() == []
    assert job.ascent(job.prepared(job.model(dropout=0.0))) is None


def test_records_without_labels_are_read_and_twins_do_without_the_loss(tmp_path):
    job = the_job(write(tmp_path / "pulled"))
    assert len(job.unlabelled()) == 12
    assert set(job.unlabelled()) <= set(job._visited())
    prepared = job.prepared(job.model(dropout=0.0))
    assert prepared.unlabelled.tolist() == job.unlabelled().tolist()
    alone = alone_of(job, "topics", 0, 1.0)
    assert (alone.consistency, alone.voting, alone.voted) == (None, None, None)
    assert alone.unlabelled().tolist() == []
    assert part_of(job, list(job.tasks), 1, 1.0).consistency == job.consistency


class Killed(Exception):
    pass


def test_a_killed_training_goes_on_with_its_multipliers(tmp_path):
    def tell(stage, done, total, word):
        if stage == "train" and done >= 2.5:
            raise Killed

    whole = Project.load(write(tmp_path / "whole", dropout=0.1)).train()
    file = write(tmp_path / "killed", dropout=0.1, checkpoint_minutes=1e-9)
    project = Project.load(file, tell=tell)
    with pytest.raises(Killed):
        project.train()
    project = Project.load(file)
    resumed = project.train(resume=True)
    assert resumed.notes == whole.notes
    assert [row["losses"] for row in resumed.history] == [row["losses"] for row in whole.history]


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ("- text has Acme\n", "`knowledge.rules_loss`: expected a rule in force today over labels "
         "or spans without `with kb(…)`, found none among 1. Write one, or remove the key."),
        ("- {says: topics has ORG, valid_to: 2020-01-01}\n", "`knowledge.rules_loss`: expected a "
         "rule in force today over labels or spans without `with kb(…)`, found none among 0. Write "
         "one, or remove the key."),
    ],
)  # fmt: skip
def test_check_and_train_refuse_rules_that_nothing_can_be_pulled_towards(tmp_path, rules, sentence):
    file = write(tmp_path / "none", rules)
    for verb in ("check", "train"):
        with pytest.raises(ProjectError) as error:
            getattr(Project.load(file), verb)()
        assert str(error.value) == sentence
