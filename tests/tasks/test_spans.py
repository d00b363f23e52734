"""Spans: exact offsets whatever the tokenizer does, and exact reading of the scores."""

import itertools
import math

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import hashing, made, spots, tiny_text

from allrounder.encoders import Hashing
from allrounder.model import scored
from allrounder.tasks import Spans
from allrounder.tasks.spans import IGNORED
from allrounder.tasks.tagging import (
    Run,
    TokenRecord,
    TokenScores,
    is_inside_word,
    lattice,
    probabilities,
    viterbi,
)

ODD = "Zoë 😀👩‍👩‍👧 met Dr. Łukasz-O'Neil in 北京市,今天 cafe\u0301 का ไทย \u200bend"
TEXTS = st.text(st.sampled_from("ab é\u0301😀👩北京ก1-.,' \u200b"), min_size=1, max_size=24)


def of(text: str, *parts: tuple[str, str]) -> list[dict]:
    return [
        {"start": text.index(part), "end": text.index(part) + len(part), "label": label}
        for part, label in parts
    ]


def bounds(spans):
    return [(span["start"], span["end"], span["label"]) for span in spans]


def random_scores(task: Spans, texts: list[str], seed: int, encoder=None) -> TokenScores:
    """Return scores as no head would give them."""
    tokens = (encoder or hashing()).prepare([pa.array(texts)])
    records = [TokenRecord(text, tokens.offsets(row)) for row, text in enumerate(texts)]
    longest = max(1, *tokens.lengths)
    chance = torch.Generator().manual_seed(seed)
    return TokenScores(
        torch.randn(len(texts), longest, task.num_tags, generator=chance) * 4, records
    )


# ------------------------------------------------------------------ what any scores may say


@given(texts=st.lists(TEXTS, min_size=1, max_size=3), seed=st.integers(0, 999), split=st.booleans())
def test_any_scores_give_whole_spans_inside_their_text(texts, seed, split):
    task = Spans(labels=["A", "B"], split_words=split)
    scores = random_scores(task, texts, seed)
    for record, spans in zip(scores.records, task.decode(scores), strict=True):
        check_legal(record.text, spans, split)


@given(text=TEXTS, seed=st.integers(0, 99))
def test_any_scores_over_word_pieces_give_whole_spans_inside_their_text(tiny, text, seed):
    task = Spans(labels=["A", "B"])
    scores = random_scores(task, [text], seed, tiny_text(tiny))
    for record, spans in zip(scores.records, task.decode(scores), strict=True):
        check_legal(record.text, spans, split=False)


def check_legal(text: str, spans: list[dict], split: bool) -> None:
    ends = [0]
    for start, end, label in bounds(spans):
        assert ends[-1] <= start < end <= len(text)
        assert label in "AB"
        if not split:
            assert not is_inside_word(text, start)
            assert not is_inside_word(text, end)
        ends.append(end)


@given(seed=st.integers(0, 999))
def test_the_answer_carries_the_stretch_of_text_it_speaks_of(seed):
    task = Spans(labels=["A", "B"])
    scores = random_scores(task, [ODD, "Acme"], seed)
    for record, answer in zip(scores.records, task.answers(scores, {}), strict=True):
        for span in answer["spans"]:
            assert span["text"] == record.text[span["start"] : span["end"]] != ""


# ------------------------------------------------------------------ exactness on small cases


def legal(path, inside, num_labels):
    """Return whether a sequence of tags may be said."""
    before = 0
    for tag, within in zip(path, inside, strict=True):
        label = (tag - 1) % num_labels
        continues = tag > num_labels and before in (1 + label, 1 + num_labels + label)
        if tag > num_labels and not continues:
            return False
        if within and not (continues or (tag == 0 and before == 0)):
            return False
        before = tag
    return True


def spans_of(path, num_labels):
    runs = []
    for at, tag in enumerate(path):
        if 1 <= tag <= num_labels:
            runs.append(Run(at, at, tag - 1))
        elif tag:
            runs[-1] = runs[-1]._replace(last=at)
    return runs


CASES = st.tuples(
    st.lists(st.sampled_from(["ab", "a b", "北", " c", "-", "x"]), min_size=1, max_size=3),
    st.integers(1, 2),
    st.booleans(),
    st.integers(0, 10_000),
    st.integers(0, 4),
)


