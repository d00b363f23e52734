"""Train spaCy's EntityLinker and ask it; runs in an environment of its own.

`python spacy_peer.py ASKED.json THREADS`: `vectors` of entities by id, and mentions to `fit` and to
`test`, each with text, start, end, candidates, priors and, where one is right, its id. The pipeline
is blank English with an EntityLinker and nothing else, its defaults kept; mentions are set as
entities. A candidate's score is spaCy's own (prior + cosine − prior · cosine, or the cosine alone
with `incl_prior` off), that of NIL a threshold. Epochs, `incl_prior` and threshold are what does
best on a fifth of the mentions to fit, which the network does not see. Prints a line of JSON: for
each test mention the scores of candidates and of NIL, and what was chosen.
"""

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy.kb import InMemoryLookupKB
from spacy.tokens import Span
from spacy.training import Example
from spacy.util import fix_random_seed, minibatch

EPOCHS = (5, 10, 20)
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


def trained(asked: dict[str, Any], cases: list[dict[str, Any]]) -> Iterator[tuple[int, Any, Any]]:
    """Yield epochs, pipeline and linker, trained on the mentions that are not NIL."""
    nlp = spacy.blank("en")
    linker = nlp.add_pipe("entity_linker", config={"use_gold_ents": True})
    known = book(nlp.vocab, asked)
    linker.set_kb(lambda vocab: known)
    examples = [example(nlp, case) for case in cases if case["right"] is not None]
    examples = [one for one in examples if one is not None]
    optimizer = nlp.initialize(lambda: examples)
    linker.set_kb(lambda vocab: known)
    for epoch in range(1, max(EPOCHS) + 1):
        random.shuffle(examples)
        for batch in minibatch(examples, 32):
            nlp.update(batch, sgd=optimizer)
        if epoch in EPOCHS:
            yield epoch, nlp, linker


def scored(nlp: Any, linker: Any, cases: list[dict[str, Any]], has_prior: bool) -> list[np.ndarray]:
    """Return spaCy's scores of the candidates of every case; priors where its words do not fit."""
    docs = [document(nlp, case) for case in cases]
    asked = [doc.ents[0].sent.as_doc() for doc in docs if doc is not None]
    encodings = iter([one for at in range(0, len(asked), 256)
                      for one in linker.model.predict(asked[at : at + 256])])  # fmt: skip
    found = []
    for case, doc in zip(cases, docs, strict=True):
        priors = np.array(case["priors"])
        if doc is None:
            found.append(priors)
            continue
        encoding = next(encodings)
        vectors = np.array([linker.kb.get_vector(str(one)) for one in case["candidates"]])
        lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(encoding)
        cosines = vectors @ encoding / np.maximum(lengths, 1e-9)
        found.append(priors + cosines - priors * cosines if has_prior else cosines)
    return found


def threshold(scores: list[np.ndarray], cases: list[dict[str, Any]]) -> tuple[int, float]:
    """Return how many cases are answered right at best, and the score of NIL at which they are."""
    best = np.array([one.max() for one in scores])
    said = [case["candidates"][int(one.argmax())] for one, case in zip(scores, cases, strict=True)]
    good = np.array([case["right"] == one for case, one in zip(cases, said, strict=True)])
    nil = np.array([case["right"] is None for case in cases])
    return max(
        (int(np.sum(good & (best >= t)) + np.sum(nil & (best < t))), float(t)) for t in sorted(best)
    )


def main() -> None:
    """Train, choose, and answer."""
    fix_random_seed(0)
    asked = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    random.shuffle(asked["fit"])
    held = asked["fit"][: len(asked["fit"]) // 5]
    best, told = -1, {}
    for epochs, nlp, linker in trained(asked, asked["fit"][len(held) :]):
        for has_prior in (True, False):
            right, least = threshold(scored(nlp, linker, held, has_prior), held)
            if right > best:
                scores = scored(nlp, linker, asked["test"], has_prior)
                answers = [[*one.tolist(), least] for one in scores]
                best, told = right, {"answers": answers, "epochs": epochs, "has_prior": has_prior,
                                     "held": right / len(held)}  # fmt: skip
    told["version"] = spacy.__version__
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
