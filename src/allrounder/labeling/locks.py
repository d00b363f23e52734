"""Records that are kept for a person who is at work on them, so that nobody does them twice."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress

from allrounder.errors import RunError
from allrounder.ledger import Answers, Hold

SILENT = 45.0
"""Seconds after which a page of the same person may take over from one that went silent."""

GOING = 3.0
"""Seconds that a page which is left has to come back, as it does when it is loaded anew."""

Pair = tuple[str, str]
"""A record and a person."""


class Locks:
    """Who holds which records, agreed on by all servers that share a ledger.

    Records are taken in memory and kept by `save`, which says which of them another server was
    faster to give away. A ledger that cannot be written costs nothing but that.

    Args:
        answers: the ledger.
        seconds: how long a record is kept for a page that is silent.
        now: the clock; by default that of the ledger.
    """

    def __init__(
        self, answers: Answers, *, seconds: float, now: Callable[[], float] | None = None
    ) -> None:
        self.answers, self.seconds, self.now = answers, seconds, now or answers.clock
        self._holds: dict[str, dict[str, Hold]] = defaultdict(dict)
        self._tabs: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        self._changed: dict[Pair, Hold | None] = {}
        self._known: set[tuple[str, str, str]] = set()
        self.refresh()

    def refresh(self) -> None:
        """Take in what other servers keep by now."""
        with suppress(RunError):
            self._look(self.answers.holds())

    def others(self, key: str, who: str) -> set[str]:
        """Return the other persons for whom a record is kept."""
        now = self.now()
        return {one.who for one in self._of(key) if one.who != who and self._lives(one, now)}

    def take(self, key: str, who: str, tab: str) -> bool:
        """Keep a record for a page, unless another page of the same person is at work on it."""
        now = self.now()
        own = self._holds.get(key, {}).get(who)
        if own is not None and own.tab != tab and self._lives(own, now) and now - own.seen < SILENT:
            return False
        self._change(key, who, Hold(key, who, tab, now))
        return True

    def release(self, key: str, who: str) -> None:
        """Keep a record no longer for a person."""
        if who in self._holds.get(key, {}):
            self._change(key, who, None)

    def leave(self, who: str, tab: str) -> None:
        """Let another page of a person have what this one held, unless it comes back at once."""
        seen = self.now() - SILENT + GOING
        for key in self.held(who, tab):
            self._change(key, who, Hold(key, who, tab, seen))

    def held(self, who: str, tab: str) -> list[str]:
        """Return the records that are kept for a page, in the order in which it got them."""
        return list(self._tabs.get((who, tab), ()))

    def save(self) -> set[str]:
        """Agree with other servers on what changed; return the records that they gave away."""
        lost: set[str] = set()
        if not self._changed:
            return lost

        def merged(found: set[Hold]) -> set[Hold]:
            now = self.now()
            kept = {(one.key, one.who): one for one in found if self._lives(one, now)}
            news = {one.key for one in kept.values() if _page(one) not in self._known}
            for pair, hold in self._changed.items():
                own = kept.pop(pair, None)
                if hold is not None and hold.key in news and not _same_page(own, hold):
                    lost.add(hold.key)
                    hold = own
                if hold is not None:
                    kept[pair] = hold
            return set(kept.values())

        with suppress(RunError):
            found = self.answers.hold(merged)
            self._changed.clear()
            self._look(found)
        return lost

    def _lives(self, one: Hold, now: float) -> bool:
        """Return whether a hold has not run out; a clock that was set back lengthens none."""
        return now - self.seconds < one.seen <= now + SILENT

    def _of(self, key: str) -> Iterable[Hold]:
        return self._holds.get(key, {}).values()

    def _look(self, found: set[Hold]) -> None:
        """Go by what a ledger says, and by what it was not told yet."""
        self._known = {_page(one) for one in found}
        said: dict[Pair, Hold | None] = {
            (one.key, one.who): one for one in sorted(found, key=lambda one: one.seen)
        }
        said.update(self._changed)
        held = [(key, who) for key, holds in self._holds.items() for who in holds]
        for key, who in [*said, *(pair for pair in held if pair not in said)]:
            self._put(key, who, said.get((key, who)))

    def _change(self, key: str, who: str, hold: Hold | None) -> None:
        self._changed[key, who] = hold
        self._put(key, who, hold)

    def _put(self, key: str, who: str, hold: Hold | None) -> None:
        old = self._holds[key].pop(who, None)
        if old is not None and not _same_page(old, hold):
            self._tabs[who, old.tab].pop(key, None)
        if hold is not None:
            self._holds[key][who] = hold
            self._tabs[who, hold.tab][key] = None
        if not self._holds[key]:
            del self._holds[key]


def _page(one: Hold) -> tuple[str, str, str]:
    return one.key, one.who, one.tab


def _same_page(one: Hold | None, other: Hold | None) -> bool:
    return one is not None and other is not None and one.tab == other.tab
