"""A file of labels is dropped on the page: shown what it would add, then added."""

import json
import os
import re
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from browsers import Served
from desks import desk, written
from starlette.testclient import TestClient

from allrounder.exchange import FORMATS, tables
from allrounder.labeling import importing
from allrounder.labeling.app import Server
from allrounder.labeling.guard import MOST_BYTES
from allrounder.labeling.people import People
from allrounder.ledger import Answers
from allrounder.plan import read_plan

TASKS = {
    "topic": {"kind": "multiclass", "labels": ["sports", "politics"]},
    "mood": {"kind": "regression"},
    "names": {"kind": "spans", "labels": ["PER"]},
}
TEXTS = ["Acme won the cup.", "Lin of Ruritania resigned.", "林丹赢了比赛。", "𝒜cme fell."]
CSV = "text,task,value,who\n" + "".join(
    f"{text},topic,{label},{who}\n"
    for text, label, who in zip(
        [*TEXTS, "no such text"],
        ["sports", "politics", "sports", "weather", "sports"],
        ["ada", "ada", "bob", "bob", "bob"],
        strict=True,
    )
)


@pytest.fixture
def file(tmp_path):
    rows = [{"text": text} for text in TEXTS]
    return written(tmp_path, rows, {"text": {"kind": "hashing"}}, TASKS)


@pytest.fixture
def made(file):
    found = desk(file)
    yield found
    found.answers.close()


@pytest.fixture
def web(made, file):
    return signed_in(made, file, "ada", "reviewer")


def signed_in(made, file, name: str, role: str) -> TestClient:
    people = People(file.parent / "people.yaml")
    token = people.add(name, role)
    web = TestClient(Server(made, people).app(), base_url="http://127.0.0.1:8400")
    web.post("/api/sign-in", json={"token": token})
    web.headers["X-Token"] = web.get("/api/session").json()["token"]
    return web


def sent(web, held: bytes | str, name="labels.csv", *, dry=True, **choices):
    params = {"name": name, **({"dry": "1"} if dry else {}), **choices}
    headers = {"Content-Type": "application/octet-stream"}
    return web.post("/api/import", content=held, params=params, headers=headers)


def test_it_is_shown_then_added_and_only_once(web, made, file):
    told = sent(web, CSV).json()
    assert (told["new"], told["known"]) == (3, 0)
    assert told["file"] == "labels.csv" and told["format"] == "csv" and told["dry_run"]
    assert told["people"] == {"ada": 2, "bob": 1} and told["tasks"] == {"topic": 3}
    assert told["left_out"] == {
        "topic does not take the label": [1, "labels.csv, line 5"],
        "no source holds the record": [1, "labels.csv, line 6"],
    }
    assert told["sample"][2]["record"].startswith("林丹")
    assert not list(made.answers.events())
    assert sent(web, CSV, dry=False).json()["new"] == 3
    again = sent(web, CSV, dry=False).json()
    assert (again["new"], again["known"]) == (0, 3)
    assert {one.source for one in made.answers.events()} == {"import"}
    assert web.get("/api/progress").json()["team"] == 3, "pages see it at once"
    assert not list((file.parent / ".allrounder" / "imports").iterdir())


def test_task_person_and_format_are_chosen_where_the_file_does_not_say(web):
    told = f"text,value\n{TEXTS[0]},sports\n"
    assert not sent(web, told).json()["new"]
    found = sent(web, told, task="topic", who="lin").json()
    assert found["people"] == {"lin": 1} and found["tasks"] == {"topic": 1}
    assert sent(web, told, name="labels.txt", format="csv", task="topic").json()["new"] == 1
    assert web.get("/api/session").json()["formats"] == list(FORMATS)


def test_names_that_differ_here_are_told(web):
    told = "headline,task,value\n" + "".join(f"{text},feeling,1.5\n" for text in TEXTS)
    assert not sent(web, told).json().get("new")
    for pairs in ("headline=text, feeling=mood", " headline = text，feeling=mood,"):
        assert sent(web, told, map=pairs).json()["tasks"] == {"mood": 4}
    for wrong in ("headline", "headline=", "=text", "headline=text, x"):
        found = sent(web, told, map=wrong)
        assert found.status_code == 422
        assert "expected name=name, such as headline=text." in found.text


