import json
from datetime import date

import pytest

from allrounder import cli


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run one verb of `allrounder knowledge`; return its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        code = cli.main(["knowledge", *words])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return call


@pytest.fixture
def filled(run, tmp_path):
    """A store with two versions, and the function that asks it."""
    (tmp_path / "kb.tsv").write_text("发烧\t类别\t症状\n头痛\t类别\t症状\n", encoding="utf-8")
    assert run("import", "kb.sqlite", "kb.tsv", "--map", "类别=type")[0] == 0
    (tmp_path / "kb.tsv").write_text(
        "发烧\t类别\t症状\n发烧\tseen_in\thead\t2020-01-01\t2021-01-01\n", encoding="utf-8"
    )
    assert run("import", "kb.sqlite", "kb.tsv", "--map", "类别=type")[0] == 0
    return run


def test_importing_says_what_changed_and_what_is_known(run, tmp_path):
    (tmp_path / "kb.tsv").write_text("发烧\t类别\t症状\n", encoding="utf-8")
    assert run("import", "kb.sqlite", "kb.tsv", "--map", "类别=type") == (0, (
        "kb.tsv: version 1: 1 facts added, 0 retracted, 0 with another confidence, 0 kept\n"
        "version 1: 1 facts about 1 entities, 0 names and aliases, 0 facts with dates\n"
        "predicates: type 1\n"
        "types: 症状 1\n"
    ))  # fmt: skip


def test_importing_for_machines(run, tmp_path):
    (tmp_path / "kb.tsv").write_text("a\tname\tA\n", encoding="utf-8")
    code, out = run("import", "kb.sqlite", "kb.tsv", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["changes"]["kb.tsv"] == {
        "version": 1, "added": 1, "retracted": 0, "changed": 0, "kept": 0,
        "twice": {"count": 0, "cases": []},
    }  # fmt: skip
    assert found["stats"]["facts"] == 1


def test_an_entity_is_asked_for_by_any_of_its_names(filled):
    assert filled("query", "kb.sqlite", "发烧") == (
        0, "发烧 seen_in “head” from 2020-01-01 to 2021-01-01\n发烧 type “症状”\n",
    )  # fmt: skip
    assert filled("query", "kb.sqlite", "发烧", "--on", "2021-01-01")[1] == "发烧 type “症状”\n"
    assert filled("query", "kb.sqlite", "头痛", "--version", "1")[0] == 0


def test_asking_for_machines(filled):
    found = json.loads(filled("query", "kb.sqlite", "发烧", "--json")[1])
    assert found[1] == {
        "subject": "发烧",
        "predicate": "type",
        "object": "症状",
        "is_entity": False,
        "confidence": 1.0,
    }


def test_an_unknown_entity_is_refused(filled):
    assert filled("query", "kb.sqlite", "发烧了") == (
        2,
        "allrounder: kb.sqlite knows no entity with the id, name or alias '发烧了'. "
        "Did you mean '发烧'?\n",
    )


def test_versions_are_compared(filled):
    assert filled("diff", "kb.sqlite", "1") == (0, (
        "- 头痛 type “症状”\n"
        "+ 发烧 seen_in “head” from 2020-01-01 to 2021-01-01\n"
    ))  # fmt: skip
    assert filled("diff", "kb.sqlite", "2", "2") == (0, "no difference\n")


def test_versions_are_listed_and_rolled_back(filled):
    assert filled("rollback", "kb.sqlite") == (0, "version 1 answers now\n")
    lines = filled("versions", "kb.sqlite")[1].splitlines()
    assert [line[:3] for line in lines] == ["* 1", "  2"]
    assert lines[1].endswith("import kb.tsv  +1 -1")
    assert filled("activate", "kb.sqlite", "2") == (0, "version 2 answers now\n")
    assert filled("activate", "kb.sqlite", "3")[0] == 2


def test_a_fact_is_retracted(filled):
    assert filled("retract", "kb.sqlite", "发烧", "seen_in")[1].startswith(
        "version 3: 0 facts added, 1"
    )
    assert filled("query", "kb.sqlite", "发烧")[1] == "发烧 type “症状”\n"


def test_what_is_known_is_written_into_a_file(filled, tmp_path):
    assert filled("export", "kb.sqlite", "out.jsonl") == (0, "2 facts: out.jsonl\n")
    assert json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8")) == {
        "id": "发烧", "types": ["症状"],
        "facts": {"seen_in": {"value": "head", "from": "2020-01-01", "to": "2021-01-01"}},
    }  # fmt: skip


