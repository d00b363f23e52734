"""The header of a GGUF file, walked before anything is made of it.

The format (version 2 and 3): magic, version, how many tensors and how many pairs; then the pairs of
a name and a value; then name, shape, kind and place of each tensor.
"""

import mmap
import struct
from pathlib import Path

WHOLE = {2, 3}
"""Versions whose lengths take 8 bytes. Others are left to what reads the file."""
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes that one value of a kind takes."""
STRING, ARRAY, UINT32 = 8, 9, 4
NESTED = 4
"""Arrays in arrays that are followed."""


def walk(path: Path) -> None:
    """Refuse a header that promises more than its file holds.

    The reader of such files takes an array of 2⁶⁰ numbers at its word and never comes to an end.

    Args:
        path: a file that begins as a GGUF file does.

    Raises:
        ValueError: it ends before what its header promises.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
        _Header(held).walk()


class _Header:
    """Goes through a header from value to value.

    Args:
        held: the bytes of the file.
    """

    def __init__(self, held: mmap.mmap) -> None:
        self.held, self.at, self.order = held, 4, "<"

    def walk(self) -> None:
        """Go through all pairs."""
        version = self.number("I")
        if not version & 0xFFFF:  # written by a machine of the other byte order
            self.order = ">"
            version = int.from_bytes(version.to_bytes(4, "little"), "big")
        if version not in WHOLE:
            return
        tensors, pairs = self.number("Q"), self.number("Q")
        for _ in range(pairs):
            name, kind = self.text(), self.number("I")
            begins = self.at
            self.value(kind, NESTED)
            if kind == UINT32 and name.endswith(b".block_count"):
                (layers,) = struct.unpack_from(f"{self.order}I", self.held, begins)
                if layers > tensors:
                    raise ValueError(f"it tells of {layers:,} layers, and holds {tensors} tensors")

    def number(self, form: str) -> int:
        """Return the next whole number."""
        begins = self.skip(struct.calcsize(form))
        return struct.unpack_from(self.order + form, self.held, begins)[0]

    def text(self) -> bytes:
        """Return the next string."""
        begins = self.skip(self.number("Q"))
        return self.held[begins : self.at]

    def value(self, kind: int, deep: int) -> None:
        """Go past a value; arrays may lie `deep` in each other."""
        if kind == STRING:
            self.skip(self.number("Q"))
        elif kind != ARRAY:
            self.skip(_size(kind))
        elif not deep:
            raise ValueError(f"arrays lie more than {NESTED} deep in each other")
        else:
            kind, count = self.number("I"), self.number("Q")
            if kind in (STRING, ARRAY):
                for _ in range(count):
                    self.value(kind, deep - 1)
            else:
                self.skip(count * _size(kind))

    def skip(self, size: int) -> int:
        """Go past some bytes; return where they begin."""
        begins, self.at = self.at, self.at + size
        if self.at > len(self.held):
            raise ValueError(f"it ends at byte {len(self.held):,}, before what its header promises")
        return begins


def _size(kind: int) -> int:
    if kind not in SIZES:
        raise ValueError(f"a value is of an unknown kind, {kind}")
    return SIZES[kind]
