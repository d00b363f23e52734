"""Labels are added, renamed and merged in the project file; records and answers stay."""

import json

import pytest
from desks import desk, said
from sentences import sentences, write_rows

from allrounder import Project, cli
from allrounder.checking import load_records
from allrounder.editing import edit
from allrounder.errors import ProjectError
from allrounder.labeling.people import Person

FILE = """\
# What we know of the markets.
sources:
  - {path: rows.jsonl, split: train}   # one file

inputs: {text: hashing}
tasks:
  topic:            # what it is about
    kind: multiclass
    labels: [markets, sport]  # two so far
  mood: multiclass
  'tags': {kind: multilabel}
"""


@pytest.fixture
def file(tmp_path):
    rows = [
        {"text": row["text"], "topic": row["topic"], "mood": ["good", "bad"][n % 2],
         "tags": ["good", "new"][: n % 3]}
        for n, row in enumerate(sentences(30))
    ]  # fmt: skip
    write_rows(tmp_path / "rows.jsonl", rows)
    path = tmp_path / "news.yaml"
    path.write_text(FILE, "utf-8")
    return path


def labels(file, task) -> set:
    column = load_records(Project.load(file).plan, trains=False).labels(task).to_pylist()
    return {name for one in column for name in (one if isinstance(one, list) else [one])}


def run(file, *words):
    return cli.main(["labels", words[0], str(file), *words[1:], "--quiet"])


def test_a_label_is_renamed_and_comments_stay(file, capsys):
    assert run(file, "rename", "topic", "sport", "sports 体育") == 0
    assert "'sport' is renamed to 'sports 体育' in topic; " in capsys.readouterr().out
    text = file.read_text("utf-8")
    for line in ("# What we know of the markets.", "# one file", "# what it is about",
                 "# two so far", "  mood: multiclass", "  'tags': {kind: multilabel}"):  # fmt: skip
        assert line in text
    assert "labels: [markets, sports 体育]" in text
    assert labels(file, "topic") == {"markets", "sports 体育"}
    assert '"topic": "sport"' in (file.parent / "rows.jsonl").read_text("utf-8")


def test_a_label_is_merged_and_what_that_concerns_is_told_before(file, capsys):
    assert run(file, "rename", "tags", "new", "good", "--dry-run", "--json") == 2
    assert "would have one label left" in capsys.readouterr().out
    assert run(file, "add", "mood", "mixed", "no") == 0
    assert run(file, "rename", "mood", "bad", "mixed", "--dry-run", "--json") == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["merged"], found["records"]) == (True, 15)
    assert labels(file, "mood") == {"good", "bad"}
    assert run(file, "rename", "mood", "bad", "mixed") == 0
    assert labels(file, "mood") == {"good", "mixed"}
    assert Project.load(file).plan.tasks["mood"].labels == ["good", "mixed", "no"]


def test_names_go_on_from_one_to_the_next_and_back(file):
    for old, new in (("sport", "games"), ("games", "play"), ("play", "sport")):
        assert run(file, "rename", "topic", old, new) == 0
    task = Project.load(file).plan.tasks["topic"]
    assert task.labels == ["markets", "sport"]
    assert task.renamed == {"games": "sport", "play": "sport"}
    assert labels(file, "topic") == {"markets", "sport"}


def test_answers_of_people_are_renamed_too(file):
    made = desk(file)
    key = made.pool.key(0)
    made.answer(Person("ada", "owner"), [said("1", key, "sport")])
    made.answers.close()
    assert run(file, "rename", "topic", "sport", "games") == 0
    records = load_records(Project.load(file).plan, trains=False)
    assert "sport" not in set(records.labels("topic").to_pylist())
    made = desk(file)
    assert made.board.standing[key, "topic"].value == "games"
    assert made.progress(Person("ada", "owner"))["tasks"]["topic"]["labels"] == {"games": 1}
    made.answers.close()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("rename", "topik", "a", "b"), "There is no task 'topik'. Did you mean 'topic'?"),
        (("rename", "topic", "sprt", "b"), "has no label 'sprt'. Did you mean 'sport'?"),
        (("rename", "topic", "sport", "sport"), "'sport' is called so already."),
        (("rename", "topic", "sport", " "), "a label is a text of 1 to 200 characters."),
        (("rename", "topic", "sport", "markets"), "would have one label left"),
        (("add", "topic", "sport"), "'sport' is a label already"),
    ],
)
def test_what_cannot_be_gets_a_sentence_and_changes_nothing(file, capsys, words, sentence):
    assert run(file, *words) == 2
    assert sentence in capsys.readouterr().err
    assert file.read_text("utf-8") == FILE


def test_a_rule_that_names_the_label_keeps_it(file, capsys):
    rules = "version: 3\nrules: ['topic = sport => mood = good']\n"
    (file.parent / "rules.yaml").write_text(rules, "utf-8")
    whole = FILE + "knowledge: {rules: rules.yaml}\n"
    file.write_text(whole, "utf-8")
    assert run(file, "rename", "topic", "sport", "games") == 2
    assert "'sport'" in capsys.readouterr().err
    assert file.read_text("utf-8") == whole


def test_a_file_that_was_changed_meanwhile_is_left_alone(file):
    def change(sections):
        sections["tasks"]["mood"] = "ordinal"
        file.write_text(FILE + "\n# mine\n", "utf-8")

    with pytest.raises(ProjectError, match="changed by somebody else just now"):
        edit(file, change)
    assert file.read_text("utf-8") == FILE + "\n# mine\n"


def test_a_file_with_another_layout_of_lists_keeps_it(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("# top\nrules:\n- a   # first\n- 'b'\nmore: {x: yes, y: 1e-4}\n", "utf-8")
    edit(path, lambda found: found["rules"].append("no"))
    assert path.read_text("utf-8") == (
        "# top\nrules:\n- a   # first\n- 'b'\n- \"no\"\nmore: {x: yes, y: 1e-4}\n"
    )