def test_rdf_is_written_with_what_holds_on_a_day_and_read_again(filled, tmp_path):
    assert filled("export", "kb.sqlite", "now.ttl") == (0, (
        "1 facts: now.ttl\n"
        f"1 facts that do not hold on {date.today()} were left out\n"
    ))  # fmt: skip
    assert filled("export", "kb.sqlite", "then.jsonld", "--as-of", "2020-06-30") == (
        0, "2 facts: then.jsonld\n",
    )  # fmt: skip
    assert filled("import", "again.sqlite", "then.jsonld")[0] == 0
    assert filled("query", "again.sqlite", "发烧")[1] == "发烧 seen_in “head”\n发烧 type “症状”\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["query", "kb.sqlite", "发烧", "--on", "June"], "--on 'June'"),
        (["export", "kb.sqlite", "x.csv", "--as-of", "June"], "--as-of 'June'"),
    ],
)
def test_a_day_that_is_none_is_refused_in_a_sentence(filled, words, said):
    assert filled(*words) == (2, f"allrounder: {said}: expected a day such as 2025-01-31.\n")


def test_a_bad_file_changes_nothing(filled, tmp_path):
    (tmp_path / "good.tsv").write_text("a\tp\tb\n", encoding="utf-8")
    (tmp_path / "bad.tsv").write_text("a\tp\n", encoding="utf-8")
    code, out = filled("import", "kb.sqlite", "good.tsv", "bad.tsv")
    assert code == 2
    assert "bad.tsv, line 1: expected subject, predicate, object" in out
    assert filled("query", "kb.sqlite", "a")[0] == 2


def test_a_store_that_is_not_there_is_not_made_by_asking(run, tmp_path):
    code, out = run("stats", "kb.sqlite")
    assert (code, "is not there. Import facts first" in out) == (2, True)
    assert not (tmp_path / "kb.sqlite").exists()


def test_two_files_of_one_name_do_not_replace_each_other(run, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "kb.tsv").write_text(f"{folder}\tp\tb\n", encoding="utf-8")
    code, out = run("import", "kb.sqlite", "one/kb.tsv", "two/kb.tsv")
    assert code == 2
    assert "2 files would speak under 1 names (kb.tsv)" in out
    assert run("import", "kb.sqlite", "one/kb.tsv")[0] == 0
    assert run("import", "kb.sqlite", "two/kb.tsv", "--source", "two")[0] == 0
    assert run("query", "kb.sqlite", "one")[0] == run("query", "kb.sqlite", "two")[0] == 0


def test_statements_that_stand_twice_are_named(run, tmp_path):
    (tmp_path / "kb.tsv").write_text("a\tp\tb\na\tp\tb\n", encoding="utf-8")
    out = run("import", "kb.sqlite", "kb.tsv")[1]
    assert "kb.tsv: 1 statements more than once: a p “b”" in out


def test_a_fact_is_added_by_hand(filled):
    assert filled("add", "kb.sqlite", "发烧", "seen_in", "头痛", "--from", "2021-01-01") == (0, (
        "version 3: 1 facts added, 0 retracted, 0 with another confidence, 0 kept\n"
        "+ 发烧 seen_in “头痛” from 2021-01-01\n"
    ))  # fmt: skip
    assert filled("query", "kb.sqlite", "发烧", "--on", "2022-01-01")[1].startswith(
        "发烧 seen_in “头痛” from 2021-01-01\n"
    )


