"""Let small-text and scikit-activeml choose by margin; runs in an environment of its own.

`python active_peer.py JOB.json THREADS`: files of vectors, which rows are the pool and which judge,
the labels, the sizes of start and rounds, and a seed. Both begin with the same random records and
use scikit-learn's logistic regression with the C that is given; everything else is their default.
Prints one line of JSON a peer: `answers`, the macro F1 after the last round and its `name`.
"""

import json
import sys

import numpy as np
from skactiveml.classifier import SklearnClassifier
from skactiveml.pool import UncertaintySampling
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from small_text import BreakingTies

with open(sys.argv[1], encoding="utf-8") as file:
    job = json.load(file)
vectors = np.load(job["vectors"]).astype(np.float64)
labels = np.array(job["labels"])
pool, judged = np.array(job["pool"]), np.array(job["judged"])
names = sorted(set(job["labels"]) - {""})
codes = np.array([names.index(label) if label else -1 for label in job["labels"]])


class Fitted:
    """A classifier as small-text asks it: by a set of vectors."""

    def __init__(self, model):
        self.model = model

    def predict_proba(self, some):
        """Return how likely each label is: [n, L]."""
        return self.model.predict_proba(some)


def fitted(known):
    """Return the classifier of what is known."""
    return LogisticRegression(C=job["C"], max_iter=1000).fit(vectors[known], codes[known])


def small_text(known):
    """Return what small-text chooses next."""
    free = np.setdiff1d(pool, known)
    strategy = BreakingTies()
    found = strategy.query(Fitted(fitted(known)), vectors, free, known, codes[known], n=job["n"])
    return np.asarray(found)


def scikit_activeml(known):
    """Return what scikit-activeml chooses next."""
    y = np.full(len(pool), np.nan)
    at = np.searchsorted(pool, known)
    y[at] = codes[known]
    strategy = UncertaintySampling(method="margin_sampling", random_state=job["seed"])
    model = SklearnClassifier(
        LogisticRegression(C=job["C"], max_iter=1000), classes=np.arange(len(names))
    )
    return pool[strategy.query(vectors[pool], y, clf=model, batch_size=job["n"])]


def run(choose):
    """Return the macro F1 after the last round."""
    rng = np.random.default_rng(job["seed"])
    known = rng.choice(pool, job["start"], replace=False)
    while len(set(codes[known])) < 2:
        known = rng.choice(pool, job["start"], replace=False)
    for _ in range(job["rounds"]):
        known = np.concatenate([known, choose(known)])
    answers = fitted(known).predict(vectors[judged])
    return f1_score(codes[judged], answers, average="macro")


pool = np.sort(pool)
for name, choose in {"small-text": small_text, "scikit-activeml": scikit_activeml}.items():
    sys.stdout.write(json.dumps({"answers": [run(choose)], "name": name}) + "\n")
    sys.stdout.flush()
