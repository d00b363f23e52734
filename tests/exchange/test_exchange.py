"""Labels into files and out of them: round trips in every format, and files of others."""

import csv
import json

import pyarrow.parquet as pq
import pytest

from allrounder import Project, cli
from allrounder.checking import load_records
from allrounder.errors import DataError, ProjectError
from allrounder.exchange import FORMATS, format_of
from allrounder.ledger import Answer, Answers, canonical
from allrounder.plan import make_plan

TEXTS = ["Anna  met Bob 😀 in Rome, twice.", "北京欢迎你 Anna", "No name\nhere", '=1+1, "quoted"']
TASKS = {
    "topic": {"kind": "multiclass", "labels": ["sport", "trade"]},
    "tags": {"kind": "multilabel", "labels": ["x", "y, z"]},
    "score": {"kind": "regression"},
    "summary": {"kind": "generation", "model": "none", "of": "text"},
    "who": {"kind": "spans", "of": "text", "labels": ["PER", "LOC"]},
}
PER = [{"start": 0, "end": 4, "label": "PER"}, {"start": 10, "end": 13, "label": "PER"}]
ROME = [*PER, {"start": 19, "end": 23, "label": "LOC"}]


def tasks_of(*names):
    return {name: TASKS[name] for name in names or ("topic", "tags", "score", "who")}


def make(folder, tasks=None):
    folder.mkdir(exist_ok=True)
    with open(folder / "news.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text"], *([text] for text in TEXTS)])
    sections = {
        "sources": ["news.csv"],
        "inputs": {"text": "hashing"},
        "tasks": tasks or tasks_of(),
    }
    return Project(make_plan(sections, folder=folder))


@pytest.fixture
def project(tmp_path):
    return make(tmp_path / "one")


def said(project):
    """One answer of every kind, by two persons, with all that is kept of an answer."""
    records = load_records(project.plan, trains=False)
    keys = [format(key, "016x") for key in records.numbers("key").tolist()]
    rows = [
        (0, "topic", "sport", "ada"), (0, "topic", "trade", "ben"), (0, "who", ROME, "ada"),
        (1, "tags", ["x", "y, z"], "ada"),
        (1, "who", [{"start": 6, "end": 10, "label": "PER"}], "b@c.d"),
        (2, "tags", [], "ada"), (2, "who", [], "ben"), (2, "score", 3.25, "ada"),
        (3, "topic", "trade", "ada"),
    ]  # fmt: skip
    for number, (row, task, value, who) in enumerate(rows):
        yield Answer(
            id=f"id{number}", who=who, key=keys[row], task=task, act="label", value=value,
            seconds=number + 0.5, model="run-7", created=f"2026-01-0{number + 1}T10:00:00+00:00",
            suggested={"value": value, "probability": 0.5} if number % 2 else None,
        )  # fmt: skip


@pytest.fixture
def labelled(project):
    with Answers(project.plan.where) as ledger:
        ledger.append(list(said(project)))
    return project


def events(project):
    with Answers(project.plan.where, read_only=True) as ledger:
        return list(ledger.events())


def core(one):
    return one.key, one.task, canonical(one.value), one.who


SUFFIX = {"jsonl": "jsonl", "csv": "csv", "parquet": "parquet", "label-studio": "json",
          "prodigy": "jsonl", "conll": "conll"}  # fmt: skip