def test_an_object_of_which_something_is_known_is_an_entity(run):
    run("add", "kb.sqlite", "ada", "name", "Ada")
    for words, shown in [
        ([], "ada"), (["--text"], "“ada”"), (["--entity"], "ada"),
    ]:  # fmt: skip
        run("add", "kb.sqlite", "acme", "led_by", "ada", "--replace", *words)
        assert run("query", "kb.sqlite", "acme")[1] == f"acme led_by {shown}\n"
    run("add", "kb.sqlite", "acme", "led_by", "bob", "--replace")
    assert run("query", "kb.sqlite", "acme")[1] == "acme led_by “bob”\n"


def test_adding_tells_where_nothing_was_known_of_the_subject(run):
    out = run("add", "kb.sqlite", "acme", "name", "Acme")[1]
    assert out.endswith("\n+ acme name “Acme”\nnothing was known of 'acme' before\n")
    out = run("add", "kb.sqlite", "acme", "name", "Acme")[1]
    assert out == "version 1: 0 facts added, 0 retracted, 0 with another confidence, 1 kept\n"


def test_a_fact_takes_the_place_of_what_anyone_said(filled):
    out = filled("add", "kb.sqlite", "发烧", "type", "体征", "--replace", "--source", "ward")[1]
    assert out.startswith("version 3: 1 facts added, 1 retracted")
    assert "“体征”" in filled("query", "kb.sqlite", "发烧")[1]
    assert "“症状”" not in filled("query", "kb.sqlite", "发烧")[1]
    out = filled("add", "kb.sqlite", "发烧", "type", "体征", "--replace", "--source", "ward")[1]
    assert out.startswith("version 3: 0 facts added, 0 retracted")


def test_adding_again_changes_how_sure_a_fact_is(run):
    run("add", "kb.sqlite", "acme", "alias", "AC", "--confidence", "0.5")
    out = run("add", "kb.sqlite", "acme", "alias", "AC", "--confidence", ".9", "--json")[1]
    found = json.loads(out)
    assert (found["version"], found["changed"], found["added"]) == (2, 1, 0)
    assert found["fact"]["confidence"] == 0.9


def test_a_staged_fact_does_not_answer_yet_and_the_next_builds_on_it(filled):
    assert filled("add", "kb.sqlite", "x", "name", "X", "--stage")[0] == 0
    assert filled("query", "kb.sqlite", "x")[0] == 2
    assert filled("add", "kb.sqlite", "y", "knows", "x", "--stage")[1].endswith(
        "+ y knows x\nnothing was known of 'y' before\n"
    )
    assert filled("activate", "kb.sqlite", "4")[0] == 0
    assert filled("query", "kb.sqlite", "x")[1] == "x name “X”\n"


SURE = "--confidence must be a number from 0 to 1."


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["p", "b", "--from", "June"], "--from 'June': expected a day such as 2025-01-31."),
        (["p", "b", "--until", "1.1."], "--until '1.1.': expected a day such as 2025-01-31."),
        (
            ["p", "b", "--from", "2021-01-01", "--until", "2020-01-01"],
            "--until must be a day after --from. Found 2021-01-01 to 2020-01-01: swap them, or "
            "leave one out.",
        ),
        *(
            (["p", "b", "--confidence", number], f"{SURE} Found {number!r}.")
            for number in ("1.2", "high", "nan", "")
        ),
        ([" ", "b"], "the predicate must not be empty. Found ' ': write what it is."),
        (["p", ""], "the object must not be empty. Found '': write what it is."),
        (["p", "b", "--source", ""], "--source must not be empty. Found '': write what it is."),
        (["name", "b", "--entity"], "'name' is always a text: leave --entity out."),
    ],
)
def test_what_is_no_fact_is_refused_in_a_sentence_and_makes_no_store(run, tmp_path, words, said):
    assert run("add", "kb.sqlite", "a", *words) == (2, f"allrounder: {said}\n")
    assert not (tmp_path / "kb.sqlite").exists()


@pytest.mark.parametrize("words", [["retract", "a"], ["activate", "1"], ["rollback"]])
def test_a_store_that_is_not_there_is_not_made_by_changing_it(run, tmp_path, words):
    verb, *rest = words
    code, out = run(verb, "kb.sqlite", *rest)
    assert (code, "is not there. Import facts first" in out) == (2, True)
    assert not (tmp_path / "kb.sqlite").exists()
