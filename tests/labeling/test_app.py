"""The server without a socket: what it answers, and what it refuses."""

import json
from dataclasses import replace

import pytest
from desks import desk, project, said, undone
from starlette.testclient import TestClient

from allrounder.labeling.app import Server
from allrounder.labeling.locks import Locks
from allrounder.labeling.people import People
from allrounder.ledger import Question


@pytest.fixture
def file(tmp_path):
    return project(tmp_path / "news", n=8)


@pytest.fixture
def made(file):
    return desk(file)


def client(made, people=None, *, base="http://127.0.0.1:8400", hosts=()):
    people = people or People(made.plan.folder / "nobody.yaml")
    return TestClient(Server(made, people).app(hosts), base_url=base)


@pytest.fixture
def web(made):
    """A signed-in client that sends the token of its page."""
    found = client(made)
    found.headers["X-Token"] = found.get("/api/session").json()["token"]
    return found


def send(web, *items):
    return web.post("/api/answers", json={"answers": list(items)}).json()


def following(web, **more):
    body = {"tab": "one", "have": [], "n": 3, **more}
    return web.post("/api/next", json=body).json()


def test_the_page_and_its_files_are_there(web):
    assert web.get("/").headers["content-type"].startswith("text/html")
    for name in ("main.js", "style.css", "words/zh.json"):
        assert web.get(f"/static/{name}").status_code == 200


def test_an_answer_goes_into_the_ledger_once(web, made):
    key = following(web)["records"][0]["key"]
    for _ in range(2):
        assert send(web, said("1", key, "sports"))["saved"] == ["id-000001"]
    (one,) = made.answers.events()
    assert (one.key, one.task, one.value, one.source) == (key, "topic", "sports", "page")


def test_a_bad_answer_is_refused_alone(web, made):
    key = following(web)["records"][0]["key"]
    told = send(
        web,
        said("1", key, "sport"),
        said("2", key, "sports"),
        said("3", key, 7, task="mood"),
        said("4", "f" * 16, "sports"),
        said("5", key, "sports", task="topics"),
        said("6", key, "sports", act="settled"),
        {"id": 7},
        [],
        undone("8", "77"),
    )
    assert told["saved"] == ["id-000002"]
    whys = [one["why"] for one in told["refused"]]
    assert len(whys) == 8
    assert "'sport' is not one of the declared labels" in whys[0]
    assert "not a number from -4.0 to 4.0" in whys[1]
    assert "no such record" in whys[2] and "Did you mean 'topic'?" in whys[3]
    assert [one.id for one in made.answers.events()] == ["id-000002"]


def test_undo_is_an_event_and_the_question_is_open_again(web, made):
    record = following(web, n=1)["records"][0]
    assert send(web, said("1", record["key"], "sports"))["progress"]["mine"] == 1
    assert send(web, undone("2", "1"))["progress"]["mine"] == 0
    assert [one.act for one in made.answers.events()] == ["label", "undo"]
    again = following(web, n=1)["records"][0]
    assert again["key"] == record["key"]
    assert [one["task"] for one in again["tasks"]] == ["topic", "mood"]


def test_an_answer_and_its_undo_may_come_together(web):
    key = following(web)["records"][0]["key"]
    told = send(web, said("1", key, "sports"), undone("2", "1"), said("3", key, "politics"))
    assert told["saved"] == ["id-000001", "id-000002", "id-000003"]
    assert told["progress"]["tasks"]["topic"]["labels"] == {"politics": 1}


