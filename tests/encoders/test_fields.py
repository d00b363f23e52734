"""Numbers and categories: what is learned from training records, and how cells are read."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import read

from allrounder.encoders import Category, Number
from allrounder.encoders.number import edges, piecewise


def column(values, kind=None):
    return pa.chunked_array([pa.array(values, kind or pa.float64())])


def plain_equation(x, b):
    """Equation 1 of Gorishniy et al. (2022), word for word."""
    last = len(b) - 1
    parts = []
    for t in range(1, last + 1):
        if x < b[t - 1] and t > 1:
            parts.append(0.0)
        elif x >= b[t] and t < last:
            parts.append(1.0)
        else:
            parts.append((x - b[t - 1]) / (b[t] - b[t - 1]))
    return parts


@given(
    x=st.floats(-12, 12),
    b=st.lists(st.integers(-5, 5), min_size=2, max_size=6, unique=True).map(sorted),
)
def test_numbers_are_piecewise_linear_as_in_the_paper(x, b):
    found = piecewise(np.array([x]), np.array(b, float))[0]
    far = 10 * (b[-1] - b[0])
    wanted = plain_equation(min(max(x, b[0] - far), b[-1] + far), b)
    np.testing.assert_allclose(found, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("x", [1e300, -1e300, 1.7e308])
def test_a_number_from_far_outside_stays_finite(x):
    assert np.abs(piecewise(np.array([x]), np.array([0.0, 1.0, 2.0]))).max() <= 25


@given(st.lists(st.floats(-1e6, 1e6) | st.none(), max_size=60), st.integers(1, 20))
def test_edges_of_bins_rise_and_hold_what_was_seen(values, num_bins):
    found = edges(np.array([np.nan if v is None else v for v in values], float), num_bins)
    assert 2 <= len(found) <= num_bins + 1
    assert (np.diff(found) > 0).all()
    known = [v for v in values if v is not None]
    if known:
        assert found[0] == min(known)
        assert found[-1] >= max(known)


def test_bins_hold_equally_many_training_records(rng):
    encoder = Number(fields=["a"], num_bins=4).learn([column(rng.exponential(size=4000))])
    (found,) = encoder.bins
    values = rng.exponential(size=4000)
    counts, _ = np.histogram(values, [-np.inf, *found[1:-1], np.inf])
    assert (np.abs(counts - 1000) < 150).all()


def test_labels_are_learned_by_count_and_cut_at_the_most(rng):
    values = column(["b", "a", "b", None, "c", "a", "b", "d"], pa.string())
    assert Category(fields=["x"]).learn([values]).labels == [["b", "a", "c", "d"]]
    assert Category(fields=["x"], max_labels=2).learn([values]).labels == [["b", "a"]]


def test_a_label_that_was_never_seen_is_the_other_one():
    encoder = Category(fields=["x"], labels=[["b", "a"]])
    found = encoder.prepare([read(encoder, ["a", "new", None, "b", "newer"])])
    assert found.cells[:, 0].tolist() == [3, 1, 0, 2, 1]
    assert found.lengths.tolist() == [1, 1, 0, 1, 1]


def test_numbers_may_be_labels():
    encoder = Category(fields=["x"], labels=[["7", "8"]])
    found = encoder.prepare([read(encoder, [8, 7, 9])])
    assert found.cells[:, 0].tolist() == [3, 2, 1]


def test_training_takes_a_share_of_known_labels_for_the_other_one():
    encoder = Category(fields=["x"], labels=[["a", "b"]], unseen=0.25, width=4)
    module = encoder.module()
    batch = encoder.collate(encoder.prepare([read(encoder, ["a"] * 4000)]), range(4000), [])
    other = module.tables[0].weight[1]
    module.train()
    share = (module(batch, tokens=False).pooled == other).all(1).float().mean().item()
    assert share == pytest.approx(0.25, abs=0.03)
    module.eval()
    assert not (module(batch, tokens=False).pooled == other).all(1).any()


def test_the_vector_of_other_learns():
    encoder = Category(fields=["x"], labels=[["a", "b"]], unseen=0.5, width=4)
    module = encoder.module().train()
    batch = encoder.collate(encoder.prepare([read(encoder, ["a", "b"] * 20)]), range(40), [])
    module(batch, tokens=False).pooled.square().sum().backward()
    assert module.tables[0].weight.grad[1].abs().sum() > 0


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        (Number, {"num_bins": 0}, "has `num_bins: 0`. Expected 1 or more."),
        (
            Number,
            {"bins": [[0.0, 0.0]]},
            "has the edges [0.0, 0.0] in `bins`. Expected two or more, each above the last.",
        ),
        (
            Number,
            {"fields": ["a", "b"], "bins": [[0.0, 1.0]]},
            "has `bins` for 1 of 2 `fields`. Expected edges for each of them.",
        ),
        (Category, {"max_labels": 0}, "has `max_labels: 0`. Expected 1 or more."),
        (Category, {"unseen": 1.0}, "has `unseen: 1.0`. Expected a share from 0 to below 1."),
        (
            Category,
            {"fields": ["a", "b"], "labels": [["x"]]},
            "has `labels` for 1 of 2 `fields`. Expected a list for each of them.",
        ),
    ],
)
def test_settings_that_mean_nothing_are_refused(kind, fields, words):
    with pytest.raises(ValueError) as caught:
        kind(**fields)
    assert str(caught.value) == words


def test_a_number_that_matters_can_be_learned(rng):
    """A bump that no line over the number itself could fit."""
    values = rng.uniform(-3, 3, 400)
    encoder = Number(fields=["a"]).learn([column(values)])
    module, head = encoder.module(), torch.nn.Linear(encoder.width, 1)
    batch = encoder.collate(encoder.prepare([column(values)]), range(400), [])
    wanted = torch.from_numpy((np.abs(values) < 1).astype(np.float32))
    steps = torch.optim.Adam([*module.parameters(), *head.parameters()], 0.02)
    for _ in range(150):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            head(module(batch, tokens=False).pooled)[:, 0], wanted
        )
        steps.zero_grad()
        loss.backward()
        steps.step()
    assert loss < 0.15
