"""A whole search with real workers: what it leaves, and what it refuses."""

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from making import write_newsroom

from allrounder import MissingExtra, Project, ProjectError, RunError
from allrounder.checking import load_records
from allrounder.plan import read_plan
from allrounder.tuning.folder import Folder
from allrounder.tuning.page import render_page
from allrounder.tuning.space import read_spaces

SEARCH = [
    "training.head_lr=log(1e-3,1e-1)",
    "training.schedule=choice(linear,{kind: cosine, warmup: 0.1})",
    "tasks.topic.weight=uniform(0.5,2)",
    "training.epochs=int(1,3)",
]


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A project file, what its search found, and what it told on the way."""
    file, told = write_newsroom(tmp_path_factory.mktemp("search") / "desk", size=8), []
    project = Project.load(file, tell=lambda *words: told.append(words))
    return file, project.tune(SEARCH, trials=9, workers=2), told


def test_as_many_trials_end_as_were_wanted(searched):
    _, report, _ = searched
    assert report.num_ended == len(report.trials) == 9
    assert {trial.state for trial in report.trials} <= {"complete", "pruned"}


def test_the_best_is_never_worse_than_the_file_as_it_stood(searched):
    _, report, _ = searched
    assert report.trials[0].as_it_stands
    assert report.best.value >= report.stood.value == report.trials[0].value


def test_every_trial_keeps_its_scores_and_its_curve(searched):
    for trial in searched[1].trials:
        if trial.state == "complete":
            assert trial.scores.keys() == {"topic", "mood", "entities"}
        assert trial.curve
        assert trial.seconds > 0
        assert trial.values.keys() == {text.split("=")[0] for text in SEARCH}


def test_the_best_is_written_back_as_a_project_file_that_trains(searched):
    file, report, _ = searched
    assert report.best_file == file.parent / "news.best.yaml"
    text = report.best_file.read_text(encoding="utf-8")
    assert re.match(
        r"# Written by allrounder tune: news with the values of trial \d of tuning/1, skill "
        r"\d\.\d{4}; comments were not kept\.\n",
        text,
    )
    plan, old = read_plan(report.best_file), read_plan(file)
    assert list(plan.sections) == list(old.sections)
    assert plan.sources == old.sources
    assert plan.training.head_lr == report.best.values["training.head_lr"]
    assert plan.tasks["topic"].weight == report.best.values["tasks.topic.weight"]
    assert Project.load(report.best_file).check().data.num_records


def test_the_best_file_gets_what_its_trial_got(searched):
    """Nothing but the file decides: training it anew comes to the same validation scores."""
    _, report, _ = searched
    shipped = Project.load(report.best_file).train().snapshots
    found = {name: snapshot["shipped"] for name, snapshot in shipped.items()}
    assert found == pytest.approx(report.best.scores)


def test_the_folder_holds_the_search_and_no_scratch(searched):
    file, report, _ = searched
    assert report.folder == file.parent / "tuning/1"
    names = {path.name for path in report.folder.iterdir()}
    assert names == {
        "lock", "project.yaml", "report.html", "search.json", "study.db", "workers.log",
    }  # fmt: skip
    assert Folder.open(report.folder).search.search == SEARCH


def test_progress_is_told_until_all_trials_have_ended(searched):
    told = [words for words in searched[2] if words[0] == "tune"]
    done = [words[1] for words in told]
    assert told[-1][1:3] == (9, 9)
    assert all(0 <= share <= 9 for share in done)
    assert told[-1][3] == f"best {searched[1].best.value:.3f}"


def test_the_report_says_it_in_text_and_in_plain_data(searched):
    _, report, _ = searched
    text = str(report)
    for word in ("trial", "head_lr", "skill", "topic accuracy", "mood r2", "(as it stood)"):
        assert word in text
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["best"]["number"] == report.best.number
    assert len(plain["trials"]) == 9
    assert plain["best_file"].endswith("news.best.yaml")


class _Balance(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else(searched):
    html = (searched[1].folder / "report.html").read_text(encoding="utf-8")
    reader = _Balance()
    reader.feed(html)
    assert reader.open == []
    assert not re.findall(r'(?:src|href)="(?!#)[^"]*"', html)
    drawings = re.findall(r'<svg role="img".*?</svg>', html, flags=re.DOTALL)
    assert len(drawings) == 2 + len(SEARCH)
    for drawing in drawings:
        ElementTree.fromstring(drawing)
        assert "var(--after)" in drawing


def test_the_page_escapes_what_it_quotes(searched):
    _, report, _ = searched
    evil = "<script>alert(1)</script>"
    named = type(report)(**{**vars(report), "name": evil})
    assert evil not in render_page(named)


def test_a_finished_search_can_be_gone_on_with_and_trials_added(searched):
    file, report, _ = searched
    again = Project.load(file).tune(resume=True)
    assert again.trials == report.trials, "nothing is left to do"
    more = Project.load(file).tune(SEARCH, trials=11, resume=True)
    assert more.trials[:9] == report.trials
    assert more.num_ended == 11


# ------------------------------------------------------------------ what is refused


def refused(file: Path, *search: str, kind=ProjectError, changes=(), **options) -> str:
    with pytest.raises(kind) as caught:
        Project.load(file, changes=changes).tune(search, **options)
    return str(caught.value)


def test_another_space_another_file_or_other_records_cannot_go_on(searched):
    file, report, _ = searched
    assert refused(file, "training.lr=log(1e-5,1e-3)", kind=RunError, resume=True) == (
        f"{report.folder} cannot go on: it searches {' '.join(SEARCH)}. Resume it without "
        "--search, or start anew without --resume."
    )
    changed = refused(file, kind=RunError, changes=["training.patience=9"], resume=True)
    assert changed == (
        f"{report.folder} cannot go on: the project file has changed since it began. Start anew "
        "without --resume."
    )
    old = (file.parent / "news.csv").read_text(encoding="utf-8")
    (file.parent / "news.csv").write_text(old + "A new goal,sport,1\n", encoding="utf-8")
    try:
        assert refused(file, kind=RunError, resume=True) == (
            f"{report.folder} cannot go on: the records have changed since it began. Start anew "
            "without --resume."
        )
    finally:
        (file.parent / "news.csv").write_text(old, encoding="utf-8")


def test_a_search_that_goes_on_elsewhere_is_left_alone(searched, monkeypatch):
    file, report, _ = searched
    monkeypatch.setattr("allrounder.tuning.folder.PATIENCE", 0.1)
    with Folder.open(report.folder).held():
        assert refused(file, kind=RunError, resume=True) == (
            f"{report.folder} is being searched by another process. Let it end."
        )


def test_a_study_that_cannot_be_read_is_told_of_in_a_sentence(newsroom):
    file = newsroom(size=6)
    plan, search = read_plan(file), read_spaces(SEARCH[:1])
    folder = Folder.create(plan, search, trials=2, records=load_records(plan).fingerprint)
    (folder.path / "study.db").write_bytes(b"no database at all" * 100)
    words = refused(file, kind=RunError, resume=True)
    assert words.startswith(f"{folder.path / 'study.db'} cannot be read or written: ")
    assert words.endswith("file is not a database.")


def test_without_a_search_there_is_nothing_to_resume(newsroom):
    file = newsroom(size=6)
    assert refused(file, kind=RunError, resume=True) == (
        f"There is no search of news under {file.parent / 'tuning'}. Start one: allrounder tune"
    )


@pytest.mark.parametrize("option", ["trials", "workers"])
def test_counts_begin_with_one(newsroom, option):
    words = refused(newsroom(size=6), SEARCH[0], **{option: 0})
    assert words == f"`{option}` must be 1 or more. Got 0."


def test_bad_input_leaves_no_folder(newsroom):
    file = newsroom(size=6)
    refused(file, "training.lrr=log(1e-5,1e-3)")
    refused(file)
    assert not (file.parent / "tuning").exists()


def test_a_file_that_a_person_wrote_is_not_overwritten(newsroom):
    file = newsroom(size=6)
    assert refused(file, SEARCH[0], out="news.yaml") == (
        f"{file} exists, and Allrounder did not write it. Give another name with --out, or move it."
    )
    assert refused(file, SEARCH[0], out="elsewhere/best.yaml") == (
        f"--out 'elsewhere/best.yaml' must be a name in {str(file.parent)!r}, beside the project "
        "file: the paths of its sources are relative to that folder."
    )


def test_without_optuna_the_extra_is_named(newsroom, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert refused(newsroom(size=6), SEARCH[0], kind=MissingExtra) == (
        "Tuning needs Optuna. Try: pip install 'allrounder[tune]'"
    )


def test_a_small_space_ends_early_and_says_so(newsroom):
    report = Project.load(newsroom(size=6)).tune(["training.epochs=int(1,2)"], trials=5, workers=2)
    assert report.num_ended == 2
    assert "The spaces hold no more than 2 different trials, it seems." in report.sentences


def test_where_no_trial_ends_the_first_reason_is_told(newsroom):
    file = newsroom(size=6, training={"head_lr": 1e30, "precision": "fp32"})
    words = refused(file, "training.epochs=int(1,3)", kind=RunError, trials=2)
    start = f"No trial of {file.parent / 'tuning/1'} came to its end. The first one: "
    assert words.startswith(start)
    assert "NaN" in words or "nan" in words
    assert not (file.parent / "news.best.yaml").exists()
