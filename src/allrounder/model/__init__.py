"""Encoders, then fusion, then one head per task: the only place where they meet."""

from allrounder.model.answering import (
    Answerer,
    Scored,
    answers_of,
    galleries_of,
    scored,
    scored_by_subset,
)
from allrounder.model.frozen import store_frozen
from allrounder.model.gallery import Gallery
from allrounder.model.knowing import Knowing, Lent, fresh_readers, kept_facts, kept_readers
from allrounder.model.network import Batch, Model
from allrounder.model.prepared import Prepared, Targets
from allrounder.model.saving import add_own, load_passes, save_model, saved_inputs
from allrounder.model.shelving import load_galleries, shelve

__all__ = [
    "Answerer",
    "Batch",
    "Gallery",
    "Knowing",
    "Lent",
    "Model",
    "Prepared",
    "Scored",
    "Targets",
    "add_own",
    "answers_of",
    "fresh_readers",
    "galleries_of",
    "kept_facts",
    "kept_readers",
    "load_galleries",
    "load_passes",
    "save_model",
    "saved_inputs",
    "scored",
    "scored_by_subset",
    "shelve",
    "store_frozen",
]
