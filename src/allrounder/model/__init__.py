"""Encoders, then fusion, then one head per task: the only place where they meet."""

from allrounder.model.answering import Answerer, Scored, answers_of, scored, scored_by_subset
from allrounder.model.frozen import store_frozen
from allrounder.model.network import Batch, Model
from allrounder.model.prepared import Prepared, Targets
from allrounder.model.saving import add_own, load_passes, save_model

__all__ = [
    "Answerer",
    "Batch",
    "Model",
    "Prepared",
    "Scored",
    "Targets",
    "add_own",
    "answers_of",
    "load_passes",
    "save_model",
    "scored",
    "scored_by_subset",
    "store_frozen",
]
