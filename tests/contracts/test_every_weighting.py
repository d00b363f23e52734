"""What every weighting promises. A kind without a row in GOLDEN fails.

Golden values come from the papers' formulas, written out here in NumPy. torchjd's scalarizers are
a second, independent implementation of those over losses.
"""

import json
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar

from allrounder.errors import DataError, ProjectError
from allrounder.kinds import dump
from allrounder.training.weighting import WEIGHTINGS, Aggregation, Scalarization

KINDS = sorted(WEIGHTINGS.builtin)
LOSSES = [k for k in KINDS if issubclass(WEIGHTINGS.builtin[k], Scalarization)]
GRADIENTS = [k for k in KINDS if issubclass(WEIGHTINGS.builtin[k], Aggregation)]


def weighting(kind, **keys):
    return WEIGHTINGS.build({"kind": kind, **keys}, at="training.weighting")


def test_every_kind_reads_records_losses_or_gradients():
    assert {*LOSSES, *GRADIENTS, "sum"} == set(KINDS)
    assert set(KINDS) - {"sum"} == GOLDEN.keys(), "give the kind a row in GOLDEN"


@pytest.mark.parametrize("kind", KINDS)
def test_the_settings_survive_being_written_out(kind):
    plain = json.loads(json.dumps(dump(weighting(kind))))
    assert WEIGHTINGS.build(plain, at="training.weighting") == weighting(kind)
    assert WEIGHTINGS.build(kind, at="training.weighting") == weighting(kind), "a bare name"


@pytest.mark.parametrize(
    ("kind", "key", "value", "words"),
    [
        ("dwa", "temperature", 0, "has `temperature: 0.0`. Expected more than 0."),
        ("famo", "lr", -1, "has `lr: -1.0`. Expected 0 or more."),
        ("stch", "mu", float("nan"), "has `mu: nan`. Expected more than 0."),
        ("cagrad", "c", -0.1, "has `c: -0.1`. Expected 0 or more."),
        ("mgda", "max_steps", 0, "has `max_steps: 0`. Expected 1 or more."),
        ("nash_mtl", "ridge", 0, "has `ridge: 0.0`. Expected more than 0."),
    ],
)
def test_a_setting_that_means_nothing_is_refused_in_words(kind, key, value, words):
    with pytest.raises(ProjectError) as caught:
        weighting(kind, **{key: value})
    assert str(caught.value) == f"`training.weighting` {words}"


# ------------------------------------------------------------------ over losses

HERE = torch.tensor([True, True, True])


def combined(kind, losses, *, present=HERE, state=None, **keys):
    """Return the number to descend and its gradient by each loss."""
    made = weighting(kind, **keys)
    state = made.begin(len(losses)) if state is None else state
    losses = torch.tensor(losses, dtype=torch.float64, requires_grad=True)
    one = made.combine(losses, present[: len(losses)], state)
    return float(one.detach()), torch.autograd.grad(one, losses)[0].numpy()


def softmax(z):
    return np.exp(z - np.max(z)) / np.exp(z - np.max(z)).sum()


def golden_mean(losses):
    return np.mean(losses)


def golden_uncertainty(losses, s=0.0):
    return sum(0.5 * np.exp(-s) * loss + 0.5 * s for loss in losses)


def golden_imtl_l(losses, s=0.0):
    return sum(np.exp(s) * loss - s for loss in losses)


def golden_dwa(losses):
    return sum(losses)  # the first two epochs weigh all tasks alike


def golden_famo(losses):
    weight = 1 / len(losses)
    scale = 1 / sum(weight / loss for loss in losses)
    return scale * sum(weight * np.log(loss) for loss in losses)


def golden_stch(losses, mu=0.1):
    return mu * np.log(sum(np.exp(loss / len(losses) / mu) for loss in losses))


def golden_geometric_mean(losses):
    return np.prod(losses) ** (1 / len(losses))


def golden_random(losses):
    torch.manual_seed(4)
    return float(softmax(torch.randn(len(losses)).numpy()) @ losses)


