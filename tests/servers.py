"""A server on this machine that answers as one that is OpenAI-compatible, or badly."""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS = (
    "river stone cloud ladder window garden paper silver button candle forest engine pocket "
    "letter market season bridge copper velvet island harvest lantern mirror needle orchard"
).split()


class Answer:
    """What the server does with a request: a status and a body, headers, or a pause first."""

    def __init__(
        self, body: Any = "", *, status: int = 200, pause: float = 0.0, headers: Any = None
    ) -> None:
        self.body, self.status, self.pause, self.headers = body, status, pause, headers or {}


def completion(said: str) -> Answer:
    """Return the answer of a server whose model says something."""
    return Answer(json.dumps({"choices": [{"message": {"role": "assistant", "content": said}}]}))


def records(*texts: str) -> Answer:
    """Return the answer of a server whose model writes records."""
    return completion(json.dumps({"records": [{"text": text} for text in texts]}))


def writes(body: dict[str, Any]) -> Answer:
    """Answer with five new texts that follow from the request."""
    chance = random.Random(json.dumps(body, sort_keys=True))
    return records(*(" ".join(chance.sample(WORDS, 8)) for _ in range(5)))


@contextmanager
def serving(answer: Callable[[dict[str, Any]], Answer]) -> Iterator[tuple[str, list[Any]]]:
    """Serve answers; yield the address up to `/v1`, and the list of requests as they come."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append({"path": self.path, "headers": dict(self.headers), "body": body})
            found = answer(body)
            time.sleep(found.pause)
            held = found.body.encode() if isinstance(found.body, str) else found.body
            try:
                self.send_response(found.status)
                for name, value in found.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(held)))
                self.end_headers()
                self.wfile.write(held)
            except OSError:
                pass  # the client has gone

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
