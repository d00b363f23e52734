"""How far rules that vote can be believed, and what their votes say together.

Every rule is an observer in the sense of Dawid and Skene (1979) with two answers: it speaks, or it
is silent. Given the label, rules are taken to be independent of one another, so that what they say
together is a product of experts:

    P(y | votes) ∝ π(y) · Π over rules r of  a(r, y) if r speaks, 1 - a(r, y) if it is silent

Rule r votes for a set of labels S(r): one label, or all but one where it votes against. It speaks
at the rate a(r, y) = hit(r) for y in S(r), and alarm(r) for all others. Expectation maximization
finds the rates from records with and without labels; a label that is known is no longer guessed,
which is what anchors the rest. Each rate has a Beta prior around the share of records of which the
rule speaks, hits being `LIFT` times as likely in odds: so a rule that nothing is known of is
believed a little, and one rule alone can be fitted.

Ratner et al. (2017, 2019) instead give a rule one accuracy for all labels and let its silence mean
nothing. A rule of words votes for one label only, and its silence then speaks for the others.
"""

from dataclasses import dataclass

import numpy as np

LIFT = 4.0
"""How many times likelier, in odds, a rule is thought to speak where its vote is right."""
STRENGTH = 4.0
"""How many records that thought is worth, for each of the two rates."""
ROUNDS = 500
CLOSE = 1e-7
"""The change of a rate below which fitting is done."""


@dataclass(frozen=True)
class Experts:
    """Rules that vote on one question, fitted.

    L labels, R rules, N records.

    Args:
        supports: which labels each rule votes for: [R, L].
        prior: how common each label is: [L].
        hits: how often each rule speaks of records whose label it votes for: [R].
        alarms: how often it speaks of others: [R].
    """

    supports: np.ndarray
    prior: np.ndarray
    hits: np.ndarray
    alarms: np.ndarray

    def log_joint(self, speaks: np.ndarray) -> np.ndarray:
        """Return log P(y, votes) of every record: [R, N] → [N, L].

        Args:
            speaks: 1 where a rule speaks of a record, 0 where it is silent, -1 where the record
                lacks what it reads, which tells nothing.
        """
        rates = np.where(self.supports, self.hits[:, None], self.alarms[:, None])
        spoken, silent = (speaks == 1).astype(float), (speaks == 0).astype(float)
        return np.log(self.prior) + spoken.T @ np.log(rates) + silent.T @ np.log1p(-rates)

    def posterior(self, speaks: np.ndarray) -> np.ndarray:
        """Return P(y | votes) of every record: [R, N] → [N, L]."""
        joint = self.log_joint(speaks)
        joint = np.exp(joint - joint.max(1, keepdims=True))
        return joint / joint.sum(1, keepdims=True)

    @property
    def reliabilities(self) -> np.ndarray:
        """How likely each rule is right where it alone is heard, and speaks: [R]."""
        right = self.supports @ self.prior * self.hits
        return right / (right + ~self.supports @ self.prior * self.alarms)


def fit(
    speaks: np.ndarray, supports: np.ndarray, known: np.ndarray, *, rounds: int = ROUNDS
) -> Experts:
    """Return rules with the rates that make what is seen likeliest, priors counted.

    The same votes give the same rates: nothing is drawn at random.

    Args:
        speaks: as `Experts.log_joint` takes it: [R, N].
        supports: which labels each rule votes for: [R, L].
        known: the number of each record's label, -1 where it has none: [N].
        rounds: how often rates are improved at most.
    """
    table, counts = np.unique(np.vstack([speaks, known]), axis=1, return_counts=True)
    seen, known = table[:-1], table[-1]
    start = _start(speaks, supports, known, counts)
    found = start
    for _ in range(rounds):
        new = _better(found, start, seen, _believed(found, seen, known) * counts[:, None])
        moved = max(
            float(np.abs(getattr(new, name) - getattr(found, name)).max(initial=0.0))
            for name in ("prior", "hits", "alarms")
        )
        found = new
        if moved < CLOSE:
            break
    return found


def _start(
    speaks: np.ndarray, supports: np.ndarray, known: np.ndarray, counts: np.ndarray
) -> Experts:
    """Return what is thought before votes and labels are compared: the middle of all priors."""
    labels = np.arange(supports.shape[1])
    of_each = ((known == labels[:, None]) * counts).sum(1)
    share = ((speaks == 1).sum(1) + 0.5) / ((speaks >= 0).sum(1) + 1)
    return Experts(
        supports=supports,
        prior=(of_each + 1) / (of_each.sum() + len(labels)),
        hits=LIFT * share / (LIFT * share + 1 - share),
        alarms=share,
    )


def _believed(found: Experts, seen: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return P(y | votes), and certainty where the label is known (the E-step)."""
    told = np.eye(len(found.prior))[np.maximum(known, 0)]
    return np.where((known >= 0)[:, None], told, found.posterior(seen))


def _better(found: Experts, start: Experts, seen: np.ndarray, believed: np.ndarray) -> Experts:
    """Return the likeliest rates where each label is believed that often (the M-step)."""
    spoken = (seen == 1).astype(float) @ believed
    heard = (seen >= 0).astype(float) @ believed

    def rate(middle: np.ndarray, counted: np.ndarray) -> np.ndarray:
        right, every = (spoken * counted).sum(1), (heard * counted).sum(1)
        return (STRENGTH * middle + right) / (STRENGTH + every)

    totals = believed.sum(0)
    return Experts(
        supports=found.supports,
        prior=(totals + 1) / (totals.sum() + len(totals)),
        hits=rate(start.hits, found.supports),
        alarms=rate(start.alarms, ~found.supports),
    )
