"""A project whose inputs are files and numbers, from the command line."""

import base64
import csv
import json
import shutil

import pytest
import yaml
from making import TOPICS
from pyarrow import parquet

from allrounder import DataError, Project

PICTURES = {"kind": "magic:Pictures", "width": 16, "buckets": 512}
NUMBERS = {"kind": "magic:Numbers", "width": 16, "buckets": 512}


def write_album(folder, *, inputs, size=180):
    """Write pictures of three topics, two of which cannot be opened, and a project over them."""
    (folder / "pics").mkdir(parents=True)
    lines = ["image,age,topic"]
    for i in range(size):
        topic = list(TOPICS)[i % 3]
        (folder / f"pics/{i}.png").write_text(f"PIC {TOPICS[topic][0]} {i}", encoding="utf-8")
        lines.append(f"pics/{i}.png,{i % 3},{topic}")
    (folder / "pics/7.png").unlink()
    (folder / "album.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    project = {
        "sources": ["album.csv"],
        "inputs": inputs,
        "tasks": {"topic": {"kind": "multiclass"}},
        "training": {"epochs": 1, "head_lr": 0.03, "precision": "fp32"},
    }
    (folder / "album.yaml").write_text(yaml.safe_dump(project, sort_keys=False), encoding="utf-8")
    return folder / "album.yaml"


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    """The project file of a trained run that reads pictures."""
    file = write_album(tmp_path_factory.mktemp("album"), inputs={"image": PICTURES})
    Project.load(file).train()
    return file


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """The project file of a trained run that reads pictures and ages."""
    inputs = {"image": PICTURES, "age": NUMBERS}
    file = write_album(tmp_path_factory.mktemp("survey"), inputs=inputs)
    Project.load(file).train()
    return file


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


ASIDE = "1 of 180 records was set aside"


def test_check_lists_what_is_set_aside_and_describes_inputs(survey, say):
    code, out, _ = say("check", survey)
    assert code == 0
    assert "image  179 files, 179 of them different" in out
    assert "age    179 numbers from 0 to 2, median 1, 95 % up to 2" in out
    assert (
        "album.csv, line 9  image  expected a picture, found no file 'pics/7.png'." in out
    )  # fmt: skip
    assert f"- {ASIDE}, as listed above. Mend or remove them." in out
    found = json.loads(say("check", survey, "--json")[1])
    assert found["files"] == {"image": {"n": 179, "distinct": 179}}
    assert found["values"]["age"]["n"] == 179
    assert found["num_aside"] == 1
    assert found["aside"] == [
        {"where": "album.csv, line 9", "field": "image",
         "why": "expected a picture, found no file 'pics/7.png'."}
    ]  # fmt: skip


def test_the_run_tells_what_was_set_aside(album):
    run = album.parent / "runs/1"
    note = f"{ASIDE}: album.csv, line 9, `image`: expected a picture, found no file 'pics/7.png'."
    assert note in json.loads((run / "metrics.json").read_text())["notes"]
    assert note in Project.load(album).evaluate().notes
    assert list(csv.reader(lines(run / "aside.csv"))) == [
        ["where", "field", "reason"],
        ["album.csv, line 9", "image", "expected a picture, found no file 'pics/7.png'."],
    ]


def test_a_run_of_whole_records_has_no_list_of_those_set_aside(newsroom):
    file = newsroom(size=10)
    Project.load(file).train()
    assert not (file.parent / "runs/1/aside.csv").exists()


def test_predict_answers_a_picture_by_its_path_wherever_it_lies(album, say, tmp_path, monkeypatch):
    shutil.copy(album.parent / "pics/3.png", tmp_path / "picture.png")
    monkeypatch.chdir(tmp_path)
    code, out, err = say("predict", album, "picture.png", tmp_path / "picture.png")
    assert (code, err) == (0, "")
    one, two = map(json.loads, out.splitlines())
    assert one == two
    held = (tmp_path / "picture.png").read_bytes()
    uri = "data:image/png;base64," + base64.b64encode(held).decode()
    project = Project.load(album)
    for value in (held, uri, tmp_path / "picture.png"):
        assert project.predict({"image": value}) == one


def test_predict_refuses_a_picture_that_is_none(album, say):
    code, out, err = say("predict", album, "none.png")
    assert (code, out) == (2, "")
    assert err == ("allrounder: Record 0: `image`: expected a picture, found no file 'none.png'.\n")


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"image": b"JPG"}, "Record 0: `image`: expected a picture, found the bytes b'JPG'."),
        ({"age": "old"}, "Record 0: `age`: expected a number, found 'old'."),
        ({"age": float("inf")}, "Record 0: `age`: expected a number, found 'inf'."),
        (
            {"age": float("nan")},
            "Record 0: expected a value in `image` and `age`, found none.",
        ),
        (
            {"imag": "a.png"},
            "Record 0 has none of the fields that the model reads (image, age). Found: imag. Did "
            "you mean 'image'?",
        ),
    ],
)
def test_a_bad_record_is_refused_in_a_sentence(survey, record, words):
    with pytest.raises(DataError) as error:
        Project.load(survey).predict(record)
    assert str(error.value) == words


