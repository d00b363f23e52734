"""Read the sources of a project once into an Arrow file; map that file into memory ever after."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from allrounder import kinds
from allrounder.errors import DataError
from allrounder.records.about import About, files_table
from allrounder.records.aside import Aside, check_share
from allrounder.records.checks import check_records
from allrounder.records.column import BadValue, Column
from allrounder.records.field import Field, filled
from allrounder.records.keys import Digest, content_keys, hashes, hexadecimal
from allrounder.records.leaks import judged_keys, parents_in, sheltered
from allrounder.records.opening import Opened, opened, stat_of
from allrounder.records.reading import Reader, Values, reader
from allrounder.records.records import Records
from allrounder.records.source import Source, Split
from allrounder.records.splits import assigned, completed, decisive, kept
from allrounder.records.wiring import check_names

VERSION = 5
"""Raised whenever the same sources would give another table."""

Tell = Callable[[str, float, float, str], None]

LONG = 2.0
"""Seconds of reading that need no progress."""

KEPT = 4
CHUNK = 1 << 16


def load(
    sources: list[Source],
    *,
    fields: Mapping[str, Field],
    columns: dict[str, Column],
    folder: Path,
    cache: Path,
    trains: bool = True,
    without: Sequence[str] = (),
    tell: Tell | None = None,
) -> Records:
    """Return the records of all sources, from the cache where no file has changed.

    Args:
        sources: Where the records come from.
        fields: Input field → how its values are read.
        columns: Task → how its labels are read.
        folder: What relative paths start from.
        cache: Where the table is kept, as `<fingerprint>.arrow`.
        trains: Whether every task must have labels, and every split records.
        without: Tasks that may have no labels.
        tell: Called as reading goes on: a stage, how much is done, of how much (0: unknown),
            and a word.

    Raises:
        DataError: naming file and line, where something is not as it should be.
        ProjectError: where a name or a `map` does not fit the project.
    """
    check_names(list(fields), list(columns))
    found = [opened(source, Path(folder)) for source in sources]
    plan = Plan(found, dict(fields), dict(columns))
    path = Path(cache) / f"{plan.fingerprint()}.arrow"
    table = _mapped(path)
    fresh = path if table is None else None
    if table is None:
        _write(plan, path, _late(tell))
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    _tidy(path)
    about = About.of(table)
    records = Records(
        table=table.replace_schema_metadata(None),
        opened=found,
        fields=list(plan.fields),
        tasks=list(columns),
        fingerprint=about.fingerprint,
        aside=about.aside,
        num_read=about.num_read,
        num_leaking=about.num_leaking,
        skipped=about.skipped,
        columns=about.columns,
        fresh=fresh,
    )
    if trains:
        check_records(records, columns, without)
    return records


@dataclass(frozen=True)
class Plan:
    """What is to be read."""

    sources: list[Opened]
    fields: dict[str, Field]
    columns: dict[str, Column]

    def fingerprint(self) -> str:
        """Return a hash of everything the table depends on, the times of change included."""
        parts = {
            "version": VERSION,
            "sources": [[kinds.dump(source.source), stat_of(source)] for source in self.sources],
            "fields": {name: repr(found) for name, found in self.fields.items()},
            "columns": {task: repr(column) for task, column in self.columns.items()},
        }
        return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()

    @property
    def schema(self) -> pa.Schema:
        """The columns of the table but for the split."""
        return pa.schema(
            [
                ("id", pa.string()),
                ("source", pa.int16()),
                ("row", pa.int64()),
                ("key", pa.uint64()),
                *((name, found.type) for name, found in self.fields.items()),
                *((task, column.type) for task, column in self.columns.items()),
            ]
        )


def _mapped(path: Path) -> pa.Table | None:
    """Return the table of a whole, readable cache file, if no file it names has changed."""
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (pa.ArrowInvalid, OSError):
        return None
    return table if About.of(table).is_current() else None


def _tidy(path: Path) -> None:
    """Remove all but the newest cache files; a cache that cannot be written still serves."""
    with suppress(OSError):
        path.touch()
        files = sorted(path.parent.glob("*.arrow"), key=lambda file: file.stat().st_mtime_ns)
        for old in files[:-KEPT]:
            old.unlink(missing_ok=True)


def _late(tell: Tell | None) -> Tell:
    """Return what tells of reading once it has lasted long enough to be worth a word."""
    began = time.monotonic()

    def late(stage: str, done: float, total: float, word: str) -> None:
        if tell and time.monotonic() - began >= LONG:
            tell(stage, done, total, word)

    return late


def _write(plan: Plan, path: Path, tell: Tell) -> None:
    """Read every source into a scratch file, then write all of them, split, under `path`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(
            dir=path.parent, prefix=".reading-", ignore_cleanup_errors=True
        ) as scratch:
            _write_within(plan, Path(scratch), path, tell)
    except OSError as error:
        raise DataError(
            f"{path.parent}: the records cannot be kept there: {error.strerror or error}. Make "
            "room or let the folder be written to."
        ) from error


