"""The command line as a whole."""

import argparse
import json
from importlib import import_module

import pytest

from allrounder import cli
from allrounder.cli import program
from allrounder.cli.predict import _stream, _write_line


@pytest.mark.parametrize("verb", program.VERBS, ids=lambda verb: verb.__name__)
def test_every_verb_stands_in_a_file_of_its_name(verb, capsys):
    name = verb.__name__.rpartition(".")[2]
    assert import_module(f"allrounder.cli.{name}") is verb
    with pytest.raises(SystemExit, match="0"):
        cli.main([name, "--help"])
    assert capsys.readouterr().out.startswith(f"usage: allrounder {name} ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "x.yaml"], "\nStopped. It goes on with: allrounder train --resume\n"),
        (["check", "x.yaml"], "\nStopped.\n"),
    ],
)
def test_stopping_names_the_verb_that_goes_on_if_there_is_one(monkeypatch, capsys, words, said):
    def stop(*_):
        raise KeyboardInterrupt

    for name in ("train", "check"):
        monkeypatch.setattr(import_module(f"allrounder.cli.{name}"), "load", stop)
    assert cli.main([*words, "--quiet"]) == 130
    assert capsys.readouterr().err == said


STEERING = "a\x1b[2Jb\x9b1mc\x07d\x7f\r"


def test_what_is_printed_raw_steers_no_terminal(capsys):
    pieces = [{"answers": {}}, {"task": "reply", "text": STEERING + "\n\t北京"}]
    _stream(pieces, argparse.Namespace(json=False, top=None))
    assert capsys.readouterr().out == "reply: a[2Jb1mcd\n\t北京\n"


@pytest.mark.parametrize("streamed", [False, True])
def test_json_says_all_that_a_model_says_and_steers_no_terminal(capsys, streamed):
    said = {"task": "reply", "text": STEERING}
    if streamed:
        _stream([said], argparse.Namespace(json=True, top=None))
    else:
        _write_line(said)
    out = capsys.readouterr().out
    assert json.loads(out) == said
    assert out.rstrip("\n").isprintable()
