"""The command line as a whole."""

from importlib import import_module

import pytest

from allrounder import cli
from allrounder.cli import program


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
