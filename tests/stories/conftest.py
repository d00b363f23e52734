"""The command line, as stories use it."""

import pytest

from allrounder import cli


@pytest.fixture
def say(capsys):
    """Run the command line: ``code, out, err = say("check", file)``."""

    def said(*words):
        code = cli.main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return said
