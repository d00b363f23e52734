"""Answers of people: appended once, kept whatever is killed, told in order; file and server."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from asking import answer, question, undo

from allrounder.errors import DataError, RunError
from allrounder.ledger import Answers, Where, answers, given
from allrounder.ledger.made import LEDGER, Ledger

SPANS = [{"start": 0, "end": 4, "label": "PER"}, {"start": 7, "end": 9, "label": "\U0001f600"}]
STRANGE = "‮ <b>';--\ud800 \x00 é"
"""Text that files and servers like to choke on: a lone surrogate, a zero byte."""


@pytest.fixture
def ledger(where):
    with Answers(where) as found:
        yield found


def ids(ledger):
    return [one.id for one in ledger.events()]


# ------------------------------------------------------------------ answers


def test_what_is_appended_is_read_back_in_order_with_numbers_and_times(ledger):
    said = [
        answer("x", ["a", "b"], seconds=1.5, model="m", suggested={"value": ["a"]}, question=7),
        answer("b", SPANS, who="ben", source="import"),
        answer("c", 3.5),
        answer("d", STRANGE),
        answer("e", act="skip"),
        undo("f", "x"),
    ]
    stored = ledger.append(said)
    assert list(ledger.events()) == stored
    assert [replace(one, number=0, created="") for one in stored] == said
    assert [one.number for one in stored] == [1, 2, 3, 4, 5, 6]
    assert all(one.created.endswith("+00:00") for one in stored)
    assert list(ledger.events(after=4)) == stored[4:]


def test_the_same_id_is_the_same_event_whoever_sends_it(ledger):
    first = ledger.append([answer("x", "a"), answer("y", "b")])
    again = ledger.append([answer("y", "other", who="ben"), answer("z", "c"), answer("x", "a")])
    assert again[0] == first[1]
    assert again[2] == first[0]
    assert ids(ledger) == ["x", "y", "z"]
    twice = ledger.append([answer("w", "a"), answer("w", "b")])
    assert twice[0] == twice[1]
    assert twice[0].value == "a"
    assert ids(ledger) == ["x", "y", "z", "w"]


def test_thousands_are_appended_and_read_in_pages(ledger, monkeypatch):
    monkeypatch.setattr(answers, "PAGE", 700)
    many = [answer(str(n), key=f"k{n}") for n in range(2000)]
    assert len(ledger.append(many)) == 2000
    assert ids(ledger) == [str(n) for n in range(2000)]
    assert len(ledger.standing()) == 2000


def test_answers_are_appended_all_or_none(ledger):
    with pytest.raises(DataError, match=r"answer 'y': `value` must be plain data. Got nan"):
        ledger.append([answer("x"), answer("y", float("nan"))])
    with pytest.raises(DataError, match="answer 'y': `seconds` must be a number"):
        ledger.append([answer("x"), answer("y", seconds="long")])
    assert ids(ledger) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (answer(""), "`id` must be a text of 1 to 200 characters. Got ''"),
        (answer("x", who="half \ud800"), "`who` must be a text of 1 to 200"),
        (answer("x", model=7), "`model` must be a text"),
        (answer("x", question="one"), "`question` must be a number"),
        (answer("x", who="a" * 201), "`who` must be a text of 1 to 200"),
        (answer("x", key="zero\0"), "`key` must be a text"),
        (answer("x", None), "a label needs a `value`. To give none, skip"),
        (answer("x", act="love"), "`act` must be one of label, skip, flag, undo, settle"),
        (answer("x", act="undo"), "names what it `undoes`"),
        (answer("x", undoes="y"), "names what it `undoes`"),
        (answer("x", {1, 2}), "`value` must be plain data"),
    ],
)
def test_an_answer_that_cannot_be_is_refused_in_a_sentence(tmp_path, wrong, said):
    with Answers(tmp_path / "ledger.db") as ledger:
        with pytest.raises(DataError) as caught:
            ledger.append([answer("good"), wrong])
        assert said in str(caught.value)
        assert ids(ledger) == []


def test_undo_reaches_across_submits_and_settling_and_majority_stand(where):
    with Answers(where) as ledger:
        ledger.append([answer("1", "a"), answer("2", "b", key="k2")])
    with Answers(where) as ledger:
        ledger.append([answer("3", "b"), answer("4", "b", who="ben"), answer("5", "c", who="cy")])
        ledger.append([undo("6", "2", key="k2")])
        assert {key[-1]: one.value for (key, _), one in ledger.standing().items()} == {"1": "b"}
        ledger.append([answer("7", "c", who="rex", act="settle"), undo("8", "6", key="k2")])
    with Answers(where, read_only=True) as ledger:
        found = ledger.standing()
        assert {key[-1]: one.value for (key, _), one in found.items()} == {"1": "c", "2": "b"}


def test_labels_are_those_that_stand(ledger, rng):
    said = []
    for number in range(1, 400):
        act = rng.choice(["label", "label", "label", "skip", "flag", "settle", "undo"])
        key, who = f"k{rng.integers(200)}", rng.choice(["ada", "ben"])
        if act == "undo" and said:
            back = said[rng.integers(len(said))]
            key = f"k{int(back.key, 16)}"
            said.append(undo(str(number), back.id, key=key, who=who))
        elif act != "undo":
            value = [["a"], {"b": 1}, 2.5, "c"][rng.integers(4)]
            said.append(answer(str(number), value, act=str(act), key=key, who=who))
    ledger.append(said)
    found = ledger.labels()
    assert found == {pair: one.value for pair, one in ledger.standing().items()}
    assert 50 < len(found) < 200


def test_a_clock_that_jumps_back_changes_no_order(ledger, monkeypatch):
    times = iter(["2030-01-01T00:00:00+00:00", "1999-01-01T00:00:00+00:00"])
    monkeypatch.setattr(answers, "_now", lambda: next(times))
    ledger.append([answer("late", "a")])
    ledger.append([answer("early", "b")])
    assert ids(ledger) == ["late", "early"]
    assert [one.value for one in ledger.standing().values()] == ["b"]


def test_the_mark_changes_with_every_answer_and_with_nothing_else(ledger, where):
    marks = [ledger.mark]
    for one in ("x", "y"):
        ledger.append([answer(one)])
        marks.append(ledger.mark)
    assert len(set(marks)) == 3
    ledger.append([answer("x")])
    ledger.ask([question(1)])
    assert ledger.mark == marks[-1]
    with Answers(where, read_only=True) as other:
        assert other.mark == marks[-1]


# ------------------------------------------------------------------ questions


def test_a_batch_of_questions_is_read_back_in_its_order(ledger):
    assert ledger.queue() == []
    first = ledger.ask([question(3), question(1)])
    asked = [
        question(2, score=0.25, model="m", suggestion={"value": "a", "probability": 0.6}),
        question(1, arm="random", strategy="random", probability=0.01, why={"text": STRANGE}),
    ]
    second = ledger.ask(asked)
    assert first != second
    queue = ledger.queue()
    assert [replace(one, number=0, batch="", created="") for one in queue] == asked
    assert {one.batch for one in queue} == {second}
    assert [one.number for one in ledger.questions()] == [1, 2, 3, 4]
    assert [one.number for one in ledger.questions(after=2)] == [3, 4]


def test_a_batch_is_asked_once_and_whole_or_not_at_all(ledger):
    def broken():
        yield question(1)
        raise KeyError

    with pytest.raises(KeyError):
        ledger.ask(broken())
    with pytest.raises(DataError, match=r"`arm` must be one of chosen, random, repeat. Got 'left'"):
        ledger.ask([question(1), question(2, arm="left")])
    assert ledger.queue() == []
    assert ledger.ask([question(1)], batch="b") == "b"
    assert ledger.ask([question(2)], batch="b") == "b"
    assert [one.key[-1] for one in ledger.questions()] == ["1"]


# ------------------------------------------------------------------ at once, killed, hindered

WRITING = """
import sys
from asking import answer
from allrounder.ledger import Answers
name, where = sys.argv[1:]
with Answers(where) as ledger:
    for n in range({n}):
        ledger.append([answer(f"{{name}}-{{n}}-{{i}}", key=f"k{{n}}") for i in range(2)])
        print(n, flush=True)
