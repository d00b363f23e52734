"""The rules loss and its gradient, against a sum over every joint answer there is."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from making import hashing, made

from allrounder.model import readable
from allrounder.model.rules_loss import RulesLoss
from allrounder.rules import Meaning, Rules, Terms, World
from allrounder.tasks import Multiclass, Multilabel, Ordinal, Spans
from allrounder.tasks.tagging import lattice, runs_of

TASKS = {
    "intent": Multiclass(labels=["refund", "praise", "other"], of="text"),
    "urgency": Ordinal(labels=["low", "mid", "high"], of="other"),
    "topics": Multilabel(labels=["ORG", "LOC"], of="text"),
    "entities": Spans(labels=["ORG", "LOC"], of="text"),
}
ROWS = [
    {"text": "Acme fell", "other": "now"},  # no label at all
    {"text": "a great bank", "intent": "praise"},  # some labels; one task is not asked
    {"text": "a refund", "other": "soon", "intent": "refund", "urgency": "mid", "topics": ["ORG"],
     "entities": []},
    {"other": "alone", "urgency": "low"},
]  # fmt: skip
SAYS = [
    "intent = refund => urgency != low",
    "topics has ORG <=> exists span:ORG",
    "topics has LOC <=> exists span:LOC",
    "text has refund => intent = refund and urgency >= mid",
    "count(span:ORG) >= 2 => not topics has LOC",
    "exactly 1 of {intent = praise, topics has LOC, exists span:LOC}",
    "exists span:LOC excludes urgency = high",
    "other has soon or topics has ORG or intent in {praise, other}",
]


def prepared(seed):
    found = made(TASKS, ROWS, inputs={"text": hashing(), "other": hashing("other")})
    torch.manual_seed(seed)
    for head in found.model.heads.values():
        for weight in head.parameters():
            torch.nn.init.normal_(weight, std=0.7)
    return found


def terms_of(found):
    fields = {n: e.field for e in found.model.inputs.values() for n in e.fields}
    return Terms.of(TASKS, fields)


def scores_of(found, row):
    """Return the scores of the tasks that a record is asked, by name."""
    at = np.array([row])
    wanted = {n: mask for n, mask in found.asked(at, list(TASKS)).items() if mask.any()}
    return {
        name: readable(found.model, found, name, at, scores)
        for name, scores in found.model(found.batch(at, wanted)).items()
    }


def every_answer(name, scores):
    """Yield each answer of a task, and how likely it is."""
    task = TASKS[name]
    if task.speaks == "spans":
        yield from _every_tagging(task, scores)
    elif task.speaks == "labels":
        chances = scores[0].double().sigmoid()
        for on in product((False, True), repeat=len(task.labels)):
            parts = [c if yes else 1 - c for c, yes in zip(chances, on, strict=True)]
            yield (
                [n for n, yes in zip(task.labels, on, strict=True) if yes],
                torch.stack(parts).prod(),
            )
    elif task.speaks == "rank":
        least = scores[0].double().cummin(0).values
        above = torch.cat([torch.ones(1), least.sigmoid(), torch.zeros(1)])
        yield from zip(task.labels, above[:-1] - above[1:], strict=True)
    else:
        yield from zip(task.labels, scores[0].double().softmax(-1), strict=True)


def _every_tagging(task, scores):
    paths = lattice(scores, split_words=False)
    live = [t for t in range(paths.size[1]) if paths.live[0, t]]
    logs = torch.cat([paths.o, paths.b, paths.i], -1)[0]
    inside, num = paths.inside[0, :, 0].tolist(), len(task.labels)
    found = []
    for path in product(range(1 + 2 * num), repeat=len(live)):
        before, legal = 0, True
        for t, tag in zip(live, path, strict=True):
            goes_on = tag > num and before in (tag, tag - num)
            legal &= goes_on or tag <= num
            legal &= not inside[t] or goes_on or (tag == 0 and before == 0)
            before = tag
        if legal:
            weight = sum(logs[t, tag] for t, tag in zip(live, path, strict=True))
            spans = [{"label": task.labels[run.label], "text": ""} for run in runs_of(path, num)]
            found.append((spans, weight))
    total = torch.stack([weight for _, weight in found]).logsumexp(0)
    yield from ((spans, (weight - total).exp()) for spans, weight in found)


def by_hand(rule, meaning, found, row):
    """Return the probability that a record follows a rule, answer by answer."""
    scores = scores_of(found, row)
    inputs = {n: found.values[n][row].as_py() for n in ("text", "other")}
    total = torch.zeros((), dtype=torch.float64)
    for answers in product(*(list(every_answer(name, some)) for name, some in scores.items())):
        said = {name: label for name, (label, _) in zip(scores, answers, strict=True)}
        if meaning.truth(rule.tree, World(said, inputs)) is not False:
            total = total + torch.stack([chance for _, chance in answers]).prod()
    return total


def gradient(found, loss):
    """Return the gradient of all heads, end to end."""
    found.model.zero_grad()
    loss.backward()
    return torch.cat([
        (w.grad if w.grad is not None else torch.zeros_like(w)).flatten()
        for w in found.model.heads.parameters()
    ])  # fmt: skip


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6), says=st.sampled_from(SAYS), row=st.integers(0, len(ROWS) - 1))
def test_loss_and_gradient_are_those_of_the_sum_over_every_joint_answer(seed, says, row):
    found = prepared(seed)
    rules, terms = Rules.of([says]), terms_of(found)
    counted = RulesLoss(rules, terms).followed(found, np.array([row]))
    wanted = by_hand(rules.rules[0], Meaning(rules, terms), found, row)
    if not counted:
        assert wanted.item() == pytest.approx(round(wanted.item()))
        return
    one = counted["rule_1"]
    assert one.holds.item() == pytest.approx(wanted.item(), abs=1e-6)
    assert (one.holds + one.broken).item() == pytest.approx(1)
    mine = gradient(found, one.losses.sum())
    assert torch.allclose(mine, gradient(found, -wanted.log()), atol=1e-5)


def test_records_together_are_what_they_are_alone():
    found = prepared(5)
    loss, rows = RulesLoss(Rules.of(SAYS), terms_of(found)), np.arange(len(ROWS))
    together = loss.followed(found, rows)
    for row in rows:
        for id, one in loss.followed(found, np.array([row])).items():
            at = together[id].rows.tolist().index(row)
            assert together[id].holds[at].item() == pytest.approx(one.holds.item(), abs=1e-6)
    assert together["rule_4"].rows.tolist() == [2], "of others the text breaks no rule"
    assert 3 not in together["rule_2"].rows, "without a text nothing is asked that it names"


def test_no_gradient_reaches_a_task_that_is_held():
    found = prepared(1)
    loss = RulesLoss(Rules.of(SAYS[1:2]), terms_of(found))
    followed = loss.followed(found, np.arange(3), held=["entities"])
    followed["rule_1"].losses.sum().backward()
    assert found.model.heads["entities"].weight.grad is None
    assert found.model.heads["topics"].weight.grad.abs().sum() > 0


def test_a_rule_that_is_as_good_as_broken_has_a_finite_loss_and_gradient():
    found = prepared(1)
    with torch.no_grad():
        found.model.heads["topics"].bias[:] = 400.0
        found.model.heads["entities"].bias[0] = 400.0
    loss = RulesLoss(Rules.of(SAYS[1:2]), terms_of(found))
    losses = loss.followed(found, np.arange(3))["rule_1"].losses
    losses.sum().backward()
    assert losses.isfinite().all()
    assert losses.min() > 100
    assert all(w.grad.isfinite().all() for w in found.model.heads["topics"].parameters())
