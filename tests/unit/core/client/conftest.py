# SPDX-License-Identifier: Apache-2.0
"""A fake daemon, quick clients, and a look on the way out that no thread stays behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.daemon import FakeDaemon

from kineograph.client import Client, LinkSettings

QUICK = LinkSettings(hello_s=0.5, backoff_s=0.01, backoff_max_s=0.1)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINEOGRAPH_HOME", str(tmp_path / "home"))


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    end_s = time.monotonic() + 30
    while left := [t.name for t in threading.enumerate() if t not in before and t.name.startswith(("kineo", "fake"))]:
        assert time.monotonic() < end_s, f"threads stayed behind: {left}"
        time.sleep(0.01)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    with FakeDaemon(tmp_path) as fake:
        yield fake


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    """Makes clients that are closed afterwards."""
    made: list[Client] = []

    def make(address: Any = None, **options: Any) -> Client:
        made.append(Client(address, **{"settings": QUICK, "deadline_s": 5.0, **options}))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(daemon: FakeDaemon, connect: Callable[..., Client]) -> Client:
    return connect(daemon.endpoint)


def until(condition: Callable[[], Any], timeout_s: float = 30.0) -> Any:
    """Wait for something to become true, and return it."""
    end_s = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < end_s, "it never became true"
        time.sleep(0.002)
    return value
