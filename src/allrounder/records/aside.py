"""Records that are set aside because they hold a bad value."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from allrounder.errors import DataError

SHARE = 0.01
"""The share of a source's records above which something is wrong with the source."""

SHOWN = 3


class Aside(NamedTuple):
    """A bad value: where its record stands, the field, and why."""

    where: str
    field: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}, `{self.field}`: {self.why.rstrip('.')}"


def check_share(shown: str, aside: Sequence[Aside], num_records: int) -> None:
    """Refuse a source of which too many records would be set aside.

    Args:
        shown: The source.
        aside: Its bad values.
        num_records: All its records, those set aside included.

    Raises:
        DataError: with the reasons, counted, and the first places.
    """
    n = num_aside(aside)
    if n <= SHARE * num_records:
        return
    raise DataError(
        f"{shown}: expected at most {SHARE:.0%} of the records to be set aside, found "
        f"{n:,} of {num_records:,} ({n / num_records:.1%}): {_counted(aside)}. The first: "
        f"{'; '.join(map(str, aside[:SHOWN]))}. Mend or remove these records; `on_error` lets no "
        "more of them pass."
    )


def sentence(aside: Sequence[Aside], num_records: int) -> str:
    """Return how many records were set aside and why, for a report."""
    n = num_aside(aside)
    were, more = ("was" if n == 1 else "were"), len(aside) - SHOWN
    rest = f"; and {more:,} more" if more > 0 else ""
    return (
        f"{n:,} of {num_records:,} records {were} set aside: "
        f"{'; '.join(map(str, aside[:SHOWN]))}{rest}."
    )


def num_aside(aside: Sequence[Aside]) -> int:
    """Return how many records are set aside; one may hold several bad values."""
    return len({one.where for one in aside})


def as_csv(aside: Sequence[Aside]) -> str:
    """Return the bad values as a table for a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([("where", "field", "reason"), *aside])
    return text.getvalue()


def _counted(aside: Sequence[Aside]) -> str:
    """Return the most frequent reasons, those that differ only in what was quoted made one."""
    reasons = Counter(re.sub(r"(['\"]).*\1", "…", one.why).rstrip(".") for one in aside)
    more = len(reasons) - SHOWN
    rest = [f"and {more:,} other reasons"] if more > 0 else []
    return ", ".join([*(f"{n:,} × {why}" for why, n in reasons.most_common(SHOWN)), *rest])
