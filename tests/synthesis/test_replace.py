"""Words told anew: from the likeliest, never as they were, never in spans, in their own case."""

import json

import numpy as np
import pytest
import torch
from making import HAN, tiny_text

from allrounder.errors import ProjectError
from allrounder.synthesis import Replace
from allrounder.synthesis.edits import words_of
from allrounder.synthesis.filling import Filler
from allrounder.synthesis.near import plain


@pytest.fixture(scope="module")
def filler(teller):
    return Filler(tiny_text(teller), top=3)


def told(filler, text, places, seed=0):
    words = [words_of(text)[at] for at in places]
    (found,) = filler.told([(text, words)], [np.random.default_rng(seed)])
    return found


def test_words_come_from_the_likeliest_of_the_model_and_never_the_old_one(filler):
    """Against the scores of the model, read here with its own mask in place of the word."""
    text = "shares rose in ruritania"
    ids = filler.tokenizer.encode(f"shares {filler.mask} in ruritania").ids
    with torch.no_grad():
        logits = filler.masking.network(input_ids=torch.tensor([ids])).logits
    assert ids[2] == filler.hidden
    order = logits[0, ids.index(filler.hidden)].argsort(descending=True).tolist()
    whole = [filler.words[at] for at in order if filler.usable[False][at]]
    likeliest = [word for word in whole if word != "rose"][:3]
    drawn = {told(filler, text, [1], seed)[0] for seed in range(40)}
    assert drawn <= set(likeliest)
    assert len(drawn) > 1


def test_han_characters_are_told_as_han_characters_and_words_as_words(filler):
    for seed in range(10):
        one, other = told(filler, "北京公司 shares", [0, 4], seed)
        assert one in HAN
        assert other not in HAN


def test_case_is_kept(filler):
    first, second, third = told(filler, "Shares ROSE in", [0, 1, 2])
    assert first[0].isupper()
    assert second.isupper()
    assert third.islower()


def test_texts_of_a_batch_do_not_change_one_another(filler):
    texts = ["shares rose", "the team of lin won the match in ruritania after a good vote"]
    words = [[words_of(text)[1]] for text in texts]
    chances = [np.random.default_rng(at) for at in range(2)]
    both = filler.told(list(zip(texts, words, strict=True)), chances)
    alone = [told(filler, text, [1], at) for at, text in enumerate(texts)]
    assert both == alone


def test_what_lies_beyond_what_the_model_reads_stays(filler):
    text = "the bank fell and " * 40
    assert len(told(filler, text, [0, 150])) == 1


def test_spans_and_numbers_are_left_alone(material, teller):
    found = material()
    settings = Replace(model=teller, share=0.9, n=3)
    made = [one for block in settings.blocks(found) for one in block]
    for one in made:
        (span,), (old,) = one.labels["who"], one.parent.labels["who"]
        text, before = one.fields["text"], one.parent.fields["text"]
        assert text[span["start"] : span["end"]] == before[old["start"] : old["end"]]
        assert [c for c in text if c.isdigit()] == [c for c in before if c.isdigit()]
        assert plain(text) != plain(before)


def test_a_model_without_a_trained_head_is_refused(material, tiny):
    with pytest.raises(ProjectError) as caught:
        list(Replace(model=tiny).blocks(material()))
    words = str(caught.value)
    assert "has no trained head for hidden words" in words
    assert "allrounder pretrain" in words


def test_by_default_it_is_what_was_pretrained_last_on_hidden_words(material, teller, tmp_path):
    found = material()
    with pytest.raises(ProjectError, match="no model was pretrained on hidden words yet"):
        Replace().num_blocks(found)
    for number, kind in enumerate(("masked", "masked", "contrastive"), 1):
        folder = tmp_path / "pretraining" / str(number)
        folder.mkdir(parents=True)
        (folder / "pretraining.json").write_text(json.dumps({"kind": kind}))
        (folder / "encoder").symlink_to(teller)
    assert Replace()._encoder(found).model == str(tmp_path / "pretraining/2/encoder")