@pytest.mark.parametrize("kind", LOSSES)
@given(losses=st.lists(st.floats(0.01, 9), min_size=2, max_size=3))
def test_the_number_is_that_of_the_paper(kind, losses):
    torch.manual_seed(4)
    one, gradient = combined(kind, losses)
    torch.manual_seed(4)
    assert one == pytest.approx(GOLDEN[kind](np.array(losses)), rel=1e-5, abs=1e-6)
    assert (gradient > 0).all(), "no loss is ever followed upwards"


TORCHJD = {"mean": ("Mean",), "uncertainty": ("UW", 3), "dwa": ("DWA",), "famo": ("FAMO", 3),
           "stch": ("STCH", 0.1), "imtl_l": ("IMTLL", 3), "geometric_mean": ("GeometricMean",),
           "random": ("Random",)}  # fmt: skip


@pytest.mark.parametrize("kind", LOSSES)
def test_torchjd_descends_the_same_number(kind):
    scalarization = pytest.importorskip("torchjd.scalarization")
    name, *words = TORCHJD[kind]
    theirs = torch.tensor([0.7, 2.0, 0.1], requires_grad=True)
    torch.manual_seed(4)
    one = getattr(scalarization, name)(*words)(theirs)
    torch.manual_seed(4)
    number, gradient = combined(kind, theirs.tolist())
    assert number == pytest.approx(float(one.detach()), rel=1e-5)
    expected = torch.autograd.grad(one, theirs)[0].numpy()
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)


@pytest.mark.parametrize("kind", LOSSES)
def test_losses_of_zero_give_a_finite_step(kind):
    for losses in ([0.0, 0.0, 0.0], [0.0, 1.0, 3.0]):
        made = weighting(kind)
        state = made.begin(3)
        for _ in range(2):
            one, gradient = combined(kind, losses, state=state)
            assert np.isfinite(one)
            assert np.isfinite(gradient).all()
            values = torch.tensor(losses)
            made.stepped(values, values / 2, state)
            made.passed(state)
        assert all(torch.isfinite(v).all() for k, v in state.items() if k != "older")


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_tasks_in_another_order_get_the_same_pull(kind, order):
    losses = np.array([0.3, 1.0, 2.5])
    if kind == "random":
        pytest.skip("chance does not know the tasks")
    _, plain = combined(kind, losses.tolist())
    _, other = combined(kind, losses[list(order)].tolist())
    np.testing.assert_allclose(other, plain[list(order)], rtol=1e-5)


SCALE_FREE = {"famo", "geometric_mean"}
"""Over losses: those whose relative pull on the tasks' logarithms does not depend on the scale of
any loss. `uncertainty` and `imtl_l` get there once their scales are learned; the others never."""


@pytest.mark.parametrize("kind", LOSSES)
def test_the_scale_of_a_loss_matters_where_it_is_said_to(kind):
    torch.manual_seed(4)
    losses = np.array([0.3, 1.0, 2.5])
    _, plain = combined(kind, losses.tolist())
    torch.manual_seed(4)
    _, other = combined(kind, (losses * [10, 1, 1]).tolist())
    pulls = [softmax(np.log(g * x)) for g, x in ((plain, losses), (other, losses * [10, 1, 1]))]
    assert np.allclose(*pulls, rtol=1e-4) == (kind in SCALE_FREE)


