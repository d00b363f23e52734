"""Let cleanlab find label errors; runs in an environment of its own.

`python label_errors_peer.py JOB.json THREADS`: a file of out-of-fold probabilities [n, O], and the
label that each record carries, as a number. Everything but how it finds and how it ranks is
cleanlab's default. Prints one line of JSON a way: `answers`, the records it lists, the likeliest
errors first, and its `name`.
"""

import json
import sys

import numpy as np
from cleanlab.filter import find_label_issues

with open(sys.argv[1], encoding="utf-8") as file:
    job = json.load(file)
chances = np.load(job["chances"])
given = np.array(job["given"])

for way, ranked in (
    ("prune_by_noise_rate", "normalized_margin"),
    ("prune_by_noise_rate", "self_confidence"),
    ("confident_learning", "normalized_margin"),
):
    found = find_label_issues(
        given, chances, filter_by=way, return_indices_ranked_by=ranked, n_jobs=1
    )
    name = f"{way}, {ranked}"
    sys.stdout.write(json.dumps({"answers": found.tolist(), "name": name}) + "\n")
