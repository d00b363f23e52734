"""From no label at all to a trained and judged model, by the page and `train` alone."""

import json
import time

from browsers import Served
from sentences import sentences, write_rows

from allrounder import Project, cli
from allrounder.ledger import Answers

LABELS = ["markets", "sport"]

PROJECT = """
sources: [{path: texts.jsonl}]
inputs: {text: {kind: hashing, width: 64, buckets: 2048}}
tasks: {topic: {kind: multiclass, labels: [markets, sport]}}
active: {kind: margin, n: 30, start_n: 20, random_share: 0.4}
training: {epochs: 20, head_lr: 1.0e-2, probe: false}
"""

WANTED = 120


def label(page, truth, n):
    """Answer n records rightly, by one key each."""
    for _ in range(n):
        text = page.text_content(".text")
        page.keyboard.press(str(1 + truth[text]))
        page.wait_for_function(
            "(old) => document.querySelector('.text')?.textContent !== old", arg=text
        )


def waited_for(folder, batches):
    """Wait until so many batches were chosen beside the page."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with Answers(folder / "ledger.db", read_only=True) as ledger:
            if len({one.batch for one in ledger.questions()}) >= batches:
                return
        time.sleep(0.3)
    raise AssertionError(f"there are no {batches} batches after two minutes")


def test_from_no_label_to_a_judged_model(tmp_path, visit, capsys):
    rows = sentences(400)
    truth = {row["text"]: LABELS.index(row["topic"]) for row in rows}
    file = tmp_path / "news.yaml"
    file.write_text(PROJECT, "utf-8")
    write_rows(tmp_path / "texts.jsonl", [{"text": row["text"]} for row in rows])
    assert cli.main(["train", str(file), "--quiet"]) == 2
    assert "allrounder label" in capsys.readouterr().err
    with Served(file, asks=True) as served:
        page = visit(served.url)
        waited_for(tmp_path, batches=1)
        label(page, truth, 50)
        waited_for(tmp_path, batches=2)
        label(page, truth, WANTED - 50)
        page.wait_for_selector(".sync.saved")
    with Answers(tmp_path / "ledger.db", read_only=True) as ledger:
        events, asked = list(ledger.events()), list(ledger.questions())
    assert len([one for one in events if one.act == "label"]) >= WANTED
    assert {one.strategy for one in asked} >= {"k_means", "margin", "random"}
    assert any(one.suggested for one in events) or any(one.suggestion for one in asked)
    assert cli.main(["train", str(file), "--json", "--quiet"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert 0 <= report["tasks"]["topic"]["metrics"]["accuracy"]["after"]["value"] <= 1
    found = Project.load(file).evaluate()
    assert found.tasks["topic"].num_records > 5
    answers = Project.load(file).predict([{"text": row["text"]} for row in rows])
    right = [one["topic"]["label"] == row["topic"] for one, row in zip(answers, rows, strict=True)]
    assert sum(right) > 0.85 * len(rows)  # 393 to 398 of 400
