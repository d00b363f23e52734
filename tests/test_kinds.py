"""How a kind is found, built and written out."""

import sys
from dataclasses import dataclass, fields
from importlib.metadata import EntryPoint

import pytest

from allrounder import kinds
from allrounder.catalogue import FAMILIES
from allrounder.errors import ProjectError
from allrounder.kinds import Kind, Kinds, build, dump, importable
from allrounder.tasks import TASKS


@dataclass(kw_only=True)
class Shape(Kind):
    """A shape."""

    sides: int = 4


@dataclass(kw_only=True)
class Square(Shape):
    """Four equal sides."""

    length: float
    colors: list[str] | None = None

    def __post_init__(self):
        if self.length <= 0:
            raise ValueError(f"has `length: {self.length}`. Expected more than 0.")


class Round(Shape):
    """Found by its entry point."""


SHAPES = Kinds[Shape]("shapes", square=Square)
BOTH = pytest.mark.parametrize("family", sorted(FAMILIES))


def refused(spec):
    with pytest.raises(ProjectError) as caught:
        SHAPES.build(spec, at="shapes.it")
    return str(caught.value)


def test_a_kind_is_built_from_its_fields():
    assert SHAPES.build({"kind": "square", "length": 2}, at="x") == Square(length=2.0)


def test_an_object_passes_through():
    square = Square(length=1)
    assert SHAPES.build(square, at="x") is square


def test_written_out_and_built_again_it_is_the_same():
    square = Square(length=1.5, colors=["red"])
    assert dump(square) == {"kind": "square", "sides": 4, "length": 1.5, "colors": ["red"]}
    assert SHAPES.build(dump(square), at="x") == square


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"kind": "square"}, "`shapes.it.length` is missing: square cannot do without it."),
        (
            {"kind": "square", "lenght": 1},
            "`shapes.it.lenght` is not a known key. Did you mean 'length'? "
            "Known: colors, length, sides.",
        ),
        (
            {"kind": "square", "length": [1]},
            "`shapes.it.length`: input should be a valid number. Got [1].",
        ),
        (
            {"kind": "square", "length": 1, "sides": 2.5},
            "`shapes.it.sides`: input should be a valid integer, got a number with a fractional "
            "part. Got 2.5.",
        ),
        (
            {"kind": "square", "length": -1},
            "`shapes.it` has `length: -1.0`. Expected more than 0.",
        ),
        (
            {"kind": "sqare", "length": 1},
            "`shapes.it.kind`: there is no shapes kind 'sqare'. Did you mean 'square'? Known "
            "kinds: square; your own class is written 'module:Class'.",
        ),
        ({"length": 1}, "`shapes.it` needs a `kind`. Known kinds: square."),
        ([1], "`shapes.it` must name a kind: {kind: …}. Got [1]."),
    ],
)
def test_what_does_not_fit_is_refused_word_for_word(spec, words):
    assert refused(spec) == words


def test_build_wants_a_mapping():
    with pytest.raises(ProjectError, match=r"^`a\.b` must be a mapping of keys to val.* Got 3\.$"):
        build(Square, 3, at="a.b")


def test_a_kind_that_another_package_publishes_is_found(monkeypatch):
    def published(*, group, name):
        point = EntryPoint("round", f"{__name__}:Round", "allrounder.shapes")
        return [point] if (group, name) == ("allrounder.shapes", "round") else []

    monkeypatch.setattr(kinds, "entry_points", published)
    assert SHAPES.find("round", at="x").__name__ == "Round"
    assert "there is no shapes kind 'oval'" in refused({"kind": "oval"})


@BOTH
def test_every_kind_has_a_summary_of_one_sentence(family):
    for kind, cls in FAMILIES[family].builtin.items():
        summary = cls.__doc__.split("\n")[0]
        assert summary.endswith("."), kind


@BOTH
def test_every_setting_of_a_kind_is_described(family):
    for kind, cls in FAMILIES[family].builtin.items():
        words = "\n".join(base.__doc__ or "" for base in cls.__mro__ if base is not object)
        for name in (field.name for field in fields(cls)):
            assert f"{name}:" in words, f"{family}.{kind}.{name} is not described"


@BOTH
def test_every_kind_knows_its_name(family):
    for kind, cls in FAMILIES[family].builtin.items():
        assert cls.kind_name() == kind


def test_a_class_may_lie_beside_the_project_file(tmp_path):
    (tmp_path / "beside_it.py").write_text("from allrounder.tasks import Multiclass as Mine\n")
    before = list(sys.path)
    with importable(tmp_path):
        assert TASKS.build({"kind": "beside_it:Mine"}, at="tasks.it").kind_name() == "multiclass"
    assert sys.path == before