def test_a_name_is_never_a_path(web, file):
    for name in ("../../x.csv", "C:\\x\\x.csv", "/etc/x.csv"):
        told = sent(web, CSV, name=name).json()
        assert told["file"] == "x.csv" and told["new"] == 3
    assert sent(web, CSV, name="x\n\u202e.csv").json()["file"] == "x.csv"
    assert not list(file.parent.rglob("x.csv"))


def test_annotators_and_pages_without_a_token_import_nothing(web, made, file):
    bob = signed_in(made, file, "bob", "annotator")
    assert sent(bob, CSV, dry=False).status_code == 403
    web.headers["X-Token"] = "none"
    assert sent(web, CSV, dry=False).status_code == 403
    assert not list(made.answers.events())


def test_only_this_address_takes_a_file_and_only_32_mib(web):
    big = b" " * (MOST_BYTES + 1)
    assert sent(web, big + CSV.encode()).status_code == 200
    headers = {"Content-Type": "application/octet-stream"}
    assert web.post("/api/answers", content=b"{}", headers=headers).status_code == 415
    assert web.post("/api/import", json={}).status_code == 415
    drops = (b" " * MOST_BYTES for _ in range(33))
    assert web.post("/api/import", content=drops, headers=headers).status_code == 413
    headers["Content-Length"] = str(importing.MOST_BYTES + 1)
    assert web.post("/api/import", content=b"", headers=headers).status_code == 413


def swollen() -> bytes:
    """Return a small Parquet file of one text that stands in it a thousand times: 64 MiB."""
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), ["x" * (1 << 16)])
    into = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": text}), into, store_schema=False)
    return into.getvalue().to_pybytes()


