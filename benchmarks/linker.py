"""Which sense of a noun is meant, or none that is known: linking of ambiguous names.

WordNet 3.0 is the knowledge base: noun synsets are entities, their lemmas aliases, the prior of a
sense falls with its rank (1/rank), the gloss without its examples is the description, hypernyms are
facts. Texts are the examples in glosses that contain a lemma of their synset with two senses or
more. A fifth of these examples have no right answer: their synsets are left out of the knowledge
base, while their names keep other senses, two or more. Examples are split by lemma into a small
part to fit five weights (and spaCy's network) and a part to test on.

Systems: the prior alone; the prior with a fitted NIL; ours with the weights it comes with; ours
fitted; without coherence, without types, without prior; with a threshold for NIL of its own, fitted
to accuracy on the fitting part; spaCy's EntityLinker (description vectors from the same encoder),
trained on the fitting part, its candidates and priors the same.

Default size: 3,000 test mentions, one split, MiniLM frozen, five minutes on one core. --full: all.
"""

import math
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from common import MINILM, ROOT, arguments, keep, scratch
from peer import SPACY
from sklearn.metrics import roc_auc_score

from allrounder.encoders import Text
from allrounder.knowledge import Base, Mention, Snapshot, Weights
from allrounder.knowledge.disambiguation import Evidence, described, fitted
from allrounder.knowledge.facts import Fact
from allrounder.model import Linker, Reader

sys.path.insert(0, str(ROOT / "examples"))

import kit

NAME = "linker"
WORDNET = "61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752"
NUM_FIT, NUM_TEST, SHARE_NIL, BINS = 600, 3000, 0.2, 10


class Synset(NamedTuple):
    """A sense: what it is called, what it is, how it is used, and what it is a kind of."""

    lemmas: list[str]
    gloss: str
    examples: list[str]
    hypernyms: list[str]


class Case(NamedTuple):
    """An example with a mention, and the synset that is meant; None for NIL."""

    text: str
    lemma: str
    mention: int
    mentions: list[Mention]
    right: int | None


@cache
def synsets() -> dict[str, Synset]:
    """Return the noun synsets by offset."""
    path = kit.unpacked("wordnet-base", WORDNET) / "usr/share/wordnet/data.noun"
    found = {}
    for line in path.read_text("latin-1").splitlines():
        if line.startswith("  "):
            continue
        about, gloss = line.split(" | ", 1)
        words = about.split()
        count = int(words[3], 16)
        first = 5 + 2 * count
        pointers = [words[at : at + 2] for at in range(first, first + 4 * int(words[first - 1]), 4)]
        examples = re.findall(r'"(.*?)"', gloss)
        said = re.sub(r'"[^"]*"?', "", gloss).strip(" ;")
        lemmas = [words[4 + 2 * at].replace("_", " ") for at in range(count)]
        above = [offset for kind, offset in pointers if kind in ("@", "@i")]
        found[words[0]] = Synset(lemmas, said, examples, above)
    return found


@cache
def senses() -> dict[str, list[str]]:
    """Return the synsets of every lemma (in small letters), the commonest first."""
    path = kit.unpacked("wordnet-base", WORDNET) / "usr/share/wordnet/index.noun"
    found = {}
    for line in path.read_text("latin-1").splitlines():
        if not line.startswith("  "):
            words = line.split()
            found[words[0].replace("_", " ")] = words[-int(words[2]) :]
    return found


@cache
def examples() -> list[tuple[str, str, str]]:
    """Return (text, lemma, synset) of every example with one ambiguous lemma of its synset."""
    found = {}
    for offset, synset in synsets().items():
        for text in synset.examples:
            inside = [
                lemma
                for lemma in synset.lemmas
                if len(senses().get(lemma.lower(), ())) > 1
                and re.search(rf"\b{re.escape(lemma)}\b", text)
            ]
            if inside and len(text) > len(max(inside, key=len)) + 8:
                found.setdefault(text, (text, max(inside, key=len), offset))
    return list(found.values())


def facts(left_out: set[str]) -> list[Fact]:
    """Return what is known of all synsets but those that are left out."""
    found = []
    for offset, synset in synsets().items():
        if offset in left_out:
            continue
        for at, lemma in enumerate(synset.lemmas):
            known = senses().get(lemma.lower(), [])
            prior = 1 / (1 + known.index(offset)) if offset in known else 1.0
            found.append(Fact(offset, "alias" if at else "name", lemma, confidence=prior))
        found.append(Fact(offset, "description", synset.gloss))
        kept = [above for above in synset.hypernyms if above not in left_out]
        found += [Fact(offset, "is_a", above, True) for above in kept]
    return found


