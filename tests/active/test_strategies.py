"""Strategies against the formulas that their papers give."""

import numpy as np
import pytest
from scipy.stats import entropy as scipy_entropy
from sklearn.linear_model import LogisticRegression

from allrounder.active import STRATEGIES
from allrounder.active.learner import PENALTY, Learner
from allrounder.active.sight import Sight
from allrounder.active.strategies.bald import information
from allrounder.active.vectors import Vectors
from allrounder.tasks import TASKS


@pytest.fixture
def sight(rng):
    """Sixty records in three groups, twenty of which have a label."""
    groups = np.arange(60) % 3
    table = (np.eye(3, 6)[groups] * 2 + rng.normal(size=(60, 6))).astype(np.float16)
    return Sight(
        name="topic",
        task=TASKS.build("multiclass", at="tasks.topic"),
        vectors=Vectors.of([table]),
        open=np.arange(20, 60),
        opened=np.zeros(40, bool),
        known=np.arange(20),
        labels=[f"g{group}" for group in groups[:20]],
    )


def kind(name, **options):
    return STRATEGIES.build({"kind": name, "bonus": 0, "diversity": 1, **options}, at="active")


def test_the_head_is_the_logistic_regression_of_scikit_learn(sight):
    x = sight.vectors[sight.known]
    scale = float((x**2).sum(1).mean())
    peer = LogisticRegression(C=1 / (PENALTY * scale), max_iter=2000, tol=1e-8)
    peer.fit(x, sight.labels)
    chances = sight.learner.chances(sight.vectors[sight.open])[0]
    assert np.allclose(
        chances, peer.predict_proba(sight.vectors[sight.open]), atol=1e-2
    )  # biases are held by a hair


def test_margin_confidence_and_entropy_are_those_of_the_chances(sight):
    chances = sight.learner.chances(sight.vectors[sight.open])[0]
    best = np.sort(chances, axis=1)
    wanted = {
        "margin": 1 - best[:, -1] + best[:, -2],
        "least_confidence": 1 - best[:, -1],
        "entropy": scipy_entropy(chances, axis=1) / np.log(3),
    }
    for name, expected in wanted.items():
        assert np.allclose(kind(name).wanted(sight), expected, atol=1e-5)
        top = kind(name).choose(sight, 5)
        assert top.places.tolist() == sight.open[np.argsort(-expected)[:5]].tolist()


def test_bald_is_nothing_where_all_passes_agree_and_all_where_each_is_sure_of_another():
    same = np.tile([[0.2, 0.8]], (4, 3, 1))
    assert np.allclose(information(same), 0, atol=1e-7)
    apart = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    assert np.allclose(information(apart), np.log(2))


def test_contrastive_is_the_mean_divergence_from_the_nearest_labels(sight):
    found = kind("contrastive", neighbors=3).wanted(sight)
    own, told = (
        sight.learner.chances(sight.vectors[some])[0] for some in (sight.open, sight.known)
    )
    for at in (0, 7, 39):
        away = sight.vectors[sight.known] - sight.vectors[sight.open[[at]]]
        near = np.argsort((away**2).sum(1))[:3]
        assert found[at] == pytest.approx(
            np.mean([scipy_entropy(told[i], own[at]) for i in near]), 1e-3
        )


def test_core_set_takes_the_farthest_again_and_again(sight):
    x = sight.vectors[np.arange(60)]
    covered, expected = list(range(20)), []
    for _ in range(6):
        away = [min(((x[i] - x[j]) ** 2).sum() for j in covered) if i not in covered else -1
                for i in range(60)]  # fmt: skip
        expected.append(int(np.argmax(away)))
        covered.append(expected[-1])
    assert kind_plain("core_set").choose(sight, 6).places.tolist() == expected


def kind_plain(name, **options):
    return STRATEGIES.build({"kind": name, **options}, at="active")


def test_badge_measures_distances_as_the_whole_gradients_would(sight):
    badge = kind_plain("badge")
    vectors = sight.vectors[sight.open]
    errors = badge._errors(sight, vectors)
    whole = np.einsum("no,nd->nod", errors, vectors).reshape(len(vectors), -1)
    first = badge.choose(sight, 1).places[0]
    assert first == sight.open[np.argmax((whole**2).sum(1))]
    short = (errors @ errors[3]) * (vectors @ vectors[3])
    assert np.allclose(whole @ whole[3], short, atol=1e-4)


def test_prob_cover_covers_most_with_each_choice(sight):
    found = kind_plain("prob_cover", radius=0.8).choose(sight, 4)
    unit = sight.vectors[np.arange(60)]
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    near = np.linalg.norm(unit[20:, None] - unit[None, 20:], axis=2) <= 0.8
    free = np.linalg.norm(unit[20:, None] - unit[None, :20], axis=2).min(1) > 0.8
    covers = (near * free).sum(1)
    assert found.scores[0] == covers.max()
    assert (np.diff(found.scores) <= 0).all()


def test_clusters_with_a_label_are_left_out_at_the_start(rng):
    groups = np.arange(90) % 3
    table = (np.eye(3, 4)[groups] * 20 + rng.normal(size=(90, 4))).astype(np.float16)
    sight = Sight(
        name="topic",
        task=TASKS.build("multiclass", at="tasks.topic"),
        vectors=Vectors.of([table]),
        open=np.arange(1, 90),
        opened=np.zeros(89, bool),
        known=np.array([0]),
        labels=["g0"],
    )
    for name in ("k_means", "typiclust"):
        found = kind_plain(name).choose(sight, 2)
        assert set(groups[found.places]) == {1, 2}


def test_a_number_is_wanted_where_dropout_moves_it_most(sight, rng):
    sight.task = TASKS.build("regression", at="tasks.mood")
    sight.labels = sight.vectors[sight.known][:, 0].tolist()
    learner = Learner.fit(sight.task, sight.vectors[sight.known], sight.labels)
    spread = learner.spread(sight.vectors[sight.open], 0)
    assert np.allclose(kind("margin").wanted(sight), spread)
    assert spread.argmax() == np.abs(sight.vectors[sight.open][:, 0]).argmax()


def test_a_record_that_was_read_is_preferred_among_equals(sight):
    sight.opened = np.zeros(40, bool)
    plain = kind("margin").wanted(sight)
    second = np.argsort(-plain)[1]
    sight.opened[second] = True
    assert kind("margin", bonus=1.0).choose(sight, 1).places[0] == sight.open[second]
