"""The command line end to end on the small newsroom: every verb, and every sort of bad input."""

import csv
import gzip
import io
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from making import newsroom as sections
from making import write_newsroom

from allrounder import Project, cli


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The project file of a trained newsroom, and what `train` printed."""
    file = write_newsroom(tmp_path_factory.mktemp("stories") / "desk", size=15)
    done = subprocess.run(
        [sys.executable, "-m", "allrounder.cli", "train", str(file)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return file, done


# ------------------------------------------------------------------ the verbs


def test_check_prints_coverage_labels_lengths_and_advice(trained, say):
    code, out, err = say("check", trained[0])
    assert (code, err) == (0, "")
    for word in ("news.csv", "tagged.conll", "rated.jsonl", "markets", "validation", "characters"):
        assert word in out
    code, out, _ = say("check", trained[0], "--json")
    found = json.loads(out)
    assert found["num_records"] == 15 * 3 + 15 * 3 + 15 * 4
    assert found["vocabulary"].keys() <= {"text"}
    assert isinstance(found["advice"], list)


def test_check_advises_on_sharing_where_it_is_asked_to(newsroom, say):
    file = newsroom(size=12)
    code, out, err = say("check", file, "--sharing", "--json")
    assert (code, err) == (0, "")
    advice = json.loads(out)["sharing"]
    assert advice["tasks"].keys() == {"topic", "mood", "entities"}
    assert [hint["about"] for hint in advice["hints"]] == ["groups", *["order"] * 3, "sampling"]
    code, out, _ = say("check", file)
    assert "Cosines" not in out
    assert "Cosines" in say("check", file, "--sharing")[1]


def test_check_writes_no_run(newsroom, say):
    file = newsroom(size=6)
    assert say("check", file)[0] == 0
    assert not (file.parent / "runs").exists()


def test_train_prints_the_table_and_names_the_report(trained):
    file, done = trained
    for word in ("task", "baseline", "after", "topic", "accuracy", "mood", "entities", "span_f1"):
        assert word in done.stdout
    assert done.stdout.rstrip().endswith("runs/1/report.html")
    page = (file.parent / "runs/1/report.html").read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert "\x1b" not in done.stdout + done.stderr, "no colours into a pipe"


def test_evaluate_finds_the_numbers_that_train_printed(trained, say):
    file, done = trained
    code, out, _ = say("evaluate", file)
    assert code == 0
    assert out.strip() == done.stdout.split("\nReport: ")[0].strip()
    _, out, _ = say("evaluate", file.parent / "runs/1", "--json")
    metrics = json.loads((file.parent / "runs/1/metrics.json").read_text())
    assert json.loads(out)["tasks"] == metrics["tasks"]


def test_evaluate_judges_other_splits_and_other_files(trained, say, tmp_path):
    file, _ = trained
    _, out, _ = say("evaluate", file, "--split", "train", "--json")
    assert json.loads(out)["split"] == "train"
    other = tmp_path / "other.csv"
    other.write_text("text,topic\nThe team won the match,sport\nthe bank said,markets\n")
    code, out, _ = say("evaluate", file, "--data", other, "--json")
    assert code == 0
    found = json.loads(out)["tasks"]
    assert list(found) == ["topic"]
    assert found["topic"]["num_records"] == 2


def test_evaluate_reads_columns_of_other_names(trained, say, tmp_path):
    rows = [["the bank rose", "markets"], ["the team won the match", "sport"]]
    with open(tmp_path / "more.txt", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["headline", "label"], *rows])
    words = ["--data", tmp_path / "more.txt", "--format", "csv"]
    code, out, _ = say("evaluate", trained[0], *words, "--map", "headline=text",
                       "--map", "label=topic", "--json")  # fmt: skip
    assert code == 0
    assert json.loads(out)["tasks"]["topic"]["num_records"] == 2


def test_evaluate_tells_what_sharing_did(newsroom, say):
    file = newsroom(size=10)
    assert say("train", file)[0] == 0
    code, out, _ = say("evaluate", file, "--twins", "--budget", "0.5")
    assert code == 0
    assert "Did sharing help? Intervals over records, with one seed." in out
    assert "3 twins" in out
    code, out, _ = say("evaluate", file, "--twins", "--json")
    assert set(json.loads(out)["sharing"]["tasks"]) == {"topic", "mood", "entities"}
    page = (file.parent / "runs" / "1" / "report.html").read_text("utf-8")
    assert "Did sharing help?" in page
    code, _, err = say("evaluate", file, "--twins", "--split", "train")
    assert (code, err.count("\n")) == (2, 1)
    assert "leave --data and --split out" in err
    code, _, err = say("evaluate", file, "--twins", "--budget", "3")
    assert "`training.twins` has `budget: 3.0`. Expected more than 0, at most 1." in err


def test_a_project_starts_from_a_run_and_keeps_what_it_freezes(newsroom, say):
    file = newsroom(size=10)
    assert say("train", file)[0] == 0
    plain = yaml.safe_load(file.read_text("utf-8"))
    plain |= {"from": {"run": "runs/1", "freeze": ["topic"]}, "tasks": {"mood": "regression"},
              "sources": [{"path": "rated.jsonl"}]}  # fmt: skip
    (file.parent / "next.yaml").write_text(yaml.safe_dump(plain), encoding="utf-8")
    code, out, _ = say("check", file.parent / "next.yaml")
    assert code == 0
    assert "mood has" in out
    assert "topic has" not in out, "a task that is kept as it is needs no labels"
    code, out, err = say("train", file.parent / "next.yaml")
    assert (code, err) == (0, "")
    assert "runs/2/report.html" in out
    _, out, _ = say("predict", file.parent / "next.yaml", "Dr Lin won the match")
    assert set(json.loads(out)) == {"topic", "mood"}


def test_an_interrupted_run_takes_no_changes(trained, say):
    code, _, err = say("train", trained[0], "--resume", "--set", "training.lr=1")
    assert code == 2
    assert err == (
        "allrounder: --set cannot go with --resume: an interrupted run goes on as it began. "
        "Start anew without --resume.\n"
    )


def test_predict_answers_texts(trained, say):
    file, _ = trained
    code, out, err = say("predict", file, "Acme rose 😀", "北京的公司")
    answers = [json.loads(line) for line in out.splitlines()]
    assert (code, err, len(answers)) == (0, "", 2)
    assert answers == Project.load(file).predict([{"text": "Acme rose 😀"}, {"text": "北京的公司"}])
    first = answers[0]
    assert sum(first["topic"]["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    low, high = first["mood"]["interval"]
    assert low <= first["mood"]["value"] <= high
    for span in first["entities"]["spans"]:
        assert "Acme rose 😀"[span["start"] : span["end"]] == span["text"]


def test_predict_gives_the_likeliest_labels_that_were_asked_for(trained, say):
    _, out, _ = say("predict", trained[0], "--top", 2, "Acme")
    assert len(json.loads(out)["topic"]["probabilities"]) == 2


@pytest.fixture(scope="module")
def wanted(tmp_path_factory):
    """A CSV file with more columns than the model reads; its rows."""
    path = tmp_path_factory.mktemp("wanted") / "in.csv"
    texts = ["a great match", "Acme, the bank", "北京\n上海", 'said "good" 😀', "law " * 700]
    rows = [
        {"headline": text, "number": str(i), "topic": "old"} for i, text in enumerate(texts * 3)
    ]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path, rows


def read_answers(path: Path) -> list[dict]:
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv", ".parquet"])
def test_predict_keeps_order_and_every_column_of_a_file(trained, say, wanted, tmp_path, suffix):
    (data, rows), out = wanted, tmp_path / f"deep/out{suffix}"
    code, printed, err = say(
        "predict", trained[0], "--data", data, "--map", "headline=text", "--out", out
    )
    assert (code, printed) == (0, "")
    assert err == f"15 records answered: {out}\n"
    found = read_answers(out)
    assert len(found) == 15
    for row, answer in zip(rows, found, strict=True):
        assert {name: answer[name] for name in row} == row
    expected = Project.load(trained[0]).predict([{"text": row["headline"]} for row in rows])
    if suffix == ".jsonl":
        assert [row["answers"] for row in found] == expected
    else:
        assert [row["topic_answer"] for row in found] == [e["topic"]["label"] for e in expected]
        assert [float(row["mood"]) for row in found] == [e["mood"]["value"] for e in expected]
        assert [json.loads(row["entities"]) for row in found] == [
            e["entities"]["spans"] for e in expected
        ]


def test_predict_reads_json_lines_from_standard_input(trained, say, monkeypatch):
    lines = [{"text": "Acme rose", "id": 7}, {"text": "a poor match", "id": 8}]
    stream = io.TextIOWrapper(io.BytesIO("\n".join(map(json.dumps, lines)).encode()))
    monkeypatch.setattr(sys, "stdin", stream)
    code, out, _ = say("predict", trained[0])
    found = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row["id"] for row in found] == [7, 8]
    expected = Project.load(trained[0]).predict([{"text": line["text"]} for line in lines])
    assert [row["answers"] for row in found] == expected


@pytest.mark.parametrize("name", ["news.csv", "news.csv.gz", "tagged.conll", "rated.jsonl"])
def test_predict_reads_every_source_format(trained, say, tmp_path, name):
    data = tmp_path / name
    source = trained[0].parent / name.removesuffix(".gz")
    raw = source.read_bytes()
    data.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    renamed = ["--map", "headline=text"] if "csv" in name else []
    code, out, err = say("predict", trained[0], "--data", data, *renamed)
    assert code == 0, err
    assert len(out.splitlines()) in (45, 60)


def test_an_answer_that_is_not_sure_is_withheld(newsroom, say):
    file = newsroom(size=8, tasks={**TASKS, "topic": {"kind": "multiclass", "abstain": 0.999}})
    assert say("train", file, "--quiet", "--set", "training.epochs=0.5")[0] == 0
    _, out, _ = say("predict", file, "something never seen")
    topic = json.loads(out)["topic"]
    assert topic["abstained"]
    assert topic["label"] is None
    assert topic["probability"] < 0.999


def test_kinds_lists_families_kinds_and_settings(say):
    code, out, _ = say("kinds")
    assert code == 0
    for word in ("encoders", "hashing", "multiclass", "label_smoothing", "smoothed", "cosine"):
        assert word in out
    _, out, _ = say("kinds", "tasks", "--json")
    assert list(json.loads(out)) == ["tasks"]
    code, _, err = say("kinds", "task")
    assert code == 2
    assert "Did you mean 'tasks'?" in err


def test_set_changes_one_key_and_the_run_remembers_it(newsroom, say):
    file = newsroom(size=6)
    code, *_ = say("train", file, "--quiet", "--set", "training.seed=9", "--set",
                   "tasks.topic.label_smoothing=1e-1")  # fmt: skip
    assert code == 0
    kept = yaml.safe_load((file.parent / "runs/1/project.yaml").read_text())
    assert kept["training"]["seed"] == 9
    assert kept["tasks"]["topic"]["label_smoothing"] == 0.1


@pytest.mark.parametrize("verb", ["", "check", "train", "evaluate", "predict", "tune", "kinds"])
def test_every_verb_has_help(verb, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([*([verb] if verb else []), "--help"])
    assert caught.value.code == 0
    assert "usage: allrounder" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["tran", "x.yaml"], ["train"], ["check", "x", "--fast"]])
def test_a_wrong_command_exits_with_two(words, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 2
    assert "usage: allrounder" in capsys.readouterr().err


# ------------------------------------------------------------------ bad input


def changed(name, old, new):
    """Return what changes one text in one file of the project."""

    def change(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def written(name, data: bytes):
    return lambda folder: (folder / name).write_bytes(data)


def section(**new):
    """Return what changes sections of the project file."""

    def change(folder: Path) -> None:
        plain = {**sections(), **new}
        (folder / "news.yaml").write_text(yaml.safe_dump(plain, sort_keys=False))

    return change


def spans(*found):
    row = {"text": "Acme fell", "entities": list(found)}
    return lambda folder: _spans(folder, row)


def _spans(folder, row):
    with open(folder / "rated.jsonl", "a") as file:
        file.write(json.dumps(row) + "\n")


def mixed(*changes):
    return lambda folder: [change(folder) for change in changes]


TOPIC = {"kind": "multiclass", "labels": ["markets", "politics", "sport"]}
TASKS = sections()["tasks"]
BAD = {
    "an unknown section": (section(trainning={}), ["`trainning`", "Did you mean 'training'?"]),
    "an unknown key": (section(training={"epoch": 1}), ["`training.epoch`", "'epochs'?"]),
    "an unknown kind": (
        section(tasks={"topic": {"kind": "multclass"}}),
        ["`tasks.topic.kind`", "'multiclass'?"],
    ),
    "a wrong type": (section(training={"lr": "fast"}), ["`training.lr`", "'fast'"]),
    "a missing file": (
        section(sources=["new.csv"]),
        ["new.csv: there is no such file", "Did you mean 'news.csv'?", "tagged.conll"],
    ),
    "a missing column": (
        changed("news.yaml", "headline: text", "headlin: text"),
        ["news.csv", "'headlin'", "Did you mean 'headline'?", "headline, about, number"],
    ),
    "a malformed row": (
        changed("news.csv", ",markets,0", ",markets,0,more"),
        ["news.csv, line 2", "expected 3 cells (headline, about, number), found 4"],
    ),
    "a malformed JSON line": (
        changed("rated.jsonl", '{"text"', '{"text'),
        ["rated.jsonl, line 1, column ", "this is not JSON"],
    ),
    "a value that is no number": (
        changed("rated.jsonl", '"mood": 2.0', '"mood": "warm"'),
        ["rated.jsonl, line 1, column `mood`", "expected a number, found 'warm'"],
    ),
    "a value out of range": (
        changed("rated.jsonl", '"mood": 2.0', '"mood": 9'),
        ["rated.jsonl, line 1, column `mood`", "from -4.0 to 4.0"],
    ),
    "a label outside the declared set": (
        mixed(section(tasks={**TASKS, "topic": TOPIC}), changed("news.csv", ",sport,", ",sprot,")),
        ["news.csv, line 3, column `about`", "'sprot' is not one of", "Did you mean 'sport'?"],
    ),
    "a task without any label": (
        section(tasks={**TASKS, "tone": {"kind": "multiclass"}}),
        ["`tasks.tone` has no label in any source"],
    ),
    "a task with one class": (
        lambda folder: (folder / "news.csv").write_text(
            "headline,about\n" + "".join(f"text {i},markets\n" for i in range(60))
        ),
        ["`tasks.topic`: expected labels of at least two classes, found only 'markets'"],
    ),
    "a span outside its text": (
        spans({"start": 5, "end": 10, "label": "ORG"}),
        ["rated.jsonl, line ", "the span 5–10 (ORG) does not lie in its text of 9 characters"],
    ),
    "overlapping spans": (
        spans({"start": 0, "end": 4, "label": "ORG"}, {"start": 3, "end": 9, "label": "LOC"}),
        ["rated.jsonl, line ", "the spans 0–4 (ORG) and 3–9 (LOC) overlap"],
    ),
    "an empty text": (
        changed("rated.jsonl", "A great day 😀 number 0", "  "),
        ["rated.jsonl, line 1: expected text in `text`, found none"],
    ),
    "a wrong encoding": (
        written("news.csv", "headline,about\ncafé,sport\n".encode("latin-1")),
        ["news.csv, line 2", "0xe9", "`encoding: latin-1`"],
    ),
    "UTF-16 with a byte order mark": (
        written("news.csv", "headline,about\ncafé,sport\n".encode("utf-16")),
        ["news.csv, line 1", "expected text in utf-8"],
    ),
    "a NUL byte": (
        written("news.csv", b"headline,about\nca\0fe,sport\n"),
        ["news.csv, line 2", "found a NUL byte"],
    ),
    "a split without records": (
        section(sources=[{**source, "split": "train"} for source in sections()["sources"]]),
        ["`sources`: expected records in train, validation and test, found none for validation"],
    ),
    "a model folder without weights": (
        mixed(
            lambda folder: (folder / "hollow").mkdir(),
            section(inputs={"text": {"kind": "text", "model": "./hollow"}}),
        ),
        ["`inputs.text.model`", "holds no weights: expected model.safetensors"],
    ),
    "an empty file": (written("news.csv", b""), ["news.csv", "found an empty file"]),
    "a damaged gzip file": (
        mixed(section(sources=["news.csv.gz"]), written("news.csv.gz", b"not gzip")),
        ["news.csv.gz: the gzip file is damaged"],
    ),
}


@pytest.mark.parametrize("verb", ["check", "train"])
@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_sentence_and_exit_code_two(newsroom, say, case, verb):
    file = newsroom(size=6)
    change, words = BAD[case]
    change(file.parent)
    before = {path.name for path in file.parent.iterdir()}
    code, out, err = say(verb, file)
    assert (code, out) == (2, "")
    assert err.startswith("allrounder: ")
    assert err.count("\n") == 1, err
    assert err.rstrip()[-1] in ".?'" or err.rstrip().endswith("allrounder train"), err
    for word in words:
        assert word in err
    assert {path.name for path in file.parent.iterdir()} - {".allrounder"} == before
    assert not (file.parent / "runs").exists()
    assert not list(file.parent.rglob("*.arrow"))


def test_a_byte_order_mark_does_no_harm(newsroom, say):
    file = newsroom(size=6)
    news = file.parent / "news.csv"
    news.write_bytes(b"\xef\xbb\xbf" + news.read_bytes())
    assert say("check", file)[0] == 0


def test_bad_input_in_json_is_json(newsroom, say):
    code, out, err = say("check", newsroom(size=6), "--json", "--set", "training.epoch=3")
    assert code == 2
    assert "`training.epoch`" in json.loads(out)["error"]
    assert json.loads(out)["error"] in err


def test_texts_longer_than_the_encoder_reads_are_counted(newsroom, say, tiny):
    file = newsroom(size=6, inputs={"text": {"kind": "text", "model": tiny, "max_tokens": 8}})
    code, out, _ = say("check", file)
    assert code == 0
    assert "longer than 8 tokens" in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--data", "nowhere.csv"], "nowhere.csv: there is no such file"),
        (["--data", "{desk}/news.csv"], "expected a column for at least one input (text)"),
        (["--data", "{desk}/rated.jsonl", "--out", "out.docx"], "written to .jsonl, .csv"),
        (["--data", "{desk}/rated.jsonl", "a text"], "Give either texts or --data, not both."),
        (["--data", "{desk}/rated.jsonl", "--map", "text"], "expected COLUMN=NAME"),
        (["--data", "{desk}/rated.jsonl", "--map", "txt=text"], "'txt', which is not in the"),
        (["   "], "must be a text"),
    ],
)
def test_predict_refuses_bad_input_in_one_sentence(
    trained, say, tmp_path, monkeypatch, words, sentence
):
    monkeypatch.chdir(tmp_path)
    words = [word.format(desk=trained[0].parent) for word in words]
    code, out, err = say("predict", trained[0], *words)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_bad_row_in_the_middle_leaves_no_half_written_answers(trained, say, tmp_path):
    data, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    rows = ['{"text": "fine"}'] * 5000
    data.write_text("\n".join([*rows, '{"text": ', *rows]))
    code, _, err = say("predict", trained[0], "--data", data, "--out", out)
    assert code == 2
    assert f"{data}, line 5001" in err
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_before_any_training_there_is_nothing_to_ask(newsroom, say):
    file = newsroom(size=6)
    for verb in ("evaluate", "predict"):
        code, _, err = say(verb, file, *(["Acme"] if verb == "predict" else []))
        assert code == 2
        assert "There is no complete run under" in err


def test_ctrl_c_says_how_to_go_on(newsroom, say, monkeypatch):
    def stopped(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(Project, "train", stopped)
    code, _, err = say("train", newsroom(size=6))
    assert code == 130
    assert "train --resume" in err


def test_a_second_training_is_a_second_run_with_the_same_scores(newsroom, say):
    file = newsroom(size=6)
    for _ in range(2):
        assert say("train", file, "--quiet")[0] == 0
    one, two = (json.loads((file.parent / f"runs/{n}/metrics.json").read_text()) for n in (1, 2))
    assert one["tasks"] == two["tasks"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_of_answers_has_the_same_columns_whatever_its_first_rows_lack(
    newsroom, say, tmp_path, suffix
):
    both = {"text": {"kind": "hashing"}, "other": {"kind": "hashing", "width": 8}}
    file = newsroom(size=10, inputs=both)
    plan = yaml.safe_load(file.read_text(encoding="utf-8"))
    plan["tasks"] = {"topic": {"kind": "multiclass", "of": "text"},
                     "mood": {"kind": "regression", "of": "other"}}  # fmt: skip
    rows = [{"text": f"the bank rose {i}", "topic": "ab"[i % 2]} for i in range(40)]
    rows += [{"other": f"the team won {i}", "mood": i % 3} for i in range(40)]
    plan["sources"] = ["both.jsonl"]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (file.parent / "both.jsonl").write_text(lines, encoding="utf-8")
    file.write_text(yaml.safe_dump(plan), encoding="utf-8")
    assert say("train", file)[0] == 0
    target = tmp_path / f"out{suffix}"
    project = Project.load(file)
    parts = list(project.predict_stream(file.parent / "both.jsonl", batch=40))
    assert [set(part[1][0]) for part in parts] == [{"topic"}, {"mood"}]
    assert project.predict_file(file.parent / "both.jsonl", target) == 80
    if suffix == ".parquet":
        found = pq.read_table(target).to_pylist()
    else:
        with open(target, newline="", encoding="utf-8") as opened:
            found = list(csv.DictReader(opened))
    assert found[0].keys() == found[-1].keys() >= {"topic_probability", "mood_interval"}


def test_check_takes_a_task_of_which_records_carry_one_label_alone(tmp_path, say):
    rows = [f"text {number},sport" for number in range(40)]
    (tmp_path / "one.csv").write_text("\n".join(["text,topics", *rows]) + "\n", encoding="utf-8")
    (tmp_path / "one.yaml").write_text(
        "sources: [one.csv]\ninputs: {text: hashing}\n"
        "tasks: {topics: {kind: multilabel, labels: [sport, art]}}\n",
        encoding="utf-8",
    )
    code, out, err = say("check", tmp_path / "one.yaml", "--quiet")
    assert code == 0, err
    assert "sport 40" in out
