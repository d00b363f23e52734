import json

from allrounder.records import inspect
from allrounder.records.inspection import Coverage, Finding, variants

from .columns import Names, Numbers, Sets, Spans, rows


def reported(desk, *sources, **columns):
    records = desk.load(*sources, **columns)
    report = inspect(records, columns)
    assert json.loads(json.dumps(report.to_dict())) == report.to_dict()
    return report


def three(desk, train: str, validation: str = "v,a\nw,b\n", test: str = "t,a\nu,b\n"):
    for name, text in {"train": train, "validation": validation, "test": test}.items():
        desk.write(f"{name}.csv", "text,topic\n" + text)
    return [{"path": f"{name}.csv", "split": name} for name in ("train", "validation", "test")]


def test_coverage_counts_records_and_labels(desk):
    report = reported(desk, *three(desk, "x,a\ny,\nz,b\n"), topic=Names())
    assert report.num_records == 7
    assert report.splits == {"train": 3, "validation": 2, "test": 2}
    assert report.empty_splits == []
    assert report.coverage[0] == Coverage(
        source="train.csv",
        records={"train": 3, "validation": 0, "test": 0},
        labels={"topic": {"train": 2, "validation": 0, "test": 0}},
    )
    assert report.labels == {"topic": {"a": 3, "b": 3}}


def test_clean_records_give_no_findings(desk):
    report = reported(desk, *three(desk, "x,a\ny,\nz,b\n"), topic=Names())
    nothing = Finding(0, [])
    assert (report.duplicates, report.leaks, report.conflicts) == (nothing, nothing, {})
    assert report.variants == {}


def test_duplicates_and_conflicts_are_found(desk):
    report = reported(desk, *three(desk, "x,a\nX ,a\ny,a\nz,b\nx,b\ny,\n"), topic=Names())
    assert report.duplicates == Finding(
        3, [("train.csv, line 2", "train.csv, line 3"), ("train.csv, line 4", "train.csv, line 7")]
    )
    assert report.conflicts == {"topic": Finding(1, [("train.csv, line 2", "train.csv, line 6")])}
    assert report.leaks == Finding(0, [])


def test_leaks_between_splits_are_found(desk):
    report = reported(desk, *three(desk, "x,a\nt,a\ny,b\n"), topic=Names())
    assert report.leaks == Finding(1, [("train.csv, line 3", "test.csv, line 2")])


def test_examples_stop_at_three(desk):
    train = "".join(f"text {i},{'ab'[i % 2]}\n" for i in range(10)) * 2
    report = reported(desk, *three(desk, train), topic=Names())
    assert report.duplicates.n == 10
    assert len(report.duplicates.examples) == 3


def test_labels_that_differ_in_case_or_whitespace_are_grouped(desk):
    assert variants(["a b", "A  B ", "c", "ab", "d"]) == [["A  B ", "a b", "ab"]]
    report = reported(desk, *three(desk, "x,Good\ny,good\nz,a\n"), topic=Names())
    assert report.variants == {"topic": [["Good", "good"]]}


def test_numbers_spans_and_sets_are_counted(desk):
    lines = [
        {"text": f"文 {i}", "mood": i, "tags": ["a", "b"][: i % 3],
         "spans": [{"start": 0, "end": 1, "label": "X"}] * (i % 2)}
        for i in range(41)
    ]  # fmt: skip
    desk.write("a.jsonl", "\n".join(map(json.dumps, lines)))
    report = reported(desk, "a.jsonl", mood=Numbers(), tags=Sets(), spans=Spans())
    assert report.numbers["mood"].median == 20.0
    assert report.numbers["mood"].max == 40.0
    assert report.labels == {"tags": {"a": 27, "b": 13}, "spans": {"X": 20}}
    assert report.lengths["text"].n == 41
    assert report.lengths["text"].max == 4.0


def test_conflicting_spans_are_found(desk):
    span = {"start": 0, "end": 1, "label": "X"}
    lines = [{"text": f"t {i}", "spans": [span]} for i in range(30)]
    lines += [{"text": "t 3", "spans": []}, {"text": "t 4", "spans": [span]}, {"text": "t 5"}]
    desk.write("a.jsonl", "\n".join(map(json.dumps, lines)))
    report = reported(desk, "a.jsonl", spans=Spans())
    assert report.duplicates.n == 3
    assert report.conflicts == {"spans": Finding(1, [("a.jsonl, line 4", "a.jsonl, line 31")])}


def test_an_empty_split_is_reported_where_records_were_made_by_hand(desk):
    desk.write("a.csv", "text,topic\n" + rows(30))
    records = desk.load("a.csv", topic=Names())
    train = records.table.take(records.indices("train"))
    few = type(records)(
        table=train, opened=records.opened, fields=["text"], tasks=["topic"], fingerprint=""
    )
    assert inspect(few, {"topic": Names()}).empty_splits == ["validation", "test"]
