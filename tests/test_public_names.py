"""What is public, and what starts without waiting for torch."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import allrounder
from allrounder.catalogue import FAMILIES

SOURCE = Path(allrounder.__file__).parent
HEAVY = ("torch", "transformers", "sklearn", "scipy", "matplotlib", "peft")


def python(code: str, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )


def loaded_by(code: str, *words: str) -> set[str]:
    """Return the heavy libraries that a fresh Python has loaded after `code`."""
    tail = f"\nimport json, sys\nprint(json.dumps([n for n in {HEAVY!r} if n in sys.modules]))"
    done = python(code + tail, *words)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("name", allrounder.__all__)
def test_every_public_name_resolves_and_has_a_docstring(name):
    assert getattr(allrounder, name).__doc__


def test_public_names_are_sorted_and_all_listed():
    assert allrounder.__all__ == sorted(allrounder.__all__)
    assert set(allrounder._HOMES) == set(allrounder.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'allrounder' has no attribute 'Projekt'"):
        _ = allrounder.Projekt


@pytest.mark.parametrize(
    "code",
    [
        "import allrounder",
        "import allrounder; allrounder.Project; allrounder.Error",
        "import allrounder.plan, allrounder.catalogue",
        "import allrounder.records, allrounder.runs",
        "from allrounder import cli; cli.main(['kinds'])",
        "import allrounder.knowledge.desk",
        "from allrounder import cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass",
        "from allrounder import cli\ntry: cli.main(['train', '--help'])\nexcept SystemExit: pass",
    ],
    ids=lambda code: code.replace("\n", " ")[:60],
)
def test_it_starts_without_heavy_libraries(code):
    assert loaded_by(code) == set()


def kind_files() -> list[str]:
    """Return the module of every kind there is."""
    return sorted(
        {cls.__module__ for family in FAMILIES.values() for cls in family.builtin.values()}
    )


def test_the_file_of_every_kind_is_imported_without_heavy_libraries():
    assert len(kind_files()) > 8
    imports = "\n".join(f"import {name}" for name in kind_files())
    assert loaded_by(imports) == set()


@pytest.mark.parametrize("encoder", ["hashing", "tiny"])
def test_a_whole_check_never_waits_for_heavy_libraries(newsroom, tiny, encoder):
    text = {"kind": encoder} if encoder == "hashing" else {"kind": "text", "model": tiny}
    file = newsroom(inputs={"text": text})
    code = "import sys\nfrom allrounder import cli\nassert cli.main(['check', sys.argv[1]]) == 0"
    assert loaded_by(code, str(file)) == set()


def test_bad_input_is_refused_without_waiting_for_heavy_libraries(newsroom):
    file = newsroom(tasks={"topic": {"kind": "multiclas"}})
    code = "import sys\nfrom allrounder import cli\nassert cli.main(['train', sys.argv[1]]) == 2"
    assert loaded_by(code, str(file)) == set()


def modules() -> list[str]:
    parts = [path.relative_to(SOURCE.parent).with_suffix("").parts for path in SOURCE.rglob("*.py")]
    return sorted(".".join(part for part in some if part != "__init__") for some in parts)


@pytest.mark.parametrize("name", modules())
def test_every_module_opens_with_a_sentence(name):
    words = import_module(name).__doc__
    assert words
    assert words.split("\n")[0].rstrip().endswith((".", ":"))


def test_all_lists_nothing_that_is_not_there():
    for name in modules():
        module = import_module(name)
        for public in getattr(module, "__all__", ()):
            assert hasattr(module, public), f"{name}.{public}"


def test_imports_go_down_the_floors():
    program = Path(sys.executable).with_name("lint-imports")
    if not program.exists():
        pytest.skip("import-linter is not installed")
    done = subprocess.run(
        [program, "--no-cache"], cwd=SOURCE.parent.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_pickled():
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "import pickle" not in text, path
        assert "torch.load(" not in text, path
        assert "torch.save(" not in text, path


def test_answering_waits_for_nothing_that_few_tasks_need():
    assert loaded_by("import allrounder.prediction") == {"torch"}
