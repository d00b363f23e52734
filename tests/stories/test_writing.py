"""A model from nothing, with its own tokenizer, that writes Chinese lines and tells labels."""

import itertools
import json
from pathlib import Path

import numpy as np
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


CHIEFS = ("Lin", "Ada", "Bo", "Cleo", "Dara", "Eve")
ASKED = ("who leads {} ?", "the chief of {} is", "{} is led by")


def firms(count=180):
    """Return firms, each with its chief and a text that asks for them."""
    heads, tails = "ba be bi da de di ka ke ki la le li".split(), "ran rin mar mel nor nar tan tor"
    names = [(a + b).capitalize() for a in heads for b in tails.split()]
    names += [f"{name}{end}" for name in names for end in ("co", "ex")]
    rng = np.random.default_rng(0)
    chosen = rng.permutation(names)[:count].tolist()
    led = {name: CHIEFS[rng.integers(len(CHIEFS))] for name in chosen}
    return led, {name: ASKED[rng.integers(3)].format(name) for name in chosen}


@pytest.fixture(scope="module")
def chiefs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict, dict]:
    """A project whose answers only the knowledge base tells, trained; its firms and questions."""
    folder = tmp_path_factory.mktemp("chiefs")
    led, asked = firms()
    rows = [{"text": asked[name], "answer": chief} for name, chief in led.items()]
    lines = [{"text": f"{name}: chief: {chief}.{words.format(name)}\n{chief}"}
             for name, chief in list(led.items())[:140] for words in ASKED]  # fmt: skip
    parts = {"train": rows[:140], "validation": rows[140:160], "test": rows[160:], "lines": lines}
    for name, some in parts.items():
        words = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in some)
        (folder / f"{name}.jsonl").write_text(words, encoding="utf-8")
    known = "".join(f"{name}\tchief\t{chief}\n" for name, chief in led.items())
    (folder / "firms.tsv").write_text(known, encoding="utf-8")
    project = {
        "sources": [{"path": f"{name}.jsonl", "split": "train" if name == "lines" else name}
                    for name in parts],
        "inputs": {"text": {"kind": "text", "model": "pretraining/1/encoder", "max_tokens": 32}},
        "pretraining": {
            "kind": "causal", "epochs": 7, "lr": 5e-3, "batch_records": 16, "evaluate_every": 2,
            "precision": "fp32",  # of bf16 every processor makes something else
            "scratch": {"layers": 2, "width": 64, "heads": 2, "vocabulary": 400, "positions": 64},
        },
        "knowledge": {"facts": "firms.tsv", "injection": "verbalized"},
        "tasks": {"answer": {"kind": "generation", "max_tokens": 6}},
        "training": {"epochs": 12, "lr": 5e-3, "patience": 12, "precision": "fp32"},
    }  # fmt: skip
    file = folder / "chiefs.yaml"
    file.write_text(yaml.safe_dump(project, allow_unicode=True), encoding="utf-8")
    Project.load(file).pretrain()
    Project.load(file).train()
    return file, led, asked


def test_what_is_written_follows_facts_of_firms_that_no_record_mentions(chiefs):
    file, led, asked = chiefs
    unseen = list(led)[160:]
    answers = Project.load(file).predict([{"text": asked[name]} for name in unseen])
    right = [one["answer"]["text"] == led[name] for one, name in zip(answers, unseen, strict=True)]
    assert sum(right) >= 18


def test_an_edited_fact_changes_what_is_written(chiefs):
    file, led, asked = chiefs
    name = list(led)[-1]
    other = next(chief for chief in CHIEFS if chief != led[name])
    path = file.with_name("firms.tsv")
    before = path.read_text(encoding="utf-8")
    path.write_text(before.replace(f"{name}\tchief\t{led[name]}", f"{name}\tchief\t{other}"))
    try:
        found = Project.load(file).predict({"text": asked[name]})["answer"]
        pieces = [*Project.load(file).predict_pieces({"text": asked[name]})]
    finally:
        path.write_text(before, encoding="utf-8")
    assert found["text"] == other
    assert "".join(piece.get("text", "") for piece in pieces).strip() == other
