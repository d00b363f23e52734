"""The page for everybody: contrast, names, both languages, a phone, pictures and sounds."""

import pytest
from browsers import Served
from desks import TASKS, desk, png, wav, written

from allrounder.ledger import Answers, Question

KINDS = {
    **TASKS,
    "tags": {"kind": "multilabel", "labels": ["urgent", "local", "funny"]},
    "names": {"kind": "spans", "of": "text", "labels": ["PER", "ORG"]},
    "title": {"kind": "generation", "light": True},
}
INPUTS = {
    "text": {"kind": "hashing"},
    "photo": {"kind": "pixels"},
    "call": {"kind": "spectrum"},
    "offer": {"kind": "number", "fields": ["price", "weight"]},
}


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    """A record of every modality with every kind of task, suggestions and guidelines."""
    folder = tmp_path_factory.mktemp("rich")
    (folder / "a.png").write_bytes(png((40, 120, 90), width=320, height=200))
    (folder / "b.wav").write_bytes(wav(440, seconds=2))
    (folder / "guide.md").write_text("# Topic\nWhat it is about.\n\n- one\n- two\n")
    row = {"photo": "a.png", "call": "b.wav", "price": 12.5, "weight": 3}
    rows = [{"text": f"Acme met Lin, {i}.", **row} for i in range(200)]
    label = {"guidelines": "guide.md", "blind": 0}
    file = written(folder, rows, INPUTS, KINDS, label=label)
    pool = desk(file).pool
    says = {
        "topic": {"value": "sports", "probability": 0.8, "probabilities": {"sports": 0.8}},
        "names": {"value": [{"start": 0, "end": 4, "label": "ORG"}], "probability": 0.6},
        "tags": {"value": ["local"], "probability": 0.7, "probabilities": {"local": 0.7}},
        "mood": {"value": 1.5},
        "title": None,
    }
    with Answers(folder / "ledger.db") as ledger:
        asked = {"arm": "chosen", "strategy": "margin", "score": 0.1}
        keys = [pool.key(place) for place in range(len(pool))]
        told = [(key, task, found) for key in keys for task, found in says.items()]
        ledger.ask([Question(key=k, task=t, suggestion=s, **asked) for k, t, s in told])
    with Served(file) as served:
        yield served


def whole(page):
    """Go on to a record of which nothing was answered yet."""
    page.wait_for_selector(".card")
    key = page.get_attribute(".record", "data-key")
    while page.get_attribute(".record", "data-key") == key:
        if page.locator("textarea:focus").count():
            page.keyboard.press("Escape")
        page.keyboard.press("Space")


def violations(page):
    Axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe
    found = Axe().run(page)
    return found.generate_report() if found.violations_count else ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_axe_finds_no_violation(rich, visit, scheme, locale):
    size = {"width": 1400, "height": 900}
    options = {"locale": locale, "color_scheme": scheme, "viewport": size}
    page = visit(rich.url, reduced_motion="reduce", **options)
    assert page.get_attribute("html", "lang") == {"en-US": "en", "zh-CN": "zh-Hans"}[locale]
    assert not violations(page)
    for key in ("2", "3", "Enter", "ArrowUp", "Enter", "ArrowRight", "1"):
        page.keyboard.press(key)
    assert not violations(page)
    page.keyboard.press("Escape")
    for open_ in ("?", ".count", "[aria-label='What you did'], [aria-label='您的操作']"):
        page.keyboard.press("?") if open_ == "?" else page.click(open_)
        page.wait_for_selector("dialog[open]")
        assert not violations(page)
        page.keyboard.press("Escape")
    page.set_viewport_size({"width": 390, "height": 800})
    assert not violations(page)


def test_language_and_theme_change_and_stay(rich, visit):
    page = visit(rich.url)
    page.click("button[title='中文']")
    assert "跳过" in page.inner_text("#bar")
    page.click("button[title='浅色或深色']")
    page.click("button[title='浅色或深色']")
    page.reload()
    page.wait_for_selector(".card")
    assert "跳过" in page.inner_text("#bar")
    assert page.get_attribute("html", "data-theme") == "dark"


def test_a_phone_shows_all_without_scrolling_sideways(rich, visit):
    page = visit(rich.url, viewport={"width": 360, "height": 700}, has_touch=True, is_mobile=True)
    whole(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.tap(".label:first-child")
    page.wait_for_selector(".card.answered")
    heights = page.evaluate(
        "[...document.querySelectorAll('.label, .act')].map(one => one.offsetHeight)"
    )
    assert min(heights) >= 44


def test_a_picture_zooms_and_moves_by_key(rich, visit):
    page = visit(rich.url)
    whole(page)
    page.wait_for_function("() => document.querySelector('.frame img').naturalWidth === 320")
    for key in ("+", "+", "ArrowRight"):
        page.keyboard.press(key)
    moved = page.evaluate("document.querySelector('.frame img').style.transform")
    assert moved.startswith("translate(-60px") and "scale(1.95" in moved.replace("1.96", "1.95")
    page.keyboard.press("-")
    page.keyboard.press("-")
    assert "scale(1)" in page.evaluate("document.querySelector('.frame img').style.transform")


def test_a_sound_has_a_wave_and_plays_by_key(rich, visit):
    page = visit(rich.url)
    whole(page)
    page.wait_for_function("() => document.querySelector('.time').textContent.endsWith('0:02')")
    drawn = """() => {
      const wave = document.querySelector("canvas");
      const { data } = wave.getContext("2d").getImageData(0, 0, wave.width, wave.height);
      return data.filter((_, at) => at % 4 === 3).filter(Boolean).length;
    }"""
    assert page.evaluate(drawn) > 500
    page.keyboard.press("p")
    page.wait_for_function("() => !document.querySelector('audio').paused")
    page.keyboard.press("p")
    page.wait_for_function("() => document.querySelector('audio').paused")


def test_tab_moves_between_tasks_and_then_on(rich, visit):
    page = visit(rich.url)
    whole(page)
    names = []
    for _ in range(4):
        names.append(page.get_attribute(".card.active", "data-task"))
        page.keyboard.press("Tab")
    assert names[:2] == ["topic", "mood"] and len(set(names)) > 2
    for _ in range(12):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.card') === null")  # no trap


def test_a_suggested_number_and_suggested_spans_are_accepted_by_enter(rich, visit):
    page = visit(rich.url)
    whole(page)
    key = page.get_attribute(".record", "data-key")
    for _ in range(4):
        assert page.locator(".card.active").count() == 1
        page.keyboard.press("Enter")
    page.wait_for_selector(".sync.saved")
    with Answers(rich.file.parent / "ledger.db", read_only=True) as ledger:
        kept = {one.task: one.value for one in ledger.events() if one.key == key}
    assert kept["topic"] == "sports" and kept["mood"] == 1.5 and kept["tags"] == ["local"]
    assert kept["names"] == [{"start": 0, "end": 4, "label": "ORG"}]
