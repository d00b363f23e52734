"""Who is at work on which record, for all who share a ledger."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hold:
    """A record that is kept for one page of a person.

    Args:
        key: the record.
        who: the person.
        tab: the page.
        seen: when it was last heard of, in seconds by the clock of the ledger.
    """

    key: str
    who: str
    tab: str
    seen: float
