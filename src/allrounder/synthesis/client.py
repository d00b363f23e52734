"""Asking a server: with patience, within bounds, and each thing once."""

import hashlib
import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from allrounder.errors import ProjectError, RunError
from allrounder.runs import write_json

if TYPE_CHECKING:
    from allrounder.synthesis.endpoint import Endpoint

LARGEST = 1 << 20
"""Bytes of an answer, at most."""

LONGEST = 120.0
"""Seconds between two tries, at most, whatever the server asks for."""

FINAL = (400, 401, 402, 403, 404, 405, 410, 422)
"""Refusals that no second try changes."""

IN_A_ROW = 3
"""Requests that failed for good one after another, after which the server is given up."""


class Refused(Exception):
    """A try failed.

    Args:
        why: in a word or two.
        again: whether another try may help.
        after: seconds that the server asks to wait.
    """

    def __init__(self, why: str, *, again: bool = True, after: float = 0.0) -> None:
        super().__init__(why)
        self.why, self.again, self.after = why, again, after


class _Stays(HTTPRedirectHandler):
    """Follows no redirect: it could lead records and a key elsewhere."""

    def redirect_request(self, req: Any, fp: Any, *_: Any) -> None:
        fp.close()
        raise Refused("redirected elsewhere", again=False)


@dataclass
class Client:
    """One server, as it is asked.

    Args:
        settings: the kind `endpoint`.
        cache: where answers are kept.
        sleep: waits for some seconds.
        clock: tells seconds.
        requests: how many were made.
        kept: how many answers were there already.
        dropped: by reason, what of the answers was no record, and requests without an answer.
    """

    settings: "Endpoint"
    cache: Path
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    requests: int = 0
    kept: int = 0
    dropped: Counter = field(default_factory=Counter)
    _next: float = float("-inf")
    _failed: int = 0

    @classmethod
    def of(cls, settings: "Endpoint", cache: Path) -> Self:
        """Return a client whose answers are kept in the project's cache."""
        return cls(settings, cache / "endpoint")

    def __str__(self) -> str:
        host = urlsplit(self.settings.url).hostname
        why = "".join(f", {n:,} {reason}" for reason, n in self.dropped.most_common())
        return (
            f"{host} was asked {self.requests:,} times, {self.kept:,} answers were kept from "
            f"before. Dropped unread: {why[2:] or 'nothing'}."
        )

    def headers(self) -> dict[str, str]:
        """Return the headers of a request.

        Raises:
            ProjectError: the environment variable with the key is not set.
        """
        found = {"Content-Type": "application/json", "User-Agent": "allrounder"}
        name = self.settings.key_env
        if name is None:
            return found
        key = os.environ.get(name, "").strip()
        if not key or not key.isascii() or not key.isprintable():
            raise ProjectError(
                f"`synthesis.key_env` names the environment variable {name!r}, which holds no key. "
                f"Set it: export {name}=…"
            )
        return {**found, "Authorization": f"Bearer {key}"}

    def said(self, messages: Sequence[Mapping[str, str]], seed: int) -> str | None:
        """Return what the server says to some messages; None where it says nothing, counted.

        Raises:
            RunError: it refuses for good, or failed several times in a row. What was kept is kept.
        """
        body = {
            "model": self.settings.model, "temperature": self.settings.temperature, "seed": seed,
            "messages": list(messages),
        }  # fmt: skip
        asked = json.dumps([self.settings.url, body], sort_keys=True)
        path = self.cache / f"{hashlib.sha256(asked.encode()).hexdigest()}.json"
        with suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads(path.read_text(encoding="utf-8"))["said"]
            self.kept += 1
            return found
        try:
            found = self._tried(body)
        except Refused as refused:
            self._give_up(refused)
            return None
        self._failed = 0
        write_json(path, {"said": found})
        return found

    def _give_up(self, refused: Refused) -> None:
        """Count a request without an answer; stop where that is all there will be."""
        self.dropped[refused.why] += 1
        self._failed += refused.why != "over budget"
        if not refused.again or self._failed >= IN_A_ROW:
            raise RunError(
                f"{urlsplit(self.settings.url).netloc} cannot be asked: {refused.why}. What was "
                "made is kept. Go on with: allrounder synthesize --resume"
            ) from None

    def _tried(self, body: Mapping[str, Any]) -> str:
        """Ask until there is an answer, with pauses that double, each at random by half."""
        for number in range(self.settings.retries + 1):
            if self.requests >= self.settings.budget:
                raise Refused("over budget")
            try:
                return self._asked(body)
            except Refused as refused:
                if not refused.again or number == self.settings.retries:
                    raise
                # Chance beside the seed: it decides when something is asked, not what.
                pause = 2.0**number * random.uniform(0.5, 1.0)
                self.sleep(min(max(pause, refused.after), LONGEST))
        raise AssertionError("there is at least one try")

    def _asked(self, body: Mapping[str, Any]) -> str:
        """Ask once, not sooner than the rate allows."""
        self.sleep(max(0.0, self._next - self.clock()))
        self._next = self.clock() + 60 / self.settings.rate
        self.requests += 1
        try:
            held = self._read(body)
        except HTTPError as error:
            error.close()
            again = error.code not in FINAL
            after = _after(error.headers.get("Retry-After", ""))
            raise Refused(f"answered {error.code}", again=again, after=after) from None
        except TimeoutError:
            raise Refused("timed out") from None
        except (URLError, OSError, HTTPException) as error:
            late = isinstance(getattr(error, "reason", None), TimeoutError)
            raise Refused("timed out" if late else "not reached") from None
        return _content(held)

    def _read(self, body: Mapping[str, Any]) -> bytes:
        """Return the bytes of an answer, as long as they come in time and are not too many."""
        request = Request(
            self.settings.url.rstrip("/") + "/chat/completions",
            data=json.dumps(body).encode(),
            headers=self.headers(),
        )
        until = self.clock() + self.settings.timeout
        here = urlsplit(self.settings.url).scheme == "http"
        opener = build_opener(_Stays, *([ProxyHandler({})] if here else []))
        held = b""
        with opener.open(request, timeout=self.settings.timeout) as answer:
            while part := answer.read1(1 << 16):
                held += part
                if len(held) > LARGEST:
                    raise Refused("answered too much")
                if self.clock() > until:
                    raise TimeoutError
        return held


def _content(held: bytes) -> str:
    """Return what a model said, out of what a server answered."""
    try:
        found = json.loads(held)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise Refused("answered no completion") from None
    if not isinstance(found, str):
        raise Refused("answered no completion")
    return found


def _after(said: str) -> float:
    """Return the seconds that a server asks to wait: a number, or a moment."""
    if said.strip().isdecimal():
        return float(said)
    with suppress(TypeError, ValueError):
        return (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()
    return 0.0
