"""Each kind gives what the equations of its paper give, computed again in NumPy."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from allrounder.fusion import Attention, Concat, Gated, LowRank
from allrounder.fusion.joining import Part

WIDTHS = {"title": 3, "body": 5, "chart": 4}
ATTENTION = Attention(width=8, heads=2, layers=3, bottlenecks=2)


def built(fusion):
    torch.manual_seed(2)
    module = fusion.module(WIDTHS).eval()
    with torch.no_grad():
        for weight in module.parameters():  # also those that start at 0 or 1
            weight.add_(0.3 * torch.randn(weight.shape))
    weights = {name: weight.detach().double().numpy() for name, weight in module.named_parameters()}
    return module, weights


def vectors(num_records=4):
    chance = torch.Generator().manual_seed(3)
    return {n: torch.randn(num_records, w, generator=chance) for n, w in WIDTHS.items()}


def joined(module, x):
    every = torch.arange(len(next(iter(x.values()))))
    with torch.no_grad():
        return module({n: Part(every, v) for n, v in x.items()}, len(every)).vector.numpy()


def test_concat_is_the_vectors_end_to_end_by_name():
    module, weights = built(Concat())
    x = vectors()
    np.testing.assert_allclose(joined(module, x), np.hstack([x["body"], x["chart"], x["title"]]))
    del x["chart"]
    lacking = np.tile(weights["absent.chart"], (4, 1))
    np.testing.assert_allclose(joined(module, x), np.hstack([x["body"], lacking, x["title"]]))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_gated_units_are_those_of_arevalo():
    """h_i = tanh(W_i x_i), z_i = σ(V_i [x_1, …, x_M]), h = Σ z_i ⊙ h_i (2017, figure 2a)."""
    module, weights = built(Gated(width=6))
    x = {name: found.double().numpy() for name, found in vectors().items()}
    every, wanted = np.hstack(list(x.values())), 0
    for name in WIDTHS:
        whole = np.hstack([weights[f"gates.{name}.{other}.weight"] for other in WIDTHS])
        wanted += sigmoid(every @ whole.T) * np.tanh(x[name] @ weights[f"values.{name}.weight"].T)
    np.testing.assert_allclose(joined(module, vectors()), wanted, rtol=1e-4, atol=1e-6)


def test_low_rank_is_the_outer_product_read_through_its_whole_tensor():
    """h = W · (z_1 ⊗ z_2 ⊗ z_3), z = [x; 1], W = Σ_r ⊗_i F_i,r (Liu et al. 2018, section 3)."""
    module, weights = built(LowRank(width=6, rank=3))
    z = [np.hstack([x.double().numpy(), np.ones((4, 1))]) for x in vectors().values()]
    ones = {n: weights[f"ones.{n}"].reshape(3, 1, 6) for n in WIDTHS}
    factors = [np.concatenate([weights[f"factors.{n}"], ones[n]], 1) for n in WIDTHS]
    tensor = np.einsum("raw,rbw,rcw->abcw", *factors)
    wanted = np.einsum("na,nb,nc,abcw->nw", *z, tensor)
    np.testing.assert_allclose(joined(module, vectors()), wanted, rtol=1e-4, atol=1e-5)


def normed(x, weights, name):
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(x, weights, name):
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def transformer(x, weights, name, heads):
    """One layer over one sequence [S, W], norms first (Dosovitskiy et al. 2021, equations 2, 3)."""
    q, k, v = np.split(
        linear(normed(x, weights, f"{name}.norms.0"), weights, f"{name}.asked"), 3, -1
    )
    found, size = [], x.shape[1] // heads
    for at in range(0, x.shape[1], size):
        some = np.s_[:, at : at + size]
        shares = np.exp(q[some] @ k[some].T / np.sqrt(size))
        found.append(shares / shares.sum(-1, keepdims=True) @ v[some])
    x = x + linear(np.hstack(found), weights, f"{name}.told")
    inner = linear(normed(x, weights, f"{name}.norms.1"), weights, f"{name}.wider")
    return x + linear(torch.nn.functional.gelu(torch.from_numpy(inner)).numpy(), weights,
                      f"{name}.narrower")  # fmt: skip


def bottlenecked(x, weights, settings=ATTENTION):
    """One record: [z_i ‖ f_i] = layer([z_i ‖ f]; θ_i), f = mean_i f_i (section 3.3)."""
    z = {
        n: linear(found, weights, f"projections.{n}") + weights[f"names.{n}"]
        for n, found in x.items()
    }
    f = weights["shared"]
    for depth in range(settings.layers):
        both = {
            n: transformer(np.vstack([z[n], f]), weights, f"layers.{n}.{depth}", settings.heads)
            for n in z
        }
        z = {n: found[: len(z[n])] for n, found in both.items()}
        f = np.mean([found[len(z[n]) :] for n, found in both.items()], axis=0)
    z = {n: normed(found, weights, f"norms.{n}") for n, found in z.items()}
    lacking = [weights[f"absent.{n}"] for n in WIDTHS if n not in x]
    return np.mean([found[0] for found in z.values()], axis=0) + np.sum(lacking or [0], axis=0), z


@pytest.mark.parametrize("names", [("title", "body", "chart"), ("body", "chart"), ("title",)])
def test_attention_meets_in_the_bottlenecks_of_nagrani(names):
    module, weights = built(ATTENTION)
    chance = np.random.default_rng(5)
    x = {name: chance.normal(size=(4, WIDTHS[name])) for name in names}
    rows = {name: torch.from_numpy(found[None]).float() for name, found in x.items()}
    parts = {n: Part(torch.tensor([0]), row[:, 0], row[:, 1:]) for n, row in rows.items()}
    with torch.no_grad():
        found = module(parts, 1)
    vector, states = bottlenecked(x, weights)
    np.testing.assert_allclose(found.vector[0], vector, rtol=1e-4, atol=1e-5)
    for name in names:
        np.testing.assert_allclose(found.tokens[name][1][0], states[name][1:], rtol=1e-4, atol=1e-5)


def test_tokens_hear_of_other_inputs_from_the_second_layer_on():
    module, _ = built(replace(ATTENTION, layers=2))
    every = torch.tensor([0])
    title = Part(every, torch.randn(1, 3), torch.randn(1, 2, 3))
    one, other = (
        module({"title": title, "chart": Part(every, torch.randn(1, 4))}, 1).tokens["title"][1]
        for _ in range(2)
    )
    assert not torch.allclose(one, other)
