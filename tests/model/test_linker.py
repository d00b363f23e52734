"""What a mention means by its context: with an encoder that only knows which words are the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from making import hashing

from allrounder.errors import DataError
from allrounder.knowledge import Base, Fact, Snapshot, Weights
from allrounder.model import Labeled, Linker, Reader
from allrounder.model.linker import LEAST

FACTS = [
    Fact("firm", "name", "Apple", confidence=0.7),
    Fact("firm", "description", "sells phones and laptops"),
    Fact("fruit", "name", "apple", confidence=0.3),
    Fact("fruit", "description", "grows on trees and is eaten"),
    *(Fact(f"other{i}", "description", f"words {i} of something else {i * 7}") for i in range(20)),
]


def linker(facts=FACTS, **options):
    encoder = hashing(width=64, buckets=4096)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        module = encoder.module()
    return Linker(Base(Snapshot.of(facts)), Reader(encoder, module), **options)


def said(text, **options):
    """Return by id how likely each candidate of the one mention is, and NIL."""
    found = linker(**options)
    (one,) = found.link(text)
    ids = [found.base.snapshot.entities[entity] for entity in one.mention.candidates]
    return dict(zip([*ids, None], [*one.probabilities, one.nil], strict=True))


def test_the_context_tells_which_is_meant():
    assert said("an apple grows on trees")["fruit"] > said("an apple sells phones")["fruit"]
    assert said("apple sells phones and laptops")["firm"] > 0.8
    assert sum(said("apple sells phones").values()) == pytest.approx(1)


def test_a_new_entity_is_told_apart_with_no_training():
    new = [*FACTS, Fact("city", "alias", "apple", confidence=0.3),
           Fact("city", "description", "streets where millions live")]  # fmt: skip
    assert said("streets of apple where millions live", facts=new)["city"] > 0.5


def test_a_mention_without_any_context_is_judged_by_its_priors():
    found = said("Apple", weights=Weights(nil=-np.inf))
    assert found == {"firm": pytest.approx(0.7), "fruit": pytest.approx(0.3), None: 0.0}


def test_the_context_is_a_cosine_in_standard_deviations_over_other_entities():
    found = linker()
    text = "an apple grows on trees"
    mentions = found.base.find(text)
    (evidence,) = found.evidence([text], [mentions])

    def unit(text):
        vector = found.reader.vectors([text])[0]
        return vector / vector.norm()

    context = unit("an grows on trees")
    names, snapshot = found.base.names, found.base.snapshot
    told = {id: next(f.object for f in FACTS if f.subject == id and f.predicate == "description")
            for id in snapshot.entities}  # fmt: skip
    cosines = {id: float(context @ unit(f"{names[at]}: {told[id]}"))
               for at, id in enumerate(snapshot.entities)}  # fmt: skip
    usual = list(cosines.values())
    spread = max(np.std(usual), LEAST)
    expected = [(cosines[snapshot.entities[e]] - np.mean(usual)) / spread
                for e in mentions[0].candidates]  # fmt: skip
    assert evidence.context == pytest.approx(expected, abs=1e-4)


def test_many_texts_at_once_are_linked_as_one_by_one():
    texts = ["apple sells phones", "", "no mention", "an apple grows, apple", "apple"]
    found = linker()
    together = found.link_all(texts)
    assert list(map(len, together)) == [1, 0, 0, 2, 1]
    for text, some in zip(texts, together, strict=True):
        for one, other in zip(found.link(text), some, strict=True):
            assert one.mention == other.mention
            assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_texts_are_not_kept_but_entities_are():
    found = linker()
    found.link("an apple grows on trees")
    assert all("apple grows" not in text for text in found.reader.known)
    assert "Apple: sells phones and laptops" in found.reader.known


def test_no_text_and_an_empty_knowledge_base_are_no_obstacle():
    assert linker().link_all([]) == []
    assert linker(facts=[]).link("apple") == []


def test_the_likeliest_may_be_none_of_them():
    found = linker()
    (one,) = replace(found, weights=Weights(nil=50.0)).link("apple sells phones")
    assert one.likeliest is None
    (one,) = found.link("apple sells phones")
    assert found.base.snapshot.entities[one.likeliest] == "firm"


LABELED = [
    Labeled("apple sells phones", 0, 5, "firm"),
    Labeled("an apple grows on trees", 3, 8, "fruit"),
    Labeled("an apple of nobody here", 3, 8, None),
    Labeled("an apple of somewhere unknown", 3, 8, "town"),
]


def test_labelled_mentions_make_what_they_say_likelier():
    before, after = linker(), linker().fit(LABELED)

    def surprise(found):
        total = 0.0
        for text, _, _, id in LABELED:
            (one,) = found.link(text)
            ids = [found.base.snapshot.entities[entity] for entity in one.mention.candidates]
            likely = dict(zip(ids, one.probabilities, strict=True)).get(id, one.nil)
            total -= np.log(likely)
        return total

    assert surprise(after) < surprise(before)


def test_labels_at_places_that_are_no_mentions_are_passed_by():
    odd = Labeled("apple sells phones", 6, 11, "firm")
    assert linker().fit([*LABELED, odd]).weights == linker().fit(LABELED).weights
    with pytest.raises(DataError, match=r"found none\. Check start and end"):
        linker().fit([odd])


def test_what_is_of_a_type_tells_which_type_is_meant():
    kinds = {"city": "streets where millions live", "singer": "songs on a stage"}
    facts = [Fact(f"{kind}{at}", "type", kind) for kind in kinds for at in range(4)]
    facts += [
        Fact(f"{kind}{at}", "description", said) for kind, said in kinds.items() for at in range(4)
    ]
    facts += [Fact(f"paris-{kind}", "name", "Paris") for kind in kinds]
    facts += [Fact(f"paris-{kind}", "type", kind) for kind in kinds]
    found = linker(facts=[*FACTS, *facts], weights=Weights(context=0.0, types=1.0))
    (one,) = found.link("Paris has streets where millions live")
    assert found.base.snapshot.entities[one.likeliest] == "paris-city"
    (one,) = found.link("Paris sang songs on a stage")
    assert found.base.snapshot.entities[one.likeliest] == "paris-singer"


def test_entities_without_a_type_have_no_evidence_of_types():
    found = linker()
    text = "an apple grows on trees"
    (evidence,) = found.evidence([text], [found.base.find(text)])
    assert evidence.types.tolist() == [0.0, 0.0]