def _write_within(plan: Plan, scratch: Path, path: Path, tell: Tell) -> None:
    drafts = [
        Draft(plan, number, reader(source, plan.fields, plan.columns), tell)
        for number, source in enumerate(plan.sources)
    ]
    tables = [draft.write(scratch / f"{draft.number}.arrow") for draft in drafts]
    judged = judged_keys(tables)
    kept = [draft.sheltered(found, judged) for draft, found in zip(drafts, tables, strict=True)]
    table = pa.concat_tables(kept)
    about = About(
        fingerprint=_digest(table, plan),
        aside=[one for draft in drafts for one in draft.aside],
        num_read=sum(draft.reader.num_rows for draft in drafts),
        num_leaking=sum(map(len, tables)) - len(table),
        skipped=[draft.reader.skipped for draft in drafts if draft.reader.skipped],
        files=pa.concat_tables([files for draft in drafts for files in draft.files]),
        columns={draft.source.path: list(draft.reader.names) for draft in drafts},
    )
    tell("read", about.num_read, about.num_read, "")
    table = table.replace_schema_metadata(about.metadata())
    whole = scratch / "whole.arrow"
    with pa.OSFile(str(whole), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=CHUNK)
    os.replace(whole, path)


def _digest(table: pa.Table, plan: Plan) -> str:
    digest = Digest()
    for name in ["id", "key", "split", *plan.columns]:
        for chunk in table[name].chunks:
            digest.update(name, chunk)
    return digest.hexdigest()


