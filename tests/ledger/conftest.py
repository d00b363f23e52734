"""Ledgers in a file and in a real PostgreSQL server."""

import pytest


@pytest.fixture(params=["file", "server"])
def where(request, tmp_path):
    """Where a ledger may be: a path, then a URL."""
    if request.param == "file":
        return tmp_path / "ledger.db"
    return request.getfixturevalue("database")
