"""The labelling page on a pool of 100,000 records: how long people wait.

A real server with a real ledger on disk, and ten signed-in annotators, each a client of its own
that does what the page does: takes records ahead, sends every answer at once, asks for more. First
each answers once a second, as people do at their fastest; then all as fast as they are answered.
Then a real browser (Chromium), where there is one: from a press of a key until the next record.
Default size: 100,000 records, 60 s at a pace and 20 s flat out, about 4 minutes; --full: a million.
"""

import json
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from shutil import which
from uuid import uuid4

import httpx
import numpy as np
from common import arguments, keep, scratch

from allrounder.documents import to_yaml
from allrounder.labeling import PEOPLE, People
from allrounder.ledger import Answers

LABELS = ["sports", "politics", "business"]
ANNOTATORS = 10
KEYS = 100

WORDS = (
    "shares market team goal vote law minister rose fell match coach bank good bad great".split()
)

WATCH = """() => {
  window.took = [];
  let pressed = 0, before = "";
  document.addEventListener("keydown", () => {
    pressed = performance.now();
    before = document.querySelector(".record")?.dataset.key;
  }, true);
  new MutationObserver(() => {
    const now = document.querySelector(".record")?.dataset.key;
    if (!pressed || now === before) return;
    const began = pressed;
    pressed = 0;
    requestAnimationFrame(() => window.took.push(performance.now() - began));
  }).observe(document.body, {subtree: true, childList: true, attributes: true});
}"""


def project(folder: Path, n: int) -> Path:
    """Write a project of n texts and one task; return its file."""
    rng = np.random.default_rng(0)
    with open(folder / "texts.jsonl", "w", encoding="utf-8") as file:
        for number in range(n):
            text = " ".join(rng.choice(WORDS, 14))
            file.write(json.dumps({"text": f"{number}: {text}."}) + "\n")
    path = folder / "news.yaml"
    sections = {
        "sources": [{"path": "texts.jsonl"}],
        "inputs": {"text": {"kind": "hashing"}},
        "tasks": {"topic": {"kind": "multiclass", "labels": LABELS}},
        "label": {"ask": False},
    }
    path.write_text(to_yaml(sections), encoding="utf-8")
    return path


def served(path: Path) -> tuple[subprocess.Popen, str, float]:
    """Start the page; return the process, its address, and the seconds until it was there."""
    began = time.perf_counter()
    told = [sys.executable, "-m", "allrounder.cli", "label", path, "--json", "--no-open", "--quiet"]
    process = subprocess.Popen([*map(str, told), "--port", "0"], stdout=subprocess.PIPE, text=True)
    ready = json.loads(process.stdout.readline())
    return process, ready["url"].rstrip("/"), time.perf_counter() - began


class Annotator(threading.Thread):
    """A person's page: records ahead, every answer sent at once.

    Args:
        url: of the server.
        token: of the person.
        pace: seconds from one answer to the next; 0 is flat out.
        seconds: how long.
        took: by address, how long every request took.
    """

    def __init__(
        self, url: str, token: str, pace: float, seconds: float, took: dict[str, list[float]]
    ) -> None:
        super().__init__()
        self.url, self.token, self.pace, self.seconds, self.took = url, token, pace, seconds, took
        self.tab, self.saved = uuid4().hex, 0

    def run(self) -> None:
        """Label until time is up."""
        with httpx.Client(base_url=self.url, timeout=30, headers={"Origin": self.url}) as web:
            web.post("/api/sign-in", json={"token": self.token}).raise_for_status()
            web.headers["X-Token"] = web.get("/api/session").json()["token"]
            ahead: list[str] = []
            until = time.perf_counter() + self.seconds
            while time.perf_counter() < until:
                began = time.perf_counter()
                if len(ahead) < 4:
                    body = {"tab": self.tab, "have": ahead, "n": 12}
                    told = self._timed(web, "/api/next", body)
                    ahead += [one["key"] for one in told["records"]]
                self._answer(web, ahead.pop(0))
                time.sleep(max(0.0, self.pace - (time.perf_counter() - began)))
            self._timed(web, "/api/leave", {"tab": self.tab})

    def _answer(self, web: httpx.Client, key: str) -> None:
        one = {"id": str(uuid4()), "key": key, "task": "topic", "act": "label",
               "value": LABELS[self.saved % 3], "seconds": 1.0}  # fmt: skip
        told = self._timed(web, "/api/answers", {"answers": [one]})
        assert told["saved"] == [one["id"]], told
        self.saved += 1

    def _timed(self, web: httpx.Client, path: str, body: dict) -> dict:
        began = time.perf_counter()
        answer = web.post(path, json=body)
        self.took[path].append(1000 * (time.perf_counter() - began))
        answer.raise_for_status()
        return answer.json()