def small_case(pieces, split, seed, num_labels, hole):
    """Return a text cut into tokens of one or two characters, with random scores."""
    text = "".join(pieces)
    offsets = np.array([(i, i + 1) for i, c in enumerate(text) if c != " "][:4])
    if hole < len(offsets):
        offsets[hole] = (0, 0)  # a token that is no part of the text
    chance = torch.Generator().manual_seed(seed)
    values = torch.randn(1, len(offsets), 1 + 2 * num_labels, generator=chance).double() * 2
    scores = TokenScores(values, [TokenRecord(text, offsets)])
    return scores, lattice(scores, split_words=split)


def by_brute_force(scores, paths, num_labels):
    """Return every legal path over the live tokens with its log-weight."""
    live = paths.live[0, :, 0].numpy()
    inside = paths.inside[0, live, 0].tolist()
    logs = scores.values.log_softmax(-1)[0, live]
    at = np.flatnonzero(live)
    found = []
    for path in itertools.product(range(1 + 2 * num_labels), repeat=len(at)):
        if legal(path, inside, num_labels):
            weight = sum(float(logs[t, tag]) for t, tag in enumerate(path))
            runs = [
                Run(int(at[run.first]), int(at[run.last]), run.label)
                for run in spans_of(path, num_labels)
            ]
            found.append((weight, runs))
    return found


@given(case=CASES)
def test_the_path_found_is_the_best_of_all_legal_paths(case):
    pieces, num_labels, split, seed, hole = case
    scores, paths = small_case(pieces, split, seed, num_labels, hole)
    best = max(by_brute_force(scores, paths, num_labels), key=lambda pair: pair[0])
    assert viterbi(paths) == [best[1]]


@given(case=CASES)
def test_the_probability_of_a_span_is_its_share_of_all_legal_paths(case):
    pieces, num_labels, split, seed, hole = case
    scores, paths = small_case(pieces, split, seed, num_labels, hole)
    every = by_brute_force(scores, paths, num_labels)
    total = sum(math.exp(weight) for weight, _ in every)
    runs = sorted({run for _, found in every for run in found})
    expected = [
        sum(math.exp(weight) for weight, found in every if run in found) / total for run in runs
    ]
    assert probabilities(paths, [runs]) == [pytest.approx(expected, abs=1e-9)]


def test_a_word_is_never_cut_unless_that_is_allowed():
    text, offsets = "unhappy", np.array([(0, 2), (2, 7)])
    values = torch.full((1, 2, 3), -9.0)
    values[0, 0, 0] = values[0, 1, 1] = 9.0  # O, then B: a span inside the word
    scores = TokenScores(values, [TokenRecord(text, offsets)])
    assert bounds(Spans(labels=["A"], split_words=True).decode(scores)[0]) == [(2, 7, "A")]
    whole = bounds(Spans(labels=["A"]).decode(scores)[0])
    assert whole in ([], [(0, 7, "A")])


# ------------------------------------------------------------------ offsets, there and back


@pytest.mark.parametrize("encoder", ["hashing", "tiny"])
@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("😀😀 Acme 😀", [("Acme", "ORG")]),
        ("👩‍👩‍👧 lives in 北京 now", [("北京", "LOC")]),
        ("北京的公司在上海", [("北京", "LOC"), ("公司", "ORG"), ("上海", "LOC")]),
        ("Cafe\u0301 Zoe\u0308, Paris", [("Cafe\u0301 Zoe\u0308", "ORG"), ("Paris", "LOC")]),
        ("Dr. O'Neil-Smith met Acme.", [("O'Neil-Smith", "ORG"), ("Acme", "ORG")]),
        ("  Acme\n\tbank ", [("Acme", "ORG"), ("bank", "LOC")]),
        ("İstanbul and STRASSE ﬁrm", [("İstanbul", "LOC"), ("ﬁrm", "ORG")]),
        ("\u3000北京\u3000Acme", [("北京", "LOC"), ("Acme", "ORG")]),
    ],
)
def test_gold_spans_survive_the_way_through_tags_and_back(tiny, encoder, text, parts):
    task = Spans(labels=["ORG", "LOC"])
    chosen = hashing() if encoder == "hashing" else tiny_text(tiny, prefix="the ")
    prepared = made({"it": task}, [{"text": text, "it": of(text, *parts)}], inputs={"text": chosen})
    targets = prepared.target("it", np.array([0]))
    perfect = torch.nn.functional.one_hot(targets.clamp(min=0), task.num_tags).float() * 20
    offsets = [prepared.tokens["text"].offsets(0)]
    (found,) = task.decode(task.readable(perfect, [text], offsets))
    assert bounds(found) == bounds(of(text, *parts))
    assert [text[span["start"] : span["end"]] for span in found] == [part for part, _ in parts]


