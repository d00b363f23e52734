"""Whether the labelling page stays quick: 100,000 records, ten people at once.

Starts `allrounder label` on generated texts with two tasks and lets ten people work: each asks for
records, sends answers one by one as the page does, undoes now and then, and looks at the progress.
A tenth of the records is answered before. Reports what each kind of request took. About a minute
on 2 cores, which server and people share; --full has 1,000,000 records.
"""

import json
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx
import numpy as np
from common import arguments, keep, scratch

from allrounder.labeling.people import People
from allrounder.labeling.serving import open_desk
from allrounder.ledger import Answer, Answers
from allrounder.plan import read_plan

PEOPLE = 10
ROUNDS = 8
PAUSE = 0.25
"""Seconds between two answers of a person: nobody is quicker for long."""

LABELS = ["sports", "politics", "business"]
PROJECT = """
sources: [{path: big.jsonl, split: train}]
inputs: {text: {kind: hashing}}
tasks:
  topic: {kind: multiclass, labels: [sports, politics, business]}
  mood: {kind: regression, range: [-4, 4]}
"""


def write(folder: Path, count: int) -> Path:
    """Write `count` texts, and answers to a tenth of them."""
    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(2000)])
    with open(folder / "big.jsonl", "w", encoding="utf-8") as file:
        for number, picks in enumerate(rng.integers(0, 2000, (count, 25))):
            file.write(json.dumps({"text": f"{number} {' '.join(words[picks])}"}) + "\n")
    path = folder / "p.yaml"
    path.write_text(PROJECT, encoding="utf-8")
    with Answers(folder / "ledger.db") as ledger:
        pool = open_desk(read_plan(path), ledger).pool
        said = {"who": "eve", "act": "label", "value": "sports", "task": "topic"}
        some = range(0, len(pool), 10)
        ledger.append([Answer(id=f"old-{at}", key=pool.key(at), **said) for at in some])
    return path


class Person:
    """Somebody at work, who notes how long each request took."""

    def __init__(self, url: str, token: str, took: dict[str, list[float]]) -> None:
        self.web = httpx.Client(base_url=url, timeout=30)
        self.took = took
        self.web.post("/api/sign-in", json={"token": token}).raise_for_status()
        self.web.headers["X-Token"] = self.web.get("/api/session").json()["token"]

    def ask(self, kind: str, method: str, path: str, **body: object) -> dict:
        """Send a request and note its time."""
        began = time.perf_counter()
        answer = self.web.request(method, path, **({"json": body} if body else {}))
        self.took[kind].append(1000 * (time.perf_counter() - began))
        return answer.raise_for_status().json()

    def work(self) -> int:
        """Answer records as a page does; return how many answers."""
        have: list[str] = []
        for _ in range(ROUNDS):
            told = self.ask("next records", "POST", "/api/next", tab="one", have=have, n=10)
            for record in told["records"]:
                answers = [self.answer(record["key"], one["task"]) for one in record["tasks"]]
                for one in answers:
                    time.sleep(PAUSE)
                    self.ask("answer", "POST", "/api/answers", answers=[one])
            last = {"id": uuid4().hex, "act": "undo", "undoes": answers[-1]["id"]}
            self.ask("undo", "POST", "/api/answers", answers=[last])
            self.ask("progress", "GET", "/api/progress")
            self.ask("history", "GET", "/api/history?n=50")
        return len(self.took["answer"])

    def answer(self, key: str, task: str) -> dict:
        """Return some answer."""
        value = LABELS[len(key + task) % 3] if task == "topic" else 1.5
        return {"id": uuid4().hex, "key": key, "task": task, "act": "label", "value": value}


def measured(count: int) -> list[list[str]]:
    """Return the rows of the table for a pool."""
    folder = scratch()
    path = write(folder, count)
    people = People(folder / "people.yaml")
    tokens = [people.add(f"person{n}", "annotator") for n in range(PEOPLE)]
    words = [
        "label",
        str(path),
        "--json",
        "--no-open",
        "--quiet",
        "--port",
        "0",
        "--set",
        "label.ask=false",
    ]
    began = time.perf_counter()
    served = subprocess.Popen(
        [sys.executable, "-m", "allrounder.cli", *words], stdout=subprocess.PIPE, text=True
    )
    url = json.loads(served.stdout.readline())["url"]
    start = time.perf_counter() - began
    took: dict[str, list[float]] = defaultdict(list)
    team = [Person(url, token, took) for token in tokens]
    with ThreadPoolExecutor(PEOPLE) as pool:
        list(pool.map(Person.work, team))
    served.kill()
    served.wait()
    rows = [[f"{count:,}", "start", "1", f"{1000 * start:,.0f}", "", ""]]
    for kind, times in took.items():
        p50, p99 = np.percentile(times, [50, 99])
        told = [f"{p50:.0f}", f"{p99:.0f}", f"{max(times):.0f}"]
        rows.append([f"{count:,}", kind, f"{len(times):,}", *told])
    return rows


def main() -> None:
    """Measure and keep the table."""
    options = arguments(__doc__)
    counts = [100_000, 1_000_000] if options.full else [100_000]
    head = ["records", "request", "n", "p50 ms", "p99 ms", "longest ms"]
    rows = [row for count in counts for row in measured(count)]
    notes = [
        f"{PEOPLE} people at once, an answer each every {PAUSE} s at most; server and people share "
        "the processor.",
        "Questions were not chosen in the background meanwhile (`label.ask: false`).",
        "`start`: from the command to the page, records read before.",
    ]
    keep("labeling", "The labelling page under load", [head, *rows], notes)


if __name__ == "__main__":
    main()
