"""The report as text and as JSON."""

import json
import os
import stat
import subprocess
import sys
from copy import deepcopy

from allrounder.evaluation import Report, Score, write_report
from allrounder.evaluation.table import aligned, number, signed, width


def test_a_report_survives_json(whole_report):
    assert Report.from_dict(json.loads(json.dumps(whole_report.to_dict()))) == whole_report


def test_a_report_with_subsets_survives_json(missing_report):
    again = Report.from_dict(json.loads(json.dumps(missing_report.to_dict())))
    assert again == missing_report
    assert again.tasks["topic"].robustness.subsets[3].inputs == ["text", "image"]


def test_a_report_of_before_has_no_subsets(whole_report):
    plain = json.loads(json.dumps(whole_report.to_dict()))
    for task in plain["tasks"].values():
        assert task.pop("robustness") is None
    assert Report.from_dict(plain) == whole_report


def test_the_subsets_of_a_task_have_a_table_of_their_own(missing_report):
    about, head, _, first, *rest = str(missing_report).split("\n\n")[1].splitlines()
    assert about == "240 records with all inputs, some of them hidden"
    assert head.split("  ")[0] == "topic, when it reads"
    assert first.split() == "text 0.670 [0.620, 0.715] 0.640 [0.590, 0.685] 0.024".split()
    assert rest[-1].startswith("text + image + audio ")


def test_the_table_lines_up_and_names_every_metric(whole_report):
    head, rule, *rows = str(whole_report).split("\n\n")[0].splitlines()
    assert head.split() == ["task", "metric", "baseline", "before", "after", "gain", "n"]
    assert {len(line) for line in (head, rule, *rows)} == {len(rule)}
    assert [row.split()[:2] for row in rows[:3]] == [
        ["topic", "accuracy"],
        ["topic", "macro_f1"],
        ["mood", "r2"],
    ]


def test_the_notes_follow_the_table(whole_report):
    assert f"\n- {whole_report.notes[0]}" in str(whole_report)


def test_chinese_names_take_two_columns():
    assert width("文化ab") == 6
    lines = aligned([["task", "n"], ["文化", "1"], ["ab", "22"]], left=1).splitlines()
    assert lines[2:] == ["文化   1", "ab    22"]


def test_numbers_have_one_look():
    assert [number(x) for x in (0.5, -0.0001, 1234.5)] == ["0.500", "0.000", "1,234.5"]
    assert [signed(x) for x in (0.5, -0.5, 0.0, 1234.5)] == [
        "+0.500",
        "-0.500",
        "0.000",
        "+1,234.5",
    ]


def _with_gain(report: Report, value: float, low: float, high: float) -> Report:
    changed = deepcopy(report)
    found = changed.tasks["topic"].deciding
    found.before = Score(value=0.815, low=0.8, high=0.83)
    found.after = Score(value=0.815 + value, low=0.8, high=0.83)
    found.gain = Score(value=value, low=low, high=high)
    return changed


def test_a_task_that_does_not_beat_its_probe_is_named(whole_report):
    findings = _with_gain(whole_report, -0.003, -0.02, 0.01).findings
    assert findings[0] == (
        "topic does not beat its before-fine-tuning probe (accuracy 0.812 against 0.815)."
    )


def test_a_gain_within_noise_is_called_so(whole_report):
    findings = _with_gain(whole_report, 0.003, -0.02, 0.03).findings
    assert findings[0] == (
        "topic gains +0.003 accuracy over its before-fine-tuning probe, which is within noise "
        "[-0.020, +0.030]."
    )


def test_a_clear_gain_is_no_finding(whole_report):
    findings = _with_gain(whole_report, 0.05, 0.02, 0.08).findings
    assert not any(line.startswith("topic") for line in findings)


def test_a_task_that_a_constant_beats_is_named(whole_report):
    changed = deepcopy(whole_report)
    found = changed.tasks["topic"].deciding
    found.baseline = Score(value=found.after.value, low=0, high=1)
    assert any("does not beat a constant answer" in line for line in changed.findings)


def test_a_report_without_probe_shows_a_dash(whole_report):
    changed = deepcopy(whole_report)
    for found in changed.tasks["mood"].metrics.values():
        found.before = found.gain = None
    row = next(line for line in str(changed).splitlines() if line.startswith("mood"))
    assert row.split().count("–") == 2


def test_three_files_are_written_whole_and_readable(whole_report, tmp_path):
    write_report(whole_report, tmp_path / "runs" / "1")
    folder = tmp_path / "runs" / "1"
    assert sorted(os.listdir(folder)) == ["card.md", "metrics.json", "report.html"]
    assert stat.S_IMODE((folder / "report.html").stat().st_mode) == 0o644
    data = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert Report.from_dict(data) == whole_report
    assert data["findings"] == whole_report.findings
    assert 'Project.load("runs/1")' in (folder / "card.md").read_text(encoding="utf-8")


def test_a_run_that_diverged_is_still_json(whole_report, tmp_path):
    changed = deepcopy(whole_report)
    changed.history[3]["losses"]["topic"] = float("nan")
    write_report(changed, tmp_path)
    text = (tmp_path / "metrics.json").read_text(encoding="utf-8")
    assert "NaN" not in text


def test_importing_it_loads_no_torch_and_no_plots():
    code = (
        "import sys, allrounder.evaluation; "
        "print([m for m in ('torch', 'sklearn', 'matplotlib', 'jinja2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
