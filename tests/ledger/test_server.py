"""What is different where the ledger is in PostgreSQL."""

import subprocess
import sys

import pytest
from asking import answer

from allrounder.errors import ProjectError, RunError
from allrounder.ledger import Answers, Where


def test_a_url_never_tells_its_password():
    where = Where.of("postgresql://ada:secret@host:5432/news?password=other")
    assert str(where) == "postgresql://ada@host:5432/news"
    assert where.has_password
    assert Where.of("postgresql://host/news?password=x").has_password
    assert not Where.of("postgresql://ada:@/news?host=/tmp/x").has_password
    assert not Where.of("some/file.db").has_password


@pytest.mark.parametrize("url", ["mysql://host/db", "sqlite:///x.db", "http://ada:secret@host"])
def test_another_kind_of_url_is_refused(url):
    with pytest.raises(ProjectError, match="must be a path or begin with postgresql://") as caught:
        Where.of(url)
    assert "secret" not in str(caught.value)


def test_a_url_that_is_none_is_refused():
    with pytest.raises(ProjectError, match="Write it as postgresql://user@host/database"):
        Where.of("postgresql://host:port/db")


def test_a_server_that_is_not_there_is_told_without_the_password():
    with pytest.raises(RunError) as caught:
        Answers("postgresql://ada:secret@127.0.0.1:1/news")
    words = str(caught.value)
    assert words.startswith("postgresql://ada@127.0.0.1:1/news cannot be reached: ")
    assert "secret" not in words
    assert words.count("\n") == 0


def test_a_database_with_tables_of_another_program_is_left_alone(database):
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(database, autocommit=True) as link:
        link.execute("CREATE TABLE answers (life int)")
        with pytest.raises(RunError, match="has a table 'answers' that is no ledger's"):
            Answers(database)
        link.execute("DROP TABLE answers")
        link.execute("CREATE TABLE about (key text, value text)")
        with pytest.raises(RunError, match="has a table 'about' that is no ledger's"):
            Answers(database)


def test_an_empty_database_holds_nothing_to_who_only_reads(database):
    with Answers(database, read_only=True) as ledger:
        assert list(ledger.events()) == []
        assert ledger.queue() == []
        assert ledger.mark == ("", 0)


def test_two_projects_share_a_database_by_schemas(schema):
    with Answers(schema()) as news, Answers(schema()) as mail:
        news.append([answer("x")])
        mail.append([answer("y")])
        assert [one.id for one in news.events()] == ["x"]
        assert [one.id for one in mail.events()] == ["y"]


def test_a_connection_that_was_cut_is_made_again(database):
    psycopg = pytest.importorskip("psycopg")
    with Answers(database) as ledger, psycopg.connect(database, autocommit=True) as link:
        ledger.append([answer("x")])
        link.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'allrounder'"
        )
        ledger.append([answer("y")])
        assert [one.id for one in ledger.events()] == ["x", "y"]


def test_without_the_driver_one_sentence_says_what_to_install():
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from allrounder.ledger import Answers\n"
        "Answers('postgresql://host/db')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.endswith(
        "MissingExtra: A ledger in PostgreSQL needs psycopg. "
        "Try: pip install 'allrounder[postgres]'\n"
    )
