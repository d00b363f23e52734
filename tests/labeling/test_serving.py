"""Opening a project: what is refused, who may come, and how the command starts."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from browsers import Served
from desks import project, written

from allrounder.errors import Error
from allrounder.labeling import serve
from allrounder.labeling.people import People
from allrounder.ledger import Label
from allrounder.plan import read_plan


class Opened(Exception):
    """The page could have been opened."""


def refused(file, *changes, **options):
    def ready(told):
        raise Opened(told)

    with pytest.raises(Error) as error:
        serve(read_plan(file, changes), ready=ready, **options)
    return str(error.value)


@pytest.fixture
def file(tmp_path):
    return project(tmp_path / "news")


def test_other_addresses_need_people(file):
    told = refused(file, host="0.0.0.0")
    assert "nobody is named who may label" in told and "--add NAME" in told
    People(file.parent / "people.yaml").add("ada", "owner")
    with pytest.raises(Opened):
        serve(read_plan(file), host="0.0.0.0", ready=lambda told: (_ for _ in ()).throw(Opened))


def test_a_taken_port_is_told_and_another_found(file):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        told = refused(file, port=taken.getsockname()[1])
    assert "cannot be had" in told and "--port N" in told
    assert "a port is a number" in refused(file, port=99_999)


def test_a_task_without_labels_is_refused_and_labels_of_records_are_taken(tmp_path):
    tasks = {"topic": {"kind": "multiclass"}}
    bare = project(tmp_path / "a", tasks=tasks)
    assert "`tasks.topic` has no labels to choose from" in refused(bare)
    (tmp_path / "b").mkdir()
    rows = [{"text": "a", "topic": "x"}, {"text": "b", "topic": "y"}, {"text": "c"}]
    some = written(tmp_path / "b", rows, {"text": "hashing"}, tasks)
    with pytest.raises(Opened):
        refused(some)


def test_guidelines_that_are_not_there_are_told(file):
    assert "`label.guidelines`" in refused(file, "label.guidelines=nowhere.md")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("label.blind=2", "has `blind: 2.0`"),
        ("label.overlap=0", "has `overlap: 0`"),
        ("label.lock_minutes=0", "has `lock_minutes: 0.0`"),
        ("label.target=0", "has `target: 0`"),
        ("label.blnd=1", "Did you mean 'blind'?"),
    ],
)
def test_settings_are_checked(file, change, told):
    assert told in refused(file, change)


def test_settings_have_defaults_that_are_written_out(file):
    assert read_plan(file).to_dict()["label"]["blind"] == Label().blind


BROKEN = ["people: [1]", "a: b", "- ", "people: {a: {role: king, token: x}}"]


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_people_file_is_told(tmp_path, text):
    path = tmp_path / "people.yaml"
    path.write_text(text)
    with pytest.raises(Error, match=r"people\.yaml"):
        People(path)


@pytest.mark.parametrize("name", ["", "a" * 101, "a\nb", "\x1b[2J"])
def test_names_are_plain(tmp_path, name):
    with pytest.raises(Error, match="a name is"):
        People(tmp_path / "people.yaml").add(name, "owner")


def test_the_command_starts_without_torch_and_says_where_in_one_line(file):
    with Served(file) as served:
        assert served.ready["tasks"] == ["topic", "mood"] and served.ready["records"] == 8
        maps = Path(f"/proc/{served.process.pid}/maps").read_text()
    assert "libtorch" not in maps


def test_a_person_is_added_by_the_command(file):
    words = [sys.executable, "-m", "allrounder.cli", "label", str(file), "--add", "ada", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["role"] == "annotator" and "#token=" in told["url"]
    person = People(file.parent / "people.yaml").by_token(told["url"].partition("#token=")[2])
    assert person.name == "ada"
