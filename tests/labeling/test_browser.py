"""The page in a real browser: what keys do, and what it keeps."""

import pytest
from browsers import Served
from desks import project

from allrounder.ledger import Answers


def answers(file):
    with Answers(file.parent / "ledger.db", read_only=True) as ledger:
        return list(ledger.events())


def saved(page):
    page.wait_for_selector(".sync.saved")


@pytest.fixture(scope="module")
def news(tmp_path_factory):
    """A project of texts with one task, served once for several tests."""
    file = project(tmp_path_factory.mktemp("news"), n=40)
    with Served(file) as served:
        yield served


def test_one_key_labels_saves_and_goes_on(news, visit):
    page = visit(news.url)
    first = page.text_content(".text")
    page.keyboard.press("2")
    page.keyboard.type("3.5")
    page.keyboard.press("Enter")
    saved(page)
    assert page.text_content(".text") != first
    mood, topic = answers(news.file)[-1], answers(news.file)[-2]
    assert (topic.task, topic.value, mood.task, mood.value) == ("topic", "politics", "mood", 3.5)
    assert topic.key == mood.key and 0 <= topic.seconds < 60
