"""Let Snorkel's label model say what votes mean; runs in an environment of its own.

`python snorkel_peer.py JOBS.json THREADS`: a list of jobs. Each has the votes on every record, one
a rule (1 for the label, 0 against it, -1 abstains), the share of records without the label and with
it, and a seed. Everything else is Snorkel's default. Prints one line of JSON a job: `answers`, how
likely each record has the label.
"""

import json
import sys

import numpy as np
import torch
from snorkel.labeling.model import LabelModel

torch.set_num_threads(int(sys.argv[2]))
with open(sys.argv[1], encoding="utf-8") as file:
    jobs = json.load(file)
for job in jobs:
    votes = np.array(job["votes"])
    model = LabelModel(cardinality=2, verbose=False)
    model.fit(votes, class_balance=job["balance"], seed=job["seed"], progress_bar=False)
    sys.stdout.write(json.dumps({"answers": model.predict_proba(votes)[:, 1].tolist()}) + "\n")
