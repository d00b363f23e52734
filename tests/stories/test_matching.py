"""Searching between two inputs of a project, from the command line and from Python."""

import csv
import json
from itertools import product

import pytest
import yaml

from allrounder import DataError, Project, ProjectError

WORDS = {
    "red": "rot", "green": "grün", "blue": "blau", "black": "schwarz", "white": "weiß",
    "old": "alt", "new": "neu", "big": "groß",
}  # fmt: skip
THINGS = {
    "apple": "apfel", "house": "haus", "car": "auto", "tree": "baum", "fish": "fisch",
    "bird": "vogel", "table": "tisch", "shoe": "schuh", "king": "könig", "ship": "schiff",
}  # fmt: skip
INPUT = {"kind": "hashing", "width": 32, "buckets": 512}


def pairs():
    for (word, wort), (thing, ding) in product(WORDS.items(), THINGS.items()):
        yield f"a {word} {thing}", f"{wort} {ding}", thing if thing in ("fish", "bird") else "other"


def write(folder, **sections):
    """Write 80 English phrases with their German, two German ones alone, and a project."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "phrases.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "english", "german", "thing"])
        writer.writerows([f"p{at}", *row] for at, row in enumerate(pairs()))
        writer.writerows([["alone1", "", "gelb apfel", ""], ["alone2", "", "gelb haus", ""]])
    project = {
        "sources": [{"path": "phrases.csv", "id": "id",
                     "split": {"by": "ratio", "test": 0.2, "validation": 0.2}}],
        "inputs": {"english": INPUT, "german": INPUT},
        "tasks": {"fits": {"kind": "match", "width": 32}, "thing": {"kind": "multiclass"}},
        "training": {"epochs": 40, "batch_records": 64, "head_lr": 0.01, "precision": "fp32",
                     "patience": 40},
        **sections,
    }  # fmt: skip
    file = folder / "search.yaml"
    file.write_text(yaml.safe_dump(project, sort_keys=False), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def phrases(tmp_path_factory):
    """The project file of a trained run."""
    file = write(tmp_path_factory.mktemp("phrases"))
    Project.load(file).train()
    return file


def test_what_belongs_together_is_found_far_above_chance(phrases):
    report = Project.load(phrases).evaluate()
    found = report.tasks["fits"]
    assert found.deciding.after.value > 4 * found.deciding.baseline.value
    assert {(one.asked, one.searched) for one in found.directions} == {
        ("english", "german"), ("german", "english"),
    }  # fmt: skip
    (one, _) = found.directions
    assert one.recall["5"].value > 2 * one.chance["5"]
    assert "asked with" in str(report)
    assert "What finds what" in (phrases.parent / "runs/1/report.html").read_text(encoding="utf-8")


def test_records_with_one_input_can_be_found_though_they_train_nothing(phrases):
    shelf = Project.load(phrases).predictor.answerer.galleries["fits"].shelves
    assert {"alone1", "alone2"} <= {*shelf["german"].records}
    assert len(shelf["german"].values) == 82
    assert len(shelf["english"].values) == 80


def test_a_text_finds_its_fellow_and_a_pair_says_whether_it_fits(phrases):
    project = Project.load(phrases)
    answer = project.predict({"english": "a red fish"})["fits"]
    assert "rot fisch" in [near["value"] for near in answer["matches"]["german"][:3]]
    assert answer["similarity"] is None
    right, wrong = project.predict([
        {"english": "a red fish", "german": "rot fisch"},
        {"english": "a red fish", "german": "schwarz schuh"},
    ])  # fmt: skip
    assert right["fits"]["matches"] == {}
    assert right["fits"]["probability"] > 0.5 > wrong["fits"]["probability"]
    assert right["thing"]["label"] == "fish"


def test_candidates_of_ones_own_are_chosen_from(phrases, tmp_path):
    project = Project.load(phrases)
    among = [{"german": "alt haus"}, {"german": "rot fisch", "id": "mine"}]
    (near,) = project.predict([{"english": "a red fish"}], among=among)
    assert [one["record"] for one in near["fits"]["matches"]["german"]] == ["mine", "0"]
    file = tmp_path / "own.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in among), encoding="utf-8")
    assert project.predict([{"english": "a red fish"}], among=file) == [near]
    for row in project.predict_stream(phrases.parent / "phrases.csv", among=among):
        assert {len(a["fits"]["matches"].get("german", "ab")) for a in row[1]} == {2}


def test_it_is_asked_on_the_command_line(phrases, say, tmp_path):
    code, out, _ = say("predict", phrases, "a red fish", "--input", "english", "--top", 2)
    assert code == 0
    answer = json.loads(out)
    assert len(answer["fits"]["matches"]["german"]) == 2
    own = tmp_path / "own.csv"
    own.write_text("german\nalt haus\nrot fisch\n", encoding="utf-8")
    _, out, _ = say("predict", phrases, "a red fish", "--input", "english", "--among", own)
    assert json.loads(out)["fits"]["matches"]["german"][0]["value"] == "rot fisch"
    target = tmp_path / "found.csv"
    say("predict", phrases, "--data", own, "--out", target, "--among", own)
    with open(target, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert json.loads(rows[0]["fits"]) == {}, "there is no English to choose from"


def test_a_wrong_word_on_the_command_line_gets_a_sentence(phrases, say):
    _, _, said = say("predict", phrases, "rot", "--input", "germen")
    assert "has no such field. Did you mean 'german'?" in said
    _, _, said = say("predict", phrases, "rot")
    assert "say with --input which one the texts fill" in said
    _, _, said = say("predict", phrases, "rot", "--input", "german", "--among", "nothing.csv")
    assert "nothing.csv" in said
    with pytest.raises(DataError, match="`among` holds no record"):
        Project.load(phrases).predict({"german": "rot"}, among=[])


def test_a_field_is_named_for_texts_alone(phrases, say):
    _, _, said = say("predict", phrases, "--input", "german", "--data", "phrases.csv")
    assert "--input says which field texts fill, and there are none: use --map." in said


def test_no_column_fills_a_task_that_makes_its_labels(tmp_path):
    file = write(tmp_path, sources=[{"path": "phrases.csv", "map": {"thing": "fits"}}])
    with pytest.raises(ProjectError, match="whose labels are made from the inputs english, german"):
        Project.load(file).check()


def test_only_a_match_task_chooses_among_records(tmp_path):
    file = write(tmp_path, tasks={"thing": {"kind": "multiclass"}}, training={"epochs": 1})
    project = Project.load(file)
    project.train()
    with pytest.raises(DataError, match="this model has none: its tasks are thing"):
        project.predict({"german": "rot"}, among=[{"german": "rot"}])


def test_records_that_never_have_two_inputs_are_refused(tmp_path):
    file = write(tmp_path)
    lines = (tmp_path / "phrases.csv").read_text(encoding="utf-8").splitlines()
    alone = [lines[0], *(line.replace(line.split(",")[1], "", 1) for line in lines[1:])]
    (tmp_path / "phrases.csv").write_text("\n".join(alone), encoding="utf-8")
    with pytest.raises(DataError, match=r"`tasks\.fits` matches english, german: expected records"):
        Project.load(file).check()


def test_an_input_that_is_not_there_is_named(tmp_path):
    file = write(tmp_path, tasks={"fits": {"kind": "match", "of": ["english", "germen"]}})
    with pytest.raises(ProjectError, match=r"`tasks\.fits\.of` is 'germen', which is no input"):
        Project.load(file)
    file = write(tmp_path, inputs={"english": INPUT}, tasks={"fits": {"kind": "match"}})
    with pytest.raises(ProjectError, match=r"`tasks\.fits` matches two inputs or more"):
        Project.load(file)


def test_a_run_goes_on_with_one_more_input(phrases, tmp_path):
    file = write(tmp_path, **{"from": str(phrases.parent / "runs/1")},
                 inputs={"english": INPUT, "german": INPUT, "more": INPUT},
                 tasks={"fits": {"kind": "match", "width": 32}},
                 training={"epochs": 1, "head_lr": 1e-12, "precision": "fp32"})  # fmt: skip
    report = Project.load(file).train()
    assert len(report.tasks["fits"].directions) == 2, "no record has the new input"
    before = Project.load(phrases).evaluate().tasks["fits"].deciding.after.value
    assert report.tasks["fits"].deciding.after.value == pytest.approx(before, abs=1e-6)


def test_twins_judge_a_match_task_too(tmp_path):
    training = {"epochs": 6, "batch_records": 64, "head_lr": 0.01, "precision": "fp32",
                "twins": True}  # fmt: skip
    report = Project.load(write(tmp_path, training=training)).train()
    assert set(report.sharing.tasks) == {"fits", "thing"}


def test_a_pair_of_fields_of_which_one_is_empty_is_no_value_to_match(tmp_path):
    file = write(
        tmp_path / "halves",
        inputs={"english": INPUT, "german": {**INPUT, "fields": ["german", "note"]}},
        tasks={"fits": {"kind": "match", "width": 16}},
        training={"epochs": 2, "precision": "fp32"},
    )
    lines = (tmp_path / "halves" / "phrases.csv").read_text(encoding="utf-8").splitlines()
    noted = [f"{line},{'seen' if at % 4 else ''}" for at, line in enumerate(lines[1:])]
    (tmp_path / "halves" / "phrases.csv").write_text(
        "\n".join([f"{lines[0]},note", *noted]) + "\n", encoding="utf-8"
    )
    report = Project.load(file).train()
    searched = report.tasks["fits"].directions[0].num_searches
    assert report.tasks["fits"].num_records == searched