def crowd(url: str, tokens: list[str], pace: float, seconds: float) -> tuple[dict, int]:
    """Let everybody label at once; return how long requests took, and the number of answers."""
    took: dict[str, list[float]] = defaultdict(list)
    people = [Annotator(url, token, pace, seconds, took) for token in tokens]
    for one in people:
        one.start()
    for one in people:
        one.join()
    return took, sum(one.saved for one in people)


def pressed(url: str, token: str) -> list[float]:
    """Return the milliseconds from the press of a key until the next record is drawn."""
    from playwright.sync_api import sync_playwright

    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as web:
        browser = web.chromium.launch(executable_path=which("chromium"), args=options)
        page = browser.new_page()
        page.goto(f"{url}/#token={token}")
        page.wait_for_selector(".card")
        page.evaluate(WATCH)
        for number in range(KEYS):
            key = page.get_attribute(".record", "data-key")
            page.keyboard.press(str(1 + number % 3))
            page.wait_for_function(
                "(old) => document.querySelector('.record')?.dataset.key !== old", arg=key
            )
            page.wait_for_timeout(150)
        took = page.evaluate("() => window.took")
        browser.close()
    return took


def line(what: str, times: list[float], note: str = "") -> list[str]:
    """Return one row of the table."""
    p50, p99 = np.percentile(times, [50, 99])
    return [what, f"{len(times):,}", f"{p50:.0f}", f"{p99:.0f}", f"{max(times):.0f}", note]


def main(full: bool) -> None:
    """Measure, and keep the page."""
    n, folder = 1_000_000 if full else 100_000, scratch()
    path = project(folder, n)
    people = People(folder / PEOPLE)
    tokens = [people.add(f"person{number}", "annotator") for number in range(ANNOTATORS + 1)]
    served(path)[0].kill()  # the records are read once, whoever is first
    process, url, start = served(path)
    rows = [["milliseconds", "requests", "p50", "p99", "longest", ""]]
    try:
        total = 0
        for name, pace, seconds in (("one answer a second each", 1.0, 60), ("flat out", 0.0, 20)):
            took, saved = crowd(url, tokens[:-1], pace, seconds)
            total += saved
            rate = f"{saved / seconds:.0f} answers a second"
            for address, times in sorted(took.items()):
                rows.append(line(f"{address}, {name}", times, rate if "answers" in address else ""))
        notes = [f"{n:,} records, {ANNOTATORS} annotators at once, each a client of its own beside "
                 f"the server on one machine; {total:,} answers, each on disk before it was called "
                 "saved.", f"The page was there {start:.1f} s after the command, its records read "
                 "before."]  # fmt: skip
        with Answers(folder / "ledger.db", read_only=True) as ledger:
            assert sum(1 for _ in ledger.events()) == total
        if which("chromium"):
            rows.append(line("a key pressed → the next record drawn", pressed(url, tokens[-1])))
        else:
            notes.append("There was no Chromium: the press of a key was not measured.")
    finally:
        process.kill()
    keep("labeling", "The labelling page under load", rows, notes)


if __name__ == "__main__":
    main(arguments(__doc__ or "").full)
