"""One file as UTF-8 text, whatever its compression and encoding, checked while it is read."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from allrounder.errors import DataError

BLOCK = 1 << 20


@dataclass(frozen=True)
class File:
    """A file or stream of records: where it lies, what the user calls it, how it is encoded."""

    path: Path | BinaryIO
    shown: str
    encoding: str = "utf-8"

    @property
    def rereadable(self) -> bool:
        """Whether the file can be opened a second time, to look for a line."""
        return isinstance(self.path, Path)

    @property
    def folder(self) -> Path:
        """What relative paths in the file start from."""
        if not isinstance(self.path, Path):
            return Path()
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def compressed(self) -> bool:
        """Whether the name ends in .gz."""
        return isinstance(self.path, Path) and self.path.suffix.lower() == ".gz"

    def at(self, line: int) -> str:
        """Return the place named in messages."""
        return f"{self.shown}, line {line}"

    def open(self) -> io.BufferedReader:
        """Return the bytes of the file as UTF-8 without a byte order mark.

        Raises:
            DataError: while reading, at the first byte that is not text.
        """
        return io.BufferedReader(_Checked(self), BLOCK)

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes of the file, unpacked and unchecked, a block at a time."""
        raw = self._raw()
        try:
            while block := self._block(raw):
                yield block
        finally:
            if self.rereadable:
                raw.close()

    def lines(self) -> Iterator[str]:
        """Yield every line, its end included."""
        with io.TextIOWrapper(self.open(), "utf-8", newline="\n") as text:
            yield from text

    def _raw(self) -> BinaryIO:
        if not isinstance(self.path, Path):
            return self.path
        try:
            if self.compressed:
                return gzip.open(self.path, "rb")
            return self.path.open("rb")
        except OSError as error:
            raise DataError(f"{self.shown}: cannot be opened: {error.strerror}.") from error

    def _block(self, raw: BinaryIO) -> bytes:
        try:
            return raw.read(BLOCK)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(
                f"{self.shown}: the gzip file is damaged or cut short: {error}. "
                "Write it again, or take the .gz off the name if it is not compressed."
            ) from error


class _Checked(io.RawIOBase):
    """Reads blocks, refuses what is not text, and hands on UTF-8."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.blocks = file.blocks()
        self.decoder = codecs.getincrementaldecoder(file.encoding)()
        self.plain = codecs.lookup(file.encoding).name in {"utf-8", "ascii"}
        self.ready = memoryview(b"")
        self.num_bytes = 0
        self.num_lines = 0
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:
        while not self.ready and not self.ended:
            self.ready = memoryview(self._next())
        n = min(len(buffer), len(self.ready))
        buffer[:n] = self.ready[:n]
        self.ready = self.ready[n:]
        return n

    def close(self) -> None:
        self.blocks.close()
        super().close()

    def _next(self) -> bytes:
        """Return the next block as UTF-8; nothing is kept of it but its count of lines."""
        block = next(self.blocks, b"")
        self.ended = not block
        first, self.num_bytes = self.num_bytes == 0, self.num_bytes + len(block)
        try:
            text = self.decoder.decode(block, final=self.ended)
        except UnicodeDecodeError as error:
            raise DataError(self._undecodable(error)) from None
        if "\0" in text:
            raise DataError(self._nul(text))
        out = block if self.plain else text.encode("utf-8", "surrogatepass")
        self.num_lines += out.count(b"\n")
        return out.removeprefix(codecs.BOM_UTF8) if first else out

    def _undecodable(self, error: UnicodeDecodeError) -> str:
        offset = self.num_bytes - len(error.object) + error.start
        line = self.num_lines + error.object[: error.start].count(b"\n") + 1
        return (
            f"{self.file.at(line)}: expected text in {self.file.encoding}, found the byte "
            f"0x{error.object[error.start]:02x} at byte offset {offset}. Save the file as UTF-8 "
            "or name its encoding in the source, such as `encoding: latin-1`, `encoding: cp1252` "
            "or `encoding: gb18030`."
        )

    def _nul(self, text: str) -> str:
        line = self.num_lines + text[: text.index("\0")].count("\n") + 1
        return (
            f"{self.file.at(line)}: expected text, found a NUL byte. Remove it; if the file is "
            "in UTF-16, write `encoding: utf-16` in the source."
        )
