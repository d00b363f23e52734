"""An owner changes labels on the page; open pages follow, and no answer on its way is lost."""

import pytest
from browsers import Served
from desks import desk, project, said
from starlette.testclient import TestClient

from allrounder import Project
from allrounder.labeling.app import Server
from allrounder.labeling.people import People
from allrounder.labeling.serving import reopened
from allrounder.ledger import Answers

TOPIC = {"topic": {"kind": "multiclass", "labels": ["sports", "politics", "business"]}}


@pytest.fixture
def file(tmp_path):
    return project(tmp_path / "news", n=30, tasks=TOPIC)


@pytest.fixture
def server(file):
    made = Server(desk(file), People(file.parent / "people.yaml"))
    made.reopened = reopened
    yield made
    made.desk.answers.close()


def client(server):
    web = TestClient(server.app(), base_url="http://127.0.0.1:8400")
    web.headers["X-Token"] = web.get("/api/session").json()["token"]
    return web


def change(web, new: str, old: str = "", dry: bool = False):
    return web.post("/api/labels", json={"task": "topic", "old": old, "new": new, "dry": dry})


def following(web) -> dict:
    return web.post("/api/next", json={"tab": "one", "have": [], "n": 3}).json()


def test_a_label_is_renamed_while_people_answer(server, file):
    web = client(server)
    first, second, *_ = following(web)["records"]
    send = lambda *items: web.post("/api/answers", json={"answers": list(items)}).json()  # noqa: E731
    send(said("1", first["key"], "sports"))
    shown = change(web, "games", old="sports", dry=True).json()
    assert (shown["records"], shown["merged"], following(web)["version"]) == (1, False, 0)
    assert change(web, "games", old="sports").status_code == 200
    assert following(web)["version"] == web.get("/api/session").json()["version"] == 1
    assert "games" in web.get("/api/session").json()["tasks"][0]["labels"]
    assert send(said("2", second["key"], "sports"))["saved"] == ["id-000002"]
    assert server.desk.board.labels["topic"] == {"games": 2}
    assert Project.load(file).plan.tasks["topic"].renamed == {"sports": "games"}


def test_a_label_is_added_and_can_be_chosen_at_once(server):
    web = client(server)
    assert change(web, "weather 天气").json()["added"] == ["weather 天气"]
    (record, *_) = following(web)["records"]
    answer = said("1", record["key"], "weather 天气")
    assert web.post("/api/answers", json={"answers": [answer]}).json()["saved"]


def test_what_cannot_be_is_told_and_changes_nothing(server, file):
    web, before = client(server), file.read_text("utf-8")
    assert change(web, "x", old="sprots").status_code == 422
    assert "Did you mean 'sports'?" in change(web, "x", old="sprots").json()["error"]
    assert change(web, " ").status_code == 422
    assert web.post("/api/labels", json={"task": 3}).status_code == 400
    assert (file.read_text("utf-8"), following(web)["version"]) == (before, 0)


def test_only_owners_change_labels(server, file):
    token = server.people.add("bob", "reviewer")
    web = TestClient(server.app(), base_url="http://127.0.0.1:8400")
    web.post("/api/sign-in", json={"token": token})
    web.headers["X-Token"] = web.get("/api/session").json()["token"]
    assert change(web, "weather").status_code == 403


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_by_keyboard_on_the_page(file, visit, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe
    with Served(file) as served:
        page = visit(served.url, color_scheme=scheme, reduced_motion="reduce")
        other = visit(served.url)
        page.keyboard.press("1")
        page.wait_for_selector(".sync.saved")
        page.click(".count")
        page.get_by_role("button", name="Change labels").click()
        page.wait_for_selector("form.rule")
        found = axe().run(page)
        assert not found.violations_count, found.generate_report()
        page.select_option("form.rule select >> nth=1", "politics")
        page.fill("form.rule input", "sports")
        page.wait_for_selector(".measured p")
        told = page.text_content(".measured")
        assert told == "politics and sports become one, sports, in topic; 0 records carry politics."
        page.fill("form.rule input", "power")
        page.wait_for_function(
            "() => document.querySelector('.measured').textContent.includes('power')"
        )
        page.keyboard.press("Enter")
        for one in (page, other):
            one.get_by_role("button", name="power").wait_for(timeout=40_000)
        other.keyboard.press("2")
        other.wait_for_selector(".sync.saved")
    with Answers(file.parent / "ledger.db", read_only=True) as ledger:
        assert [one.value for one in ledger.events()] == ["sports", "power"]
