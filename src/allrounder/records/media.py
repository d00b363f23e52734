"""Files that records name or hold: pictures, sounds and the like."""

import base64
import binascii
import hashlib
import os
import stat as modes
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from allrounder.records.column import BadValue
from allrounder.records.field import Read, Stat

THREADS = 8
"""Decoders of pictures and sounds let other threads run, and so does waiting for a disk."""

LARGEST = 1 << 30
"""Bytes of a file above which it is not read: it would have to fit into memory several times."""

LONGEST = 1 << 24
"""Characters of a data URI above which the file belongs beside the source."""

MOST_HELD = (1 << 25) - 1
"""Bytes of a file within a table: 64 rows of Parquet are read at a time, and must stay in 2 GiB."""

GONE: Stat = (-1, 0)
"""Stands for size and time of change of a file that is not there."""


@dataclass(frozen=True)
class FileField:
    """Pictures, sounds and the like: paths, data URIs, or the bytes themselves.

    Args:
        what: what it is called in messages, such as "a picture".
        check: called with the bytes of every file, in several threads at a time; raises
            ValueError saying what is wrong.
    """

    what: str
    check: Callable[[bytes], None]

    def __repr__(self) -> str:
        # part of the fingerprint of kept tables, so the same in every process
        name = getattr(self.check, "__qualname__", None) or repr(self.check)
        return f"FileField({self.what!r}, {name})"

    @property
    def type(self) -> pa.DataType:
        """A value is the digest of its content, and its absolute path or its bytes."""
        return pa.struct([("digest", pa.string()), ("path", pa.string()), ("bytes", pa.binary())])

    def read(self, values: pa.Array, folder: Path | None) -> Read:
        """Return the files, checked; what is no such file is set aside.

        Raises:
            BadValue: at the first path that leaves `folder`.
        """
        root = None if folder is None else os.path.realpath(folder)
        look = partial(self._looked, base=os.path.abspath(folder or ""), root=root)
        with ThreadPoolExecutor(THREADS) as pool:
            found = list(pool.map(look, range(len(values)), values.to_pylist()))
        return Read(
            pa.array([one.value for one in found], self.type),
            {index: one.why for index, one in enumerate(found) if one.why},
            dict(one.file for one in found if one.file),
        )

    def _looked(self, index: int, raw: Any, *, base: str, root: str | None) -> "_Looked":
        """Return what is at one place of a column: a value, nothing, or what is wrong there."""
        file = None
        try:
            path, held = _given(raw)
            if path is not None:
                place = os.path.join(base, path)
                if root is not None:
                    _check_inside(index, path, place, root)
                file = place, stat_pair(place)
                held = _contained(path, place)
            return _Looked(self._checked(file and file[0], held), file=file)
        except BadValue:
            raise
        except _NoFile as error:
            return _Looked(why=f"expected {self.what}, found {error}", file=file)
        except (ValueError, OSError) as error:
            return _Looked(why=str(error), file=file)

    def _checked(self, path: str | None, held: bytes | None) -> dict[str, Any] | None:
        if held is None:
            return None
        if not held:
            raise _NoFile("no bytes.")
        self.check(held)
        digest = hashlib.blake2b(held, digest_size=16).hexdigest()
        return {"digest": digest, "path": path, "bytes": held if path is None else None}


@dataclass(frozen=True)
class _Looked:
    """A value, what is wrong with it, and the file that was looked at."""

    value: dict[str, Any] | None = None
    why: str | None = None
    file: tuple[str, Stat] | None = None


class _NoFile(ValueError):
    """Says what was found instead of a file."""


def content(value: Mapping[str, Any]) -> bytes:
    """Return the bytes of one value of a `FileField`."""
    return value["bytes"] if value["bytes"] is not None else Path(value["path"]).read_bytes()


def stat_pair(path: str) -> Stat:
    """Return size and time of change of a file, `GONE` where it is not to be seen."""
    try:
        found = os.stat(path)
    except OSError:
        return GONE
    return found.st_size, found.st_mtime_ns


def _given(raw: Any) -> tuple[str | None, bytes | None]:
    """Return the path or the bytes that a raw value is; neither where it is missing."""
    if isinstance(raw, Mapping):
        raw = raw.get("path") if raw.get("bytes") is None else raw["bytes"]
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        return None, None
    if isinstance(raw, bytes):
        if len(raw) > MOST_HELD:
            raise _NoFile(f"{len(raw):,} bytes, more than {MOST_HELD:,}. Give them as a file.")
        return None, raw
    if not isinstance(raw, str):
        raise _NoFile(f"{repr(raw)[:80]}. Give a path, a data URI or the bytes.")
    if raw.startswith("data:"):
        return None, _decoded(raw)
    if raw.startswith(("http://", "https://")):
        raise _NoFile(f"the address {raw[:80]!r}. Save the file and give its path.")
    if "\0" in raw:
        raise _NoFile("a path with a NUL character in it.")
    return raw, None


def _decoded(uri: str) -> bytes:
    """Return the bytes that a data URI holds (RFC 2397)."""
    if len(uri) > LONGEST:
        raise _NoFile(
            f"a data URI of {len(uri):,} characters, more than {LONGEST:,}. Save the file and "
            "give its path."
        )
    head, comma, body = uri.partition(",")
    if not comma or not head.endswith(";base64"):
        raise _NoFile(f"{uri[:40]!r}, a data URI that does not say `;base64,`.")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        raise _NoFile(f"{uri[:40]!r}, a data URI whose base64 is broken.") from None


def _check_inside(index: int, path: str, place: str, root: str) -> None:
    """Refuse a path by which a file of records would reach for other files of the machine."""
    if not os.path.isabs(path):
        real = os.path.realpath(place)
        if real == root or real.startswith(os.path.join(root, "")):
            return
    linked = ", a link out of it" if _stays(path) else ""
    raise BadValue(
        index,
        f"expected a path in the folder of the source, relative to it, found {path!r}{linked}. "
        "Put the file there, or the source into a folder that holds both.",
    )


def _stays(path: str) -> bool:
    """Return whether a path, links aside, stays below where it starts."""
    return not os.path.isabs(path) and os.path.normpath(path).split(os.sep)[0] != os.pardir


def _contained(path: str, place: str) -> bytes:
    """Return the content of a file."""
    try:
        mode = os.stat(place)
        if modes.S_ISDIR(mode.st_mode):
            raise _NoFile(f"the folder {path[:80]!r}.")
        if not modes.S_ISREG(mode.st_mode):
            raise _NoFile(f"{path[:80]!r}, which is no plain file.")
        if not mode.st_size:
            raise _NoFile(f"the empty file {path[:80]!r}.")
        if mode.st_size > LARGEST:
            raise _NoFile(f"the file {path[:80]!r} of {mode.st_size:,} bytes: too large.")
        return Path(place).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise _NoFile(f"no file {path[:80]!r}.") from None
    except OSError as error:
        raise _NoFile(f"{path[:80]!r}, which cannot be read: {error.strerror}.") from None
