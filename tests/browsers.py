"""A server of its own for each project, and Debian's Chromium."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync",
    "--disable-component-update", "--no-first-run",
]  # fmt: skip

WHY_NOT = "no Chromium here: apt-get install chromium, and pip install playwright"


def chromium() -> str | None:
    """Return where Chromium is, if it and what drives it are here."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return None
    return shutil.which("chromium")


@contextmanager
def browser():
    """Yield a browser without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield found
        found.close()


class Served:
    """`allrounder label` in a process of its own, which can be killed and started again."""

    def __init__(self, file: Path, *words: str, port: int = 0, asks: bool = False) -> None:
        self.file, self.port = file, port
        self.words = words if asks else ("--set", "label.ask=false", *words)
        self.process: subprocess.Popen | None = None

    def start(self) -> "Served":
        told = [sys.executable, "-m", "allrounder.cli", "label", str(self.file), "--json"]
        told += ["--no-open", "--quiet", "--port", str(self.port), *self.words]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            told, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
        )
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        self.ready = json.loads(line)
        self.url = self.ready["url"]
        self.port = int(self.url.rsplit(":", 1)[1].strip("/"))
        return self

    def kill(self) -> None:
        """End it at once, as SIGKILL does."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def __enter__(self) -> "Served":
        return self.start()

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            self.kill()


@pytest.fixture(scope="module")
def chrome():
    """Debian's Chromium; its loop must not run while tests of other modules do."""
    if chromium() is None:
        pytest.skip(WHY_NOT)
    with browser() as found:
        yield found


@pytest.fixture
def visit(chrome):
    """Open a page in a context of its own: ``visit(url)``; what it complains of fails the test."""
    contexts, errors = [], []

    def visited(url: str, *, context=None, **options):
        if context is None:
            context = chrome.new_context(**{"locale": "en-US", **options})
            contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: "Policy" in m.text and errors.append(m.text))
        page.goto(url)
        page.wait_for_selector(".card, .empty:not(.waiting)")
        return page

    yield visited
    for context in contexts:
        context.close()
    assert not errors
