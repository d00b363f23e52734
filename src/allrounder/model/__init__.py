"""Encoders, then fusion, then one head per task: the only place where they meet."""

from allrounder.model.answering import (
    Answerer,
    answers_of,
    galleries_of,
    readable,
    scored,
    scored_by_subset,
)
from allrounder.model.frozen import store_frozen
from allrounder.model.gallery import Gallery
from allrounder.model.knowing import Knowing, fresh_readers, kept_facts, kept_readers
from allrounder.model.lending import Lent
from allrounder.model.linker import Labeled, Linker, Resolved
from allrounder.model.network import Batch, Model, going_on
from allrounder.model.prepared import Prepared, Targets
from allrounder.model.reader import Reader
from allrounder.model.rulebook import Rulebook
from allrounder.model.ruled import (
    Decided,
    columns_of,
    decided,
    decoder_in,
    decoder_of,
    load_rules,
    reworded,
    save_rules,
)
from allrounder.model.saving import add_own, load_passes, save_model, saved_inputs
from allrounder.model.scored import Scored
from allrounder.model.shelving import load_galleries, shelve

__all__ = [
    "Answerer",
    "Batch",
    "Decided",
    "Gallery",
    "Knowing",
    "Labeled",
    "Lent",
    "Linker",
    "Model",
    "Prepared",
    "Reader",
    "Resolved",
    "Rulebook",
    "Scored",
    "Targets",
    "add_own",
    "answers_of",
    "columns_of",
    "decided",
    "decoder_in",
    "decoder_of",
    "fresh_readers",
    "galleries_of",
    "going_on",
    "kept_facts",
    "kept_readers",
    "load_galleries",
    "load_passes",
    "load_rules",
    "readable",
    "reworded",
    "save_model",
    "save_rules",
    "saved_inputs",
    "scored",
    "scored_by_subset",
    "shelve",
    "store_frozen",
]
