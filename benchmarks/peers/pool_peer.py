"""Let small-text and scikit-activeml choose from a large pool; in an environment of its own.

`python pool_peer.py JOB.json THREADS`: a file of vectors and their scale, which rows have labels,
the labels, C of the logistic regression, how many are chosen, and how often. Prints one line of
JSON a peer: `answers`, the seconds that each choice took, its `name`, and the `memory` in GB.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from skactiveml.classifier import SklearnClassifier
from skactiveml.pool import UncertaintySampling
from sklearn.linear_model import LogisticRegression
from small_text import BreakingTies

with open(sys.argv[1], encoding="utf-8") as file:
    job = json.load(file)
vectors = np.load(job["vectors"]).astype(np.float32) * np.float32(job["scale"])
known = np.array(job["known"])
names, codes = np.unique(job["labels"], return_inverse=True)
free = np.setdiff1d(np.arange(len(vectors)), known)


class Fitted:
    """A classifier as small-text asks it: by a set of vectors."""

    def __init__(self, model):
        self.model = model

    def predict_proba(self, some):
        """Return how likely each label is: [n, L]."""
        return self.model.predict_proba(some)


def small_text():
    """Choose by small-text."""
    model = LogisticRegression(C=job["C"], max_iter=1000).fit(vectors[known], codes)
    BreakingTies().query(Fitted(model), vectors, free, known, codes, n=job["n"])


def scikit_activeml():
    """Choose by scikit-activeml."""
    y = np.full(len(vectors), np.nan)
    y[known] = codes
    strategy = UncertaintySampling(method="margin_sampling", random_state=0)
    model = LogisticRegression(C=job["C"], max_iter=1000)
    clf = SklearnClassifier(model, classes=np.arange(len(names)))
    strategy.query(vectors, y, clf=clf, batch_size=job["n"])


def memory():
    """Return the memory that is the process's own, in GB."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1e6


for name, choose in {"small-text": small_text, "scikit-activeml": scikit_activeml}.items():
    took = []
    for _ in range(job["batches"]):
        began = time.perf_counter()
        choose()
        took.append(time.perf_counter() - began)
    told = {"answers": took, "name": name, "memory": memory()}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
