"""Where records come from and how they fall into train, validation and test."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from allrounder import kinds
from allrounder.errors import ProjectError, did_you_mean, listed

SPLITS = ("train", "validation", "test")

SPELLINGS = {
    "train": 0,
    "training": 0,
    "validation": 1,
    "valid": 1,
    "val": 1,
    "dev": 1,
    "test": 2,
}
"""What files and project files call a split, in lower case, and its place in `SPLITS`."""

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".conll": "conll",
    ".iob": "conll",
    ".bio": "conll",
    ".txt": "lines",
    ".text": "lines",
}

Format = Literal["csv", "tsv", "jsonl", "parquet", "conll", "lines", "folder", "ledger"]


def _iso(value: Any) -> Any:
    """Return an unquoted YAML date as the string that was written."""
    return value.isoformat() if isinstance(value, datetime.date) else value


Share = Annotated[float | str, BeforeValidator(_iso)]


@dataclass(kw_only=True)
class Split:
    """How the records of one source fall into train, validation and test.

    `ratio` hashes the id of a record and `group` the value of a column, so a record never moves
    when others are added. `date` gives the latest records to test and those before them to
    validation; a share may then be an ISO date instead: records from that date on. `column` reads
    the split from the file. One exception holds for `ratio`: where a source, or a label in it, has
    at least three distinct records but none in a wanted split, its nearest one is moved there.
    """

    __pydantic_config__ = kinds.CLOSED

    by: Literal["ratio", "group", "date", "column"] = "ratio"
    test: Share = 0.2
    validation: Share = 0.1
    column: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.by == "column" and self.column is None:
            raise ValueError("needs `column`: the name of the column that holds the split.")
        shares = [self._share("test"), self._share("validation")]
        if sum(shares) >= 1:
            raise ValueError(f"leaves nothing to train on: test and validation are {shares!r}.")

    @property
    def reads(self) -> str | None:
        """The column of the file that decides, else None."""
        return None if self.by == "ratio" else self.column or self.by

    @property
    def wanted(self) -> tuple[bool, bool, bool]:
        """Whether train, validation and test are to hold records."""
        return True, self.validation != 0, self.test != 0

    def _share(self, name: str) -> float:
        value = getattr(self, name)
        if isinstance(value, str):
            self._check_date(name, value)
            return 0.0
        if not 0 <= value < 1:
            raise ValueError(f"needs `{name}` from 0 up to, but not including, 1. Got {value!r}.")
        return value

    def _check_date(self, name: str, value: str) -> None:
        if self.by != "date":
            raise ValueError(f"needs a number from 0 to 1 as `{name}`. Got {value!r}.")
        try:
            datetime.datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(
                f"needs a share or an ISO date such as 2024-01-31 as `{name}`. Got {value!r}."
            ) from None


def _split(value: Any) -> Any:
    if isinstance(value, Mapping):
        return kinds.build(Split, value, at="sources.split")
    if isinstance(value, str):
        if value.lower() not in SPELLINGS:
            raise ProjectError(
                f"`sources.split` is {value!r}, which is no split.{did_you_mean(value, SPLITS)} "
                f"Write one of {listed(SPLITS)}, or a mapping such as {{by: ratio, test: 0.2}}."
            )
        return SPLITS[SPELLINGS[value.lower()]]
    return value


@dataclass(kw_only=True)
class Source:
    """One file or folder of records.

    Args:
        path: The file, relative to the project file; `.gz` may stand behind its suffix.
        format: csv, tsv, jsonl, parquet, conll, lines, folder or ledger (labels that were
            made); by default told by the suffix.
        map: Column of the file → input field, task or `id`.
        id: The column that identifies a record; by default a hash of its content does.
        split: train, validation or test for all records, or a `Split`; by default 20 % test and
            10 % validation.
        input: The field that a conll file, lines or a folder fill.
        task: The task whose labels a conll file or the sub-folders of a folder hold.
        limit: Take only that many records, a fixed random subset, for quick trials.
        encoding: The text encoding of the file.
        on_error: What becomes of a record with a bad value, such as a picture that cannot be
            opened: it is set aside and listed (set_aside), or reading stops (fail).
    """

    __pydantic_config__ = kinds.CLOSED

    path: str
    format: Format | None = None
    map: dict[str, str] = field(default_factory=dict)
    id: str | None = None
    split: Annotated[str | Split | None, BeforeValidator(_split)] = None
    input: str | None = None
    task: str | None = None
    limit: int | None = None
    encoding: str = "utf-8"
    on_error: Literal["set_aside", "fail"] = "set_aside"

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"needs a `limit` of at least 1. Got {self.limit!r}.")
        self._check_split()
        try:
            "".encode(self.encoding)
        except LookupError:
            raise ValueError(
                f"has the unknown encoding {self.encoding!r}. Write a name such as utf-8, "
                "latin-1, cp1252, utf-16 or gb18030."
            ) from None

    def _check_split(self) -> None:
        if self.format == "ledger" and self.split not in (None, "train"):
            raise ProjectError(
                f"{self.path}: a ledger holds labels that were made, which train and never judge. "
                f"Expected `split: train`, found {kinds.dump(self.split)!r}. Judge by labels that "
                "people gave."
            )

    @property
    def splitting(self) -> str | Split:
        """The split of all records, or the rule, with the default written out."""
        return self.split or ("train" if self.format == "ledger" else Split())


def format_of(path: str, *, is_folder: bool) -> str:
    """Return the format that the name of a file or folder tells.

    Raises:
        ProjectError: where the suffix says nothing.
    """
    if is_folder:
        return "folder"
    name = PurePath(path.lower().removesuffix(".gz"))
    if name.suffix in SUFFIXES:
        return SUFFIXES[name.suffix]
    raise ProjectError(
        f"{path}: the format cannot be told from the suffix {name.suffix!r}. Known suffixes: "
        f"{listed(SUFFIXES)}, each with .gz behind it or not. Name the format in the source: "
        "`format: csv`."
    )
