"""Train spaCy's EntityLinker and ask it; runs in an environment of its own.

`python spacy_peer.py ASKED.json THREADS`: `vectors` of entities by id, and mentions to `fit` and to
`test`, each with text, start, end, candidates, priors and, where one is right, its id. The pipeline
is blank English with an EntityLinker and nothing else, its defaults kept; mentions are set as
entities. Prints a line of JSON: for each test mention shares of the candidates and of NIL, the
epochs and the version. A candidate's score is spaCy's own (prior + cosine − prior ·
cosine), that of NIL the threshold which does best on the fitting part.
"""

import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy.kb import InMemoryLookupKB
from spacy.tokens import Span
from spacy.training import Example
from spacy.util import fix_random_seed, minibatch

EPOCHS = 10
LABEL = "NOUN"


def alias(case: dict[str, Any]) -> str:
    """Return what a case's candidates are filed under."""
    return case["text"][case["start"] : case["end"]]


def book(vocab: Any, asked: dict[str, Any]) -> InMemoryLookupKB:
    """Return the knowledge base: the vectors, and candidates with priors of every alias."""
    width = len(next(iter(asked["vectors"].values())))
    found = InMemoryLookupKB(vocab, entity_vector_length=width)
    ids = list(asked["vectors"])
    found.set_entities(ids, [1] * len(ids), list(asked["vectors"].values()))
    known = set()
    for case in (*asked["fit"], *asked["test"]):
        if alias(case) not in known:
            known.add(alias(case))
            priors = np.array(case["priors"]) * 0.999999 / sum(case["priors"])
            found.add_alias(alias(case), [str(one) for one in case["candidates"]], priors.tolist())
    return found


def document(nlp: Any, case: dict[str, Any]) -> Any:
    """Return the text with its mention set; None where spaCy's words do not fit."""
    found = nlp.make_doc(case["text"])
    span = found.char_span(case["start"], case["end"], label=LABEL)
    if span is None:
        return None
    found.set_ents([span])
    found[0].is_sent_start = True
    for token in found[1:]:
        token.is_sent_start = False
    return found


def example(nlp: Any, case: dict[str, Any]) -> Example | None:
    """Return a mention to learn from."""
    given, true = document(nlp, case), document(nlp, case)
    if given is None:
        return None
    (span,) = true.ents
    true.set_ents([Span(true, span.start, span.end, LABEL, kb_id=str(case["right"]))])
    return Example(given, true)


def trained(asked: dict[str, Any]) -> Any:
    """Return the pipeline and its linker, trained on the fitting mentions that are not NIL."""
    nlp = spacy.blank("en")
    linker = nlp.add_pipe("entity_linker", config={"use_gold_ents": True})
    known = book(nlp.vocab, asked)
    linker.set_kb(lambda vocab: known)
    examples = [example(nlp, case) for case in asked["fit"] if case["right"] is not None]
    examples = [one for one in examples if one is not None]
    optimizer = nlp.initialize(lambda: examples)
    linker.set_kb(lambda vocab: known)
    for _ in range(EPOCHS):
        random.shuffle(examples)
        for batch in minibatch(examples, 32):
            nlp.update(batch, sgd=optimizer)
    return nlp, linker


def scored(nlp: Any, linker: Any, case: dict[str, Any]) -> np.ndarray:
    """Return spaCy's score of every candidate; the priors where its words do not fit."""
    priors, doc = np.array(case["priors"]), document(nlp, case)
    if doc is None:
        return priors
    (encoding,) = linker.model.predict([doc.ents[0].sent.as_doc()])
    vectors = np.array([linker.kb.get_vector(str(one)) for one in case["candidates"]])
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(encoding)
    cosines = vectors @ encoding / np.maximum(lengths, 1e-9)
    return priors + cosines - priors * cosines


def threshold(scores: list[np.ndarray], cases: list[dict[str, Any]]) -> float:
    """Return the score of NIL under which most cases are answered right."""
    best = np.array([one.max() for one in scores])
    said = [case["candidates"][int(one.argmax())] for one, case in zip(scores, cases, strict=True)]
    good = np.array([case["right"] == one for case, one in zip(cases, said, strict=True)])
    nil = np.array([case["right"] is None for case in cases])
    return max(sorted(best), key=lambda t: np.sum(good & (best >= t)) + np.sum(nil & (best < t)))


def main() -> None:
    """Train, choose the threshold, and answer."""
    fix_random_seed(0)
    asked = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    nlp, linker = trained(asked)
    fit = [scored(nlp, linker, case) for case in asked["fit"]]
    least = threshold(fit, asked["fit"])
    answers = []
    for case in asked["test"]:
        scores = np.maximum(np.append(scored(nlp, linker, case), least), 1e-9)
        answers.append((scores / scores.sum()).tolist())
    told = {"answers": answers, "epochs": EPOCHS, "version": spacy.__version__}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
