"""What is kept with a table of records beside its columns."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import pyarrow as pa

from allrounder.records.aside import Aside
from allrounder.records.field import Stat
from allrounder.records.media import stat_pair
from allrounder.records.sources import Skipped

SCHEMA = pa.schema([("path", pa.string()), ("size", pa.int64()), ("changed", pa.int64())])


@dataclass(frozen=True)
class About:
    """What is kept in the metadata of a table, so that both lie in one file.

    Args:
        fingerprint: a hash of the content of the table.
        aside: the bad values for which records were set aside.
        num_read: how many records were read, those set aside included.
        skipped: the lines that gave no record, by source.
        files: path, size and time of change of every file that the sources name.
        num_leaking: how many records of a ledger were left out, as validation or test has them.
        columns: the path of every source → the names of its columns.
    """

    fingerprint: str
    aside: list[Aside]
    num_read: int
    skipped: list[Skipped]
    files: pa.Table
    num_leaking: int = 0
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, table: pa.Table) -> "About":
        """Return what was kept with a table."""
        held = table.schema.metadata
        with pa.ipc.open_stream(held[b"files"]) as files:
            return cls(
                fingerprint=held[b"fingerprint"].decode(),
                aside=[Aside(*one) for one in json.loads(held[b"aside"])],
                num_read=int(held[b"num_read"]),
                skipped=[Skipped(**one) for one in json.loads(held[b"skipped"])],
                files=files.read_all(),
                num_leaking=int(held[b"num_leaking"]),
                columns=json.loads(held[b"columns"]),
            )

    def metadata(self) -> dict[str, str | bytes]:
        """Return the metadata of the table."""
        files = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.ipc.new_stream(files, SCHEMA, options=options) as writer:
            writer.write_table(self.files)
        return {
            "fingerprint": self.fingerprint,
            "aside": json.dumps(self.aside),
            "num_read": str(self.num_read),
            "num_leaking": str(self.num_leaking),
            "columns": json.dumps(self.columns),
            "skipped": json.dumps([asdict(one) for one in self.skipped]),
            "files": files.getvalue().to_pybytes(),
        }

    def is_current(self) -> bool:
        """Return whether every file that was named, even one that was missing, is as it was."""
        return all(
            stat_pair(path) == (size, changed)
            for batch in self.files.to_batches()
            for path, size, changed in zip(*(c.to_pylist() for c in batch.columns), strict=True)
        )


def files_table(files: Mapping[str, Stat]) -> pa.Table:
    """Return path, size and time of change of files."""
    sizes, changed = zip(*files.values(), strict=True) if files else ((), ())
    return pa.table([list(files), sizes, changed], schema=SCHEMA)
