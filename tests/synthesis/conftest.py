"""What labels are made from, in the small project of sentences."""

import pytest
from sentences import write_sentences

from allrounder.plan import read_plan
from allrounder.synthesizing import material_of


@pytest.fixture
def material(tmp_path):
    """Return what labels are made from in such a project."""

    def read(**options):
        file = write_sentences(tmp_path, **options)
        return material_of(read_plan(file), file.parent / "runs", lambda *_: None)

    return read