@dataclass
class Draft:
    """One source on its way into the table."""

    plan: Plan
    number: int
    reader: Reader
    tell: Tell
    rows_aside: dict[int, dict[str, str]] = field(default_factory=dict)
    aside: list[Aside] = field(default_factory=list)
    files: list[pa.Table] = field(default_factory=lambda: [files_table({})])
    parents: list[np.ndarray] = field(default_factory=list)
    """Of a ledger, the hash of the record that each was made from."""

    @property
    def source(self) -> Source:
        """The source that is read."""
        return self.reader.opened.source

    def write(self, path: Path) -> pa.Table:
        """Return the records of the source with their splits; they lie at `path`."""
        ids, deciding = [np.zeros(0, np.uint64)], []
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, self.plan.schema) as writer:
            for batch, hashed, decided in self._batches():
                writer.write_batch(batch)
                ids.append(hashed)
                deciding.append(decided)
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        self._list_aside()
        self.reader.check_blank()
        return self._split(table, np.concatenate(ids), np.concatenate(deciding or ids))

    def sheltered(self, table: pa.Table, judged: np.ndarray) -> pa.Table:
        """Return the records without those made from what now judges; all but of a ledger."""
        return sheltered(table, np.concatenate(self.parents), judged) if self.parents else table

    def _batches(self) -> Iterator[tuple[pa.RecordBatch, np.ndarray, np.ndarray]]:
        for raw in self.reader.batches():
            values = self.reader.values(raw)
            self._put_aside(values)
            if self.reader.opened.format == "ledger":
                self.parents.append(parents_in(raw))
            labels = self.reader.labels(raw, values.columns)
            keys = content_keys(values.columns)
            ids, hashed = self._ids(raw, keys)
            rows = np.arange(self.reader.num_rows, self.reader.num_rows + raw.num_rows)
            numbers = np.full(raw.num_rows, self.number, np.int16)
            arrays = [
                ids,
                *map(pa.array, (numbers, rows, keys)),
                *values.columns.values(),
                *labels.values(),
            ]
            batch = pa.RecordBatch.from_arrays(arrays, schema=self.plan.schema)
            deciding = self._decisive(raw, hashed)
            if values.aside:
                whole = values.whole()
                batch, hashed, deciding = batch.filter(whole), hashed[whole], deciding[whole]
            self.tell("read", rows[-1] + 1, 0, self.source.path)
            yield batch, hashed, deciding

    def _put_aside(self, values: Values) -> None:
        if values.aside and self.source.on_error == "fail":
            raise self.reader.refusal(values)
        first = self.reader.num_rows
        self.rows_aside |= {first + place: reasons for place, reasons in values.aside.items()}
        if values.files:
            self.files.append(files_table(values.files))

    def _list_aside(self) -> None:
        """Say where the records that were set aside stand; refuse a source with too many."""
        places = self.reader.opened.places(list(self.rows_aside))
        self.aside = [
            Aside(where, name, why)
            for where, reasons in zip(places, self.rows_aside.values(), strict=True)
            for name, why in reasons.items()
        ]
        check_share(self.reader.opened.file.shown, self.aside, self.reader.num_rows)

    def _ids(self, raw: pa.RecordBatch, keys: np.ndarray) -> tuple[pa.Array, np.ndarray]:
        name = self._id_column
        if name is None:
            return hexadecimal(keys), keys
        ids = filled(self.reader.string_column(raw, name))
        if ids.null_count:
            row = self.reader.num_rows + ids.is_null().index(True).as_py()
            raise self.reader.opened.error(row, name, "expected an id, found none. Fill it in.")
        return ids, hashes(ids.to_pylist())

    @property
    def _id_column(self) -> str | None:
        return next((name for name, to in self.reader.wires.items() if to == "id"), None)

    def _decisive(self, raw: pa.RecordBatch, hashed: np.ndarray) -> np.ndarray:
        split = self.source.splitting
        name = split.reads if isinstance(split, Split) else None
        values = self.reader.string_column(raw, name) if name else None
        try:
            return decisive(split, hashed, values)
        except BadValue as error:
            row = self.reader.num_rows + error.index
            raise self.reader.opened.error(row, name, str(error)) from None

    def _split(self, table: pa.Table, ids: np.ndarray, deciding: np.ndarray) -> pa.Table:
        if self._id_column is not None:
            self._check_ids(table, ids)
        split = self.source.splitting
        splits = assigned(split, deciding)
        rows = kept(ids, self.source.limit)
        if rows is not None:
            table, splits, ids = _picked(table, rows), splits[rows], ids[rows]
        if isinstance(split, Split) and split.by == "ratio":
            columns = self.plan.columns.items()
            labels = [table[task] for task, column in columns if column.type == pa.string()]
            splits = completed(split, splits, ids, labels)
        return table.add_column(3, "split", pa.array(splits))

    def _check_ids(self, table: pa.Table, ids: np.ndarray) -> None:
        order = np.argsort(ids, kind="stable")
        twice = np.flatnonzero(ids[order][1:] == ids[order][:-1])
        if not len(twice):
            return
        first, second = min(tuple(order[place : place + 2].tolist()) for place in twice)
        here, there = self.reader.opened.places([first, second])
        raise DataError(
            f"{there}, column `{self._id_column}`: expected ids that are all different, found "
            f"{table['id'][second].as_py()!r} again, first at {here}. Give each record its own "
            "id, or leave `id` out."
        )


def _picked(table: pa.Table, rows: np.ndarray) -> pa.Table:
    """Return some rows, which rise; `take` would first join all bytes, beyond what Arrow holds."""
    wanted = np.zeros(table.num_rows, bool)
    wanted[rows] = True
    batches, start = [], 0
    for batch in table.to_batches():
        batches.append(batch.filter(pa.array(wanted[start : start + batch.num_rows])))
        start += batch.num_rows
    return pa.Table.from_batches(batches, table.schema)