DEEP = "[" * 100_000 + "]" * 100_000
HOSTILE = [
    ("x.parquet", b"no Parquet at all"),
    ("x.parquet", b"PAR1" + b"\xff" * 100 + b"PAR1"),
    ("x.csv", b"\xff\xfe\x00text"),
    ("x.csv", b"text,value\n\x00,\x00\n"),
    ("x.csv", b'text,value\n"' + b"x" * (1 << 24)),
    ("x.csv", b"<html><script>alert(1)</script></html>"),
    ("x.jsonl", DEEP.encode()),
    ("x.jsonl", json.dumps({"text": TEXTS[0], "task": "names", "value": DEEP}).encode()),
    ("x.jsonl", json.dumps({"text": TEXTS[0], "suggested": DEEP}).encode()),
    ("x.jsonl", b'{"text": "Acme won the cup.", "task": "mood", "value": 1' + b"0" * 400 + b"}"),
    ("x.jsonl", b'{"text": "Acme won the cup.", "task": "mood", "value": NaN}'),
    ("x.jsonl", json.dumps({"text": TEXTS[0], "task": "names",
                            "value": [{"start": 0, "end": 1 << 70, "label": "PER"}]}).encode()),
    ("x.json", b'{"annotations": [{"result": 7, "answered": {"topic": 3}}], "data": [1]}'),
    ("x.json", DEEP.encode()),
    ("x.conll", b"\xff\xff B-PER\n"),
    ("x.exe", b"MZ"),
    ("", b""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "held"), HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_files_get_one_sentence_or_are_left_out(web, file, made, name, held):
    told = sent(web, held, name, dry=False)
    assert told.status_code in (200, 422)
    if told.status_code == 200:
        assert not told.json()["new"]
    else:
        sentence = told.json()["error"]
        assert "\n" not in sentence and sentence.endswith(".") and len(sentence) < 700
        assert ".allrounder" not in sentence
    assert not list(made.answers.events())
    folder = file.parent / ".allrounder" / "imports"
    assert not folder.exists() or not list(folder.iterdir())


def test_a_small_file_that_unpacks_to_a_large_one_is_not_unpacked_whole(web, monkeypatch):
    held = swollen()
    assert len(held) < 1 << 18
    monkeypatch.setattr(tables, "UNPACKED", 1 << 23)
    told = sent(web, held, "x.parquet")
    assert told.status_code == 422
    assert "it holds more than 8 MiB when it is unpacked." in told.json()["error"]


@pytest.mark.parametrize("line", [
    {"spans": 5}, {"accept": 5}, {"accept": "sports", "meta": {"key": [1], "task": {"a": 1}}},
    {"spans": [{"start": "0"}]}, {"label": {"a": []}}, {"user_input": [[]], "meta": {"task": []}},
])  # fmt: skip
def test_prodigy_lines_of_other_kinds_are_no_trace(web, line):
    held = json.dumps({"text": TEXTS[0], "answer": "accept", **line})
    told = sent(web, held, "x.jsonl", format="prodigy")
    assert told.status_code in (200, 422), told.text


def test_one_file_is_read_at_a_time(web):
    with importing._reading:
        told = sent(web, CSV)
    assert told.status_code == 422
    assert told.json()["error"].startswith("Another file of labels is being read.")
    assert sent(web, CSV).status_code == 200


def test_a_file_that_a_killed_server_left_is_deleted(web, file):
    folder = file.parent / ".allrounder" / "imports"
    folder.mkdir(parents=True)
    for name, age in (("old", 4000), ("new", 10)):
        (folder / name).write_text("x")
        then = (folder / name).stat().st_mtime - age
        os.utime(folder / name, (then, then))
    sent(web, CSV)
    assert [one.name for one in folder.iterdir()] == ["new"]


def test_people_label_on_while_a_file_is_read(web, monkeypatch):
    began, go_on = threading.Event(), threading.Event()

    def slow(*_, **__):
        began.set()
        assert go_on.wait(20)
        raise importing.DataError("That was slow.")

    monkeypatch.setattr(importing, "import_labels", slow)
    thread = threading.Thread(target=sent, args=[web, CSV])
    thread.start()
    assert began.wait(20)
    assert web.post("/api/next", json={"tab": "a"}).json()["records"]
    go_on.set()
    thread.join()


DROP = """([held, name]) => {
  const data = new DataTransfer();
  data.items.add(new File([held], name));
  for (const type of ["dragover", "drop"])
    document.body.dispatchEvent(
      new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_drop_a_file_look_and_import(file, visit, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe
    with Served(file) as served:
        page = visit(served.url, color_scheme=scheme, reduced_motion="reduce")
        page.evaluate(DROP, [CSV, "labels.csv"])
        page.wait_for_selector(".examples")
        told = page.text_content(".measured")
        assert "3 labels would be added (csv)" in told and "ada 2 · bob 1" in told
        assert "no source holds the record; the first is labels.csv, line 6" in told
        found = axe().run(page)
        assert not found.violations_count, found.generate_report()
        page.get_by_role("button", name="Import", exact=True).click()
        page.wait_for_selector("text=3 labels were added.")
        page.locator(".counted", has_text=re.compile("^3 ")).wait_for()
        page.locator("dialog").wait_for(state="detached")
    with Answers(read_plan(file).where, read_only=True) as ledger:
        assert len(list(ledger.events())) == 3


def test_choose_a_file_by_keyboard_say_the_task_and_cancel(file, visit, tmp_path):
    chosen = tmp_path / "plain.csv"
    chosen.write_text(f"headline,value\n{TEXTS[0]},sports\n", encoding="utf-8")
    with Served(file) as served:
        page = visit(served.url, viewport={"width": 390, "height": 800}, locale="zh-CN")
        page.locator(".count").press("Enter")
        with page.expect_file_chooser() as opened:
            page.get_by_role("button", name="从文件导入标签 …").press("Enter")
        opened.value.set_files(chosen)
        page.wait_for_selector("text=将添加 0 个标签")
        add = page.get_by_role("button", name="导入", exact=True)
        assert add.is_disabled()
        page.get_by_label("任务").select_option("topic")
        page.get_by_label("改名").fill("headline=text")
        page.wait_for_selector("text=将添加 1 个标签")
        assert add.is_enabled()
        wide = page.evaluate("document.querySelector('dialog .content').scrollWidth - "
                             "document.querySelector('dialog .content').clientWidth")  # fmt: skip
        assert wide <= 0
        page.get_by_role("button", name="取消").press("Enter")
        page.locator("dialog").wait_for(state="detached")
    with Answers(read_plan(file).where, read_only=True) as ledger:
        assert not list(ledger.events())


def test_what_cannot_be_read_is_told_in_the_dialog(file, visit):
    with Served(file) as served:
        page = visit(served.url)
        page.evaluate(DROP, ["<b>x</b>", "<img src=x onerror=alert(1)>.parquet"])
        page.wait_for_selector(".measured .failure")
        assert "no Parquet file that can be read" in page.text_content(".measured .failure")
        assert page.get_by_role("button", name="Import", exact=True).is_disabled()