@pytest.mark.parametrize(("kind", "sign"), [("uncertainty", 1), ("imtl_l", -1)])
def test_a_learned_scale_ends_where_the_loss_says(kind, sign):
    made, losses = weighting(kind), torch.tensor([0.2, 3.0])
    state = made.begin(2)
    (learned,) = (state[name].requires_grad_() for name in made.learned)
    descent = torch.optim.SGD([learned], lr=0.3)
    for _ in range(400):
        descent.zero_grad()
        made.combine(losses, HERE[:2], state).backward()
        descent.step()
    torch.testing.assert_close(learned.detach(), sign * losses.log(), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("kind", LOSSES)
def test_an_absent_task_does_not_move_what_is_learned(kind):
    made = weighting(kind)
    state = made.begin(2)
    learned = [state[name].requires_grad_() for name in made.learned]
    losses = torch.tensor([0.5, 2.0], requires_grad=True)
    made.combine(losses, torch.tensor([True, False]), state).backward()
    assert all(found.grad[1] == 0 for found in learned)
    assert losses.grad[0] > 0


def test_dwa_weighs_by_how_slowly_losses_fell():
    made = weighting("dwa", temperature=0.5)
    state = made.begin(3)
    epochs = [[[2.0, 1.0, 4.0], [4.0, 3.0, 2.0]], [[1.5, 1.8, 3.0]]]
    for batches in epochs:
        for losses in batches:
            made.combine(torch.tensor(losses), HERE, state)
        made.passed(state)
    rates = np.array([1.5 / 3, 1.8 / 2, 3.0 / 3])
    _, gradient = combined("dwa", [1.0, 1.0, 1.0], state=state, temperature=0.5)
    np.testing.assert_allclose(gradient, 3 * softmax(rates / 0.5), rtol=1e-5)


def test_dwa_averages_a_task_over_the_batches_that_had_it():
    made = weighting("dwa")
    state = made.begin(2)
    made.combine(torch.tensor([2.0, 1.0]), torch.tensor([True, True]), state)
    made.combine(torch.tensor([2.0, 5.0]), torch.tensor([False, True]), state)
    made.passed(state)
    assert state["newer"].tolist() == [2.0, 3.0]
    made.combine(torch.tensor([1.0, 1.0]), torch.tensor([True, False]), state)
    made.passed(state)
    assert state["newer"].tolist() == [1.0, 3.0]
    assert state["older"].tolist() == [2.0, 3.0]


def test_famo_moves_its_logits_by_adam_as_the_paper_says():
    made, rng = weighting("famo", lr=0.1, decay=0.01), np.random.default_rng(0)
    state, z = made.begin(3), np.zeros(3)
    m, v = np.zeros(3), np.zeros(3)
    for t in range(1, 5):
        before, after = rng.uniform(0.1, 2, 3), rng.uniform(0.1, 2, 3)
        w = softmax(z)
        jacobian = np.diag(w) - np.outer(w, w)
        gradient = jacobian @ (np.log(before) - np.log(after)) + 0.01 * z
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        z = z - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        made.stepped(torch.tensor(before), torch.tensor(after), state)
        np.testing.assert_allclose(state["logits"].numpy(), z, rtol=1e-4)
    _, gradient = combined("famo", [0.5, 1.0, 2.0], state=state)
    w, losses = softmax(z), np.array([0.5, 1.0, 2.0])
    np.testing.assert_allclose(gradient, w / losses / (w / losses).sum(), rtol=1e-4)


@pytest.mark.parametrize("kind", ["famo", "geometric_mean"])
def test_a_negative_loss_is_refused_where_logarithms_are_taken(kind):
    with pytest.raises(DataError) as caught:
        combined(kind, [-0.5, 1.0])
    assert str(caught.value) == (
        f"`weighting: {kind}` takes logarithms, and a task's mean loss is -0.5. Choose another "
        "weighting, such as sum or uncertainty."
    )


# ------------------------------------------------------------------ over gradients


@pytest.fixture(autouse=True)
def _torchjd(request):
    kind = getattr(getattr(request.node, "callspec", None), "params", {}).get("kind")
    if kind in GRADIENTS:
        for name in WEIGHTINGS.builtin[kind].needs:
            pytest.importorskip(name)


def weights(kind, rows, **keys):
    """Return the weights of tasks with these gradients, one a row."""
    rows = np.asarray(rows, dtype=float)
    gramian = rows @ rows.T
    gramian = torch.tensor(gramian * len(rows) / max(np.trace(gramian), 1e-300))
    return weighting(kind, **keys).weigh(gramian, tuple(range(len(rows))), {}).numpy()


def golden_pcgrad(one, two):
    """Yu et al. 2020, algorithm 1."""
    product = one @ two
    if product >= 0:
        return one + two
    return one - product / (two @ two) * two + two - product / (one @ one) * one


def golden_mgda(one, two):
    """Sener and Koltun 2018, algorithm 1: the nearest point to 0 between two."""
    share = np.clip((two - one) @ two / ((one - two) @ (one - two)), 0, 1)
    return share * one + (1 - share) * two


def golden_imtl_g(one, two):
    """Liu et al. 2021, equation 6: α_2 = g_1·(u_1 - u_2) / (g_1 - g_2)·(u_1 - u_2)."""
    u = one / np.linalg.norm(one) - two / np.linalg.norm(two)
    share = one @ u / ((one - two) @ u)
    return (1 - share) * one + share * two


def golden_cagrad(one, two, c=0.4):
    """Liu et al. 2021, algorithm 1, by brute force over the simplex of two."""
    mean = (one + two) / 2
    radius = c * np.linalg.norm(mean)

    def dual(share):
        mixed = share * one + (1 - share) * two
        return mixed @ mean + radius * np.linalg.norm(mixed)

    share = minimize_scalar(dual, bounds=(0, 1), method="bounded", options={"xatol": 1e-9}).x
    share = min([share, 0.0, 1.0], key=dual)
    mixed = share * one + (1 - share) * two
    return mean + radius * mixed / np.linalg.norm(mixed)


def golden_aligned_mtl(one, two):
    """Senushkin et al. 2023: all singular values become the least of them; then the mean."""
    u, s, v = np.linalg.svd(np.stack([one, two]), full_matrices=False)
    return (s[-1] * u @ v).mean(0)


def golden_nash_mtl(one, two):
    """Navon et al. 2022: the direction that makes Σ log g_t·d largest on a ball."""
    rows = np.stack([one, two])
    gramian = rows @ rows.T
    found = minimize(
        lambda z: np.exp(z) @ gramian @ np.exp(z) / 2 - z.sum(), np.zeros(2), tol=1e-12
    )
    return np.exp(found.x) @ rows


def golden_upgrad(one, two):
    """Quinton and Rey 2024, definition 3: the mean of projections on the cone g·g_t ≥ 0."""
    rows, projections = np.stack([one, two]), []
    for row in rows:
        limits = [{"type": "ineq", "fun": lambda g, r=r: g @ r} for r in rows]
        options = {"ftol": 1e-14, "maxiter": 500}
        found = minimize(lambda g, row=row: ((g - row) ** 2).sum(), row, constraints=limits,
                         method="SLSQP", options=options)  # fmt: skip
        projections.append(found.x)
    return np.mean(projections, axis=0)


GOLDEN = {name.removeprefix("golden_"): call for name, call in list(globals().items())
          if name.startswith("golden_")}  # fmt: skip
PAIRS = {
    "in conflict": [[1.0, 0.2, 0.0], [-0.6, 1.0, 0.3]],
    "in harmony": [[1.0, 0.2, 0.1], [0.4, 1.0, 0.3]],
    "far apart in length": [[0.1, 0.02, 0.05], [-1.0, 4.0, 0.3]],
}
LENGTH_FREE = {"nash_mtl"}
"""The golden value is a direction: the length of this step means nothing."""


@pytest.mark.parametrize("kind", GRADIENTS)
@pytest.mark.parametrize("pair", PAIRS)
def test_the_step_is_that_of_the_paper(kind, pair):
    one, two = np.array(PAIRS[pair])
    step, golden = weights(kind, [one, two]) @ [one, two], GOLDEN[kind](one, two)
    if kind in LENGTH_FREE:
        step, golden = step / np.linalg.norm(step), golden / np.linalg.norm(golden)
    np.testing.assert_allclose(step, golden, atol=2e-3 * np.linalg.norm(golden))


ROWS = st.integers(2, 5).flatmap(
    lambda k: st.lists(
        st.lists(st.floats(-2, 2), min_size=6, max_size=6), min_size=k, max_size=k
    ).filter(lambda rows: np.linalg.svd(np.array(rows))[1].min() > 0.1)
)


@pytest.mark.parametrize("kind", ["upgrad", "mgda", "nash_mtl", "imtl_g"])
@given(rows=ROWS)
def test_the_step_makes_no_task_worse(kind, rows):
    rows = np.array(rows)
    step = weights(kind, rows) @ rows
    assert (rows @ step >= -5e-3 * np.linalg.norm(rows) * np.linalg.norm(step)).all()


@given(rows=ROWS)
def test_the_bargain_is_where_it_should_be(rows):
    rows = np.array(rows)
    found = weights("nash_mtl", rows)
    shares = found * (rows @ rows.T @ found)
    np.testing.assert_allclose(shares / shares.mean(), 1, atol=1e-2)


@given(rows=ROWS)
def test_impartial_gradients_have_equal_projections(rows):
    pytest.importorskip("torchjd")
    rows = np.array(rows)
    projections = rows @ (weights("imtl_g", rows) @ rows) / np.linalg.norm(rows, axis=1)
    np.testing.assert_allclose(projections, projections.mean(), rtol=1e-5, atol=1e-8)


@given(rows=ROWS, data=st.data())
def test_the_projector_meets_the_conditions_of_the_optimum(rows, data):
    pytest.importorskip("torchjd")
    from allrounder.training.weighting.dual_cone import LeastSquaresProjector

    if data.draw(st.booleans()):
        rows = [*rows, rows[0]]  # a singular Gramian
    gramian = np.array(rows) @ np.array(rows).T
    u = np.eye(len(rows))
    w = LeastSquaresProjector()(torch.tensor(u), torch.tensor(gramian)).numpy()
    slope = w @ gramian
    size = np.trace(gramian)
    assert (w - u >= -1e-9).all(), "feasible"
    assert (slope >= -1e-9 * size).all(), "no descent into the cone"
    assert np.abs((w - u) * slope).max() <= 1e-8 * size, "complementary"


@pytest.mark.parametrize("kind", GRADIENTS)
@pytest.mark.parametrize(
    "rows",
    [
        [[0.0, 0.0], [1.0, 2.0]],
        [[0.0, 0.0], [0.0, 0.0], [1.0, 2.0]],
        [[1.0, 2.0], [1.0, 2.0]],
        [[1.0, 2.0], [-1.0, -2.0]],
        [[1e-9, 0.0], [0.0, 1e9]],
        [[1.0, 0.0, 0.0], [1.0, 1e-7, 0.0], [0.0, 0.0, 1.0]],
    ],
    ids=["one of zero", "two of zero", "equal", "opposite", "scales apart", "nearly equal"],
)
def test_degenerate_gradients_give_finite_weights(kind, rows):
    found = weights(kind, rows)
    assert np.isfinite(found).all()
    assert np.isfinite(found @ np.array(rows)).all()


@pytest.mark.parametrize("kind", ["upgrad", "pcgrad", "cagrad", "mgda", "nash_mtl", "aligned_mtl"])
def test_gradients_of_very_different_lengths_make_no_wild_step(kind):
    rng = np.random.default_rng(0)
    for _ in range(60):
        rows = rng.normal(size=(4, 6)) * 10.0 ** rng.uniform(-4, 2, size=(4, 1))
        rows[0] = -rows[1] + 1e-6 * rng.normal(size=6)
        step = weights(kind, rows) @ rows
        assert np.linalg.norm(step) <= 2 * np.linalg.norm(rows, axis=1).sum()


@pytest.mark.parametrize("kind", GRADIENTS)
@pytest.mark.parametrize("order", [(1, 0, 2), (2, 0, 1)])
def test_weights_follow_their_tasks_in_another_order(kind, order):
    rows = np.array([[1.0, 0.3, 0.1], [0.2, 1.0, -0.4], [-0.1, 0.5, 2.0]])
    np.testing.assert_allclose(
        weights(kind, rows[list(order)]), weights(kind, rows)[list(order)], atol=2e-3
    )


SCALES_OUT = {"imtl_g", "nash_mtl"}
"""Over gradients: those whose direction does not depend on the length of any task's gradient, so
that a task's fixed `weight` changes nothing. All of them ignore a factor common to all tasks."""


@pytest.mark.parametrize("kind", GRADIENTS)
def test_the_length_of_a_gradient_matters_where_it_is_said_to(kind):
    rows = np.array([[1.0, 0.3, 0.1], [-0.4, 1.0, 0.5]])
    longer = rows * [[5.0], [1.0]]
    steps = [weights(kind, r) @ r for r in (rows, longer, 7 * rows)]
    plain, one, both = (step / np.linalg.norm(step) for step in steps)
    np.testing.assert_allclose(both, plain, atol=1e-6)
    assert np.allclose(one, plain, atol=1e-3) == (kind in SCALES_OUT)


def test_pcgrad_draws_its_order_from_torch():
    pytest.importorskip("torchjd")
    rows = np.random.default_rng(0).normal(size=(5, 3))
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(weights("pcgrad", rows).tolist())
    assert found[0] == found[1] != found[2]
