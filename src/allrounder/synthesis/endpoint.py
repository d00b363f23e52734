"""Records written by a language model behind a server."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from math import inf
from typing import ClassVar
from urllib.parse import SplitResult, urlsplit

import numpy as np

from allrounder.errors import ProjectError
from allrounder.synthesis.base import Made, Parent, Writing
from allrounder.synthesis.classes import classes, fields_of, known_of, single
from allrounder.synthesis.client import Client
from allrounder.synthesis.material import Material
from allrounder.synthesis.prompts import prompt, read


@dataclass(kw_only=True)
class Endpoint(Writing):
    """New records for each label, written by any OpenAI-compatible server.

    Off unless the project file names it: the server is shown training records. What it writes is
    taken for hostile: it is checked, and dropped with its reason where it is anything but a text.
    An answer is kept in `.allrounder/endpoint`, so that a request is made once.

    Args:
        url: of the server, up to `/v1`; `http` only to this machine.
        model: the name of the model there.
        key_env: the environment variable that holds the key; the key itself is written nowhere.
        n: records asked for each label.
        ask: records asked for in one request.
        examples: records of the label that are shown in each request.
        timeout: seconds until an answer has to be there.
        retries: how often a request is made again, with growing pauses, or as the server asks.
        rate: requests a minute, at most.
        budget: requests in all, at most; answers that are kept do not count.
        temperature: of the model's chance.
    """

    varies: ClassVar[bool] = False
    stretch: ClassVar[float] = inf  # lengths are bounded by all examples, when answers are read

    url: str
    model: str
    key_env: str | None = None
    n: int = 20
    ask: int = 5
    examples: int = 4
    timeout: float = 60.0
    retries: int = 4
    rate: float = 60.0
    budget: int = 1000
    temperature: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_url(urlsplit(self.url), self.url)
        for name in ("n", "ask", "examples", "budget"):
            self._at_least(name, 1)
        for name in ("retries", "temperature"):
            self._at_least(name, 0)
        for name in ("timeout", "rate"):
            self._at_least(name, 0.01)

    def num_blocks(self, material: Material) -> int:
        """Return one block for each label; refuse a key that is not there."""
        Client.of(self, material.cache).headers()
        return len(self._labels(material))

    def _labels(self, material: Material) -> list[tuple[str, str]]:
        """Return the tasks with each of their labels."""
        return classes(material, single(material, self.tasks))

    def blocks(self, material: Material, start: int = 0) -> Iterator[list[Made]]:
        """Yield what is written for each label; what was dropped is counted by the client."""
        client = material.once(self.mark, lambda: Client.of(self, material.cache))
        for task, label in self._labels(material)[start:]:
            known = known_of(material, task, label)
            yield self._written(client, material, task, label, known) if known else []

    def _written(
        self, client: Client, material: Material, task: str, label: str, known: list[Parent]
    ) -> list[Made]:
        made: list[Made] = []
        fields = fields_of(material, task)
        for number in range(-(-self.n // self.ask)):
            chance = np.random.default_rng([self.seed, number, *label.encode()])
            order = chance.permutation(len(known))[: self.examples]
            shown = [known[at] for at in order]
            wanted = min(self.ask, self.n - number * self.ask)
            said = client.said(prompt(task, label, fields, shown, wanted), self.seed + number)
            found, dropped = read(said, fields, shown) if said is not None else ([], {})
            client.dropped.update(dropped)
            made += [
                Made(parent=shown[0], number=len(made) + place, fields=one, labels={task: label})
                for place, one in enumerate(found[:wanted])
            ]
        return made

    def notes(self, material: Material) -> list[str]:
        """Say how much was asked, and what of the answers was not even a record."""
        client = material.once(self.mark, lambda: Client.of(self, material.cache))
        return [*super().notes(material), str(client)]


def _check_url(url: SplitResult, written: str) -> None:
    """Refuse what would send records or a key in the clear, or write a key into files."""
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError(f"has `url: {written}`. Expected one such as https://example.org/v1.")
    if url.username or url.password or url.query:
        raise ProjectError(
            "`synthesis.url` holds a name, a password or a query, which would be written into "
            "files. Name the environment variable with the key in `key_env` instead."
        )
    if url.scheme == "http" and not _is_here(url.hostname):
        raise ValueError(
            f"has `url: {written}`, which would send records in the clear. Expected https, or "
            "http to this machine (localhost)."
        )


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
