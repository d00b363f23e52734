"""Rules as voters: who votes, how far each is believed, what votes say together."""

import math
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import TERMS

from allrounder.errors import ProjectError
from allrounder.rules import Rules
from allrounder.rules.experts import LIFT, STRENGTH, Experts, fit
from allrounder.rules.votes import Votes, voters


def told(*says):
    return [
        (one.rule, one.task, str(one))
        for one in voters(
            Rules.of({"rules": list(says), "lexicons": {"pills": ["aspirin"]}}), TERMS
        )
    ]


@pytest.mark.parametrize(
    ("says", "votes"),
    [
        ("text has lexicon pills => topics has art", [("topics", "art")]),
        ("price > 5 => intent = refund", [("intent", "refund")]),
        ("price > 5 => intent != refund", [("intent", "not refund")]),
        ("price > 5 => intent in {refund, praise}", [("intent", "not other")]),
        ("price > 5 => not intent in {refund, praise}", [("intent", "other")]),
        ("price > 5 => not topics has art", [("topics", "not art")]),
        ("price > 5 => none of {topics has art, topics has sport}",
         [("topics", "not art"), ("topics", "not sport")]),
        ("price > 5 => intent = praise and topics has art",
         [("intent", "praise"), ("topics", "art")]),
        ("topics has art <=> price > 5 or text has art", [("topics", "art")]),
    ],
)  # fmt: skip
def test_a_rule_that_reads_only_inputs_votes(says, votes):
    assert told(says) == [("rule_1", *vote) for vote in votes]


@pytest.mark.parametrize(
    "says",
    [
        "topics has art => intent = refund",
        "price > 5 => urgency = low",
        "price > 5 => exists span:Drug",
        "price > 5 => topics has art or topics has sport",
        "price > 5 => intent = refund or topics has art",
        "price > 5 => price < 10",
        "price > 5 => intent in {refund, praise, other}",
        "intent = refund",
    ],
)
def test_other_rules_do_not(says):
    assert told(says) == []


def test_a_project_without_a_rule_that_votes_is_told():
    with pytest.raises(ProjectError) as error:
        Votes.of(Rules.of(["intent = refund"]), TERMS, {"text": ["a"]})
    assert str(error.value) == (
        "`knowledge.votes`: expected a rule whose condition reads only inputs and whose conclusion "
        "names labels of a multiclass or multilabel task, found none among 1. Write one, such as "
        '`text has "…" => topic = …`, or remove the key.'
    )


RULES = Rules.of([
    {"id": "back", "says": 'text has "money back" => intent = refund'},
    {"id": "dear", "says": "price > 5 => intent != praise"},
    {"id": "goal", "says": "text has goal => topics has sport"},
    {"id": "paint", "says": "text has paint => topics has art"},
    {"id": "tax", "says": "price > 5 => not topics has art"},
])  # fmt: skip
TEXTS = ["my money back", "a goal", "nothing", None, "paint", "goal, money back"]
PRICES = [1.0, 9.0, 2.0, 9.0, 9.0, None]


def test_votes_are_for_a_label_against_it_or_abstain():
    votes = Votes.of(RULES, TERMS, {"text": TEXTS, "price": PRICES})
    assert votes.matrix.tolist() == [
        [1, 0, 0, 0, 0, 1],
        [0, -1, 0, -1, -1, 0],
        [0, 1, 0, 0, 0, 1],
        [0, 0, 0, 0, 1, 0],
        [0, -1, 0, -1, -1, 0],
    ]
    assert votes.speaks[:, 3].tolist() == [-1, 1, -1, -1, 1]
    assert votes.speaks[:, 5].tolist() == [1, -1, 1, 0, -1]


