"""Words told beside the tasks: what is hidden, what it changes, what it leaves alone."""

import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
import yaml
from making import save_tiny_decoder, save_tiny_encoder, tiny_text
from torch.nn import functional

from allrounder import Project, ProjectError
from allrounder.checking import load_records
from allrounder.encoders.telling import Teller
from allrounder.encoders.transformer import Transformer
from allrounder.evaluation import Report
from allrounder.judging import job_of
from allrounder.model.tensors import load_tensors
from allrounder.runs import Run
from allrounder.training.loop import Loop, parameter_groups
from allrounder.training.pretraining import MaskedWords
from allrounder.training.twins import alone_of

WORDS = "shares rose fell market bank goal team match coach vote law minister party said".split()
TRAINING = {
    "epochs": 3, "batch_records": 8, "lr": 0.01, "head_lr": 0.03, "precision": "fp32",
    "dropout": 0.1, "probe": False,
}  # fmt: skip
HIDES = {"kind": "masked", "weight": 0.5}
LABELLED = 4
"""One training text in so many has a label."""


def rows_of(split: str, size: int) -> list[dict]:
    """Return texts in which every second word follows from the one before it."""
    chance = np.random.default_rng(len(split))
    rows = []
    for number in range(size):
        picks = chance.integers(0, len(WORDS) - 1, 5)
        row = {"text": " ".join(f"{WORDS[at]} {WORDS[at + 1]}" for at in picks)}
        if split != "train" or number % LABELLED == 0:
            row["topic"] = "sport" if picks[0] > 6 else "markets"
        rows.append(row)
    return rows