@given(text=TEXTS, spots_=st.lists(st.integers(0, 24), min_size=2, max_size=6))
def test_spans_over_whole_tokens_survive_the_way_through_tags_and_back(text, spots_):
    encoder, task = hashing(), Spans(labels=["A"], split_words=True)
    offsets = encoder.prepare([pa.array([text])]).offsets(0)
    edges = sorted({spot for spot in spots_ if spot < len(offsets)})
    gold = [
        {"start": int(offsets[a, 0]), "end": int(offsets[b - 1, 1]), "label": "A"}
        for a, b in zip(edges[::2], edges[1::2], strict=False)
    ]
    if not len(offsets):
        return
    tags = torch.from_numpy(task.tags(gold, offsets))[None]
    perfect = torch.nn.functional.one_hot(tags, task.num_tags).float() * 20
    (found,) = task.decode(task.readable(perfect, [text], [offsets]))
    assert bounds(found) == bounds(gold)


def test_tags_are_begin_once_then_inside():
    task = Spans(labels=["A", "B"])
    offsets = np.array([(0, 0), (0, 2), (2, 4), (5, 6), (7, 8), (0, 0)])
    tags = task.tags(
        [{"start": 0, "end": 4, "label": "B"}, {"start": 7, "end": 8, "label": "A"}], offsets
    )
    assert tags.tolist() == [IGNORED, 2, 4, 0, 1, IGNORED]


def test_two_spans_side_by_side_stay_two():
    task, text = Spans(labels=["A"]), "Acme Globex"
    gold = of(text, ("Acme", "A"), ("Globex", "A"))
    offsets = hashing().prepare([pa.array([text])]).offsets(0)
    tags = torch.from_numpy(task.tags(gold, offsets))[None]
    perfect = torch.nn.functional.one_hot(tags, task.num_tags).float() * 20
    assert bounds(task.decode(task.readable(perfect, [text], [offsets]))[0]) == bounds(gold)


def test_a_span_that_no_token_covers_trains_as_nothing():
    task = Spans(labels=["A"])
    tags = task.tags([{"start": 2, "end": 3, "label": "A"}], np.array([(0, 2), (3, 5)]))
    assert tags.tolist() == [0, 0]


# ------------------------------------------------------------------ texts longer than a pass


def windowed(tiny, kind):
    if kind == "hashing":
        return Hashing(fields=["text"], width=32, buckets=512, max_tokens=16)
    return tiny_text(tiny, max_tokens=16)


@pytest.mark.parametrize("kind", ["hashing", "tiny"])
def test_every_token_of_a_long_text_is_scored_once_and_in_its_place(tiny, kind):
    task = Spans(labels=["ORG"])
    text = " ".join(f"acme {i} 北京" for i in range(40))
    encoder = windowed(tiny, kind)
    prepared = made({"it": task}, [{"text": text}, {"text": "acme"}], inputs={"text": encoder})
    parts = scored(prepared.model, prepared, np.arange(2), tasks=["it"])
    found = {int(row): part for part in parts for row in part.rows}
    record = spots(found[0].scores, int(np.flatnonzero(found[0].rows == 0)[0]))
    starts = record.offsets[:, 0]
    assert (np.diff(starts) >= 0).all()
    covered = {i for start, end in record.offsets for i in range(start, end)}
    assert covered == {i for i, char in enumerate(text) if not char.isspace()}
    assert found[0].scores.values.shape[1] == len(record.offsets)


