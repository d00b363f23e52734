"""Made labels are kept where they are a gain, told beside what real labels are worth."""

import json

import pytest
from sentences import sentences, write_sentences

from allrounder import Project
from allrounder.ledger.made import Ledger

RULES = """
rules:
  - {id: played, says: text has match => topic = sport}
  - {id: coached, says: text has coach => topic = sport}
  - {id: scored, says: text has goals => topic = sport}
  - {id: left, says: text has cup => topic = sport}
  - {id: sold, says: text has shares => topic = markets}
  - {id: raised, says: text has price => topic = markets}
  - {id: opened, says: text has branch => topic = markets}
  - {id: lost, says: text has money => topic = markets}
"""


@pytest.fixture
def desk(tmp_path):
    """A project with twelve labels, whose rules know what the other texts are about."""

    def write(*kinds, **training):
        rows = [row for row in sentences(600) if row["text"].isascii()]
        rows = [{"text": row["text"], "topic": row["topic"]} for row in rows]
        train = [row if n < 12 else {"text": row["text"]} for n, row in enumerate(rows[:250])]
        (tmp_path / "rules.yaml").write_text(RULES)
        return write_sentences(
            tmp_path, train=train, validation=rows[250:310], test=rows[310:380],
            tasks={"topic": {"kind": "multiclass"}}, synthesis=list(kinds),
            knowledge={"rules": "rules.yaml"},
            training={"epochs": 4, "batch_records": 8, "head_lr": 0.03, "precision": "fp32",
                      **training},
        )  # fmt: skip

    return write


def live(file):
    with Ledger(file.parent / "ledger.db", read_only=True) as ledger:
        return list(ledger.live())


VOTES = {"kind": "rules", "confidence": 0.6, "per_label": 60}
NOISE = {"kind": "noise", "operations": ["punctuation"], "similarity": 1.0}


def test_what_gains_is_kept_and_what_does_not_expires(desk):
    file = desk(VOTES, NOISE, {"kind": "mix", "alpha": 0.4})
    report = Project.load(file).synthesize(judge=True, seeds=1)
    gate = report.gate
    assert set(gate.tasks["topic"].gains) == {"rules", "noise", "mix", "6 real labels fewer"}
    assert gate.tasks["topic"].gains["rules"].helps
    assert "rules" in gate.adopted
    kept = {one.generator for one in live(file)}
    assert kept == {kind for kind in gate.adopted if kind != "mix"}
    text = str(report)
    assert "Is it worth it? Intervals over records, with one seed" in text
    assert "topic gains with rules" in text
    assert "Kept in the ledger: rules" in text
    about = json.loads((report.folder / "synthesis.json").read_text())
    assert about["gate"]["adopted"]["rules"] == ["topic"]
    assert sorted(path.name for path in report.folder.iterdir()) == ["synthesis.json"]


def test_judged_after_a_stop_it_goes_on_with_what_was_made(desk):
    file = desk(VOTES)
    made = Project.load(file).synthesize()
    report = Project.load(file).synthesize(resume=True, judge=True, seeds=1)
    assert report.folder == made.folder
    assert report.rows == made.rows
    assert set(report.gate.tasks["topic"].gains) == {"rules", "6 real labels fewer"}