@pytest.mark.parametrize("format", sorted(set(FORMATS) - {"conll"}))
def test_what_is_exported_is_imported_the_same_and_only_once(labelled, tmp_path, format):
    file = tmp_path / f"labels.{SUFFIX[format]}"
    out = labelled.export_labels(file, format=format)
    assert (out.answers, out.records, out.notes) == (9, 4, [])
    other = make(tmp_path / "two")
    seen = other.import_labels(file, dry_run=True)
    assert (seen.new, seen.known, seen.left_out) == (9, 0, {})
    assert not (tmp_path / "two" / "ledger.db").exists()
    found = other.import_labels(file)
    assert (found.new, found.format) == (9, format)
    assert sorted(map(core, events(other))) == sorted(map(core, events(labelled)))
    by_core = {core(one): one for one in events(other)}
    for one in events(labelled):
        same = by_core[core(one)]
        assert (same.source, same.seconds, same.model) == ("import", one.seconds, "run-7")
        assert same.created.startswith(one.created[:19])
    again = other.import_labels(file)
    assert (again.new, again.known) == (0, 9)
    assert len(events(other)) == 9


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
def test_imported_into_the_ledger_that_it_is_from_nothing_is_doubled(labelled, tmp_path, format):
    file = tmp_path / f"labels.{format}"
    labelled.export_labels(file)
    assert labelled.import_labels(file).new == 0


def test_conll_has_the_spans_that_count_as_tokens(labelled, tmp_path):
    file = tmp_path / "labels.conll"
    out = labelled.export_labels(file)
    assert (out.answers, out.format) == (3, "conll")
    blocks = file.read_text(encoding="utf-8").split("\n\n")
    comment, *lines = blocks[0].splitlines()
    assert (
        "who = ada | created = 2026-01-03T10:00:00+00:00 | seconds = 2.5 | model = run-7 |"
        in comment
    )
    assert lines == [
        "Anna B-PER", "met O", "Bob B-PER", "😀 O", "in O", "Rome B-LOC", ", O", "twice O", ". O",
    ]  # fmt: skip
    assert blocks[1].splitlines()[1:] == ["北京欢迎你 O", "Anna B-PER"]
    other = make(tmp_path / "two")
    found = other.import_labels(file, who="conll")
    assert (found.new, found.left_out, found.people) == (3, {}, {"conll": 3})
    mine = {(key, value) for key, task, value, _ in map(core, events(labelled)) if task == "who"}
    assert {core(one)[::2] for one in events(other)} == mine


def test_conll_needs_one_spans_task(labelled, tmp_path):
    plain = make(tmp_path / "two", tasks_of("topic"))
    with pytest.raises(ProjectError, match=r"and there is none. Name it: --task"):
        plain.export_labels(tmp_path / "x.conll")