def test_soft_labels_lean_to_the_votes_and_rules_are_told():
    votes = Votes.of(RULES, TERMS, {"text": TEXTS, "price": PRICES})
    one = votes.soft("intent", ["refund", None, "praise", None, None, None])
    assert one.labels[one.probabilities[5].argmax()] == "refund"
    praise = one.probabilities[:, one.labels.index("praise")]
    assert praise[1] < praise[2] - 0.1
    assert one.voted.tolist() == [True, True, False, True, True, True]
    assert np.allclose(one.probabilities.sum(1), 1)
    back, dear = one.voters
    assert (back.rule, back.says, back.num_votes, back.num_gold, back.precision) == (
        "back", "refund", 2, 1, 1.0
    )  # fmt: skip
    assert (dear.against, dear.num_gold, dear.precision) == (True, 0, None)
    assert 0.5 < back.reliability < 1
    several = votes.soft("topics", [None, ["sport"], [], None, ["art"], None])
    sport, art = several.labels.index("sport"), several.labels.index("art")
    assert several.probabilities[5, sport] > 0.5 > several.probabilities[2, sport]
    assert several.probabilities[4, art] > several.probabilities[1, art]
    assert [one.rule for one in several.voters] == ["goal", "paint", "tax"]


def test_a_label_that_nobody_votes_on_stays_open():
    votes = Votes.of(RULES.without("goal"), TERMS, {"text": TEXTS, "price": PRICES})
    soft = votes.soft("topics", [None] * 6)
    assert np.isnan(soft.probabilities).all(0).tolist() == [
        label == "sport" for label in soft.labels
    ]


# ---------------------------------------------------------------- how far rules are believed


def independent(speaks, supports, known, rounds):
    """Fit rules record by record and label by label, with nothing but loops."""
    rules, labels, records = len(speaks), len(supports[0]), range(len(known))
    counted = [sum(1 for y in known if y == label) for label in range(labels)]
    prior = [(c + 1) / (sum(counted) + labels) for c in counted]
    middle = []
    for row in speaks:
        told = [one for one in row if one >= 0]
        share = (sum(told) + 0.5) / (len(told) + 1)
        middle.append((LIFT * share / (LIFT * share + 1 - share), share))
    rates = list(middle)

    def belief(record):
        if known[record] >= 0:
            return [float(label == known[record]) for label in range(labels)]
        found = []
        for label in range(labels):
            one = prior[label]
            for r in range(rules):
                rate = rates[r][0 if supports[r][label] else 1]
                one *= {1: rate, 0: 1 - rate, -1: 1.0}[speaks[r][record]]
            found.append(one)
        return [one / sum(found) for one in found]

    def rate(r, side, beliefs):
        right = every = 0.0
        for record, label in product(records, range(labels)):
            if supports[r][label] == (side == 0) and speaks[r][record] >= 0:
                every += beliefs[record][label]
                right += beliefs[record][label] * speaks[r][record]
        return (STRENGTH * middle[r][side] + right) / (STRENGTH + every)

    for _ in range(rounds):
        beliefs = [belief(record) for record in records]
        rates = [(rate(r, 0, beliefs), rate(r, 1, beliefs)) for r in range(rules)]
        totals = [sum(one[label] for one in beliefs) for label in range(labels)]
        prior = [(one + 1) / (sum(totals) + labels) for one in totals]
    return prior, rates, [belief(record) for record in records]


@st.composite
def elections(draw):
    rules, labels, records = (draw(st.integers(*ends)) for ends in ((1, 4), (2, 4), (1, 25)))
    supports = [
        draw(st.lists(st.booleans(), min_size=labels, max_size=labels).filter(
            lambda row: 0 < sum(row) < len(row)))
        for _ in range(rules)
    ]  # fmt: skip
    rows = st.lists(st.integers(-1, 1), min_size=records, max_size=records)
    known = draw(st.lists(st.integers(-1, labels - 1), min_size=records, max_size=records))
    return [draw(rows) for _ in range(rules)], supports, known


def arrays(speaks, supports, known):
    return np.array(speaks, np.int8), np.array(supports), np.array(known)


@given(elections())
def test_fitting_is_that_of_an_implementation_by_loops(election):
    speaks, supports, known = arrays(*election)
    found = fit(speaks, supports, known, rounds=7)
    prior, rates, beliefs = independent(*election, rounds=7)
    assert np.allclose(found.prior, prior, atol=1e-6)
    assert np.allclose(np.column_stack([found.hits, found.alarms]), rates, atol=1e-6)
    free = known < 0
    assert np.allclose(found.posterior(speaks)[free], np.array(beliefs)[free], atol=1e-6)


