"""What every kind of fusion promises. A kind without a row in EXAMPLES fails."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from making import hashing, made

from allrounder.errors import ProjectError
from allrounder.fusion import FUSIONS, Attention, Concat, Gated, LowRank
from allrounder.fusion.joining import Part
from allrounder.kinds import dump
from allrounder.model import Answerer, load_passes, save_model
from allrounder.tasks import Multiclass

EXAMPLES = {
    "concat": Concat(),
    "gated": Gated(width=6),
    "low_rank": LowRank(width=6, rank=3),
    "attention": Attention(width=8, heads=2, layers=2, bottlenecks=2),
}
WIDTHS = {"title": 3, "body": 5, "chart": 4}
KINDS = pytest.mark.parametrize("kind", sorted(FUSIONS.builtin))
SUBSETS = [some for n in range(4) for some in itertools.combinations(WIDTHS, n)]


def built(kind, widths=WIDTHS, **options):
    """Return the module of a kind, its learned vectors no longer zero."""
    assert kind in EXAMPLES, f"give the fusion kind {kind!r} a row in EXAMPLES"
    torch.manual_seed(0)
    module = replace(EXAMPLES[kind], **options).module(widths).eval()
    with torch.no_grad():
        for absent in module.absent.values():
            absent.normal_()
    return module


def parts(names, num_records=2, seed=4):
    """Return vectors and tokens of some inputs; the last token of the first record is padding."""
    chance = torch.Generator().manual_seed(seed)
    every = torch.arange(num_records)
    mask = torch.ones(num_records, 3, dtype=torch.bool)
    mask[0, 2] = False
    drawn = {
        name: Part(
            every,
            torch.randn(num_records, width, generator=chance),
            torch.randn(num_records, 3, width, generator=chance),
            mask,
        )
        for name, width in WIDTHS.items()
    }
    return {name: drawn[name] for name in names}


def rows_of(some, rows):
    """Return the parts of some records alone."""
    return {name: Part(torch.arange(len(rows)), *(one[rows] for one in part[1:]))
            for name, part in some.items()}  # fmt: skip


@KINDS
@pytest.mark.parametrize("names", SUBSETS, ids="+".join)
def test_any_subset_of_the_inputs_gives_a_finite_vector_of_the_width_it_says(kind, names):
    found = built(kind)(parts(names), 2).vector
    assert found.shape == (2, EXAMPLES[kind].joint_width(WIDTHS))
    assert torch.isfinite(found).all()
    assert sum(EXAMPLES[kind].columns(WIDTHS).values()) == found.shape[1]


@KINDS
@pytest.mark.parametrize("name", WIDTHS)
def test_a_single_input_is_joined_too(kind, name):
    found = built(kind, {name: WIDTHS[name]}).train()(parts([name]), 2).vector
    assert found.shape == (2, EXAMPLES[kind].joint_width({name: WIDTHS[name]}))


@KINDS
def test_a_record_is_joined_alike_whatever_its_neighbours_have(kind):
    module, whole = built(kind), parts(WIDTHS)
    partly = {**whole, "body": whole["body"].only(torch.tensor([False, True]))}
    one = module(partly, 2).vector
    torch.testing.assert_close(one[1], module(whole, 2).vector[1])
    without = {name: part for name, part in whole.items() if name != "body"}
    torch.testing.assert_close(one[0], module(without, 2).vector[0])


@KINDS
def test_what_an_input_says_of_other_records_never_matters(kind):
    module, whole, other = built(kind), parts(WIDTHS), parts(WIDTHS, seed=5)
    one = {**whole, "body": whole["body"].only(torch.tensor([False, True]))}
    two = {**whole, "body": other["body"].only(torch.tensor([False, True]))}
    found, again = module(one, 2).vector, module(two, 2).vector
    assert torch.equal(found[0], again[0])
    assert not torch.allclose(found[1], again[1])


@KINDS
def test_what_stands_in_padding_never_matters(kind):
    module, whole = built(kind), parts(WIDTHS)
    tokens = whole["title"].tokens.clone()
    tokens[0, 2] = 99.0
    found = module({**whole, "title": whole["title"]._replace(tokens=tokens)}, 2).vector
    torch.testing.assert_close(found, module(whole, 2).vector)


@KINDS
def test_the_order_of_records_does_not_matter(kind):
    module, whole = built(kind), parts(WIDTHS, 5)
    order = torch.tensor([3, 0, 4, 1, 2])
    found = module(rows_of(whole, order), 5).vector
    torch.testing.assert_close(found, module(whole, 5).vector[order])


@KINDS
def test_every_input_that_is_there_or_missing_changes_the_vector(kind):
    module, whole = built(kind), parts(WIDTHS)
    found = {names: module({n: whole[n] for n in names}, 2).vector for names in SUBSETS}
    for one, other in itertools.combinations(SUBSETS, 2):
        assert not torch.allclose(found[one], found[other]), (one, other)


@KINDS
def test_gradients_are_finite_and_reach_every_weight(kind):
    module = built(kind)
    found = module(
        {**parts(WIDTHS), "body": parts(["body"])["body"].only(torch.tensor([True, False]))}, 2
    )
    found.vector.square().sum().backward()
    for name, weight in module.named_parameters():
        if name not in {"absent.title", "absent.chart"} or kind == "concat":
            assert weight.grad is not None, name
            assert torch.isfinite(weight.grad).all(), name


@KINDS
def test_a_new_input_changes_nothing_where_it_is_missing(kind):
    few = {name: WIDTHS[name] for name in ("title", "body")}
    old, new = built(kind, few), EXAMPLES[kind].module(WIDTHS).eval()
    known = old.state_dict()
    new.load_state_dict({name: known.get(name, w) for name, w in new.state_dict().items()})
    columns = EXAMPLES[kind].columns
    found = new(parts(few), 2).vector.split(list(columns(WIDTHS).values()), -1)
    named = dict(zip(columns(WIDTHS), found, strict=True))
    kept = torch.cat([named[name] for name in columns(few)], -1)
    torch.testing.assert_close(kept, old(parts(few), 2).vector)
    assert not any(part.any() for name, part in named.items() if name not in columns(few))


# ------------------------------------------------------------------ modality dropout


@KINDS
def test_nothing_is_hidden_after_training(kind):
    module = built(kind, modality_dropout=0.9)
    assert torch.equal(module(parts(WIDTHS), 2).vector, module(parts(WIDTHS), 2).vector)


@KINDS
def test_what_is_hidden_in_training_is_what_a_record_would_lack(kind):
    module, whole = built(kind, modality_dropout=0.5), parts(WIDTHS, 40)
    module.train()
    found = module(whole, 40).vector
    module.eval()
    possible = torch.stack([module({n: whole[n] for n in names}, 40).vector for names in SUBSETS])
    apart = (found - possible).abs().amax(-1)
    assert (apart.amin(0) < 1e-5).all(), "each record is what some subset of its inputs gives"
    which = apart.argmin(0).tolist()
    assert SUBSETS.index(()) not in which, "the last input is never hidden"
    assert len(set(which)) > 4


@KINDS
def test_inputs_are_hidden_as_often_as_asked(kind):
    module = built(kind, modality_dropout=0.3).train()
    seen = []
    module.join = lambda inputs, n: seen.append({k: len(p.present) for k, p in inputs.items()})
    module(parts(WIDTHS, 20_000), 20_000)
    for name in WIDTHS:  # all three drawn hidden: 2.7 %, and one of them stays
        assert seen[0][name] / 20_000 == pytest.approx(0.7 + 0.027 / 3, abs=0.015)


@KINDS
def test_the_same_chance_hides_the_same_inputs(kind):
    module, found = built(kind, modality_dropout=0.5).train(), []
    for _ in range(2):
        torch.manual_seed(9)
        found.append(module(parts(WIDTHS), 2).vector)
    assert torch.equal(*found)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"kind": "concat", "modality_dropout": 1.0},
         "`fusion.modality_dropout` is 1.0. Expected 0 or more, and less than 1."),
        ({"kind": "gated", "width": 0}, "`fusion.width` is 0. Expected 1 or more."),
        ({"kind": "low_rank", "rank": -1}, "`fusion.rank` is -1. Expected 1 or more."),
        ({"kind": "attention", "layers": 1},
         "`fusion.layers` is 1. Expected 2 or more: in the first one no input has heard of another "
         "yet."),
        ({"kind": "attention", "width": 10},
         "`fusion.width` is 10, which 4 heads cannot share evenly. Choose a multiple of `heads`."),
    ],
)  # fmt: skip
def test_sizes_that_cannot_be_are_refused_in_words(spec, words):
    with pytest.raises(ProjectError) as caught:
        FUSIONS.build(spec, at="fusion")
    assert str(caught.value) == words


# ------------------------------------------------------------------ in a model


ROWS = [
    {"title": "Acme rose", "it": "up"},
    {"body": "Acme fell", "it": "down"},
    {"title": "Acme", "body": "rose", "it": "up"},
]


def modelled(kind):
    inputs = {"title": hashing("title"), "body": hashing("body", width=8)}
    tasks = {"it": Multiclass(labels=["up", "down"])}
    return made(tasks, ROWS, inputs=inputs, fusion=EXAMPLES[kind])


@KINDS
def test_a_missing_input_still_lets_the_others_learn(kind):
    prepared, every = modelled(kind), np.arange(3)
    batch = prepared.batch(every, prepared.labeled(every, ["it"]), targets=True)
    losses = prepared.model.losses(batch)["it"]
    assert torch.isfinite(losses).all()
    losses.sum().backward()
    assert all(w.grad is not None for w in prepared.model.parameters())


@KINDS
def test_saved_and_loaded_it_gives_the_same_answers(kind, tmp_path):
    prepared = modelled(kind)
    before = Answerer([(prepared.model, ["it"])], {}).answers(prepared, np.arange(3))
    save_model(tmp_path, prepared.model, {})
    passes = load_passes(tmp_path, prepared.model.inputs, prepared.model.tasks, EXAMPLES[kind])
    prepared.model = passes[0][0]
    assert Answerer(passes, {}).answers(prepared, np.arange(3)) == before


@KINDS
def test_the_settings_survive_being_written_out(kind):
    plain = json.loads(json.dumps(dump(EXAMPLES[kind])))
    assert FUSIONS.build(plain, at="fusion") == EXAMPLES[kind]
