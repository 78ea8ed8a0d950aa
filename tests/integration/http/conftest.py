# SPDX-License-Identifier: Apache-2.0
"""A real daemon with its HTTP door open, one for each module, and a bare HTTP client that hides nothing."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.integration.daemon.conftest import ROOT, House, make_house, wait_until

OPEN_S = 60.0
KNOWN_S = 120.0
QUIET_S = 0.2


@dataclass(frozen=True)
class Answer:
    """What came back. Headers' names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's value, unpacked when it came packed."""
        packed = self.headers.get("content-encoding") == "gzip"
        return json.loads(gzip.decompress(self.body) if packed else self.body)

    @property
    def code(self) -> str:
        """The code of the envelope, which must be whole."""
        told = self.json
        assert set(told) >= {"error", "request_id"}, told
        assert set(told["error"]) == {"code", "message", "details"}
        assert told["request_id"] == self.headers["x-request-id"]
        if self.status in (429, 503, 504):
            assert int(self.headers["retry-after"]) >= 1
        return str(told["error"]["code"])


@dataclass(frozen=True)
class Site:
    """Where a door listens."""

    url: str

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return str(parts.hostname), int(parts.port or 0)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 30.0,
    ) -> Answer:
        """One exchange; a body that is no bytes goes as JSON."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        with closing(http.client.HTTPConnection(*self.address, timeout=timeout_s)) as link:
            link.request(method, path, data, dict(headers or {}))
            reply = link.getresponse()
            return Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())

    def raw(self, *parts: bytes, pause_s: float = 0.0, timeout_s: float = 30.0) -> bytes:
        """Bytes as they are on a connection of their own, and everything that came back."""
        with closing(socket.create_connection(self.address, timeout_s)) as link:
            out = b""
            try:
                for part in parts:
                    link.sendall(part)
                    time.sleep(pause_s)
                while data := link.recv(65_536):
                    out += data
                    link.settimeout(QUIET_S)  # an answer came; the connection itself may stay open
            except (ConnectionError, TimeoutError):
                pass  # closed while we sent: what came back before counts
            return out


def answer_of(raw: bytes) -> Answer:
    """The first answer in what ``raw`` gave back."""
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *rest = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (r.partition(": ") for r in rest)}
    return Answer(int(line.split()[1]), headers, body[: int(headers.get("content-length", len(body)))])


def site_of(house: House) -> Site:
    """Where a daemon's door listens, once it does."""
    note = house.home / "run" / "http.json"
    wait_until(note.exists, OPEN_S)
    return Site(str(json.loads(note.read_text("utf-8"))["url"]))


def wait_for_models(house: House, *names: str) -> None:
    """Until a remote's models are known: one that is too busy to tell them at once is asked again after a while."""
    house.wait_for_workers(2)
    wire = house.wire()
    wait_until(lambda: {m["id"] for m in wire.call("capabilities")["mmcp"]["models"]} >= set(names), KNOWN_S)


@pytest.fixture(scope="module")
def door_flags() -> tuple[str, ...]:
    """Flags of the module's daemon; a module may have its own."""
    return ()


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory, door_flags: tuple[str, ...]) -> Iterator[House]:
    """A daemon with every fake model and an open door."""
    home = Path(tmp_path_factory.mktemp("d"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KINEOGRAPH_HOME", str(home))
        flags = ("--http", "127.0.0.1:0", "--backbone", "tests.integration.http.models:everything", *door_flags)
        house = House(home, *flags, KINEOGRAPH_FAKE_STEPS="2000", KINEOGRAPH_FAKE_STEP_S="0.05")
        house.start()
        try:
            house.wait_for_workers()
            yield house
        finally:
            house.end()


@pytest.fixture(scope="module")
def door(open_house: House) -> Site:
    """The module's door."""
    return site_of(open_house)


MakeHouse = Callable[..., House]
__all__ = [
    "ROOT",
    "Answer",
    "House",
    "MakeHouse",
    "Site",
    "answer_of",
    "make_house",
    "site_of",
    "wait_for_models",
    "wait_until",
]