def plausibility(found, speaks, supports, known):
    """Return the logarithm of what fitting makes as large as it can, priors counted."""
    joint = found.log_joint(speaks)
    seen = np.where(known >= 0, joint[np.arange(len(known)), known], np.logaddexp.reduce(joint, 1))
    start = fit(speaks, supports, known, rounds=0)
    beta = sum(
        (STRENGTH * (m * np.log(rate) + (1 - m) * np.log1p(-rate))).sum()
        for m, rate in ((start.hits, found.hits), (start.alarms, found.alarms))
    )
    return seen.sum() + beta + np.log(found.prior).sum()


@given(elections())
def test_every_round_makes_what_is_seen_likelier(election):
    three = arrays(*election)
    steps = [plausibility(fit(*three, rounds=n), *three) for n in range(6)]
    assert all(after >= before - 1e-9 for before, after in pairwise(steps))


@given(elections(), st.randoms(use_true_random=False))
def test_neither_the_order_of_records_nor_of_rules_matters(election, chance):
    speaks, supports, known = arrays(*election)
    records, rules = list(range(len(known))), list(range(len(speaks)))
    chance.shuffle(records)
    chance.shuffle(rules)
    one = fit(speaks, supports, known).posterior(speaks)
    other = fit(speaks[rules][:, records], supports[rules], known[records])
    assert np.allclose(one[records], other.posterior(speaks[rules][:, records]), atol=1e-4)


def sampled(rng, prior, hits, alarms, supports, size):
    """Draw labels, and what rules of known rates say of them."""
    truth = rng.choice(len(prior), size, p=prior)
    rates = np.where(supports[:, truth], np.array(hits)[:, None], np.array(alarms)[:, None])
    return truth, (rng.random(rates.shape) < rates).astype(np.int8)


def test_known_rates_are_found_again_from_few_labels(rng):
    supports = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1], [1, 0, 0]], bool)
    hits, alarms = [0.7, 0.6, 0.5, 0.8, 0.45], [0.05, 0.1, 0.02, 0.3, 0.4]
    truth, speaks = sampled(rng, [0.5, 0.3, 0.2], hits, alarms, supports, 20_000)
    known = np.where(np.arange(20_000) < 40, truth, -1)
    found = fit(speaks, supports, known)
    assert np.allclose(found.hits, hits, atol=0.05)
    assert np.allclose(found.alarms, alarms, atol=0.05)
    real = Experts(supports, np.array([0.5, 0.3, 0.2]), np.array(hits), np.array(alarms))
    free = slice(40, None)
    best = (real.posterior(speaks).argmax(1) == truth)[free].mean()
    assert (found.posterior(speaks).argmax(1) == truth)[free].mean() > best - 0.01
    majority = (speaks.T.astype(float) @ supports).argmax(1)
    assert best - 0.01 > (majority == truth)[free].mean()


def test_one_rule_alone_is_fitted_from_labels(rng):
    supports = np.array([[False, True]])
    truth, speaks = sampled(rng, [0.8, 0.2], [0.6], [0.03], supports, 4000)
    known = np.where(np.arange(4000) < 400, truth, -1)
    found = fit(speaks, supports, known)
    right = truth[speaks[0] == 1].mean()
    assert found.reliabilities[0] == pytest.approx(right, abs=0.06)


def test_labels_overrule_a_rule_that_is_wrong(rng):
    supports = np.array([[False, True]])
    truth, speaks = sampled(rng, [0.5, 0.5], [0.1], [0.6], supports, 300)
    assert fit(speaks, supports, truth).reliabilities[0] < 0.3


def test_a_rule_without_any_evidence_is_believed_cautiously():
    speaks, supports = np.array([[1, 0, 0, 0, 0]], np.int8), np.array([[False, True]])
    found = fit(speaks, supports, np.full(5, -1))
    assert 0.6 < found.reliabilities[0] < 0.9
    silent = fit(np.zeros((1, 5), np.int8), supports, np.full(5, -1))
    assert 0.5 < silent.reliabilities[0] < 0.9


def test_a_record_that_lacks_what_a_rule_reads_is_left_at_the_prior():
    speaks, supports = np.array([[1, 0, -1]], np.int8), np.array([[True, False, False]])
    found = fit(speaks, supports, np.full(3, -1))
    assert np.allclose(found.posterior(speaks)[2], found.prior)
    assert math.isclose(found.posterior(speaks)[0].sum(), 1.0)
