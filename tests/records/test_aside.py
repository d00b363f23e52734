"""Records that are set aside because they hold a bad value."""

import pytest

from allrounder.errors import DataError
from allrounder.records import NumberField, Source, TextField, as_csv, inspect, load
from allrounder.records.inspection import Files, Finding, Quantiles

from .columns import PICTURE, Names

FIELDS = {"image": PICTURE, "age": NumberField()}


def survey(desk, n=300, images=None, ages=None) -> str:
    """Write a file of pictures and ages; some rows may hold others than the rest."""
    desk.write("good.png", b"PIC")
    lines = ["image,age,topic"]
    for i in range(n):
        image, age = (images or {}).get(i, "good.png"), (ages or {}).get(i, i)
        lines.append(f"{image},{age},{'ab'[i % 2]}")
    return desk.write("a.csv", "\n".join(lines) + "\n")


def test_a_record_with_a_bad_value_is_set_aside_and_listed(desk):
    source = survey(desk, images={3: "none.png", 9: "none.png"}, ages={9: "old", 4: ""})
    records = desk.load(source, fields=FIELDS, topic=Names())
    assert (len(records), records.num_read) == (298, 300)
    assert records.aside == [
        ("a.csv, line 5", "image", "expected a picture, found no file 'none.png'."),
        ("a.csv, line 11", "image", "expected a picture, found no file 'none.png'."),
        ("a.csv, line 11", "age", "expected a number, found 'old'."),
    ]
    assert records.take("age", [3, 4]) == [None, 5.0], "an empty cell is missing, not bad"
    assert records.where(297) == "a.csv, line 301"
    assert desk.load(source, fields=FIELDS, topic=Names()).aside == records.aside


def test_what_was_set_aside_is_told_in_a_sentence_and_a_table(desk):
    records = desk.load(survey(desk, ages={3: "old"}), fields=FIELDS, topic=Names())
    assert records.notes == [
        "1 of 300 records was set aside: a.csv, line 5, `age`: expected a number, found 'old'."
    ]
    assert as_csv(records.aside) == (
        'where,field,reason\n"a.csv, line 5",age,"expected a number, found \'old\'."\n'
    )
    source = survey(desk, n=500, ages=dict.fromkeys(range(5), "inf"))
    (note,) = desk.load(source, fields=FIELDS, topic=Names()).notes
    assert note == (
        "5 of 500 records were set aside: a.csv, line 2, `age`: expected a number, found 'inf'; "
        "a.csv, line 3, `age`: expected a number, found 'inf'; a.csv, line 4, `age`: expected a "
        "number, found 'inf'; and 2 more."
    )


def test_a_missing_file_that_appears_is_noticed(desk):
    source = survey(desk, images={3: "late.png"})
    assert len(desk.load(source, fields=FIELDS, topic=Names())) == 299
    desk.write("late.png", b"PIC late")
    assert len(desk.load(source, fields=FIELDS, topic=Names())) == 300


def test_a_source_with_many_bad_values_is_refused_with_a_summary(desk):
    source = survey(
        desk, images={3: "none.png", 7: "other.png"}, ages={7: "x", 50: "inf", 60: "it's"}
    )
    with pytest.raises(DataError) as error:
        desk.load(source, fields=FIELDS, topic=Names())
    assert str(error.value) == (
        "a.csv: expected at most 1% of the records to be set aside, found 4 of 300 (1.3%): 3 × "
        "expected a number, found …, 2 × expected a picture, found no file …. The first: a.csv, "
        "line 5, `image`: expected a picture, found no file 'none.png'; a.csv, line 9, `image`: "
        "expected a picture, found no file 'other.png'; a.csv, line 9, `age`: expected a number, "
        "found 'x'. Mend or remove these records; `on_error` lets no more of them pass."
    )
    assert list((desk.folder / "cache").iterdir()) == []


def test_reading_stops_at_the_first_bad_value_where_that_is_asked_for(desk):
    source = {"path": survey(desk, images={9: "none.png"}, ages={3: "old"}), "on_error": "fail"}
    with pytest.raises(DataError) as error:
        desk.load(source, fields=FIELDS, topic=Names())
    assert str(error.value) == (
        "a.csv, line 5, column `age`: expected a number, found 'old'. Mend or remove the record; "
        "without `on_error: fail` it would be set aside."
    )


@pytest.mark.parametrize("found", ["inf", "-inf", "1e999", "Infinity", "12,5", "1 2", "0x10"])
def test_what_is_no_finite_number_is_set_aside(desk, found):
    source = survey(desk, ages={3: f'"{found}"', 5: "nan", 6: "NaN"})
    records = desk.load(source, fields=FIELDS, topic=Names())
    assert [one.why for one in records.aside] == [f"expected a number, found {found!r}."]
    assert records.take("age", [4, 5]) == [None, None], "NaN is a missing number"


def test_a_record_without_any_value_is_not_one_that_was_set_aside(desk):
    source = survey(desk, images={3: "", 4: "none.png"}, ages={3: "", 4: ""})
    with pytest.raises(DataError) as error:
        desk.load(source, fields=FIELDS, topic=Names())
    assert str(error.value) == (
        "a.csv, line 5: expected a value in `image` and `age`, found none. Fill in the value or "
        "remove the record."
    )


def test_numbers_and_files_are_described(desk):
    source = survey(desk, images={3: "none.png"}, ages={5: ""})
    report = inspect(
        desk.load(source, fields={**FIELDS, "text": TextField()}, topic=Names()), {"topic": Names()}
    )
    assert report.files == {"image": Files(299, 1)}
    assert report.values["age"] == Quantiles(298, 0, pytest.approx(150.48, abs=0.01), 150.5,
                                             pytest.approx(284.15), 299)  # fmt: skip
    assert (report.lengths, report.num_aside, report.num_read) == ({}, 1, 300)
    assert report.to_dict()["aside"] == [
        {"where": "a.csv, line 5", "field": "image",
         "why": "expected a picture, found no file 'none.png'."}
    ]  # fmt: skip
    assert report.duplicates == Finding(0, [])


def test_long_reading_tells_how_far_it_is(desk, monkeypatch):
    monkeypatch.setattr("allrounder.records.loading.LONG", 0)
    told = []
    survey(desk)
    load(
        [Source(path="a.csv")], fields=FIELDS, columns={"topic": Names()}, folder=desk.folder,
        cache=desk.folder / "cache", tell=lambda *words: told.append(words),
    )  # fmt: skip
    assert told == [("read", 300, 0, "a.csv"), ("read", 300, 300, "")]