def test_one_input_is_enough(survey):
    project = Project.load(survey)
    records = [{"age": 1}, {"age": 1.0}, {"age": "1", "image": None}, {"image": b"PIC match"}]
    assert [set(answer) for answer in project.predict(records)] == [{"topic"}] * 4
    assert project.predict(records[0]) == project.predict(records[1])


def with_bad_rows(folder, n=50):
    """Write rows to answer, three of which are wrong."""
    rows = [{"nr": i, "image": f"pics/{i + 10}.png", "age": 1} for i in range(n)]
    rows[3]["image"] = "none.png"
    rows[9]["age"] = "old"
    rows[20] = {"nr": 20}
    path = folder / "ask.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


ERRORS = {
    3: "`image`: expected a picture, found no file 'none.png'.",
    9: "`age`: expected a number, found 'old'.",
    20: "expected a value in `image` and `age`, found none.",
}


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet", ""])
def test_a_bad_row_gets_an_error_instead_of_answers(survey, say, tmp_path, suffix):
    out = tmp_path / f"out{suffix}"
    data = with_bad_rows(survey.parent)
    code, said, _ = say("predict", survey, "--data", data, *(["--out", out] if suffix else []))
    assert code == 0
    if suffix == ".csv":
        rows = list(csv.DictReader(lines(out)))
    elif suffix == ".parquet":
        rows = parquet.read_table(out).to_pylist()
    else:
        rows = [json.loads(line) for line in (lines(out) if suffix else said.splitlines())]
    assert {i: row["error"] for i, row in enumerate(rows) if row["error"]} == ERRORS
    answered = [bool(row.get("topic") or row.get("answers")) for row in rows]
    assert answered == [i not in ERRORS for i in range(50)]
    assert [row["image"] or None for row in rows[:3]] == [f"pics/{i}.png" for i in (10, 11, 12)]


def test_a_column_that_is_called_error_stays(album, say, tmp_path):
    data = album.parent / "named.csv"
    data.write_text("image,error\npics/1.png,mine\nnone.png,\n")
    out = tmp_path / "out.csv"
    assert say("predict", album, "--data", data, "--out", out)[0] == 0
    first, second = csv.DictReader(lines(out))
    assert (first["error"], first["error_answer"]) == ("mine", "")
    assert second["error_answer"] == "`image`: expected a picture, found no file 'none.png'."


def test_bytes_of_files_are_left_out_of_tables_of_text(album, say, tmp_path):
    import pyarrow as pa

    data = tmp_path / "ask.parquet"
    files = [{"bytes": b"PIC Acme \xff"[:8], "path": "a.png"}, {"bytes": None, "path": "gone.png"}]
    parquet.write_table(pa.table({"image": files}), data)
    for suffix, shown in ((".csv", str({"bytes": None, "path": "a.png"})), (".jsonl", None)):
        out = tmp_path / f"out{suffix}"
        assert say("predict", album, "--data", data, "--out", out)[0] == 0
        first = next(csv.DictReader(lines(out))) if shown else json.loads(lines(out)[0])
        assert first["image"] == (shown or {"bytes": None, "path": "a.png"})
    out = tmp_path / "out.parquet"
    assert say("predict", album, "--data", data, "--out", out)[0] == 0
    assert parquet.read_table(out).column("image").to_pylist() == files


def test_the_table_of_answers_is_the_same_where_no_row_can_be_answered(album, say, tmp_path):
    data = tmp_path / "ask.csv"
    data.write_text("image\nnone.png\n")
    out = tmp_path / "out.csv"
    assert say("predict", album, "--data", data, "--out", out)[0] == 0
    assert list(csv.reader(lines(out))) == [
        ["image", "error", "topic", "topic_probability"],
        ["none.png", "`image`: expected a picture, found no file 'none.png'.", "", ""],
    ]


def test_reading_stops_where_on_error_says_so(album, say):
    code, _, err = say("check", album, "--set", "sources=[{path: album.csv, on_error: fail}]")
    assert code == 2
    assert err == (
        "allrounder: album.csv, line 9, column `image`: expected a picture, found no file "
        "'pics/7.png'. Mend or remove the record; without `on_error: fail` it would be set "
        "aside.\n"
    )


def test_two_equal_pictures_are_called_records(tmp_path, say):
    file = write_album(tmp_path, inputs={"image": PICTURES})
    source = tmp_path / "album.csv"
    source.write_text(source.read_text() + "pics/1.png,0,markets\n")
    _, out, _ = say("check", file)
    assert "- 1 records repeat another one." in out
    assert "- 1 records carry different labels for topic, such as " in out
