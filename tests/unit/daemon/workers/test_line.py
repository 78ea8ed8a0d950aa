# SPDX-License-Identifier: Apache-2.0
"""The worker's line against a libzmq ROUTER: without a thread where it can, and by libzmq after that."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from kineograph_daemon.workers.line import Line


@pytest.fixture
def context() -> Iterator[Any]:
    with zmq.Context() as context:
        context.setsockopt(zmq.LINGER, 0)
        yield context


def bound(context: Any, endpoint: str) -> Any:
    router = context.socket(zmq.ROUTER)
    router.set(zmq.ROUTER_MANDATORY, 1)
    router.bind(endpoint)
    return router


def heard(line: Line) -> list[bytes]:
    """The next message, however long it takes."""
    while (frames := line.receive()) is None:
        pass
    return [bytes(frame) for frame in frames]


@pytest.mark.parametrize("scheme", ["ipc", "tcp"])
def test_both_ways(scheme: str, context: Any, tmp_path: Path) -> None:
    if scheme == "ipc" and os.name == "nt":
        pytest.skip("Unix sockets")
    with bound(context, f"ipc://{tmp_path}/w.sock" if scheme == "ipc" else "tcp://127.0.0.1:*") as router:
        line = Line(router.get(zmq.LAST_ENDPOINT).rstrip(b"\0").decode(), "w1")
        large = bytes(3 * 10**6)
        line.send([b"ready"])
        assert router.recv_multipart() == [b"w1", b"ready"]
        router.send_multipart([b"w1", b"task", large])
        router.send_multipart([b"w1", b"another"])
        assert heard(line) == [b"task", large]
        assert heard(line) == [b"another"]
        sender = threading.Thread(target=lambda: line.send([b"done", large]))
        sender.start()
        assert router.recv_multipart() == [b"w1", b"done", large]
        sender.join()
        assert line.receive() is None
        line.send([b"the last word"])
        line.close()
        assert router.recv_multipart() == [b"w1", b"the last word"]


@pytest.mark.skipif(os.name == "nt", reason="Unix sockets")
@pytest.mark.parametrize("first", ["hears", "speaks"])
def test_a_broken_connection_goes_on_with_libzmq(first: str, context: Any, tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/w.sock"
    with bound(context, endpoint) as router:
        line = Line(endpoint, "w1")
        line.send([b"1"])
        router.recv_multipart()
    os.path.exists(tmp_path / "w.sock") and os.unlink(tmp_path / "w.sock")
    with bound(context, endpoint) as router:
        if first == "hears":
            assert line.receive() is None
        line.send([b"2"])
        if first == "speaks":
            while not router.poll(50):  # the system may have taken what nobody heard
                line.send([b"2"])
        assert router.recv_multipart() == [b"w1", b"2"]
        router.send_multipart([b"w1", b"3"])
        assert heard(line) == [b"3"]
        line.close()


@pytest.mark.skipif(os.name == "nt", reason="Unix sockets")
def test_who_is_no_router_is_left_to_libzmq(context: Any, tmp_path: Path) -> None:
    path = tmp_path / "w.sock"
    with socket.socket(socket.AF_UNIX) as foreign:
        foreign.bind(str(path))
        foreign.listen()

        def greet() -> None:
            peer, _ = foreign.accept()
            with peer:
                peer.sendall(b"who are you?")

        greeter = threading.Thread(target=greet)
        greeter.start()
        line = Line(f"ipc://{path}", "w1")
        greeter.join()
    path.unlink()
    with bound(context, f"ipc://{path}") as router:
        line.send([b"ready"])
        assert router.recv_multipart() == [b"w1", b"ready"]
        line.close()
