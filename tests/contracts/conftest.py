"""What kinds of synthesis need to make something, by kind."""

from dataclasses import replace

import pytest
from sentences import WHO, sentences, write_sentences
from servers import serving, writes

from allrounder.plan import read_plan
from allrounder.synthesis.material import Judge
from allrounder.synthesizing import material_of

RULES = """
rules:
  - {id: played, says: text has match => topic = sport}
  - {id: coached, says: text has coach => topic = sport}
  - {id: earned, says: text has shares => topic = markets}
  - {id: lost, says: text has money => topic = markets}
"""


def answers(columns):
    """Answer as a run would that knows what the small project is about."""
    found = []
    for text in columns["text"].to_pylist():
        sport = any(word in text for word in ("match", "coach", "goals", "cup", "比赛", "教练"))
        label, other = ("sport", "markets") if sport else ("markets", "sport")
        spans = [
            {"start": text.index(who), "end": text.index(who) + len(who), "label": "WHO",
             "text": who, "probability": 0.95}
            for who in WHO if who in text
        ]  # fmt: skip
        topic = {"label": label, "probability": 0.97, "probabilities": {label: 0.97, other: 0.03}}
        found.append({"topic": topic, "who": {"spans": spans}})
    return found


JUDGE = Judge(name="runs/1", fingerprint="abc", answers=answers)


def half_labelled():
    rows = sentences(80)
    return [row if n % 2 else {"text": row["text"]} for n, row in enumerate(rows)]


@pytest.fixture
def writer():
    """The address of a server that writes records."""
    with serving(writes) as (url, _):
        yield url


@pytest.fixture
def material_for(tmp_path, teller, tiny_decoder, writer):
    """Return the settings that a kind needs, and what it makes labels from."""

    def prepare(kind):
        authored = {"model": tiny_decoder, "max_tokens": 24, "epochs": 2, "lr": 0.01}
        needed = {"replace": {"model": teller, "share": 0.3},
                  "paraphrase": authored,
                  "conditional": {**authored, "n": 2, "times": 3},
                  "endpoint": {"url": writer, "model": "m", "rate": 6e6}}.get(kind, {})  # fmt: skip
        folder, options = tmp_path / kind, {}
        if kind in ("pseudo", "rules"):
            options["train"] = half_labelled()
        if kind == "rules":
            options["knowledge"] = {"rules": "rules.yaml"}
            folder.mkdir(exist_ok=True)
            (folder / "rules.yaml").write_text(RULES)
        file = write_sentences(folder, **options)
        found = material_of(read_plan(file), file.parent / "runs", lambda *_: None)
        return needed, replace(found, open_judge=lambda: JUDGE) if kind == "pseudo" else found

    return prepare