def write(folder: Path, words=HIDES, *, text=None, inputs=None, more=(), **training) -> Path:
    """Write a project of texts of which most have no label; return its file."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "teller").exists():
        save_tiny_encoder(folder / "teller", layers=2, tells=True)
    for split, size in (("train", 160), ("validation", 30), ("test", 30)):
        rows = [*rows_of(split, size), *(more if split == "train" else ())]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = {"kind": "text", "model": "teller", "max_tokens": 32, **(text or {})}
    project = {
        "sources": [{"path": f"{s}.jsonl", "split": s} for s in ("train", "validation", "test")],
        "inputs": inputs or {"text": text},
        "tasks": {"topic": {"kind": "multiclass", "labels": ["markets", "sport"]}},
        "training": {**TRAINING, "pretraining": words, **training},
    }
    (folder / "words.yaml").write_text(yaml.safe_dump(project, sort_keys=False))
    return folder / "words.yaml"


def job(file: Path):
    plan = Project.load(file).plan
    found = job_of(plan, load_records(plan), Run(file.parent / "job", {}), lambda *_: None)
    return found.learned()


def lessons(file: Path):
    mine = job(file)
    return mine.lessons(mine.prepared(mine.model(dropout=0.0)))


def loop(file: Path) -> Loop:
    mine = job(file)
    model = mine.model(dropout=mine.settings.dropout)
    prepared = mine.prepared(model)
    rows = mine.rows("train")
    return Loop(model, prepared, rows, mine.settings, lessons=mine.lessons(prepared))


def weights(run: Path, name: str = "model") -> dict:
    return load_tensors(run / f"{name}.safetensors")[0]


# ------------------------------------------------------------------ the head


def moved(encoder) -> Transformer:
    """Return the encoder with weights that are no longer those of its folder."""
    encoding = Transformer(encoder).eval()
    with torch.no_grad():
        for weight in encoding.network.parameters():
            weight += 0.1 * torch.randn_like(weight)
    return encoding


def test_the_loss_is_that_of_the_models_own_head_over_the_encoder_of_the_tasks(teller):
    encoder = tiny_text(teller)
    encoding = moved(encoder)
    head = Teller(MaskedWords(), encoder, encoding).eval()
    assert not head.fresh, "the model has a head of its own"
    texts = pa.chunked_array([pa.array(["the bank fell", "shares of acme rose after the vote"])])
    batch = encoder.collate(encoder.prepare([texts]), [0, 1], [False, False])
    loss, count = head.loss(batch, torch.Generator().manual_seed(5))
    again = torch.Generator().manual_seed(5)
    read, places = head.words.hidden(batch.ids, batch.mask, MaskedWords(), again)
    states = encoding.network(input_ids=read, attention_mask=batch.mask.long()).last_hidden_state
    predictions = head.network.cls.predictions
    output = encoding.network.get_input_embeddings().weight
    logits = predictions.transform(states[places]) @ output.T + predictions.bias
    wanted = functional.cross_entropy(logits, batch.ids[places], reduction="sum")
    assert count == int(places.sum()) > 1
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)


def test_the_head_owns_no_weight_of_the_encoder_but_the_embeddings_that_are_tied(teller):
    encoder = tiny_text(teller)
    encoding = moved(encoder)
    head = Teller(MaskedWords(), encoder, encoding)
    lent = {id(weight): name for name, weight in encoding.network.named_parameters()}
    shared = [lent[id(weight)] for weight in head.parameters() if id(weight) in lent]
    assert shared == ["embeddings.word_embeddings.weight"]
    assert not any("layer" in name for name, _ in head.named_parameters())


@pytest.mark.filterwarnings(
    "ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"
)  # peft asks for it
@pytest.mark.parametrize("tune", ["full", "lora", "top:1"])
def test_what_is_told_teaches_the_layers_that_learn(tiny, tune):
    if tune == "lora":
        pytest.importorskip("peft")
    encoder = tiny_text(tiny, tune=tune)
    encoding = Transformer(encoder)
    head = Teller(MaskedWords(), encoder, encoding)
    assert any("transform" in name for name in head.fresh), "this model has no head of its own"
    texts = pa.chunked_array([pa.array(["the bank fell after the vote"] * 4)])
    batch = encoder.collate(encoder.prepare([texts]), range(4), [False] * 4)
    head.loss(batch, torch.Generator().manual_seed(1))[0].backward()
    learning = {n for n, weight in encoding.named_parameters() if weight.requires_grad}
    reached = {n for n, w in encoding.named_parameters() if w.grad is not None and w.grad.any()}
    assert reached <= learning
    assert {name.split(".layer.")[1][0] for name in reached if ".layer." in name} == {
        name.split(".layer.")[1][0] for name in learning if ".layer." in name
    }


def test_a_head_of_the_models_own_learns_at_the_rate_of_the_encoder_and_a_fresh_one_does_not(
    tmp_path, tiny
):
    for model, rate in (("teller", 0.01), (tiny, 0.03)):
        mine = job(write(tmp_path / Path(model).name, text={"model": str(model)}))
        found = mine.model(dropout=0.0)
        groups = parameter_groups(found, mine.settings)
        dense = found.tellers["text"].network.cls.predictions.transform.dense.weight
        (lr,) = {g["lr"] for g in groups if any(w is dense for w in g["params"])}
        assert lr == rate


# ------------------------------------------------------------------ the texts


def test_every_pass_takes_each_text_once_labelled_or_not(tmp_path):
    found = lessons(write(tmp_path))
    assert 140 < len(found.rows) <= 160
    num = len(found._cuts) + 1
    first, second = ([found.batch(number * num + at + 1) for at in range(num)] for number in (0, 1))
    for batches in (first, second):
        assert sorted(np.concatenate(batches).tolist()) == found.rows.tolist()
    assert [part.tolist() for part in first] != [part.tolist() for part in second]


def test_a_text_that_judges_is_not_learned_from_and_no_text_twice(tmp_path):
    judging, twice = rows_of("test", 1)[0]["text"], "acme rose after the vote"
    found = lessons(write(tmp_path, more=[{"text": judging}, {"text": twice}, {"text": twice}]))
    texts = [found.prepared.values["text"][row].as_py() for row in found.rows.tolist()]
    assert texts.count(twice) == 1
    assert judging not in texts


def test_what_a_step_reads_and_hides_follows_from_the_seed_and_its_number(tmp_path):
    one, other = lessons(write(tmp_path)), lessons(write(tmp_path))
    assert [one.batch(step).tolist() for step in (1, 2, 9)] == [
        other.batch(step).tolist() for step in (1, 2, 9)
    ]
    assert one.batch(9).tolist() == lessons(write(tmp_path)).batch(9).tolist(), "after a kill"
    assert one.backward(9) == other.backward(9) != one.backward(10)
    assert one.judged(np.arange(40)) == other.judged(np.arange(40)), "fixed where it is judged"


# ------------------------------------------------------------------ what it leaves alone


def first_step(loop: Loop):
    torch.manual_seed(1)
    return next(iter(loop.steps()))


def test_the_first_step_of_the_tasks_is_the_same_without_it_and_it_adds_its_gradient(tmp_path):
    without, beside = (loop(write(tmp_path, words, schedule="constant")) for words in (None, HIDES))
    first = [first_step(one) for one in (without, beside)]
    assert first[0].losses == first[1].losses
    assert first[1].tokens > first[0].tokens
    name = "encoders.text.network.encoder.layer.0.attention.self.query.weight"
    ones = [dict(one.model.named_parameters())[name].grad for one in (without, beside)]
    assert not torch.equal(*ones)


def test_with_weight_0_nothing_is_told_and_the_training_is_the_same_to_the_last_bit(tmp_path):
    runs = []
    for words in (None, {**HIDES, "weight": 0}):
        file = write(tmp_path / str(bool(words)), words)
        assert Project.load(file).train().telling is None
        runs.append(file.parent / "runs/1")
    assert not (runs[1] / "tellers.safetensors").exists()
    ones, others = map(weights, runs)
    assert ones.keys() == others.keys()
    assert all(torch.equal(ones[name], others[name]) for name in ones)


def test_a_model_that_answers_has_no_head_for_words(tmp_path):
    file = write(tmp_path)
    Project.load(file).train()
    run = file.parent / "runs/1"
    assert not any(name.startswith("tellers.") for name in weights(run))
    told = weights(run, "tellers")
    assert told
    assert not any("embedding" in name or ".encoder." in name for name in told)
    answer = Project.load(run).predict({"text": "the bank fell"})
    assert list(answer) == ["topic"]


# ------------------------------------------------------------------ what it changes


def test_texts_without_labels_are_told_better_and_the_report_says_so(tmp_path):
    report = Project.load(write(tmp_path, epochs=12, patience=99)).train()
    found = report.telling
    assert found.validation[0]["step"] == 0
    assert len(found.validation) == 13
    assert found.validation[-1]["loss"] < found.validation[0]["loss"] - 0.5
    assert found.validation[-1]["loss"] < found.constant < math.log(100)
    assert found.loss < found.validation[0]["loss"]
    assert (found.num_judged, found.num_learned) == (30, len(lessons(write(tmp_path)).rows))
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))).telling == found
    assert "Hidden words of text: perplexity" in str(
        report
    ) and "by a constant that knows how often each token stands" in str(report)


def test_from_goes_on_with_the_head_that_was_learned(tmp_path):
    file = write(tmp_path / "a")
    first = Project.load(file).train().telling
    project = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**project, "from": "runs/1"}))
    second = Project.load(file).train().telling
    shipped = weights(file.parent / "runs/1", "tellers")
    mine = job(file).model(dropout=0.0).tellers["text"]
    for name, weight in mine.named_parameters():
        if f"tellers.text.{name}" in shipped:
            assert torch.equal(weight.cpu(), shipped[f"tellers.text.{name}"])
    assert second.validation[0]["loss"] < first.validation[0]["loss"] - 0.3


def test_snapshots_of_their_own_and_an_average_of_weights_go_with_it(tmp_path):
    options = {"snapshots": "own", "ema": 0.9, "weighting": "uncertainty"}
    file = write(tmp_path, epochs=4, evaluate_every=0.5, twins=True, **options)
    report = Project.load(file).train()
    assert report.telling is not None
    assert Project.load(file.parent / "runs/1").predict({"text": "the bank fell"})["topic"]


def test_a_twin_tells_words_too_where_it_reads_them(tmp_path):
    mine = job(write(tmp_path))
    assert alone_of(mine, "topic", 0, 1.0).settings.pretraining == mine.settings.pretraining


# ------------------------------------------------------------------ what is refused


def refused(file: Path) -> str:
    with pytest.raises(ProjectError) as caught:
        Project.load(file).train()
    return str(caught.value)


def test_a_frozen_encoder_is_refused(tmp_path):
    assert refused(write(tmp_path, text={"tune": "frozen"})) == (
        "`training.pretraining` lets the encoder of `text` learn, and it is frozen: nothing would. "
        "Choose `tune: full`, `lora` or `top:N`, or remove it."
    )


def test_an_input_that_is_no_text_is_refused(tmp_path):
    inputs = {"text": {"kind": "hashing"}}
    assert refused(write(tmp_path, inputs=inputs)) == (
        "`training.pretraining` is for the encoder of one input of kind `text`, and the project "
        "has 0: none. Add one."
    )


def test_of_several_texts_one_has_to_be_named(tmp_path):
    text = {"kind": "text", "model": "teller"}
    inputs = {"text": text, "other": {**text, "fields": ["text"]}}
    assert refused(write(tmp_path, inputs=inputs)) == (
        "`training.pretraining` is for the encoder of one input of kind `text`, and the project "
        "has 2: text, other. Name one as `training.pretraining.input`."
    )
    assert "Did you mean 'text'?" in refused(
        write(tmp_path, {**HIDES, "input": "texts"}, inputs=inputs)
    )


def test_a_model_that_cannot_tell_hidden_words_is_refused(tmp_path):
    save_tiny_decoder(tmp_path / "decoder")
    found = refused(write(tmp_path, text={"model": "decoder"}))
    assert found.endswith(
        "decoder is of a kind that cannot tell hidden words. BERT, RoBERTa, XLM-RoBERTa, "
        "DistilBERT, ELECTRA and ModernBERT can: choose such a model, or remove it."
    )
    assert found.startswith("`training.pretraining`: ")


def test_a_tokenizer_without_a_mask_is_refused(tmp_path):
    file = write(tmp_path)
    tokenizer = tmp_path / "teller" / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace("[MASK]", "[NONE]"))
    assert "the tokenizer has no token for hidden words ([MASK] or <mask>)" in refused(file)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"weight": -1}, "`training.pretraining` has `weight: -1.0`. Expected 0 or more."),
        ({"mask_share": 1}, "`training.pretraining` has `mask_share: 1.0`. Expected between 0 and"),
        ({"batch_records": 0}, "`training.pretraining` has `batch_records: 0`. Expected 1 or more"),
    ],
    ids=lambda found: next(iter(found)) if isinstance(found, dict) else "",
)
def test_a_setting_without_sense_is_refused(tmp_path, keys, words):
    assert refused(write(tmp_path, {**HIDES, **keys})).startswith(words)