"""


def writing(name, where, n, here):
    words = [sys.executable, "-c", WRITING.format(n=n), name, str(where)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=here)


@pytest.fixture
def here(request):
    return request.path.parent


def test_killed_it_loses_no_answer_that_was_acknowledged(where, here):
    going = writing("one", where, 10**6, here)
    for _ in range(25):
        last = int(going.stdout.readline())
    going.kill()
    last = max([last, *map(int, going.stdout.read().split())])
    going.communicate()
    with Answers(where) as ledger:
        found = ids(ledger)
        sent = [f"one-{n}-{i}" for n in range(last + 1) for i in range(2)]
        assert found[: len(sent)] == sent
        assert len(found) in (len(sent), len(sent) + 2)
        ledger.append([answer(id) for id in sent])
        assert ids(ledger) == found


def test_two_processes_write_at_once(where, here):
    both = [writing(name, where, 40, here) for name in ("one", "two")]
    assert [going.communicate() and going.returncode for going in both] == [0, 0]
    with Answers(where) as ledger:
        found = list(ledger.events())
    assert len({one.id for one in found}) == len(found) == 160
    for name in ("one", "two"):
        mine = [one.id for one in found if one.id.startswith(name)]
        assert mine == [f"{name}-{n}-{i}" for n in range(40) for i in range(2)]


def test_who_reads_on_from_a_number_misses_nothing_that_threads_write(ledger):
    def write(name):
        for n in range(20):
            ledger.append([answer(f"{name}{n}")])

    seen = []
    with ThreadPoolExecutor(4) as pool:
        going = [pool.submit(write, name) for name in "abcd"]
        while len(seen) < 80:
            seen += ledger.events(after=seen[-1].number if seen else 0)
            assert any(one.running() for one in going) or all(one.done() for one in going)
        for one in going:
            one.result()
    assert len({one.id for one in seen}) == len(seen) == 80


def test_nothing_in_it_can_be_changed_or_deleted(ledger, where):
    ledger.ask([question(1)])
    ledger.append([answer("x")])
    link, refused = _raw(where)
    for table in ("answers", "questions"):
        for change in (f"UPDATE {table} SET task = 'b'", f"DELETE FROM {table}"):
            with pytest.raises(refused, match="only added to"):
                link.execute(change)
    link.close()
    assert ids(ledger) == ["x"]


def _raw(where):
    if not isinstance(where, str):
        return sqlite3.connect(where), sqlite3.IntegrityError
    psycopg = pytest.importorskip("psycopg")
    return psycopg.connect(where, autocommit=True), psycopg.Error


def test_a_newer_format_is_told_and_can_still_be_read(where):
    with Answers(where) as ledger:
        ledger.append([answer("x")])
    link, _ = _raw(where)
    newer = LEDGER.format + 1
    if isinstance(where, str):
        link.execute(f"UPDATE about SET value = '{newer}' WHERE key = 'format'")
    else:
        link.execute(f"PRAGMA user_version = {newer}")
    link.close()
    with pytest.raises(RunError, match=f"written by a newer Allrounder .ledger format {newer}"):
        Answers(where)
    with Answers(where, read_only=True) as ledger:
        assert ids(ledger) == ["x"]
        assert "written by a newer Allrounder" in ledger.newer
        with pytest.raises(RunError):
            ledger.append([answer("y")])


def test_a_newer_format_with_other_tables_is_told(where):
    with Answers(where) as ledger:
        ledger.append([answer("x")])
        assert ledger.newer is None
    link, _ = _raw(where)
    link.execute("ALTER TABLE answers RENAME COLUMN who TO person")
    if isinstance(where, str):
        link.execute("UPDATE about SET value = '99' WHERE key = 'format'")
    else:
        link.execute("PRAGMA user_version = 99")
    link.close()
    with (
        Answers(where, read_only=True) as ledger,
        pytest.raises(RunError, match="written by a newer Allrounder"),
    ):
        ids(ledger)


def test_what_is_only_read_is_not_written(where):
    with Answers(where):
        pass
    with Answers(where, read_only=True) as ledger, pytest.raises(RunError):
        ledger.append([answer("x")])


# ------------------------------------------------------------------ files


def test_a_file_of_made_labels_gets_tables_for_answers_and_keeps_its_labels(tmp_path):
    path = tmp_path / "ledger.db"
    with Ledger(path) as made:
        made.add([], work="w", said={"done": 1})
    link = sqlite3.connect(path)
    link.execute("PRAGMA user_version = 1")
    link.close()
    assert not given(Where.of(path))
    with Answers(path, read_only=True) as ledger:
        assert ids(ledger) == []
        assert ledger.mark[1] == 0
    with Answers(path) as ledger:
        ledger.append([answer("x")])
    assert given(Where.of(path))
    with Ledger(path) as made:
        assert made.said("w") == [{"done": 1}]
    link = sqlite3.connect(path)
    assert link.execute("PRAGMA user_version").fetchone() == (LEDGER.format,)
    link.close()


def test_a_file_that_is_damaged_is_told_in_one_sentence(tmp_path):
    path = tmp_path / "ledger.db"
    with Answers(path) as ledger:
        ledger.append([answer(str(n), "long " * 200) for n in range(200)])
    whole = bytearray(path.read_bytes())
    whole[8192:] = b"\xff" * (len(whole) - 8192)
    path.write_bytes(whole)
    with (
        pytest.raises(RunError, match=r"ledger.db is damaged. Take it from a backup"),
        Answers(path, read_only=True) as ledger,
    ):
        ids(ledger)
    path.write_text("This is no database at all, but a text." * 30)
    with pytest.raises(RunError, match="is no ledger"):
        Answers(path)


def test_a_full_disk_is_told_and_what_was_acknowledged_is_there(tmp_path):
    path = tmp_path / "ledger.db"
    with Answers(path) as ledger:
        with ledger._store._engine.connect() as link:
            link.exec_driver_sql("PRAGMA max_page_count = 40")
        sent = []
        with pytest.raises(RunError, match=r"the disk is full. Nothing was changed"):
            for n in range(1000):
                ledger.append([answer(f"{n}-{i}", "word " * 50) for i in range(5)])
                sent += [f"{n}-{i}" for i in range(5)]
        assert sent
        assert ids(ledger) == sent
    with Answers(path) as ledger:
        ledger.append([answer("more")])
        assert ids(ledger) == [*sent, "more"]


@pytest.fixture
def disk(tmp_path):
    """A disk of its own of two megabytes, and what mounts it again in another way."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options):
        return subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True
        )

    if sys.platform != "linux" or mount("size=2m").returncode:
        pytest.skip("only root may mount a disk")
    yield folder, mount
    subprocess.run(["umount", str(folder)], check=True)


