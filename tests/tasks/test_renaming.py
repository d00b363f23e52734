"""Labels that have another name now: files and answers keep the old one and are read as the new."""

import pyarrow as pa
import pytest
from desks import desk, project, said

from allrounder.errors import ProjectError
from allrounder.labeling.people import Person
from allrounder.tasks import TASKS

RENAMED = {"footbal": "sport", "athletics": "sport", "econ": "markets"}


def task(kind: str, **options):
    return TASKS.build({"kind": kind, "renamed": RENAMED, **options}, at="tasks.topic")


@pytest.mark.parametrize("kind", ["multiclass", "ordinal"])
def test_labels_are_read_by_their_new_name(kind):
    found = task(kind, labels=["sport", "markets"])
    values = pa.array(["footbal", "sport", "", "econ"])
    assert found.read(values, None).to_pylist() == ["sport", "sport", None, "markets"]


def test_in_a_set_what_has_become_one_label_stands_once():
    found = task("multilabel", labels=["sport", "markets"])
    values = pa.array(["footbal|athletics|econ", "", "[]"])
    assert found.read(values, None).to_pylist() == [["sport", "markets"], None, []]


def test_spans_are_renamed():
    spans = [[{"start": 0, "end": 2, "label": "econ"}]]
    found = task("spans", labels=["sport", "markets"]).read(pa.array(spans), pa.array(["abcd"]))
    assert found.to_pylist()[0][0]["label"] == "markets"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"renamed": {"a": "b", "b": "c"}}, "renames 'a' to 'b' and that to 'c'."),
        ({"renamed": {"a": "a"}}, "renames 'a' to 'a' and that to 'a'."),
        ({"labels": ["x", "y"], "renamed": {"x": "y"}}, "renames 'x', which is one of `labels`"),
        (
            {"labels": ["x", "yes"], "renamed": {"z": "yess"}},
            "none of `labels`. Did you mean 'yes'?",
        ),
    ],
)
def test_odd_names_get_a_sentence(options, sentence):
    with pytest.raises(ProjectError) as caught:
        TASKS.build({"kind": "multiclass", **options}, at="tasks.topic")
    assert sentence in str(caught.value)


def test_a_head_goes_on_by_the_new_names_and_a_merged_label_has_its_own_row():
    old = TASKS.build({"kind": "multiclass", "labels": ["econ", "footbal", "sport"]}, at="old")
    new = task("multiclass", labels=["markets", "sport"])
    now = new.called_now(old)
    assert now.labels == ["markets", "footbal", "sport"]
    assert new.continued(now, every=True).labels == ["markets", "sport"]
    assert new.called_now(now) is not old and new.called_now(new) is new


def test_an_answer_with_an_old_name_is_kept_under_the_new_one(tmp_path):
    tasks = {"topic": {"kind": "multiclass", "labels": ["sport", "markets"], "renamed": RENAMED}}
    made = desk(project(tmp_path / "news", tasks=tasks))
    owner = Person("ada", "owner")
    (record, *_) = made.next(owner, "one", have=[], want=[], n=1)["records"]
    made.answer(owner, [said("1", record["key"], "footbal")])
    assert made.board.standing[record["key"], "topic"].value == "sport"
    made.answers.close()
