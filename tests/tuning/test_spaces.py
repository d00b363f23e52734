"""Where a search looks: what can be written, and the sentence for everything that cannot."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import newsroom as sections
from making import save_tiny_encoder

from allrounder.documents import from_yaml, to_yaml
from allrounder.errors import ProjectError
from allrounder.plan import read_plan
from allrounder.tuning.space import as_it_stands, changed, check_spaces, read_spaces


@pytest.fixture
def plan(newsroom):
    return read_plan(newsroom(size=6))


def refused(plan, *search) -> str:
    with pytest.raises(ProjectError) as caught:
        check_spaces(plan, read_spaces(search))
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "key", "kind", "values"),
    [
        ("training.lr=log(1e-5,1e-3)", "training.lr", "log", (1e-5, 1e-3)),
        ("training.lr = log( 1e-5, 0.1 )", None, None, None),
        ("tasks.topic.weight=uniform(0.5,2)", "tasks.topic.weight", "uniform", (0.5, 2)),
        ("training.epochs=int(2,8)", "training.epochs", "int", (2, 8)),
        ("inputs.text.tune=choice(full,lora)", "inputs.text.tune", "choice", ("full", "lora")),
        ("a.b=choice({kind: x, of: [1, 2]}, 1e-3, null, 'a,b')", "a.b", "choice",
         ({"kind": "x", "of": [1, 2]}, 1e-3, None, "a,b")),
    ],
)  # fmt: skip
def test_a_space_is_a_key_a_kind_and_yaml_values(text, key, kind, values):
    if key is None:
        with pytest.raises(ProjectError, match="expected KEY=KIND"):
            read_spaces([text])
        return
    (space,) = read_spaces([text])
    assert (space.key, space.kind, space.values) == (key, kind, values)


KNOWN = "Kinds: log, uniform, int, choice."
BAD = [
    ("training.lr", "--search 'training.lr': expected KEY=KIND(…), as in "
     f"training.lr=log(1e-5,1e-3). {KNOWN}"),
    ("training.lr=1e-4", "--search 'training.lr=1e-4': expected KEY=KIND(…), as in "
     f"training.lr=log(1e-5,1e-3). {KNOWN}"),
    ("training.lr=lgo(1,2)", "--search 'training.lr=lgo(1,2)': there is no kind of space 'lgo'. "
     "Did you mean 'log'? Known: log, uniform, int, choice."),
    ("training.lr=log(1e-5)", "--search 'training.lr=log(1e-5)': expected two numbers, the low end "
     "and the high end, found [1e-05]."),
    ("training.lr=log(a,b)", "--search 'training.lr=log(a,b)': expected two numbers, the low end "
     "and the high end, found ['a', 'b']."),
    ("training.lr=log(1,.inf)", "--search 'training.lr=log(1,.inf)': expected two numbers, the low "
     "end and the high end, found [1, inf]."),
    ("training.lr=log(1e-3,1e-5)", "--search 'training.lr=log(1e-3,1e-5)': expected the low end "
     "first, found 0.001 and 1e-05."),
    ("training.lr=log(0,1)", "--search 'training.lr=log(0,1)': a logarithm needs ends above 0, "
     "found 0. Take uniform(…)."),
    ("training.epochs=int(1.5,3)", "--search 'training.epochs=int(1.5,3)': expected two whole "
     "numbers, the low end and the high end, found [1.5, 3]."),
    ("training.probe=choice(true)", "--search 'training.probe=choice(true)': expected two or more "
     "different choices, found [True]."),
    ("fusion=choice(a,a)", "--search 'fusion=choice(a,a)': expected two or more different choices, "
     "found ['a', 'a']."),
    ("fusion=choice([)", "--search 'fusion=choice([)': expected YAML values between the brackets, "
     "found '['."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), BAD, ids=[text for text, _ in BAD])
def test_a_space_that_cannot_be_read_is_refused_in_words(text, words):
    with pytest.raises(ProjectError) as caught:
        read_spaces([text])
    assert str(caught.value) == words


def test_nothing_to_search_is_refused():
    with pytest.raises(ProjectError, match=r"Say what to search, as in --search 'training\.lr="):
        read_spaces([])


@pytest.mark.parametrize(
    "second", ["training.sampling=choice(a,b)", "training.sampling.alpha=uniform(0,1)"]
)
def test_a_key_is_searched_once(second):
    first = "training.sampling=choice(proportional,smoothed)"
    with pytest.raises(ProjectError, match=r"`training\.sampling` is searched already, and both"):
        read_spaces([first, second])


def test_keys_that_only_begin_alike_do_not_overlap():
    assert len(read_spaces(["training.lr=log(1,2)", "training.lr_more=log(1,2)"])) == 2


UNFIT = [
    ("training.lrr=log(1e-5,1e-3)", "`training.lrr` is not a known key. Did you mean 'lr'? Known:"),
    ("trainin.lr=log(1e-5,1e-3)", "`trainin` is not a section of a project file. Did you mean "
     "'training'?"),
    ("tasks.topics.weight=uniform(1,2)", "--search 'tasks.topics.weight=uniform(1,2)': "
     "`tasks.topics` is not in the project file. Did you mean 'topic'? Known: topic, mood, ent"),
    ("inputs.txt.width=int(8,16)", "--search 'inputs.txt.width=int(8,16)': `inputs.txt` is not in "
     "the project file. Did you mean 'text'? Known: text."),
    ("training.lr=choice(fast,slow)", "`training.lr`: input should be a valid number, unable to "
     "parse string as a number. Got 'fast'."),
    ("training.batch_records=uniform(8,32)", "`training.batch_records`: input should be a valid "
     "integer, got a number with a fractional part. Got 17.17."),
    ("training.dropout=uniform(0,1)", "`training` has `dropout: 1.0`. Expected 0 to less than 1."),
    ("training.schedule=choice(linear,cosin)", "`training.schedule.kind`: there is no schedules "
     "kind 'cosin'. Did you mean 'cosine'?"),
    ("training.lr.x=log(1,2)", "`training.lr`: input should be a valid number. Got {'x': 1}."),
    ("sources.0.limit=int(5,10)", "`sources.0.limit` cannot be searched: its trials would not be "
     "judged on the same records by the same metrics."),
    ("tasks.topic.metric=choice(accuracy,macro_f1)", "`tasks.topic.metric` cannot be searched: "
     "its trials would not be judged on the same records by the same metrics."),
    ("tasks.mood.range=choice([-4, 4],[-9, 9])", "`tasks.mood.range` cannot be searched"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), UNFIT, ids=[text for text, _ in UNFIT])
def test_a_space_that_does_not_fit_the_project_is_refused_before_any_trial(plan, text, words):
    assert refused(plan, text).startswith(words)


def test_a_model_that_is_not_there_is_refused_before_any_trial(newsroom, tmp_path):
    save_tiny_encoder(tmp_path / "newsroom/tiny")
    plan = read_plan(newsroom(size=6, inputs={"text": {"kind": "text", "model": "tiny"}}))
    assert "tinny" in refused(plan, "inputs.text.model=choice(tiny,./tinny)")


@pytest.mark.parametrize(
    "text",
    ["training.lr=log(1e-5,1e-3)", "training.sampling=choice({kind: smoothed}, proportional)",
     "tasks.mood.weight=uniform(0.5,2)", "inputs.text.width=int(8,16)", "training.epochs=int(1,9)"],
)  # fmt: skip
def test_any_other_key_can_be_searched(plan, text):
    check_spaces(plan, read_spaces([text]))


@given(st.floats(0, 1))
def test_floats_have_few_digits_and_stay_inside_the_space(share):
    (space,) = read_spaces(["training.lr=uniform(0.123456,0.876543)"])
    low, high = space.values
    value = space.value(low + share * (high - low))
    assert low <= value <= high
    assert value in (low, high) or len(f"{value:g}".replace(".", "").strip("0")) <= 4


def test_values_stand_in_the_file_where_they_were_written(plan):
    other = changed(plan, {"training.lr": 0.5, "tasks.topic.weight": 2})
    assert (other.training.lr, other.tasks["topic"].weight) == (0.5, 2)
    assert other.sections["tasks"]["topic"] == {"kind": "multiclass", "weight": 2}
    assert plan.sections == sections(), "the searched plan is left as it was"


@pytest.mark.parametrize(
    ("search", "drawn"),
    [
        (["training.head_lr=log(1e-3,1)"], {"training.head_lr": 0.03}),
        (["training.lr=log(1e-5,1e-3)"], {"training.lr": 5e-5}),
        (["training.epochs=int(2,8)"], {"training.epochs": 2}),
        (["training.schedule=choice(cosine,linear)"], {"training.schedule": 1}),
        (["training.schedule=choice(cosine,{kind: linear})"], {"training.schedule": 1}),
        (["training.head_lr=log(0.1,1)"], None),
        (["training.epochs=int(3,8)", "training.head_lr=log(1e-3,1)"], None),
        (["training.schedule=choice(cosine,constant)"], None),
    ],
)  # fmt: skip
def test_the_file_as_it_stands_is_a_point_of_the_spaces_or_lies_outside(plan, search, drawn):
    assert as_it_stands(plan, read_spaces(search)) == drawn


def test_half_an_epoch_is_no_whole_number(newsroom):
    plan = read_plan(newsroom(training={"epochs": 2.5}))
    assert as_it_stands(plan, read_spaces(["training.epochs=int(2,8)"])) is None


def test_what_is_written_is_read_back_as_it_was():
    day = datetime.date(2026, 1, 1)
    sections = {"b": ["1e-4", 1e-4, "no", None, "1", day, "日"], "a": {"x": {"y": "z: #"}}}
    again = from_yaml(to_yaml(sections))
    assert again == sections
    assert list(again) == ["b", "a"]
    assert type(again["b"][0]) is str