@cache
def made(num_test: int) -> tuple[Base, list[Case], list[Case]]:
    """Return the knowledge base, and the cases to fit and to test on: a fifth of each are NIL."""
    chance = np.random.default_rng(0)
    offsets = sorted(synsets())
    left_out = set(chance.permutation(offsets)[: len(offsets) // 5].tolist())
    base = Base(Snapshot.of(facts(left_out)))
    lemmas = sorted({lemma.lower() for _, lemma, _ in examples()})
    fitting = set(chance.permutation(lemmas)[: len(lemmas) // 4].tolist())
    order = chance.permutation(len(examples())).tolist()
    drawn = [case for at in order if (case := _case(base, *examples()[at], left_out))]
    parts = [[c for c in drawn if (c.lemma.lower() in fitting) == fit] for fit in (True, False)]
    return base, _balanced(parts[0], NUM_FIT), _balanced(parts[1], num_test)


def _case(base: Base, text: str, lemma: str, offset: str, left_out: set[str]) -> Case | None:
    mentions = base.find(text)
    number = base.snapshot.number(offset)
    for at, mention in enumerate(mentions):
        if text[mention.start : mention.end].lower() != lemma.lower():
            continue
        if len(mention.candidates) < 2:
            return None
        if offset in left_out:
            return Case(text, lemma, at, mentions, None)
        if number in mention.candidates:
            return Case(text, lemma, at, mentions, mention.candidates.index(number))
    return None


def _balanced(cases: Sequence[Case], count: int) -> list[Case]:
    """Return some of the cases, a fifth of them NIL."""
    nil = [case for case in cases if case.right is None]
    known = [case for case in cases if case.right is not None]
    count = int(min(count, len(nil) / SHARE_NIL, len(known) / (1 - SHARE_NIL)))
    nil = nil[: round(count * SHARE_NIL)]
    known = known[: count - len(nil)]
    return [*nil, *known]


def evidence(linker: Linker, cases: Sequence[Case]) -> list[Evidence]:
    """Return what speaks for the candidates of the mention that each case asks for."""
    texts, mentions = [case.text for case in cases], [case.mentions for case in cases]
    return linker.evidence(texts, mentions, [[case.mention] for case in cases])


def only(evidence: Sequence[Evidence], *names: str) -> list[Evidence]:
    """Return the evidence with all but some of it at zero."""
    return [
        one._replace(**{name: 0 * getattr(one, name) for name in ("context", "coherence", "types")
                        if name not in names})
        for one in evidence
    ]  # fmt: skip


def scores(likely: Sequence[np.ndarray], cases: Sequence[Case]) -> list[str]:
    """Return the cells of one system, from the probabilities of candidates and, last, of NIL."""
    said = np.array([_said(one) for one in likely])
    right = np.array([-1 if case.right is None else case.right for case in cases])
    sure = np.array([one.max() for one in likely])
    good, known = said == right, right >= 0
    both = np.sum((said < 0) & ~known)
    f1 = 2 * both / max(1, np.sum(said < 0) + np.sum(~known))
    area = roc_auc_score(~known, [one[-1] - one[:-1].max() for one in likely])
    half = 1.96 * math.sqrt(good.mean() * (1 - good.mean()) / len(good))
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    error = sum(abs(np.sum(good[bins == b]) - np.sum(sure[bins == b])) for b in range(BINS))
    cells = [f"{100 * value:.1f}" for value in (f1, area, good[known].mean(), error / len(good))]
    return [f"{100 * good.mean():.1f} ± {100 * half:.1f}", *cells]


def _said(likely: np.ndarray) -> int:
    best = int(np.argmax(likely))
    return -1 if best == len(likely) - 1 else best


def spacy_likely(base: Base, linker: Linker, fit: Sequence[Case], test: Sequence[Case]) -> Any:
    """Return what spaCy's EntityLinker says of the test cases; its scores are no probabilities."""
    entities = sorted({e for c in (*fit, *test) for e in c.mentions[c.mention].candidates})
    vectors = linker.reader.vectors([described(base, entity) for entity in entities])
    asked = {
        "vectors": {str(e): v for e, v in zip(entities, vectors.tolist(), strict=True)},
        "fit": [_told(case) for case in fit],
        "test": [_told(case) for case in test],
    }
    (found,) = SPACY.answered(asked, scratch())
    return found


def _told(case: Case) -> Mapping[str, Any]:
    mention = case.mentions[case.mention]
    right = None if case.right is None else mention.candidates[case.right]
    return {"text": case.text, "start": mention.start, "end": mention.end, "right": right,
            "candidates": mention.candidates, "priors": mention.priors}  # fmt: skip


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a call gives, and its seconds on a processor."""
    began = time.process_time()
    return call(), time.process_time() - began


def main() -> None:
    """Measure, and keep one table."""
    base, fit, test = made(10**6 if arguments(__doc__).full else NUM_TEST)
    encoder = Text(model=MINILM, tune="frozen").at(ROOT)
    linker = Linker(base, Reader(encoder, encoder.module()))
    known = evidence(linker, fit)
    right = [case.right for case in fit]
    asked, seconds = timed(lambda: evidence(linker, test))
    everything = ("context", "coherence", "types")
    weights = {
        "prior": (Weights(nil=-math.inf), ()),
        "prior, NIL fitted": (fitted(only(known), right, Weights()), ()),
        "ours, as it comes": (Weights(), everything),
        "ours, fitted": (fitted(known, right, Weights()), everything),
        "… without coherence": _left_out("coherence", known, right),
        "… without types": _left_out("types", known, right),
        "… without prior": (fitted(_unprior(known), right, Weights()), everything),
    }
    rows = [["system", "accuracy", "NIL F1", "NIL AUC", "accuracy, not NIL", "ECE"]]
    for name, (found, names) in weights.items():
        told = _unprior(asked) if name.endswith("without prior") else asked
        rows.append([name, *scores([found.probabilities(e) for e in only(told, *names)], test)])
    best = weights["ours, fitted"][0]
    bent = _nil_alone(best, known, right)
    cells = scores([bent.probabilities(one) for one in asked], test)
    rows.append(["… NIL calibrated alone", *cells])
    peer = spacy_likely(base, linker, fit, test)
    *cells, _ = scores([np.array(one) for one in peer["answers"]], test)
    rows.append(["spaCy EntityLinker", *cells, "–"])
    counts = [len(case.mentions[case.mention].candidates) for case in test]
    keep(NAME, "Which sense of a noun is meant, or none that is known", rows, [
        f"WordNet 3.0: {len(base.snapshot.entities):,} noun synsets, {len(base.lexicon):,} names; "
        f"{len(fit):,} mentions to fit, {len(test):,} to test (95 % interval), no lemma in both; "
        f"{np.mean([case.right is None for case in test]):.0%} are NIL; a mention has "
        f"{np.mean(counts):.1f} candidates (median {np.median(counts):.0f}). Percent.",
        f"Fitted weights: prior {best.prior:.2f}, context {best.context:.2f}, coherence "
        f"{best.coherence:.2f}, types {best.types:.2f}, NIL {best.nil:.2f} "
        f"({bent.nil:.2f} alone); as it comes: 1, 1, 1, 0.25, -0.25, the last two chosen on other "
        "mentions of the lemmas to fit. A fit takes a moment; reading "
        f"{len(linker.reader.known):,} entities once and all texts is what takes "
        f"time: {len(test) / seconds:.0f} mentions a second of one core, from nothing.",
        f"spaCy {peer['version']}: the default network on a blank English pipeline, the same "
        "candidates and priors, entity vectors by the same encoder, trained on four fifths of the "
        "mentions to fit; its threshold for NIL, its epochs and whether priors count are what does "
        f"best on the other fifth ({peer['epochs']} epochs, priors "
        f"{'on' if peer['has_prior'] else 'off'}). Its network learns texts from nothing, for "
        "which a few hundred mentions are little. Its scores are no probabilities.",
        "Examples show rare senses as often as common ones, so priors by rank say little here; and "
        "phrases of a few words mention little else to be coherent with. Fitted weights say both.",
        "NIL AUC: how often NIL's probability less that of the best candidate is higher for a "
        "mention that is NIL than for one that is not. Always NIL would have an F1 of 33. "
        "A sense that is missing among siblings is hard to tell from one that is there.",
        "Speed and memory of finding mentions at a million aliases: "
        "[knowledge_store](knowledge_store.md).",
    ])  # fmt: skip


def _left_out(
    name: str, known: Sequence[Evidence], right: Sequence[int | None]
) -> tuple[Weights, tuple[str, ...]]:
    """Return the weights that fit without one sort of evidence, and the names of the others."""
    names = tuple(other for other in ("context", "coherence", "types") if other != name)
    return fitted(only(known, *names), right, Weights()), names


def _nil_alone(weights: Weights, known: Sequence[Evidence], right: Sequence[int | None]) -> Weights:
    """Return the weights with the score of NIL that answers most of some mentions rightly."""

    def hits(nil: float) -> int:
        bent = replace(weights, nil=nil)
        said = [_said(bent.probabilities(one)) for one in known]
        return sum(a == (-1 if b is None else b) for a, b in zip(said, right, strict=True))

    return replace(weights, nil=max(np.linspace(-4, 4, 81).tolist(), key=hits))


def _unprior(evidence: Sequence[Evidence]) -> list[Evidence]:
    return [one._replace(priors=np.full(len(one.priors), 1 / len(one.priors))) for one in evidence]


if __name__ == "__main__":
    main()
