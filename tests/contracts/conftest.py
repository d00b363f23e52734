"""What kinds of synthesis need to make something, by kind."""

import pytest
from sentences import write_sentences

from allrounder.plan import read_plan
from allrounder.synthesizing import material_of


@pytest.fixture
def material_for(tmp_path):
    """Return the settings that a kind needs, and what it makes labels from."""

    def prepare(kind):
        file = write_sentences(tmp_path / kind)
        return {}, material_of(read_plan(file), file.parent / "runs", lambda *_: None)

    return prepare
