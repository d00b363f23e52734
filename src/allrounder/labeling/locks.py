"""Records that are kept for a person who is at work on them, so that nobody does them twice."""

import json
import os
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

SILENT = 45.0
"""Seconds after which a page of the same person may take over from one that went silent."""

GOING = 3.0
"""Seconds that a page which is left has to come back, as it does when it is loaded anew."""


@dataclass(frozen=True)
class Hold:
    """A record that is kept for one page of a person.

    Args:
        who: the person.
        tab: the page.
        seen: when it was last heard of, in seconds.
    """

    who: str
    tab: str
    seen: float


class Locks:
    """Who holds which records; a small file beside the records outlives a killed server.

    Args:
        path: that file.
        seconds: how long a record is kept for a page that is silent.
        now: the clock.
    """

    def __init__(self, path: Path, *, seconds: float, now: Callable[[], float]) -> None:
        self.path, self.seconds, self.now = path, seconds, now
        self._holds: dict[str, list[Hold]] = {}
        self._tabs: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        self._changed = False
        with suppress(OSError, ValueError, TypeError, AttributeError):
            for key, holds in json.loads(path.read_text(encoding="utf-8")).items():
                self._put(key, [Hold(**hold) for hold in holds])
        self._changed = False

    def others(self, key: str, who: str) -> set[str]:
        """Return the other persons for whom a record is kept."""
        return {hold.who for hold in self._live(key) if hold.who != who}

    def take(self, key: str, who: str, tab: str) -> bool:
        """Keep a record for a page, unless another page of the same person is at work on it."""
        now, live = self.now(), self._live(key)
        own = next((hold for hold in live if hold.who == who), None)
        if own is not None and own.tab != tab and now - own.seen < SILENT:
            return False
        rest = [hold for hold in live if hold.who != who]
        self._put(key, [*rest, Hold(who, tab, now)])
        return True

    def release(self, key: str, who: str) -> None:
        """Keep a record no longer for a person."""
        self._put(key, [hold for hold in self._live(key) if hold.who != who])

    def leave(self, who: str, tab: str) -> None:
        """Let another page of a person have what this one held, unless it comes back at once."""
        seen = self.now() - SILENT + GOING
        for key in self.held(who, tab):
            holds = [hold for hold in self._live(key) if (hold.who, hold.tab) != (who, tab)]
            self._put(key, [*holds, Hold(who, tab, seen)])

    def held(self, who: str, tab: str) -> list[str]:
        """Return the records that are kept for a page, in the order in which it got them."""
        return list(self._tabs.get((who, tab), ()))

    def save(self) -> None:
        """Write the file where something changed; a full disk costs nothing but the file."""
        if not self._changed:
            return
        self._changed = False
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            told = {key: [asdict(hold) for hold in holds] for key, holds in self._holds.items()}
            draft.write_text(json.dumps(told), encoding="utf-8")
            draft.replace(self.path)

    def _live(self, key: str) -> list[Hold]:
        """Return the holds that have not run out; a clock that was set back lengthens none."""
        now = self.now()
        holds = self._holds.get(key, [])
        return [hold for hold in holds if now - self.seconds < hold.seen <= now + SILENT]

    def _put(self, key: str, holds: list[Hold]) -> None:
        for hold in self._holds.get(key, []):
            if hold not in holds and (hold.who, hold.tab) not in {(h.who, h.tab) for h in holds}:
                self._tabs[hold.who, hold.tab].pop(key, None)
        for hold in holds:
            self._tabs[hold.who, hold.tab][key] = None
        self._changed = True
        if holds:
            self._holds[key] = holds
        else:
            self._holds.pop(key, None)
