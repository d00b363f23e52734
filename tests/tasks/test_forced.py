"""Texts that are forced: whoever writes them, and however, what comes to its end obeys."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
import transformers
import yaml
from making import HAN, WORDS, tiny_text, tiny_tokenizer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from allrounder import MissingExtra, Project, ProjectError
from allrounder.model import Model, Prepared
from allrounder.spelling import Spelling, spelled
from allrounder.tasks import TASKS, Generation, pieces
from allrounder.tasks.forced import Forced
from allrounder.tasks.generation import Light

pytest.importorskip("llguidance")

TEXTS = ["shares rose in acme", "the bank", "北京的公司 said good of the team"]
LIGHT = Light(layers=1, width=16, heads=2, vocabulary=300)


def word_pieces():
    tokenizer = tiny_tokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def signs():
    """Return a tokenizer of single characters, as `pretrain` makes for Chinese."""
    known = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        *dict.fromkeys("".join(WORDS) + HAN + ' {}":,.0123'),
    ]
    tokenizer = Tokenizer(models.WordLevel({sign: at for at, sign in enumerate(known)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


def bytewise():
    merges = pieces.learned(["the vote fell", "北京 上海 no yes"] * 9, 330)
    tokenizer = Tokenizer.from_str(pieces._made(tuple(merges)).to_str())
    tokenizer.add_special_tokens(["[PAD]", "[CLS]", "[SEP]"])
    return tokenizer


def blanks():
    """Return a tokenizer whose words begin with a mark, as T5's and Llama's."""
    letters = sorted({*"".join(WORDS), *HAN, *'{}":,.0123▁'})
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *bytes_, *letters, *("▁" + word for word in WORDS)]
    tokenizer = Tokenizer(
        models.WordLevel({w: at for at, w in enumerate(dict.fromkeys(known))}, "[UNK]")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
         decoders.Strip(" ", 1, 0)]
    )  # fmt: skip
    return tokenizer


TOKENIZERS = {"pieces": word_pieces, "signs": signs, "bytes": bytewise, "blanks": blanks}


@pytest.fixture(scope="module")
def model_of(tmp_path_factory):
    made = {}

    def find(kind, tokens):
        if (kind, tokens) in made:
            return made[kind, tokens]
        folder, tokenizer = tmp_path_factory.mktemp(kind), TOKENIZERS[tokens]()
        ids = {"vocab_size": tokenizer.get_vocab_size() + 3, "pad_token_id": 0,
               "eos_token_id": tokenizer.token_to_id("[SEP]")}  # fmt: skip
        torch.manual_seed(5)
        if kind == "t5":
            config = transformers.T5Config(
                d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, decoder_start_token_id=0,
                dropout_rate=0.0, initializer_factor=3.0, **ids,
            )  # fmt: skip
            network = transformers.T5ForConditionalGeneration(config)
        else:
            config = transformers.LlamaConfig(
                hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
                max_position_embeddings=200, initializer_range=0.3, **ids,
            )  # fmt: skip
            network = transformers.LlamaForCausalLM(config)
        network.save_pretrained(folder)
        tokenizer.save(str(folder / "tokenizer.json"))
        made[kind, tokens] = str(folder)
        return made[kind, tokens]

    return find


def draft(model_of, kind, tokens, **keys):
    """Return what is about to be written of three texts."""
    keys = {"max_tokens": 60, **keys}
    if kind == "light":
        merges = pieces.learned(["the vote fell", "北京 上海"], 300)
        keys = {"light": LIGHT, "pieces": merges, **keys}
        kind, tokens = "llama", "pieces"
    encoder = tiny_text(model_of(kind, tokens), max_tokens=40, tune="full")
    torch.manual_seed(2)
    model = Model({"text": encoder}, {"reply": Generation(of="text", **keys)}, dropout=0.0).eval()
    labels = {"reply": pa.chunked_array([pa.array(TEXTS, pa.string())])}
    prepared = Prepared.of(model, {"text": pa.array(TEXTS, pa.string())}, labels)
    with torch.no_grad():
        return model(prepared.batch(np.arange(3), {"reply": np.ones(3, bool)}))["reply"]


WRITERS = pytest.mark.parametrize(
    ("kind", "tokens"),
    [("llama", "pieces"), ("llama", "signs"), ("llama", "bytes"), ("llama", "blanks"),
     ("t5", "pieces"), ("t5", "blanks"), ("t5", "signs"), ("light", "")],
)  # fmt: skip
MANNERS = pytest.mark.parametrize(
    "manner",
    [{}, {"beams": 3}, {"temperature": 1.5, "seed": 1}, {"beams": 3, "temperature": 1.0},
     {"no_repeat": 1}, {"no_repeat": 1, "temperature": 1.0},
     {"temperature": 1.0, "top_k": 2, "top_p": 0.5}],
    ids=["greedy", "beams", "drawn", "beams drawn", "no repeat", "drawn no repeat", "few"],
)  # fmt: skip


@WRITERS
@MANNERS
def test_what_comes_to_its_end_is_one_of_the_choices(model_of, kind, tokens, manner):
    choices = ["the vote fell", "no", "北" if tokens == "pieces" else "北京"]
    for text, finished in draft(model_of, kind, tokens, choices=choices, **manner).written():
        assert finished
        assert text in choices


@WRITERS
@MANNERS
def test_what_comes_to_its_end_matches_the_regex(model_of, kind, tokens, manner):
    for text, finished in draft(
        model_of, kind, tokens, regex="^(no|the) ?(team|[0-3]{1,3})$", **manner
    ).written():
        assert finished
        assert re.fullmatch("(no|the) ?(team|[0-3]{1,3})", text)


SCHEMA = {
    "type": "object",
    "properties": {
        "a": {"enum": ["no", "the"]},
        "n": {"type": "integer", "maximum": 33, "minimum": 0},
    },
    "required": ["a", "n"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("kind", "tokens"), [("llama", "signs"), ("llama", "bytes"), ("t5", "blanks"), ("light", "")]
)
@MANNERS
def test_what_comes_to_its_end_obeys_the_schema(model_of, kind, tokens, manner):
    for text, finished in draft(model_of, kind, tokens, schema=SCHEMA, **manner).written():
        assert finished
        found = json.loads(text)
        assert found["a"] in ("no", "the")
        assert 0 <= found["n"] <= 33


@WRITERS
@pytest.mark.parametrize("manner", [{}, {"beams": 2}, {"temperature": 3.0}])
def test_what_comes_to_its_end_holds_all_terms(model_of, kind, tokens, manner):
    terms = ["no", "北"]
    for text, finished in draft(model_of, kind, tokens, terms=terms, **manner).written():
        assert all(term in text for term in terms) or not finished


def test_terms_may_come_in_any_order(model_of):
    forced = draft(model_of, "light", "pieces", terms=["no", "a/b. (c)"]).forced
    assert forced.obeyed("x a/b. (c) 北 no")
    assert forced.obeyed("no, a/b. (c)")
    assert not forced.obeyed("no, axb. (c)")


def test_training_does_not_change(model_of):
    plain, forced = (
        draft(model_of, "llama", "signs", **keys) for keys in ({}, {"choices": ["no", "北京"]})
    )
    targets = torch.tensor([[5, 6, 7], [8, 9, -100], [11, -100, -100]])
    for one, other in zip(plain.likelihood(targets), forced.likelihood(targets), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("keys", [{}, {"temperature": 1.0}, {"beams": 2}])
def test_what_is_streamed_is_what_is_forced(model_of, keys):
    whole = draft(model_of, "llama", "bytes", choices=["the vote fell", "北京 上海"], **keys)
    alone = replace(whole, memory=whole.memory.at(torch.tensor([1])))
    assert "".join(alone.pieces()) in ["the vote fell", "北京 上海"]


@MANNERS
def test_a_text_from_where_no_token_leads_on_is_not_finished(model_of, manner):
    found = draft(model_of, "llama", "signs", regex="no+(Ω|é)", max_tokens=20, **manner).written()
    assert not any(finished for _, finished in found)


def test_beams_leave_what_leads_nowhere(model_of):
    found = draft(model_of, "llama", "signs", regex="(Ω|no|n)(Ω|team)", beams=4).written()
    assert all(finished and text in ("noteam", "nteam") for text, finished in found)


def test_choices_that_would_always_be_cut_are_refused(model_of):
    words = (
        "has 'the vote', which takes the model 8 tokens and one that ends it. Got `max_tokens: 8`"
    )
    with pytest.raises(ProjectError, match=re.escape(words)):
        draft(model_of, "llama", "signs", choices=["no", "the vote"], max_tokens=8)
    choices = ["no", "the vote"]
    written = draft(model_of, "llama", "signs", choices=choices, max_tokens=9).written()
    assert all(finished and text in choices for text, finished in written)


def test_a_text_that_is_cut_is_not_finished(model_of):
    found = draft(model_of, "llama", "signs", regex="no{40,}", max_tokens=9).written()
    assert not any(finished for _, finished in found)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (
            {"choices": ["no"], "regex": "no"},
            "`tasks.reply` has `regex` and `choices`: a text obeys one of them. Remove the others.",
        ),
        ({"choices": []}, "`tasks.reply` has `choices: []`. Expected at least one text."),
        ({"terms": []}, "`tasks.reply` has `terms: []`. Expected at least one text."),
        (
            {"terms": ["no", " "]},
            "`tasks.reply` has ' ' among its `terms`. Expected texts with no white space around "
            "them.",
        ),
        (
            {"regex": "(no"},
            "`tasks.reply` has a `regex` that cannot be followed: unclosed group. Got '(no'. Write "
            "it without that; docs/writing.md says what can be used.",
        ),
        (
            {"schema": {"type": "objet"}},
            "`tasks.reply` has a `schema` that cannot be followed: Invalid type: objet. Got "
            "{'type': 'objet'}. Write it without that; docs/writing.md says what can be used.",
        ),
        (
            {"schema": {"not": {"type": "string"}}},
            "`tasks.reply` has a `schema` that cannot be followed: Unimplemented keys: "
            "[\"not\"]. Got {'not': {'type': 'string'}}. Write it without that; "
            "docs/writing.md says what can be used.",
        ),
    ],
)
def test_what_cannot_be_followed_is_refused_before_anything_runs(keys, words):
    with pytest.raises(ProjectError) as caught:
        TASKS.build({"kind": "generation", **keys}, at="tasks.reply")
    assert str(caught.value) == words


def test_the_extra_is_named_where_it_lacks(monkeypatch):
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(MissingExtra) as caught:
        TASKS.build({"kind": "generation", "terms": ["no"]}, at="tasks.reply")
    assert str(caught.value) == (
        "Tasks with `terms` need llguidance. Try: pip install 'allrounder[forced]'"
    )


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"choices": ["no", "Ωμέγα"]}, r"The tokens of the model cannot write 'Ωμέγα', which `ch"),
        ({"choices": ["no[SEP]no"]}, r"cannot write 'no\[SEP\]no', which"),
        ({"terms": ["Ω"]}, r"cannot write 'Ω', which `terms` asks for\. Spell it as"),
        ({"regex": "Ω+"}, r"write nothing that `regex` begins with\. Change it, or take a model"),
    ],
)
def test_what_no_tokens_write_is_refused(model_of, keys, words):
    with pytest.raises(ProjectError, match=words):
        draft(model_of, "llama", "signs", **keys)


@pytest.mark.parametrize(
    "text", ["a/b", "c\\d", "1+1=2?", "(no)", "a b\nc", "京\"'", "#x&~", "[^a]$"]
)
def test_signs_of_regexes_stand_for_themselves_in_choices_and_terms(text):
    everything = tuple(bytes([byte]) for byte in range(256))
    spelling = Spelling((*everything, b""), np.ones(257, bool))
    for keys in ({"choices": [text, "no"]}, {"terms": [text]}):
        forced = Forced(Generation(**keys), spelling, 256, "the model")
        assert forced.obeyed(text)
        assert not forced.obeyed(text[:-1])


def test_slashes_in_a_regex_stand_for_themselves():
    spelling = Spelling((*(bytes([byte]) for byte in range(256)), b""), np.ones(257, bool))
    for regex in ("a/b", r"a\/b", "^a/b$", "a[/]b"):
        forced = Forced(Generation(regex=regex), spelling, 256, "the model")
        assert forced.obeyed("a/b")
        assert not forced.obeyed("a\\/b")


@pytest.mark.parametrize("kind", sorted(TOKENIZERS))
def test_a_spelling_is_what_the_tokenizer_says(kind):
    tokenizer = TOKENIZERS[kind]()
    spelling = spelled(tokenizer, "the model")
    for text in ("the vote fell", "北", "no"):
        row = spelling.written(text.encode(), begins=True)
        assert tokenizer.decode(row).strip() == text


def test_bytes_are_written_only_where_no_other_token_writes_them():
    tokenizer = blanks()
    spelling = spelled(tokenizer, "the model")
    assert spelling.tokens[tokenizer.token_to_id("<0x74>")] == b""
    assert spelling.tokens[tokenizer.token_to_id("<0xE4>")] == b"\xe4"
    assert spelling.written(b"the vote", begins=True) == [
        tokenizer.token_to_id("▁the"), tokenizer.token_to_id("▁vote"),
    ]  # fmt: skip
    row = spelling.written("the Ω".encode(), begins=True)
    assert tokenizer.decode(row) == "the Ω"


def test_a_piece_inside_a_word_begins_no_text():
    tokenizer = word_pieces()
    spelling = spelled(tokenizer, "the model")
    assert spelling.written(b"a", begins=True) == [tokenizer.token_to_id("a")]
    assert spelling.written(b"a") == [tokenizer.token_to_id("##a")]
    assert spelling.written(b" a,") == [tokenizer.token_to_id("a"), tokenizer.token_to_id(",")]


def test_tokens_that_hang_on_their_company_are_refused():
    tokenizer = word_pieces()
    tokenizer.decoder = decoders.CTC(pad_token="[PAD]")  # it drops what is said twice
    with pytest.raises(ProjectError, match="write other letters in other company"):
        spelled(tokenizer, "the model")


def test_a_run_says_the_same_in_a_fresh_process(tmp_path, model_of):
    rows = [
        {"text": f"the {word} {i}", "reply": word} for i in range(8) for word in ("team", "vote")
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "talk.jsonl").write_text(lines, encoding="utf-8")
    model = model_of("llama", "bytes")
    plan = {
        "sources": ["talk.jsonl"],
        "inputs": {"text": {"kind": "text", "model": model, "max_tokens": 24, "tune": "full"}},
        "tasks": {"reply": {"kind": "generation", "max_tokens": 12, "choices": ["team", "vote"]}},
        "training": {"epochs": 1, "precision": "fp32"},
    }  # fmt: skip
    (tmp_path / "talk.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
    project = Project.load(tmp_path / "talk.yaml")
    project.train()
    answer = project.predict({"text": "the team 北京"})
    assert answer["reply"]["text"] in ("team", "vote")
    assert answer["reply"]["finished"]
    done = subprocess.run(
        [sys.executable, "-m", "allrounder.cli", "predict", str(project.run.path), "--quiet",
         "the team 北京"], capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == answer
