"""What stands before every request: whose page it is from, how large it is, what answers may do."""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from allrounder.labeling import importing

MOST_BYTES = 1 << 20
"""Of what a page sends at once."""

JSON = ("application/json", MOST_BYTES)

FILES = {"/api/import": ("application/octet-stream", importing.MOST_BYTES)}
"""Where whole files are sent, of which type, and how large."""

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

READS = ("GET", "HEAD")


class TooLarge(Exception):
    """A request holds more than it may."""


class Guard:
    """Refuses requests that no page of this server makes, before anything reads them.

    A name that another site has made point here (DNS rebinding) is none of `hosts`; an address in
    figures cannot be made to point anywhere.

    Args:
        app: what is guarded.
        hosts: names by which the server may be called, besides addresses in figures.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self.app = app
        self.hosts = {"localhost", *(host.lower() for host in hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        type, most = FILES.get(scope["path"], JSON)
        refusal = self._refusal(scope["method"], headers, type, most)
        app = JSONResponse({"error": refusal[1]}, refusal[0]) if refusal else self.app
        try:
            await app(scope, _limited(receive, most), _guarded(send))
        except TooLarge:
            told = JSONResponse({"error": "That is more than can be sent at once."}, 413)
            await told(scope, receive, _guarded(send))

    def _refusal(
        self, method: str, headers: Headers, type: str, most: int
    ) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if not self._is_ours(host):
            return 400, f"This server is not called {host[:80]!r}. See `label.hosts`."
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return 403, "Another site's page may not ask this server."
        follows_link = headers.get("sec-fetch-mode") == "navigate" and method in READS
        is_own = headers.get("sec-fetch-site", "none") in ("none", "same-origin")
        if not is_own and not follows_link:
            return 403, "Another site's page may not ask this server."
        if method not in READS:
            if headers.get("content-type", "").partition(";")[0].strip() != type:
                return 415, f"Expected {type}."
            length = headers.get("content-length", "0")
            if not length.isdecimal() or int(length) > most:
                return 413, "That is more than can be sent at once."
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name.lower() in self.hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _limited(receive: Receive, most: int) -> Receive:
    """Return what receives a request, and stops at one that is larger than it said."""
    got = 0

    async def limited() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > most:
            raise TooLarge
        return message

    return limited


def _guarded(send: Send) -> Send:
    """Return what sends an answer, with all headers that keep it harmless."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return guarded
