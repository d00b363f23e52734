import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allrounder.errors import DataError
from allrounder.records import Split
from allrounder.records.keys import Digest, content_keys, hashes, unit
from allrounder.records.splits import assigned, completed, decisive, kept

from .columns import Names

texts = st.lists(st.text(max_size=8), min_size=1, max_size=80)


def by_ratio(words, seed=0):
    split = Split(seed=seed)
    return assigned(split, decisive(split, hashes(words), None))


@given(texts, texts, st.integers(0, 5))
def test_added_records_never_move_the_others(words, more, seed):
    np.testing.assert_array_equal(by_ratio(words + more, seed)[: len(words)], by_ratio(words, seed))


@given(texts)
def test_duplicates_share_a_split(words):
    doubled = by_ratio(words + words)
    np.testing.assert_array_equal(doubled[: len(words)], doubled[len(words) :])


@given(texts, st.lists(st.sampled_from(["a", "b", None]), min_size=80, max_size=80))
def test_completion_keeps_duplicates_together_and_fills_every_split(words, labels):
    labels = [labels[hash(word) % 80] for word in words]
    ids = hashes(words)
    splits = completed(
        Split(), by_ratio(words), ids, [pa.chunked_array([pa.array(labels, pa.string())])]
    )
    for word in set(words):
        assert len({int(s) for s, other in zip(splits, words, strict=True) if other == word}) == 1
    if len(set(words)) >= 3:
        assert set(splits.tolist()) == {0, 1, 2}
    if (
        len(set(words))
        == len({word for word, label in zip(words, labels, strict=True) if label == "a"})
        >= 3
    ):
        held = {int(s) for s, label in zip(splits, labels, strict=True) if label == "a"}
        assert held == {0, 1, 2}


def test_completion_leaves_full_splits_alone():
    words = [str(i) for i in range(500)]
    labels = pa.chunked_array([pa.array(["a", "b"] * 250)])
    before = by_ratio(words)
    np.testing.assert_array_equal(completed(Split(), before, hashes(words), [labels]), before)


def test_a_rare_label_reaches_every_split():
    words = [str(i) for i in range(500)]
    rare = pa.chunked_array([pa.array(["rare"] * 3 + ["a", "b"] * 248 + [None])])
    splits = completed(Split(), by_ratio(words), hashes(words), [rare])
    assert sorted(splits[:3].tolist()) == [0, 1, 2]


def test_shares_come_out_as_asked():
    counts = np.bincount(by_ratio([str(i) for i in range(20_000)])) / 20_000
    np.testing.assert_allclose(counts, [0.7, 0.1, 0.2], atol=0.01)


def test_another_seed_is_another_split():
    words = [str(i) for i in range(200)]
    assert (by_ratio(words, 0) != by_ratio(words, 1)).any()


@given(texts, st.integers(1, 100))
def test_a_limit_keeps_the_same_records_in_any_order(words, limit):
    words = sorted(set(words))
    rows, back = kept(hashes(words), limit), kept(hashes(words[::-1]), limit)
    if rows is None:
        assert back is None and limit >= len(words)
    else:
        assert {words[i] for i in rows} == {words[::-1][i] for i in back}


def test_a_limit_does_not_favour_a_split():
    words = [str(i) for i in range(10_000)]
    some = by_ratio(words)[kept(hashes(words), 3000)]
    np.testing.assert_allclose(np.bincount(some) / 3000, [0.7, 0.1, 0.2], atol=0.03)


def test_hashes_are_the_same_on_every_machine():
    assert hashes(["多面手"]).tolist() == [0x68818E54593E0180]
    assert 0 <= unit(hashes(["多面手"]), 0)[0] < 1


def test_a_field_that_is_missing_changes_no_key():
    text = pa.array(["a  B", "c"])
    alone = content_keys({"text": text})
    beside = content_keys({"text": text, "title": pa.array([None, "t"], pa.string())})
    assert alone[0] == beside[0] and alone[1] != beside[1]


@given(st.lists(st.none() | st.lists(st.none() | st.text(max_size=3), max_size=3), max_size=20))
def test_a_digest_does_not_depend_on_chunks(lists):
    kind = pa.list_(pa.string())
    whole, parts, other = Digest(), Digest(), Digest()
    whole.update("x", pa.array(lists, kind))
    array = pa.array([["pad"], *lists], kind)
    parts.update("x", array.slice(1, len(lists) // 2))
    parts.update("x", array.slice(1 + len(lists) // 2))
    other.update("x", array)
    assert whole.hexdigest() == parts.hexdigest() != other.hexdigest()


def file(desk, column, values):
    lines = "".join(f"text {i},{'ab'[i % 2]},{value}\n" for i, value in enumerate(values))
    return desk.write("a.csv", f"text,topic,{column}\n" + lines)


def splits(desk, split):
    records = desk.load({"path": "a.csv", "split": split}, topic=Names())
    return records.take("split", range(len(records)))


def test_a_group_falls_into_one_split(desk):
    file(desk, "author", [f"author {i % 30}" for i in range(300)])
    found = splits(desk, {"by": "group", "column": "author"})
    assert all(len(set(found[i::30])) == 1 for i in range(30))


def test_the_latest_records_test(desk):
    file(desk, "date", [f"2024-01-{day:02d}" for day in range(10, 0, -1)])
    assert splits(desk, {"by": "date"}) == [2, 2, 1, 0, 0, 0, 0, 0, 0, 0]


def test_dates_may_be_given(desk):
    file(
        desk, "date", ["2024-01-01", "2024-02-01T10:00", "2024-03-01 00:00:00+00:00", "2023-05-05"]
    )
    found = splits(desk, {"by": "date", "validation": "2024-02-01", "test": "2024-03-01"})
    assert found == [0, 1, 2, 0]


def test_a_column_may_hold_the_split(desk):
    file(desk, "part", ["Train", "DEV", "test", "valid", " train "])
    assert splits(desk, {"by": "column", "column": "part"}) == [0, 1, 2, 1, 0]


@pytest.mark.parametrize(
    ("split", "value", "message"),
    [
        (
            {"by": "column", "column": "date"},
            "holdout",
            "expected a split (train, training, validation, valid, val, dev, test), found "
            "'holdout'. Correct the cell, or split by ratio.",
        ),
        (
            {"by": "date"},
            "May",
            "expected an ISO date such as 2024-01-31 to split by, found 'May'.",
        ),
        ({"by": "group", "column": "date"}, "", "expected a value to split by, found none."),
    ],
)
def test_a_cell_that_decides_nothing_is_named(desk, split, value, message):
    file(desk, "date", [{"column": "train", "date": "2024-01-01"}.get(split["by"], "g"), value])
    with pytest.raises(DataError) as error:
        splits(desk, split)
    assert str(error.value) == f"a.csv, line 3, column `date`: {message}"