def test_another_site_may_not_ask(made):
    evil = client(made)
    assert evil.get("/api/session", headers={"Origin": "http://evil.example"}).status_code == 403
    assert evil.get("/api/session", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client(made, base="http://evil.example").get("/").status_code == 400
    assert (
        client(made, base="http://lab.example", hosts=["lab.example"]).get("/").status_code == 200
    )


def test_a_link_from_elsewhere_opens_the_page(made):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client(made).get("/", headers=headers).status_code == 200


def test_writing_needs_the_token_of_the_page_and_json(made, web):
    assert client(made).post("/api/answers", json={"answers": []}).json()["kind"] == "token"
    assert web.post("/api/answers", content="{}").status_code == 415
    for broken in ("{", "[]", "[" * 100_000, '{"answers": NaN}'):
        headers = {"Content-Type": "application/json"}
        assert web.post("/api/answers", content=broken, headers=headers).status_code == 400


def test_what_is_too_large_is_not_read(web):
    headers = {"Content-Type": "application/json"}
    big = b"x" * 2_000_000
    assert web.post("/api/answers", content=big, headers=headers).status_code == 413
    drops = iter([big[:700_000]] * 3)  # without a length
    assert web.post("/api/answers", content=drops, headers=headers).status_code == 413


def test_every_answer_carries_a_strict_policy(web):
    for path in ("/", "/static/main.js", "/api/session", "/nowhere"):
        headers = web.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_no_path_comes_from_the_page(web):
    key = following(web)["records"][0]["key"]
    for path in (
        f"/api/media/{key}/text",
        f"/api/media/{'0' * 16}/text",
        "/api/media/..%2f..%2fetc/x",
    ):
        assert web.get(path).status_code == 404
    assert web.get("/static/..%2fapp.py").status_code == 404


def test_a_ledger_that_cannot_be_written_is_told_and_nothing_is_kept(web, made, monkeypatch):
    from allrounder.errors import RunError

    def full(answers):
        raise RunError("ledger.db could not be written: the disk is full. Nothing was changed.")

    key = following(web)["records"][0]["key"]
    monkeypatch.setattr(made.answers, "append", full)
    told = web.post("/api/answers", json={"answers": [said("1", key, "sports")]})
    assert told.status_code == 503 and "disk is full" in told.json()["error"]
    monkeypatch.undo()
    assert send(web, said("1", key, "sports"))["saved"] == ["id-000001"]


# ------------------------------------------------------------------ people


@pytest.fixture
def team(made, tmp_path):
    """Ada may review, Bob may not: their tokens."""
    people = People(tmp_path / "people.yaml")
    return people, {"ada": people.add("ada", "reviewer"), "bob": people.add("bob", "annotator")}


def signed_in(made, team, name):
    people, tokens = team
    found = client(made, people)
    assert found.post("/api/sign-in", json={"token": tokens[name]}).json()["who"] == name
    found.headers["X-Token"] = found.get("/api/session").json()["token"]
    return found


def test_with_people_nobody_else_gets_in(made, team):
    stranger = client(made, team[0])
    for path in (
        "/api/session",
        "/api/history",
        "/api/progress",
        "/api/media/x/y",
        "/api/record/x",
    ):
        assert stranger.get(path).status_code == 401
    assert stranger.post("/api/next", json={}).status_code == 401
    assert stranger.post("/api/sign-in", json={"token": "guess"}).status_code == 401
    assert stranger.post("/api/sign-in", json={"token": ["guess"]}).status_code == 401


def test_tokens_are_not_in_the_file_and_a_new_one_ends_the_old(made, team):
    people, tokens = team
    assert not any(token in people.path.read_text() for token in tokens.values())
    assert people.path.stat().st_mode & 0o077 == 0
    people.add("bob", "annotator")
    assert (
        client(made, people).post("/api/sign-in", json={"token": tokens["bob"]}).status_code == 401
    )


def test_the_cookie_is_for_this_page_alone(made, team):
    told = client(made, team[0]).post("/api/sign-in", json={"token": team[1]["bob"]})
    cookie = told.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie


@pytest.mark.parametrize("tab", [None, 7, "", "x" * 101, "a\0b", "\ud800", "页"])
def test_a_page_with_a_name_that_no_page_has_gets_nothing_and_holds_nothing(web, made, tab):
    body = json.dumps({"tab": tab, "have": [], "n": 3})
    kind = {"Content-Type": "application/json"}
    told = web.post("/api/next", content=body, headers=kind)
    assert told.status_code == 400 and "`tab` must name the page." in told.text
    assert made.answers.holds() == set()


def test_two_people_never_get_the_same_record(made, team):
    ada, bob = signed_in(made, team, "ada"), signed_in(made, team, "bob")
    one = {record["key"] for record in following(ada, n=5)["records"]}
    other = {record["key"] for record in following(bob, n=5)["records"]}
    assert len(one) == 5 and len(other) == 3 and not one & other


def test_a_page_that_was_left_gives_its_records_to_another_of_the_same_person(web, made):
    clock = [1000.0]
    made.locks.now = lambda: clock[0]
    keys = {record["key"] for record in following(web, n=8)["records"]}
    assert len(keys) == 8 and following(web, tab="two", n=8)["records"] == []
    assert web.post("/api/leave", json={"tab": "one"}).status_code == 200
    assert following(web, tab="two", n=8)["records"] == []  # it may only be loaded anew
    clock[0] += 4
    assert {record["key"] for record in following(web, tab="two", n=8)["records"]} == keys


def test_a_silent_page_keeps_its_records_for_its_time_even_over_a_kill(made, team):
    clock = [1000.0]
    made.locks.now = lambda: clock[0]
    ada, bob = signed_in(made, team, "ada"), signed_in(made, team, "bob")
    keys = {record["key"] for record in following(ada, n=8)["records"]}
    made.locks = Locks(made.answers, seconds=900, now=lambda: clock[0])  # started anew
    made.queue.locks = made.locks
    clock[0] += 899
    assert following(bob, n=8)["records"] == []
    clock[0] -= 5000  # a clock that was set back lengthens nothing
    assert {record["key"] for record in following(bob, n=8)["records"]} == keys


def test_only_reviewers_settle(made, team):
    made.queue.overlap = 2
    ada, bob = signed_in(made, team, "ada"), signed_in(made, team, "bob")
    key = following(ada, n=1)["records"][0]["key"]
    assert following(bob, n=8)["records"]
    send(ada, said("1", key, "sports"))
    send(bob, said("2", key, "politics"))
    assert send(bob, said("3", key, "sports", act="settle"))["saved"] == []
    assert bob.post("/api/next", json={"queue": "disputes"}).status_code == 403
    (record,) = ada.post("/api/next", json={"queue": "disputes"}).json()["records"]
    assert [one["value"] for one in record["tasks"][0]["said"]] == ["sports", "politics"]
    told = send(ada, said("4", key, "politics", act="settle"))
    assert told["progress"]["disputed"] == 0
    assert made.board.standing[key, "topic"].value == "politics"


def test_agreement_and_the_sway_of_suggestions_are_counted(made, team):
    made.queue.overlap, made.settings = 2, replace(made.settings, blind=0.5)
    ada, bob = signed_in(made, team, "ada"), signed_in(made, team, "bob")
    keys = [made.pool.key(place) for place in range(8)]
    asked = {"task": "topic", "arm": "chosen", "strategy": "margin", "model": "m1"}
    made.answers.ask([Question(key=k, suggestion={"value": "sports"}, **asked) for k in keys])
    for web, wrong in ((ada, 3), (bob, 2)):
        for n, key in enumerate(keys):
            value = "politics" if n < wrong else "sports"
            send(web, said(f"{wrong}{n}", key, value, question=n + 1))
    told = ada.get("/api/agreement").json()["topic"]
    assert told["records"] == 8 and told["same"] == 7 / 8
    assert told["pairs"][0][:3] == ["ada", "bob", 8] and 0 < told["alpha"] < 1
    assert told["shown"][1] + told["blind"][1] == 16 and told["blind"][1] > 0
    assert told["shown"][0] + told["blind"][0] == 11


def test_nobody_undoes_what_another_said(made, team):
    ada, bob = signed_in(made, team, "ada"), signed_in(made, team, "bob")
    key = following(ada, n=1)["records"][0]["key"]
    send(ada, said("1", key, "sports"))
    assert "no answer of yours" in send(bob, undone("2", "1"))["refused"][0]["why"]
    assert "another person" in send(bob, said("1", key, "sports"))["refused"][0]["why"]