def test_names_all_over_a_long_text_are_found_at_their_offsets():
    task = Spans(labels=["ORG"])
    text = "".join("the bank said " * n + f"Acme{n} rose 😀. " for n in (9, 10, 11))
    rows = [{"text": text, "it": of(text, ("Acme9", "ORG"), ("Acme10", "ORG"), ("Acme11", "ORG"))}]
    prepared = made({"it": task}, rows, inputs={"text": hashing(max_tokens=16)})
    learn(prepared)
    (part,) = scored(prepared.model, prepared, np.array([0]), tasks=["it"])
    assert bounds(task.decode(part.scores)[0]) == bounds(rows[0]["it"])


def learn(prepared, steps=60):
    optimizer = torch.optim.Adam(prepared.model.parameters(), lr=0.02)
    prepared.model.train()
    for _ in range(steps):
        rows = np.arange(len(prepared))
        batch = prepared.batch(rows, prepared.labeled(rows, ["it"]), targets=True)
        optimizer.zero_grad()
        prepared.model.losses(batch)["it"].sum().backward()
        optimizer.step()


def test_a_long_text_scores_as_its_middle_would_in_a_pass_of_its_own():
    """A convolution sees one neighbour, so no window changes what a token says."""
    task = Spans(labels=["ORG"])
    text = " ".join(f"word{i}" for i in range(50))
    short, long = (
        made({"it": task}, [{"text": text}], inputs={"text": hashing(max_tokens=n)})
        for n in (12, 512)
    )
    long.model.load_state_dict(short.model.state_dict())
    (cut,), (whole,) = (
        list(scored(p.model, p, np.array([0]), tasks=["it"])) for p in (short, long)
    )
    torch.testing.assert_close(cut.scores.values, whole.scores.values, atol=1e-5, rtol=1e-5)


def test_the_loss_of_a_long_text_counts_every_token():
    task = Spans(labels=["ORG"])
    text = " ".join(f"word{i}" for i in range(50))
    rows = [{"text": text, "it": of(text, ("word49", "ORG"))}]
    short, long = (
        made({"it": task}, rows, inputs={"text": hashing(max_tokens=n)}) for n in (12, 512)
    )
    long.model.load_state_dict(short.model.state_dict())
    losses = [
        p.model.losses(p.batch(np.array([0]), {"it": np.array([True])}, targets=True))["it"]
        for p in (short, long)
    ]
    torch.testing.assert_close(*losses)


# ------------------------------------------------------------------ words


@pytest.mark.parametrize(
    ("text", "at", "inside"),
    [
        ("unhappy", 2, True),
        ("un-happy", 2, False),
        ("北京", 1, False),
        ("a北", 1, False),
        ("x1", 1, True),
        ("ไทย", 1, False),
        ("한국", 1, True),
        ("e\u0301s", 1, True),
        ("e\u0301s", 2, True),
        ("हिन्दी", 1, True),
        (" \u0301", 1, False),
        ("ab", 0, False),
        ("ab", 2, False),
    ],
)
def test_letters_in_a_row_are_a_word_but_han_and_thai_stand_alone(text, at, inside):
    assert is_inside_word(text, at) is inside


def test_withholding_drops_single_spans():
    task = Spans(labels=["A"], abstain=0.9)
    offsets = np.array([(0, 1), (2, 3)])
    values = torch.tensor([[[0.0, 9.0, -9.0], [0.0, 0.5, -9.0]]])
    (answer,) = task.answers(TokenScores(values, [TokenRecord("a b", offsets)]), {})
    assert [span["start"] for span in answer["spans"]] == [0]


def test_spans_read_from_json_are_sorted_and_checked():
    task = Spans(labels=["A"])
    raw = '[{"start": 4, "end": 5, "label": "A"}, {"start": 0, "end": 1, "label": "A"}]'
    read = task.read(pa.array([raw, "[]", None]), pa.array(["😀 a 😀b"] * 3))
    assert [None if r is None else [s["start"] for s in r] for r in read.to_pylist()] == [
        [0, 4],
        [],
        None,
    ]


def test_a_record_of_four_times_the_tokens_weighs_twice_as_much():
    """Between the mean, under which length does not count, and the sum (docs/decisions.md)."""
    task = Spans(labels=["ORG"])
    targets = torch.tensor([[1, *[IGNORED] * 3], [1] * 4])
    loss = task.loss(torch.zeros(2, 4, 3), targets)
    torch.testing.assert_close(loss, math.log(3) * torch.tensor([1.0, 2.0]))
