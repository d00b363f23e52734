"""The server: a few addresses that speak JSON, and the files of the page."""

import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from allrounder.errors import DataError, Error
from allrounder.labeling.desk import AHEAD, Desk
from allrounder.labeling.guard import Guard
from allrounder.labeling.importing import Choices
from allrounder.labeling.media import shown
from allrounder.labeling.people import People, Person, this_person
from allrounder.labeling.pool import MEDIA

STATIC = Path(__file__).parent / "static"

MOST = 200
"""Answers, keys or lines that are sent at once."""

MONTH = 30 * 24 * 3600

Handler = Callable[[Request, Person, Any], Awaitable[Response]]


class Sorry(Exception):
    """A request that cannot be answered: a status, a word for the page, and a sentence."""

    def __init__(self, status: int, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.kind = status, kind


class Server:
    """What answers the requests of pages.

    Args:
        desk: the project.
        people: who may label; whoever is at this machine where there are none.
        secret: what the tokens of writing requests are made from; by default chance.
    """

    def __init__(self, desk: Desk, people: People, *, secret: bytes | None = None) -> None:
        self.desk, self.people = desk, people
        self.secret = secret or secrets.token_bytes(32)
        self.cookie = f"allrounder_{desk.identity[:12]}"
        self._changing = threading.Lock()
        self.version = 0
        """How often the tasks have changed since the start."""
        self.reopened: Callable[[Desk], Desk] | None = None
        """What opens the project anew after a change of its file, and closes what was."""

    def app(self, hosts: Collection[str] = ()) -> Starlette:
        """Return the application."""
        routes = [
            Route("/", self._index),
            Route("/api/session", self._answers(self._session)),
            Route("/api/sign-in", self._sign_in, methods=["POST"]),
            Route("/api/sign-out", self._answers(self._sign_out), methods=["POST"]),
            Route("/api/next", self._answers(self._next), methods=["POST"]),
            Route("/api/leave", self._answers(self._leave), methods=["POST"]),
            Route("/api/answers", self._answers(self._append), methods=["POST"]),
            Route("/api/progress", self._answers(self._progress)),
            Route("/api/agreement", self._answers(self._agreement)),
            Route("/api/phrase", self._answers(self._phrase), methods=["POST"]),
            Route("/api/rule", self._answers(self._rule), methods=["POST"]),
            Route("/api/labels", self._answers(self._labels), methods=["POST"]),
            Route("/api/import", self._answers(self._import, is_file=True), methods=["POST"]),
            Route("/api/curve", self._answers(self._curve)),
            Route("/api/history", self._answers(self._history)),
            Route("/api/record/{key}", self._answers(self._record)),
            Route("/api/media/{key}/{field}", self._answers(self._media)),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
        return Starlette(routes=routes, middleware=[Middleware(Guard, hosts=hosts)])

    def _answers(
        self, handler: Handler, *, is_file: bool = False
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return a handler that knows who asks, and says in JSON what goes wrong.

        What is sent is JSON, or a file, which is left to the handler to read.
        """

        async def answered(request: Request) -> Response:
            try:
                person = self._person(request)
                body = None
                if request.method == "POST":
                    self._check_token(request, person)
                    body = None if is_file else await _body(request)
                return await handler(request, person, body)
            except Sorry as error:
                told = {"error": str(error), "kind": error.kind}
                return JSONResponse(told, error.status)
            except Error as error:
                return JSONResponse({"error": str(error), "kind": "ledger"}, 503)

        return answered

    async def _index(self, request: Request) -> Response:
        return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    async def _session(self, request: Request, person: Person, _: Any) -> Response:
        told = {**self.desk.session(person), "version": self.version}
        return _fresh({**told, "token": self._token(person), "signs_in": bool(self.people)})

    async def _sign_in(self, request: Request) -> Response:
        try:
            body = await _body(request)
        except Sorry as error:
            return JSONResponse({"error": str(error), "kind": error.kind}, error.status)
        token = body.get("token")
        person = self.people.by_token(token) if isinstance(token, str) else None
        if person is None:
            told = {"error": "This link is not, or no longer, good.", "kind": "sign-in"}
            return JSONResponse(told, 401)
        told = _fresh({"who": person.name, "role": person.role})
        secure = request.url.scheme == "https"
        options: dict[str, Any] = {"httponly": True, "samesite": "strict", "secure": secure}
        told.set_cookie(self.cookie, token, max_age=MONTH, **options)
        return told

    async def _sign_out(self, request: Request, person: Person, _: Any) -> Response:
        told = _fresh({})
        told.delete_cookie(self.cookie, httponly=True, samesite="strict")
        return told

    async def _next(self, request: Request, person: Person, body: Any) -> Response:
        have, want = _keys(body, "have"), _keys(body, "want")
        n = body.get("n", AHEAD)
        if not isinstance(n, int) or isinstance(n, bool):
            raise Sorry(400, "request", "`n` must be a whole number.")
        for name, queue in {"disputes": self.desk.disputes, "doubts": self.desk.doubts}.items():
            if body.get("queue") != name:
                continue
            if not person.reviews:
                raise Sorry(403, "role", f"Only reviewers and owners settle {name}.")
            given = {"have": have, "n": max(1, min(n, AHEAD))}
            return _fresh(await run_in_threadpool(queue, person, **given))
        tab = _tab(body)
        options = {"have": have, "want": want, "n": n}
        told = await run_in_threadpool(self.desk.next, person, tab, **options)
        return _fresh({**told, "version": self.version})

    async def _leave(self, request: Request, person: Person, body: Any) -> Response:
        await run_in_threadpool(self.desk.leave, person, _tab(body))
        return _fresh({})

    async def _append(self, request: Request, person: Person, body: Any) -> Response:
        items = body.get("answers")
        if not isinstance(items, list) or len(items) > MOST:
            raise Sorry(400, "request", f"`answers` must be a list of {MOST} at most.")
        return _fresh(await run_in_threadpool(self.desk.answer, person, items))

    async def _progress(self, request: Request, person: Person, _: Any) -> Response:
        return _fresh(await run_in_threadpool(self.desk.progress, person))

    async def _agreement(self, request: Request, person: Person, _: Any) -> Response:
        return _fresh(await run_in_threadpool(self.desk.agreement, person))

    async def _phrase(self, request: Request, person: Person, body: Any) -> Response:
        return await self._ruled(person, self.desk.phrase, body)

    async def _rule(self, request: Request, person: Person, body: Any) -> Response:
        return await self._ruled(person, self.desk.keep_phrase, person, body)

    async def _labels(self, request: Request, person: Person, body: Any) -> Response:
        if person.role != "owner":
            raise Sorry(403, "role", "Only owners change labels.")
        words = [body.get(name, "") for name in ("task", "old", "new")]
        if not all(isinstance(word, str) for word in words):
            raise Sorry(400, "request", "`task`, `old` and `new` must be texts.")
        try:
            return _fresh(await run_in_threadpool(self._relabelled, *words, bool(body.get("dry"))))
        except Error as error:
            raise Sorry(422, "labels", str(error)) from None

    def _relabelled(self, task: str, old: str, new: str, dry: bool) -> dict[str, Any]:
        """Change a task's labels, and open the project anew where they have changed."""
        with self._changing:
            found = self.desk.relabel(task, old, new, dry=dry)
            if not dry and self.reopened is not None:
                self.desk = self.reopened(self.desk)
                self.version += 1
        return found

    async def _ruled(self, person: Person, act: Callable[..., Any], *words: Any) -> Response:
        if not person.reviews:
            raise Sorry(403, "role", "Only reviewers and owners make rules.")
        try:
            return _fresh(await run_in_threadpool(act, *words))
        except Error as error:
            raise Sorry(422, "rule", str(error)) from None

    async def _import(self, request: Request, person: Person, _: Any) -> Response:
        if not person.reviews:
            raise Sorry(403, "role", "Only reviewers and owners import labels.")
        held = await request.body()
        try:
            choices = Choices.of(request.query_params.get)
            return _fresh(await run_in_threadpool(self.desk.take_file, held, choices))
        except Error as error:
            raise Sorry(422, "import", str(error)) from None

    async def _curve(self, request: Request, person: Person, _: Any) -> Response:
        return _fresh(await run_in_threadpool(self.desk.curve))

    async def _history(self, request: Request, person: Person, _: Any) -> Response:
        asked = request.query_params.get("n", "50")
        n = min(MOST, int(asked)) if asked.isdecimal() and len(asked) < 6 else 50
        return _fresh({"history": await run_in_threadpool(self.desk.history, person, n)})

    async def _record(self, request: Request, person: Person, _: Any) -> Response:
        key = request.path_params["key"]
        found = await run_in_threadpool(self.desk.record, person, key)
        if found is None:
            raise Sorry(404, "record", "The project holds no such record any more.")
        return _fresh(found)

    async def _media(self, request: Request, person: Person, _: Any) -> Response:
        key, field = request.path_params["key"], request.path_params["field"]
        pool = self.desk.pool
        value = pool.file(key, field)
        what = next((e.field for e in pool.inputs.values() if field in (e.fields or [])), None)
        kind = MEDIA.get(getattr(what, "what", ""))
        if value is None or kind is None:
            raise Sorry(404, "media", "The record has no such picture or sound.")
        try:
            type, held = await run_in_threadpool(shown, value, kind)
        except DataError as error:
            raise Sorry(410, "media", str(error)) from None
        headers = {"Cache-Control": "private, max-age=86400", "ETag": f'"{value["digest"]}"'}
        return Response(held, media_type=type, headers=headers)

    def _person(self, request: Request) -> Person:
        if not self.people:
            return this_person()
        token = request.cookies.get(self.cookie)
        person = self.people.by_token(token) if token else None
        if person is None:
            raise Sorry(401, "sign-in", "Open the link that you were given.")
        return person

    def _token(self, person: Person) -> str:
        return hmac.new(self.secret, person.name.encode(), hashlib.sha256).hexdigest()

    def _check_token(self, request: Request, person: Person) -> None:
        given = request.headers.get("x-token", "")
        if not hmac.compare_digest(given.encode(), self._token(person).encode()):
            raise Sorry(403, "token", "The page is from before the server started. Load it again.")


def _fresh(told: Any) -> JSONResponse:
    return JSONResponse(told, headers={"Cache-Control": "no-store"})


async def _body(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request."""
    try:
        found = json.loads(await request.body(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Sorry(400, "request", "Expected a JSON object.")
    return found


def _refuse(word: str) -> None:
    raise ValueError(word)


def _tab(body: dict[str, Any]) -> str:
    tab = body.get("tab")
    if not isinstance(tab, str) or not 0 < len(tab) <= 100 or not tab.isascii() or "\0" in tab:
        raise Sorry(400, "request", "`tab` must name the page.")
    return tab


def _keys(body: dict[str, Any], name: str) -> list[str]:
    found = body.get(name, [])
    is_keys = isinstance(found, list) and all(isinstance(one, str) for one in found)
    if not is_keys or len(found) > MOST:
        raise Sorry(400, "request", f"`{name}` must be a list of keys.")
    return found
