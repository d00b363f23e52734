"""A model from nothing, with its own tokenizer, that writes Chinese lines and tells labels."""

import itertools
import json
from pathlib import Path

import pytest
import yaml

from allrounder import Project

SEASONS = {"春": "花", "夏": "荷", "秋": "葉", "冬": "雪"}
PLACES, TIMES = "江山村城湖樓", "朝暮夜晨午"


@pytest.fixture(scope="module")
def verses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verses")
    lines, told = [], []
    for season, place, time in itertools.product(SEASONS, PLACES, TIMES):
        title, verse = f"{season}{time}{place}", f"{place}上{SEASONS[season]}開，{time}來人未歸。"
        lines.append({"text": f"{title}\n{verse}"})
        told += [{"text": title, "verse": verse}, {"text": verse, "season": season}]
    for name, rows in (("lines", lines), ("told", told)):
        words = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(words, encoding="utf-8")
    project = {
        "sources": ["lines.jsonl", "told.jsonl"],
        "inputs": {"text": {"kind": "text", "model": "pretraining/1/encoder", "max_tokens": 24}},
        "pretraining": {
            "kind": "causal", "epochs": 12, "lr": 5e-3, "batch_records": 16, "evaluate_every": 4,
            "scratch": {"tokens": "characters", "layers": 2, "width": 32, "heads": 2,
                        "positions": 64},
        },
        "tasks": {"verse": {"kind": "generation", "max_tokens": 16},
                  "season": {"kind": "multiclass"}},
        "training": {"epochs": 25, "lr": 5e-3, "head_lr": 5e-3, "patience": 9},
    }  # fmt: skip
    file = folder / "verses.yaml"
    file.write_text(yaml.safe_dump(project, allow_unicode=True), encoding="utf-8")
    return file


def test_from_nothing_to_verses_and_labels(verses, say):
    code, out, _ = say("pretrain", verses, "--quiet")
    assert code == 0
    assert "Held-out perplexity" in out
    code, out, err = say("train", verses, "--quiet")
    assert code == 0, err
    assert "bits_per_character" in out
    code, out, _ = say("predict", verses, "冬夜湖", "--quiet")
    answer = json.loads(out)
    assert answer["verse"]["text"].endswith("來人未歸。")
    assert answer["verse"]["finished"]
    code, out, _ = say("predict", verses, "村上荷開，朝來人未歸。", "--quiet", "--stream", "--json")
    first, *pieces = map(json.loads, out.splitlines())
    assert first["answers"]["season"]["label"] == "夏"
    assert pieces and all(piece["task"] == "verse" for piece in pieces)


def test_the_report_shows_what_was_wanted_and_what_was_written(verses):
    report = Project.load(verses).evaluate()
    found = report.tasks["verse"]
    assert found.metrics["chrf"].after.value > found.metrics["chrf"].baseline.value
    assert any("上" in error.truth and error.answer for error in found.errors)
    page = (Project.load(verses).run.path / "report.html").read_text(encoding="utf-8")
    assert "bits_per_character" in page and "未歸" in page
