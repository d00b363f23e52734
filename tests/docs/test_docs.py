"""Every block of the README and the docs says what is so."""

import csv
import importlib.util
import re
import shlex
from pathlib import Path

import pytest
import yaml
from making import MOODS, TOPICS, write_newsroom

from allrounder import cli
from allrounder.plan import SECTIONS, make_plan

ROOT = Path(__file__).parents[2]
PAGES = [
    page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if page.exists()
]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str, pages=PAGES) -> list:
    """Return the blocks of a language as parameters, named by page and number."""
    return [
        pytest.param(text, id=f"{page.name}-{number}")
        for page in pages
        for number, (name, text) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")))
        if name == language
    ]


def commands(text: str) -> list[list[str]]:
    """Return the words of each `allrounder …` line of a shell block."""
    lines = [line.removeprefix("$ ") for line in text.replace("\\\n", " ").splitlines()]
    return [
        shlex.split(line, comments=True)[1:] for line in lines if line.startswith("allrounder ")
    ]


README = [page for page in PAGES if page.name == "README.md"]


@pytest.mark.parametrize("text", blocks("python"))
def test_every_python_block_compiles(text):
    assert compile(text, "block", "exec")


@pytest.mark.parametrize("text", [*blocks("sh"), *blocks("bash"), *blocks("console")])
def test_every_command_is_one_that_the_program_takes(text):
    for words in commands(text):
        if "--help" not in words:
            assert vars(cli.parser().parse_args(words))


def _of(task) -> list:
    """Return the inputs that a task of a block names."""
    of = task.get("of", []) if isinstance(task, dict) else []
    return [of] if isinstance(of, str) else of


@pytest.mark.parametrize("text", blocks("yaml"))
def test_every_project_file_can_be_read(text):
    sections = yaml.safe_load(text)
    if not isinstance(sections, dict) or not sections.keys() <= set(SECTIONS):
        return
    tasks = sections.get("tasks", {"topic": "multiclass"})
    named = {"text", *(name for task in tasks.values() for name in _of(task))}
    whole = {"sources": ["news.csv"], "inputs": dict.fromkeys(named, "hashing"), "tasks": tasks}
    assert make_plan({**whole, **sections}, folder=ROOT).tasks


@pytest.fixture
def desk(tmp_path, monkeypatch, tiny):
    """A folder with the README's project file, its files, and no network."""
    if not README:
        pytest.skip("there is no README yet")
    write_newsroom(tmp_path, size=12)
    rows = [
        {"headline": f"{text} {i}", "topic": topic, "mood": mood}
        for i in range(12)
        for topic, texts in TOPICS.items()
        for text, mood in zip(texts, MOODS.values(), strict=False)
    ]
    for name, some in (("news.csv", rows), ("inbox.csv", [{"text": r["headline"]} for r in rows])):
        with open(tmp_path / name, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(some[0]))
            writer.writeheader()
            writer.writerows(some)
    for block in blocks("yaml", README):
        (text,) = block.values
        name = re.match(r"# (\S+\.yaml)", text)
        if name:
            (tmp_path / name[1]).write_text(text, encoding="utf-8")
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: tiny)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_first_screen_runs_as_it_stands(desk, capsys):
    for block in blocks("sh", README):
        for words in commands(*block.values):
            code = cli.main(words)
            told = capsys.readouterr()
            # What came to its end cannot go on: the sentence says so.
            assert code == (2 if "--resume" in words else 0), (words, told.err)
    assert (desk / "runs/1/report.html").exists()
    assert (desk / "answers.jsonl").exists()


@pytest.mark.parametrize("text", blocks("python", README))
def test_every_python_block_of_the_readme_runs(desk, text):
    names: dict = {}
    exec(compile(text, "README.md", "exec"), names)
    assert (desk / names["project"].run.path).exists()


# ------------------------------------------------------------------ pages made from the code


def builder():
    path = ROOT / "docs/build.py"
    if not path.exists():
        pytest.skip("docs/build.py is not there yet")
    spec = importlib.util.spec_from_file_location("docs_build", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["kinds.md", "command-line.md"])
def test_a_page_that_is_made_from_the_code_is_current(name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "96")
    page = builder().PAGES[name]()
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == page, "run: python docs/build.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_pages_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_holds_a_placeholder(page):
    found = re.findall(r"\b(?:DEMO|BENCH)_[A-Z]+\b|TODO|TBD", page.read_text(encoding="utf-8"))
    assert not found, found
