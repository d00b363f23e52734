"""A corpus of plain text, as dirty as corpora are, beside a labelled source."""

import json

import pytest
from making import write_newsroom

PLANTED = {17: b" \xe2\x80\x8b", 40: b"\x89PNG\0\x01", 77: b"x" * 1_500_000, 90: b"caf\xe9"}
"""Lines that are no record, by their numbers."""
TOLD = (
    "corpus.txt: 4 of 120 lines were skipped: 1 empty (line 17), 2 binary (first: line 40), "
    "1 longer than 1,000,000 bytes (line 77)."
)


def dirty() -> bytes:
    """Return 120 lines with Windows ends and no last one: 4 planted, and 10 that repeat one."""
    lines = {n: f"the bank said number {n} rose".encode() for n in range(1, 111)}
    lines |= {n: b"THE bank said number 1 rose" for n in range(111, 121)}
    return b"\xef\xbb\xbf" + b"\r\n".join((lines | PLANTED)[n] for n in range(1, 121))


@pytest.fixture
def desk(tmp_path, tiny):
    """The project file of a corpus beside the newsroom's headlines."""
    (tmp_path / "corpus.txt").write_bytes(dirty())
    headlines = {"path": "news.csv", "map": {"headline": "text", "about": "topic"}}
    return write_newsroom(
        tmp_path,
        size=20,
        sources=[{"path": "corpus.txt", "split": "train"}, headlines],
        inputs={"text": {"kind": "text", "model": tiny, "max_tokens": 32}},
        tasks={"topic": {"kind": "multiclass"}},
        pretraining={"kind": "masked", "epochs": 2, "batch_records": 8, "precision": "fp32"},
        training={"epochs": 1, "batch_records": 16, "precision": "fp32"},
    )


def test_a_dirty_corpus_is_checked_pretrained_on_trained_beside_and_answered(desk, say):
    code, out, _ = say("check", desk)
    assert code == 0
    assert f"- {TOLD}" in out
    assert "- 10 records repeat the text of another one." in out

    code, out, _ = say("pretrain", desk, "--json", "--quiet")
    assert code == 0
    found = json.loads(out)
    assert TOLD in found["notes"]
    assert found["texts"]["repeated"] == 10
    learned = found["texts"]["learned"] + found["texts"]["held_out"]
    assert learned > 106, "106 different lines, and headlines"

    code, out, _ = say("train", desk, "--json", "--quiet")
    assert code == 0
    assert TOLD in json.loads(out)["notes"]
    assert TOLD in (desk.parent / "runs/1/report.html").read_text(encoding="utf-8")

    answers = desk.parent / "answers.jsonl"
    corpus = desk.parent / "corpus.txt"
    assert say("predict", desk, "--data", corpus, "--out", answers, "--quiet")[0] == 0
    rows = [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()]
    assert [row["line"] for row in rows] == [n for n in range(1, 121) if n not in PLANTED]
