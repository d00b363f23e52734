"""Texts that are written: by models that go on with what they read, and by light decoders."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest
import sacrebleu
import torch
import transformers
import yaml
from making import save_tiny_encoder, tiny_text, tiny_tokenizer
from torch.nn import functional
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    T5Config,
    T5ForConditionalGeneration,
)

from allrounder import DataError, Project, ProjectError, cli
from allrounder.cli.shared import harmless
from allrounder.encoders.branches import Branch
from allrounder.model import Model, Prepared
from allrounder.tasks import Generation, Multiclass, Spans
from allrounder.tasks.likeness import bleu, chrf, rouge_l

PROMPTS = ["shares rose in acme", "the bank", "北京的公司 said good of the team"]
REPLIES = ["the vote fell", "minister said good 上海", "no"]


@pytest.fixture(scope="module")
def tiny_t5(tmp_path_factory):
    folder, tokenizer = tmp_path_factory.mktemp("t5"), tiny_tokenizer()
    torch.manual_seed(3)
    config = T5Config(
        vocab_size=tokenizer.get_vocab_size(), d_model=16, d_kv=8, d_ff=32, num_layers=2,
        num_heads=2, decoder_start_token_id=0, pad_token_id=0, dropout_rate=0.0,
        eos_token_id=tokenizer.token_to_id("[SEP]"), initializer_factor=3.0,
    )  # fmt: skip
    T5ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return str(folder)


def made(folder, *, texts=PROMPTS, replies=REPLIES, tasks=None, tune="full", **keys):
    task = Generation(of="text", max_tokens=12, **keys)
    tasks = {"reply": task, **(tasks or {})}
    model = Model({"text": tiny_text(folder, max_tokens=24, tune=tune)}, tasks, dropout=0.0)
    labels = {"reply": pa.chunked_array([pa.array(replies, pa.string())])}
    values = {"text": pa.array(texts, pa.string())}
    return Prepared.of(model.eval(), values, labels)


def losses(prepared, rows):
    rows = np.array(rows)
    batch = prepared.batch(rows, {"reply": np.ones(len(rows), bool)}, targets=True)
    with torch.no_grad():
        return prepared.model.losses(batch)["reply"]


def test_a_decoder_finds_a_text_as_likely_as_by_itself(tiny_decoder):
    prepared = made(tiny_decoder, before="the")
    encoder = prepared.model.inputs["text"]
    network = AutoModelForCausalLM.from_pretrained(tiny_decoder).eval()
    end = network.config.eos_token_id
    for row, found in enumerate(losses(prepared, [0, 1, 2])):
        batch = encoder.collate(prepared.tokens["text"], [row], [False])
        reply = [*encoder.words([REPLIES[row]])[0], end]
        ids = [*batch.ids[0].tolist(), *encoder.words(["the"])[0], *reply]
        logits = network(input_ids=torch.tensor([ids])).logits[0, -len(reply) - 1 : -1]
        wanted = functional.cross_entropy(logits, torch.tensor(reply))
        assert found.item() == pytest.approx(wanted.item(), rel=1e-4)


SHAPE = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "num_key_value_heads": 1, "max_position_embeddings": 64, "initializer_range": 0.3,
}  # fmt: skip
ARCHITECTURES = {
    "gpt2": lambda ids: transformers.GPT2Config(
        n_embd=16, n_layer=2, n_head=2, n_positions=64, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0,
        initializer_range=0.3, **ids,
    ),
    "qwen2": lambda ids: transformers.Qwen2Config(**SHAPE, **ids),
    "gemma2": lambda ids: transformers.Gemma2Config(**SHAPE, head_dim=8, **ids),
    "gemma3": lambda ids: transformers.Gemma3TextConfig(
        **SHAPE, head_dim=8, sliding_window=8, layer_types=["sliding_attention", "full_attention"],
        **ids,
    ),
    "mistral": lambda ids: transformers.MistralConfig(**SHAPE, sliding_window=8, **ids),
    "bart": lambda ids: transformers.BartConfig(
        d_model=16, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, dropout=0.0,
        max_position_embeddings=64, init_std=0.3, decoder_start_token_id=2,
        forced_eos_token_id=None, **ids,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_models_of_all_families_find_a_text_as_likely_as_by_themselves(name, tmp_path):
    tokenizer = tiny_tokenizer()
    ids = {"vocab_size": tokenizer.get_vocab_size(), "pad_token_id": 0, "bos_token_id": 2,
           "eos_token_id": 3}  # fmt: skip
    config, kind = ARCHITECTURES[name](ids), AutoModelForCausalLM
    if name == "bart":
        kind = AutoModelForSeq2SeqLM
    torch.manual_seed(1)
    kind.from_config(config).save_pretrained(tmp_path)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    prepared = made(str(tmp_path), before="the")
    encoder, network = prepared.model.inputs["text"], kind.from_pretrained(tmp_path).eval()
    for row, found in enumerate(losses(prepared, [0, 1, 2])):
        batch = encoder.collate(prepared.tokens["text"], [row], [False])
        before, reply = encoder.words(["the", REPLIES[row]])
        reply = [*map(int, reply), 3]
        if name == "bart":
            begun = torch.tensor([[2, *map(int, before), *reply[:-1]]])
            logits = network(input_ids=batch.ids, decoder_input_ids=begun).logits
        else:
            whole = torch.tensor([[*batch.ids[0].tolist(), *map(int, before), *reply[:-1]]])
            logits = network(input_ids=whole).logits
        wanted = functional.cross_entropy(logits[0, -len(reply) :], torch.tensor(reply))
        assert found.item() == pytest.approx(wanted.item(), rel=1e-3)


@pytest.fixture(scope="module")
def half(tiny_decoder, tmp_path_factory):
    """The tiny decoder as most are published: in bf16, which its configuration says."""
    folder = tmp_path_factory.mktemp("half")
    AutoModelForCausalLM.from_pretrained(tiny_decoder, dtype=torch.bfloat16).save_pretrained(folder)
    tiny_tokenizer().save(str(folder / "tokenizer.json"))
    return str(folder)


def test_a_model_published_in_bf16_is_no_rounder_in_a_run(half, tmp_path):
    encoder = tiny_text(half, tune="full")
    encoder.save(tmp_path)
    saved = encoder.saved(tmp_path)
    for module in (encoder.module(), saved.module(), saved.writing("reply")):
        assert {weight.dtype for weight in module.parameters()} == {torch.float32}


HYBRIDS = {
    "mamba": lambda ids: transformers.MambaConfig(hidden_size=16, num_hidden_layers=2, **ids),
    "lfm2": lambda ids: transformers.Lfm2Config(
        **SHAPE, layer_types=["conv", "full_attention"], **ids
    ),
}


@pytest.mark.parametrize("name", sorted(HYBRIDS))
def test_models_that_sum_up_what_they_read_are_refused(name, tmp_path):
    ids = {"vocab_size": 200, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    AutoModelForCausalLM.from_config(HYBRIDS[name](ids)).save_pretrained(tmp_path)
    tiny_tokenizer().save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ProjectError, match=rf"\({name}\) sums up what it read"):
        tiny_text(str(tmp_path), max_tokens=24, tune="full").writing("reply")


@pytest.mark.parametrize("tune", ["frozen", "top:1"])
def test_a_light_decoder_reads_what_frozen_layers_said_before(desk, tiny, tune):
    text = {"kind": "text", "model": tiny, "max_tokens": 24, "tune": tune}
    project = desk(inputs={"text": text}, tasks={"reply": LIGHT, "topic": {"kind": "multiclass"}})
    report = project.train()
    found = report.tasks["reply"].metrics["bits_per_character"]
    assert found.after.value < found.baseline.value
    assert project.predict({"text": "team fell"})["reply"]["text"] is not None


def test_an_encoder_decoder_finds_a_text_as_likely_as_by_itself(tiny_t5):
    prepared = made(tiny_t5)
    encoder = prepared.model.inputs["text"]
    network = AutoModelForSeq2SeqLM.from_pretrained(tiny_t5).eval()
    for row, found in enumerate(losses(prepared, [0, 1, 2])):
        batch = encoder.collate(prepared.tokens["text"], [row], [False])
        reply = torch.tensor([[*encoder.words([REPLIES[row]])[0], network.config.eos_token_id]])
        wanted = network(input_ids=batch.ids, labels=reply).loss
        assert found.item() == pytest.approx(wanted.item(), rel=1e-4)


@pytest.mark.parametrize("which", ["tiny_decoder", "tiny_t5"])
def test_what_is_written_is_what_the_model_by_itself_writes(which, request):
    folder = request.getfixturevalue(which)
    prepared = made(folder, beams=2)
    encoder, rows = prepared.model.inputs["text"], np.arange(3)
    batch = prepared.batch(rows, {"reply": np.ones(3, bool)})
    with torch.no_grad():
        draft = prepared.model(batch)["reply"]
    kind = AutoModelForCausalLM if which == "tiny_decoder" else AutoModelForSeq2SeqLM
    network = kind.from_pretrained(folder).eval()
    for row, (text, _) in enumerate(draft.written()):
        alone = encoder.collate(prepared.tokens["text"], [row], [False])
        start = [[*draft.start]]
        ids = torch.cat([alone.ids, torch.tensor(start)], 1) if which == "tiny_decoder" else None
        inputs = {"input_ids": ids} if ids is not None else {"input_ids": alone.ids}
        out = network.generate(
            **inputs, max_new_tokens=12, num_beams=2, do_sample=False,
            attention_mask=torch.ones_like(inputs["input_ids"]),
        )[0]  # fmt: skip
        new = out[ids.shape[1] :] if ids is not None else out[1:]
        assert text == encoder.said(new.tolist())


def test_one_decoder_carries_labels_stretches_and_texts(tiny_decoder):
    tasks = {
        "topic": Multiclass(labels=["a", "b"], of="text"),
        "names": Spans(labels=["X"], of="text"),
    }
    prepared = made(tiny_decoder, tasks=tasks)
    alone = made(tiny_decoder)
    rows = np.arange(3)
    wanted = {name: np.ones(3, bool) for name in ("reply", "topic", "names")}
    with torch.no_grad():
        found = prepared.model(prepared.batch(rows, wanted))
    assert set(found) == {"reply", "topic", "names"}
    torch.testing.assert_close(losses(prepared, rows), losses(alone, rows))
    names = dict(prepared.model.named_parameters())
    assert not any(name.startswith("heads.reply") for name in names), "it has no weights of its own"


def test_what_was_read_is_not_told_again(tiny_decoder):
    prepared = made(tiny_decoder)
    target = prepared.target("reply", np.array([0]))
    rows = np.array([0])
    with torch.no_grad():
        draft = prepared.model(prepared.batch(rows, {"reply": np.ones(1, bool)}))["reply"]
        _, count = draft.likelihood(target)
    assert count.item() == target.shape[1] + 1


def test_longer_labels_are_cut(tiny_decoder):
    prepared = made(tiny_decoder, replies=["the vote fell and " * 9, None, None])
    assert prepared.target("reply", np.array([0])).shape[1] == 12


def test_batches_count_what_is_written_too(tiny_decoder):
    prepared = made(tiny_decoder, replies=["the vote fell", None, "no"])
    read = prepared.num_read("text", np.zeros(3, bool))
    assert (prepared.lengths() - read).tolist() == [12, 0, 2]


def test_sampling_draws_the_same_again_and_others_with_another_seed(tiny_decoder):
    def written(seed):
        prepared = made(tiny_decoder, temperature=2.0, seed=seed)
        with torch.no_grad():
            draft = prepared.model(prepared.batch(np.arange(3), {"reply": np.ones(3, bool)}))
        return draft["reply"].written()

    assert written(1) == written(1)
    assert written(1) != written(2)


def test_metrics_are_those_of_their_libraries():
    truths = ["the cat sat on the mat today", "a small dog ran away from me"]
    wrote = ["the cat sat on a mat today", "a dog ran far away from me"]
    arrays = [Generation().array(texts) for texts in (truths, wrote)]
    assert bleu(*arrays) == pytest.approx(
        sacrebleu.BLEU(effective_order=True).corpus_score(wrote, [truths]).score / 100
    )
    assert chrf(*arrays) == pytest.approx(
        sacrebleu.CHRF().corpus_score(wrote, [truths]).score / 100
    )
    assert 0.5 < rouge_l(*arrays) < 1


def test_chinese_is_not_lost_to_the_metrics():
    truths, wrote = (
        Generation().array([text]) for text in ("床前明月光疑是地上霜", "床前明月光疑是天上霜")
    )
    for metric in (bleu, chrf, rouge_l):
        assert 0.3 < metric(truths, wrote) < 1


@pytest.fixture
def desk(tmp_path, tiny_decoder):
    def write(**sections):
        rows = [
            {"text": f"{a} {b} {i}", "reply": f"{b} the {a}", "topic": a}
            for i in range(8) for a in ("shares", "team") for b in ("rose", "fell", "said")
        ]  # fmt: skip
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / "talk.jsonl").write_text(lines, encoding="utf-8")
        project = {
            "sources": ["talk.jsonl"],
            "inputs": {"text": {"kind": "text", "model": tiny_decoder, "max_tokens": 24}},
            "tasks": {
                "reply": {"kind": "generation", "max_tokens": 12},
                "topic": {"kind": "multiclass"},
            },
            "training": {"epochs": 6, "lr": 5e-3, "head_lr": 5e-3, "batch_records": 16,
                         "precision": "fp32"},
            **sections,
        }  # fmt: skip
        (tmp_path / "talk.yaml").write_text(yaml.safe_dump(project), encoding="utf-8")
        return Project.load(tmp_path / "talk.yaml")

    return write


LIGHT = {"kind": "generation", "max_tokens": 12,
         "light": {"layers": 1, "width": 32, "heads": 2, "vocabulary": 300}}  # fmt: skip


@pytest.mark.parametrize("light", [False, True])
def test_a_project_writes_and_says_how_well(desk, light):
    tasks = {"tasks": {"reply": LIGHT, "topic": {"kind": "multiclass"}}} if light else {}
    project = desk(**tasks)
    report = project.train()
    found = report.tasks["reply"].metrics
    assert list(found) == ["bits_per_character", "perplexity", "chrf", "bleu", "rouge_l"]
    assert found["bits_per_character"].after.value < found["bits_per_character"].baseline.value
    assert all(math.isfinite(one.after.value) for one in found.values())
    answer = project.predict({"text": "team fell 3"})
    assert set(answer["reply"]) == {"text", "finished"}
    assert Project.load(project.run.path).predict({"text": "team fell 3"}) == answer
    again = project.evaluate().tasks["reply"].metrics["perplexity"].after
    assert again == found["perplexity"].after


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("keys", [{}, {"beams": 2}, {"temperature": 0.9, "seed": 3}])
def test_what_comes_in_pieces_is_what_comes_at_once(desk, light, keys, capsys):
    task = {**(LIGHT if light else {"kind": "generation", "max_tokens": 12}), **keys}
    project = desk(tasks={"reply": task, "topic": {"kind": "multiclass"}})
    project.train()
    whole = project.predict({"text": "team fell 北京"})
    first, *pieces = project.predict_pieces({"text": "team fell 北京"})
    assert first == {"answers": {"topic": whole["topic"]}}
    assert {piece["task"] for piece in pieces} <= {"reply"}
    assert "".join(piece["text"] for piece in pieces) == whole["reply"]["text"]
    file = str(project.plan.folder / "talk.yaml")
    assert cli.main(["predict", file, "team fell 北京", "--stream", "--quiet"]) == 0
    labels, text = capsys.readouterr().out.split("\n", 1)
    assert json.loads(labels) == {"topic": whole["topic"]}
    assert text in (f"reply: {harmless(whole['reply']['text'])}\n", "")
    assert cli.main(["predict", file, "--stream", "--quiet"]) == 2


@pytest.mark.parametrize("light", [False, True])
def test_what_is_longer_than_the_context_is_cut_and_said_so(desk, light):
    task = LIGHT if light else {"kind": "generation", "max_tokens": 12}
    project = desk(tasks={"reply": task, "topic": {"kind": "multiclass"}})
    with open(project.plan.folder / "talk.jsonl", "a", encoding="utf-8") as file:
        for number in range(6):
            row = {"text": f"team said {number} " + "the bank rose " * 200, "reply": "no"}
            file.write(json.dumps(row) + "\n")
    report = project.train()
    assert any("6 of 54 texts of text are longer than 24 tokens" in note for note in report.notes)
    answer = project.predict({"text": "shares fell " * 400})
    assert isinstance(answer["reply"]["text"], str)


def test_a_picture_of_several_inputs_can_be_written_of(desk):
    inputs = {
        "text": {"kind": "hashing", "width": 16, "buckets": 512},
        "topic_text": {"kind": "hashing", "width": 24, "buckets": 512, "fields": ["text"]},
    }
    project = desk(inputs=inputs, tasks={"reply": LIGHT})
    report = project.train()
    assert report.tasks["reply"].decides == "bits_per_character"
    assert project.predict({"text": "team fell 3"})["reply"]["text"] is not None


def test_a_model_that_only_reads_is_refused_with_what_can(desk, tmp_path):
    encoder = save_tiny_encoder(tmp_path / "reads")
    project = desk(inputs={"text": {"kind": "text", "model": encoder}})
    with pytest.raises(ProjectError, match=r"only reads\. Choose `light: true`, a decoder that is"):
        project.train()
    assert not (tmp_path / "runs").exists() or not any((tmp_path / "runs").iterdir())


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ({"max_tokens": 0}, "has `max_tokens: 0`. Expected 1 or more."),
        ({"light": {"vocabulary": 9}}, "too few for special tokens and the 256 bytes."),
        ({"light": {"width": 30, "heads": 4}}, "no multiple of `heads: 4`"),
        ({"top_p": 0}, "has `top_p: 0.0`. Expected more than 0, at most 1."),
        ({"abstain": 0.5}, "cannot abstain: a text is no choice."),
        ({"max_tokens": 60}, "beside what is read the model has places for 40."),
    ],
)
def test_bad_settings_are_refused_in_words(desk, task, words):
    with pytest.raises(ProjectError) as caught:
        desk(tasks={"reply": {"kind": "generation", **task}}).train()
    assert words in str(caught.value)


def test_a_frozen_model_has_nothing_to_learn_to_write_by(desk, tiny_decoder):
    text = {"kind": "text", "model": tiny_decoder, "max_tokens": 24, "tune": "frozen"}
    with pytest.raises(ProjectError, match="has nothing to learn to write by"):
        desk(inputs={"text": text}).train()


def test_gradients_of_what_is_written_are_not_compared(desk):
    with pytest.raises(ProjectError, match=r"`tasks\.reply` writes from all that its model keeps"):
        desk(training={"weighting": "upgrad"})


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize(
    "keys",
    [{"r_drop": 0.5, "dropout": 0.1},
     {"patience": 1, "patience_steps": 0, "evaluate_every": 0.5, "hold": 0.5}, {"snapshots": "own"},
     {"head_start": {"steps": 2}}, {"mixup": 0.3}, {"ema": 0.9}],
)  # fmt: skip
def test_it_goes_with_other_ways_to_train(desk, light, keys):
    tasks = {"tasks": {"reply": LIGHT, "topic": {"kind": "multiclass"}}} if light else {}
    training = {"epochs": 3, "lr": 5e-3, "batch_records": 16, "precision": "fp32", **keys}
    project = desk(**tasks, training=training)
    assert set(project.train().tasks) == {"reply", "topic"}


def test_twins_know_it_and_advice_on_sharing_leaves_it_out(desk):
    project = desk(training={"epochs": 2, "lr": 5e-3, "precision": "fp32", "twins": True})
    with pytest.raises(DataError, match="Advice on sharing needs two tasks"):
        project.check(sharing=True)
    report = project.train()
    assert report.sharing.tasks["reply"].metric == "bits_per_character"


def lent(folder):
    """Return a model that writes, two texts as it reads them with facts beside, and the facts."""
    encoder = tiny_text(folder, max_tokens=24, tune="full")
    facts = encoder.words(["minister lin of ruritania", "good"])
    tokens = encoder.prepare([pa.array(PROMPTS[:2], pa.string())])
    branches = [[Branch(ids)] for ids in facts]
    batch = encoder.collate_beside(tokens, [0, 1], [False, False], branches)
    plain = [encoder.collate(tokens, [row], [False]).ids[0] for row in (0, 1)]
    return encoder.writing("reply").eval(), batch, plain, [torch.tensor(ids) for ids in facts]


def test_a_decoder_reads_facts_before_the_text(tiny_decoder):
    module, batch, plain, facts = lent(tiny_decoder)
    network = AutoModelForCausalLM.from_pretrained(tiny_decoder).eval()
    with torch.no_grad():
        found = module(batch, tokens=True)
    ids = torch.tensor([[5, 7, 9], [6, 8, 4]])
    with torch.no_grad():
        logits = module.logits(found.memory, ids, torch.ones_like(ids).bool()).view(2, 3, -1)
        written = module.written(found.memory, ids, {"max_new_tokens": 5})
    for row, (text, told) in enumerate(zip(plain, facts, strict=True)):
        whole = torch.cat([text[: batch.lead], told, text[batch.lead :]])
        with torch.no_grad():
            wanted = network(
                input_ids=torch.cat([whole, ids[row]])[None], output_hidden_states=True
            )
            more = network.generate(
                input_ids=torch.cat([whole, ids[row]])[None], max_new_tokens=5,
                do_sample=False, pad_token_id=0,
            )  # fmt: skip
        assert torch.allclose(logits[row], wanted.logits[0, -3:], atol=1e-4)
        own = wanted.hidden_states[-1][0, batch.lead + len(told) : len(whole)]
        length = int(batch.lengths[row])
        assert torch.allclose(found.tokens[row, :length], own[:length], atol=1e-4)
        assert (
            written[row].tolist()[: more.shape[1] - len(whole) - 3]
            == more[0][len(whole) + 3 :].tolist()
        )


def test_an_encoder_decoder_reads_facts_right_behind_the_text(tiny_t5):
    module, batch, plain, facts = lent(tiny_t5)
    network = AutoModelForSeq2SeqLM.from_pretrained(tiny_t5).eval()
    with torch.no_grad():
        found = module(batch, tokens=True)
    for row, (text, told) in enumerate(zip(plain, facts, strict=True)):
        whole = torch.cat([text, told])
        with torch.no_grad():
            wanted = network.get_encoder()(input_ids=whole[None]).last_hidden_state[0]
        there = found.memory.mask[row]
        assert torch.allclose(found.memory.states[row][there], wanted, atol=1e-4)


def test_facts_that_hang_on_mentions_are_refused_by_what_writes(tiny_decoder):
    encoder = tiny_text(tiny_decoder, max_tokens=24, tune="full")
    tokens = encoder.prepare([pa.array(PROMPTS[:1], pa.string())])
    branch = Branch(encoder.words(["good"])[0], anchor=(0, 1))
    batch = encoder.collate_beside(tokens, [0], [False], [[branch]])
    with pytest.raises(ProjectError, match=r"cannot hang on single mentions\. Choose"):
        encoder.writing("reply")(batch, tokens=True)