def test_a_table_has_a_row_an_answer(labelled, tmp_path):
    labelled.export_labels(tmp_path / "labels.csv")
    with open(tmp_path / "labels.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:4] == ["text", "task", "value", "act"]
    assert rows[0]["text"] == TEXTS[0]
    assert [row["stands"] for row in rows[:2]] == ["False", "True"]
    assert [row["value"] for row in rows[:2]] == ["sport", "trade"]
    assert json.loads(rows[2]["value"]) == ROME
    labelled.export_labels(tmp_path / "labels.parquet", task="who")
    table = pq.read_table(tmp_path / "labels.parquet").to_pylist()
    assert {row["task"] for row in table} == {"who"}
    assert table[0]["seconds"] == 2.5


def test_label_studio_gets_tasks_with_an_annotation_a_person(labelled, tmp_path):
    labelled.export_labels(tmp_path / "labels.json")
    tasks = json.loads((tmp_path / "labels.json").read_text(encoding="utf-8"))
    assert [task["data"]["text"] for task in tasks] == TEXTS
    ada, ben = tasks[0]["annotations"]
    assert (ada["annotator"], ada["lead_time"], ada["was_cancelled"]) == ("ada", 3.0, False)
    choice, *spans = ada["result"]
    assert (choice["from_name"], choice["type"]) == ("topic", "choices")
    assert choice["value"] == {"choices": ["sport"]}
    assert spans[2]["value"] == {"start": 19, "end": 23, "text": "Rome", "labels": ["LOC"]}
    assert {one["to_name"] for one in ada["result"]} == {"text"}
    assert (
        len({one["id"] for task in tasks for a in task["annotations"] for one in a["result"]}) == 9
    )
    assert tasks[0]["predictions"][0]["model_version"] == "run-7"
    assert "completed_by" not in ben


def test_prodigy_gets_a_line_an_answer(labelled, tmp_path):
    labelled.export_labels(tmp_path / "labels.jsonl", format="prodigy")
    lines = [json.loads(one) for one in (tmp_path / "labels.jsonl").read_text("utf-8").splitlines()]
    topic = lines[0]
    assert topic["accept"] == ["sport"]
    assert topic["options"] == [{"id": n, "text": n} for n in ("sport", "trade")]
    assert (topic["answer"], topic["_annotator_id"], topic["text"]) == ("accept", "ada", TEXTS[0])
    assert lines[2]["spans"] == ROME


# ------------------------------------------------------------------ as others write them

STUDIO = {
    "id": 41,
    "data": {"text": TEXTS[0]},
    "annotations": [
        {
            "id": 1001,
            "completed_by": {"id": 1, "email": "eva@example.org"},
            "created_at": "2021-03-09T22:16:08.728353Z",
            "lead_time": 4.288,
            "was_cancelled": False,
            "result": [
                {
                    "id": "a", "from_name": "label", "to_name": "text", "type": "labels",
                    "value": {"start": 0, "end": 4, "text": "Anna", "labels": ["PER"]},
                },
                {
                    "id": "b", "from_name": "label", "to_name": "text", "type": "labels",
                    "value": {"start": 19, "end": 23, "text": "Rome", "labels": ["LOC"]},
                },
                {
                    "id": "c", "from_name": "topic", "to_name": "text", "type": "choices",
                    "value": {"choices": ["trade"]},
                },
                {
                    "id": "d", "from_name": "stars", "to_name": "text", "type": "rating",
                    "value": {"rating": 4},
                },
            ],
        },
        {"id": 1002, "completed_by": 7, "was_cancelled": True, "result": []},
    ],
}  # fmt: skip


def test_an_export_of_label_studio_is_read(project, tmp_path):
    (tmp_path / "studio.json").write_text(json.dumps([STUDIO]))
    found = project.import_labels(tmp_path / "studio.json", map={"stars": "score"})
    assert found.tasks == {"who": 1, "topic": 1, "score": 1}
    assert found.people == {"eva@example.org": 3}
    assert found.left_out == {"was skipped": (1, f"{tmp_path / 'studio.json'}, task 41")}
    by_task = {one.task: one for one in events(project)}
    assert by_task["who"].value == [PER[0], ROME[2]]
    assert (by_task["topic"].value, by_task["score"].value) == ("trade", 4.0)
    assert (by_task["who"].seconds, by_task["who"].created[:10]) == (4.288, "2021-03-09")


def test_offsets_in_utf_16_are_told_by_the_text_that_is_quoted(project, tmp_path):
    old = json.loads(json.dumps(STUDIO))
    rome = old["annotations"][0]["result"][1]["value"]
    rome["start"], rome["end"] = 20, 24
    (tmp_path / "studio.json").write_text(json.dumps([old]))
    project.import_labels(tmp_path / "studio.json")
    assert {one.task: one.value for one in events(project)}["who"] == [PER[0], ROME[2]]
    rome["text"] = "Paris"
    (tmp_path / "studio.json").write_text(json.dumps([old]))
    found = project.import_labels(tmp_path / "studio.json", dry_run=True)
    assert found.left_out["has spans whose text is not where they say"][0] == 1


def test_a_flat_export_of_label_studio_is_told(project, tmp_path):
    (tmp_path / "flat.json").write_text(json.dumps([{"text": TEXTS[0], "topic": "sport"}]))
    with pytest.raises(DataError, match=r"exports them as JSON \(not JSON-MIN\)"):
        project.import_labels(tmp_path / "flat.json")


PRODIGY = [
    {"text": TEXTS[0], "_input_hash": 1, "_task_hash": 2, "tokens": [], "_view_id": "ner_manual",
     "spans": [{"start": 0, "end": 4, "token_start": 0, "token_end": 0, "label": "PER"}],
     "answer": "accept", "_annotator_id": "set-eva", "_timestamp": 1700000000},
    {"text": TEXTS[2], "_view_id": "ner_manual", "answer": "accept", "_session_id": "set-eva"},
    {"text": TEXTS[1], "spans": [], "answer": "ignore"},
    {"text": TEXTS[1], "spans": [], "answer": "reject"},
    {"text": "unknown", "spans": [], "answer": "accept"},
]  # fmt: skip


def test_an_export_of_prodigy_is_read(tmp_path):
    project = make(tmp_path / "one", tasks_of("who", "topic"))
    file = tmp_path / "ner.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in PRODIGY))
    found = project.import_labels(file)
    assert (found.format, found.new) == ("prodigy", 3)
    assert {why: n for why, (n, _) in found.left_out.items()} == {
        "was rejected, which says what a label is not": 1,
        "no source holds the record": 1,
    }
    first, second, third = events(project)
    assert (first.value, first.who) == (PER[:1], "set-eva")
    assert first.created == "2023-11-14T22:13:20+00:00"
    assert (second.value, second.who) == ([], "set-eva")
    assert (third.act, third.value, third.who) == ("skip", None, "import")


def test_a_choice_of_prodigy_is_read(tmp_path):
    project = make(tmp_path / "one", tasks_of("topic"))
    line = {"text": TEXTS[3], "options": [], "accept": ["trade"], "answer": "accept"}
    two = {**line, "accept": ["trade", "sport"]}
    binary = {"text": TEXTS[2], "label": "sport", "answer": "accept", "_task_hash": 5}
    file = tmp_path / "choice.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in (line, two, binary)))
    found = project.import_labels(file)
    assert [one.value for one in events(project)] == ["trade", "sport"]
    assert list(found.left_out) == ["topic does not take the label"]


def test_plain_columns_are_read_with_a_task_and_names(project, tmp_path):
    (tmp_path / "plain.csv").write_text('headline,kind,value\n"=1+1, ""quoted""",topic,sport\n')
    found = project.import_labels(
        tmp_path / "plain.csv", task="topic", map={"headline": "text"}, who="eva"
    )
    assert (found.new, found.people) == (1, {"eva": 1})


def test_whitespace_that_another_program_changed_moves_no_span(project, tmp_path):
    text = " ".join(TEXTS[0].split())
    span = {"start": text.index("Rome"), "end": text.index("Rome") + 4, "label": "LOC"}
    line = {"text": text, "answer": "accept", "spans": [span]}
    (tmp_path / "x.jsonl").write_text(json.dumps(line))
    project.import_labels(tmp_path / "x.jsonl")
    assert events(project)[0].value == ROME[2:]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"task": "topic", "value": "weather"}, "topic does not take the label"),
        ({"task": "topic", "value": ["sport", "trade"]}, "topic does not take the label"),
        ({"task": "score", "value": "many"}, "score does not take the label"),
        ({"task": "who", "value": [{"start": 0, "end": 999, "label": "PER"}]}, "who does not"),
        ({"task": "who", "value": [{"start": 0}]}, "who does not take the label"),
        ({"task": "who", "value": 7}, "who does not take the label"),
        ({"task": "tags", "value": [1]}, "tags does not take the label"),
        ({"task": "mood", "value": "x"}, "there is no task 'mood'"),
        ({"value": "x"}, "it does not say which task it is to"),
        ({"fields": {"text": "else"}, "task": "topic", "value": "sport"}, "no source holds"),
        ({"fields": 7, "task": "topic", "value": "sport"}, "no source holds the record"),
    ],
)
def test_what_cannot_be_taken_is_left_out_with_a_reason(project, tmp_path, row, why):
    file = tmp_path / "x.jsonl"
    good = {"fields": {"text": TEXTS[0]}, "task": "topic", "value": "sport"}
    row = {"fields": {"text": TEXTS[1]}, **row}
    file.write_text("".join(json.dumps(one) + "\n" for one in (good, row)))
    found = project.import_labels(file)
    assert found.new == 1
    ((reason, (n, place)),) = found.left_out.items()
    assert reason.startswith(why)
    assert (n, place) == (1, f"{file}, line 2")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.jsonl", "{", "x.jsonl, line 1: this is not JSON."),
        ("x.jsonl", "[1]", "x.jsonl, line 1: expected a JSON object."),
        ("x.json", "{", "x.json: this is not JSON."),
        ("x.parquet", "no", "this is no Parquet file that can be read"),
        ("x.jsonl", b"\xff\xfe", "x.jsonl"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_a_sentence(project, tmp_path, name, text, said):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError) as caught:
        project.import_labels(tmp_path / name)
    assert said in str(caught.value)


def test_formats_are_named_by_suffix_or_by_hand(tmp_path):
    assert format_of(tmp_path / "a.json") == "label-studio"
    assert format_of(tmp_path / "a.json", "jsonl") == "jsonl"
    with pytest.raises(ProjectError, match="Did you mean 'prodigy'"):
        format_of(tmp_path / "a.jsonl", "prodgy")
    with pytest.raises(ProjectError, match="the suffix names no format for labels"):
        format_of(tmp_path / "a.xml")


def test_labels_of_records_that_are_gone_are_counted(labelled, tmp_path):
    (labelled.plan.folder / "news.csv").write_text(f'text\n"{TEXTS[1]}"\n')
    out = labelled.export_labels(tmp_path / "labels.jsonl")
    assert out.answers == 2
    assert out.notes == ["7 labels are not in it: no source holds the record."]


def test_the_command_line_shows_before_it_adds(labelled, tmp_path, capsys):
    import yaml

    sections = labelled.plan.sections
    (labelled.plan.folder / "news.yaml").write_text(yaml.safe_dump(dict(sections)))
    other = make(tmp_path / "two").plan.folder / "news.yaml"
    other.write_text(yaml.safe_dump(dict(sections)))
    words = [str(labelled.plan.folder / "news.yaml"), str(tmp_path / "out.json"), "--quiet"]
    assert cli.main(["labels", "export", *words]) == 0
    assert capsys.readouterr().out.startswith("9 labels of 4 records in ")
    words = [str(other), str(tmp_path / "out.json"), "--quiet"]
    assert cli.main(["labels", "import", *words, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("9 answers would be added from ")
    assert 'topic, ada: "sport"  <- Anna  met Bob' in out
    assert not other.with_name("ledger.db").exists()
    assert cli.main(["labels", "import", *words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["new"] == 9
    assert cli.main(["labels", "import", str(other), "nowhere.json", "--quiet"]) == 2


@pytest.mark.parametrize("format", ["jsonl", "csv", "label-studio", "prodigy"])
def test_records_of_files_and_numbers_are_found_by_path_and_value(tmp_path, format):
    from PIL import Image

    for number in range(3):
        Image.new("RGB", (4, 4), (number * 80, 0, 0)).save(tmp_path / f"{number}.png")
    rows = "".join(f"{number}.png,{number / 2}\n" for number in range(3))
    (tmp_path / "seen.csv").write_text("photo,size\n" + rows)
    sections = {
        "sources": ["seen.csv"],
        "inputs": {"photo": "pixels", "size": "number"},
        "tasks": tasks_of("topic"),
    }
    project = Project(make_plan(sections, folder=tmp_path))
    keys = load_records(project.plan, trains=False).numbers("key").tolist()
    mine = Answer(
        id="x", who="ada", key=f"{keys[1]:016x}", task="topic", act="label", value="sport"
    )
    with Answers(project.plan.where) as ledger:
        ledger.append([mine])
    file = tmp_path / "out" / f"labels.{SUFFIX[format]}"
    project.export_labels(file, format=format)
    text = file.read_text().replace(mine.key, "f" * 16).replace('"id": "x"', '"id": "y"')
    file.write_text(text.replace(",x\n", ",y\n"))
    found = project.import_labels(file)
    assert (found.left_out, found.new) == ({}, 1)
    assert [one.key for one in events(project)] == [mine.key, mine.key]
