"""Which texts are learned from."""

import json

import pytest
from making import tiny_text

from allrounder.errors import DataError
from allrounder.kinds import build
from allrounder.pretraining.corpus import Corpus
from allrounder.records import Source, TextField, load


def corpus(folder, tiny, texts, *, judged=(), hold_out=0.2, **options):
    lines = [{"text": text, "split": "train"} for text in texts]
    lines += [{"text": text, "split": "test"} for text in judged]
    (folder / "texts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    split = {"by": "column", "column": "split"}
    source = build(Source, {"path": "texts.jsonl", "split": split}, at="sources.0")
    records = load(
        [source], fields={"text": TextField()}, columns={}, folder=folder,
        cache=folder / "cache", trains=False,
    )  # fmt: skip
    encoder = tiny_text(tiny, **options)
    return records, Corpus.of(records, encoder, hold_out=hold_out, cache=folder / "tokens")


def numbered(many: int) -> list[str]:
    return [f"shares of bank {number} rose" for number in range(many)]


def test_each_text_once_and_none_of_those_that_are_judged(tmp_path, tiny):
    texts = [*numbered(60), *numbered(10), "\u200b", "\u200b\u200b"]
    records, found = corpus(tmp_path, tiny, texts, judged=["shares of bank 3 rose", "other"])
    counts = found.counts
    assert counts.repeated == 9, "the tenth stands in test, with its first"
    assert counts.elsewhere == 2
    assert counts.empty == 2
    assert counts.learned + counts.held_out == 59
    texts = records.take("text", [*found.learned, *found.held_out])
    assert len(set(texts)) == 59
    assert "shares of bank 3 rose" not in texts
    assert not set(found.learned) & set(found.held_out)


def test_what_is_held_out_does_not_depend_on_the_order(tmp_path, tiny):
    texts = numbered(80)
    held = []
    for place, order in enumerate((texts, texts[::-1])):
        folder = tmp_path / str(place)
        folder.mkdir()
        records, found = corpus(folder, tiny, order)
        held.append(set(records.take("text", found.held_out)))
    assert held[0] == held[1]
    assert 5 <= len(held[0]) <= 30


def test_long_texts_are_read_to_their_end(tmp_path, tiny):
    long = " ".join(["shares rose"] * 40)
    _, found = corpus(tmp_path, tiny, [*numbered(30), long], hold_out=0.01, max_tokens=24)
    assert found.counts.long == 1
    place = int(found.lengths.argmax())
    batch = found.batch([place])
    assert len(batch.ids) > 1
    assert batch.ids.shape[1] <= 24


def test_too_few_texts_are_refused_in_words(tmp_path, tiny):
    with pytest.raises(DataError, match="There are 5 different texts"):
        corpus(tmp_path, tiny, numbered(5) * 10)