def test_on_a_disk_that_is_really_full_nothing_is_lost_and_it_goes_on_when_there_is_room(disk):
    folder, mount = disk
    path, sent = folder / "ledger.db", []
    with Answers(path) as ledger:
        with pytest.raises(RunError, match=r"the disk is full.* Nothing was changed"):
            for n in range(10_000):
                ledger.append([answer(f"{n}-{i}", "word " * 50) for i in range(5)])
                sent += [f"{n}-{i}" for i in range(5)]
        assert sent
        assert ids(ledger) == sent
        mount("remount,size=8m")
        ledger.append([answer("more")])
    with Answers(path) as ledger:
        assert ids(ledger) == [*sent, "more"]


def test_on_a_disk_that_can_only_be_read_it_is_read(disk):
    folder, mount = disk
    path = folder / "ledger.db"
    with Answers(path) as ledger:
        ledger.append([answer("x")])
    mount("remount,ro")
    assert given(Where.of(path))
    with Answers(path, read_only=True) as ledger:
        assert ids(ledger) == ["x"]
    with pytest.raises(RunError, match=r"cannot be opened. Is the folder there, and may it be"):
        Answers(path)


def test_a_file_that_is_not_there_holds_nothing_and_is_not_made_by_reading(tmp_path):
    path = tmp_path / "ledger.db"
    assert not given(Where.of(path))
    with pytest.raises(RunError, match=r"cannot be opened. Is the folder there"):
        Answers(path, read_only=True)
    assert not path.exists()


def test_a_path_may_have_any_name(tmp_path):
    path = tmp_path / "a b?#%20é.db"
    with Answers(path) as ledger:
        ledger.append([answer("x")])
    with Answers(path, read_only=True) as ledger:
        assert ids(ledger) == ["x"]


def test_without_the_extra_one_sentence_says_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        "from allrounder.ledger import Answers\n"
        f"Answers({str(tmp_path / 'ledger.db')!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.endswith(
        "MissingExtra: Answers of people need SQLAlchemy. Try: pip install 'allrounder[label]'\n"
    )


def test_importing_it_needs_neither_torch_nor_sqlalchemy():
    code = "import sys, allrounder.ledger; print({'torch', 'sqlalchemy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
