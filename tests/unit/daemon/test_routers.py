# SPDX-License-Identifier: Apache-2.0
"""The front's ROUTER without a thread against libzmq's DEALERs, and against peers that do it wrong."""

from __future__ import annotations

import os
import random
import select
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from kineograph.wire import zmtp
from kineograph_daemon.server import routers
from kineograph_daemon.server.routers import UnixRouter

pytestmark = pytest.mark.skipif(not UnixRouter.is_possible(), reason="epoll and Unix sockets")
LARGE = bytes(range(256)) * 40_000
Connect = Callable[..., Any]


@pytest.fixture
def router(tmp_path: Path) -> Iterator[UnixRouter]:
    bound = UnixRouter(f"ipc://{tmp_path}/r.sock", most_bytes=20 * 2**20, peer_queue=50)
    yield bound
    bound.close(0)
    assert not (tmp_path / "r.sock").exists()


@pytest.fixture
def connect(router: UnixRouter) -> Iterator[Connect]:
    made: list[Any] = []
    with zmq.Context() as context:

        def connect(identity: bytes = b"") -> Any:
            dealer = context.socket(zmq.DEALER)
            made.append(dealer)
            dealer.set(zmq.LINGER, 0)
            dealer.set(zmq.SNDHWM, 0)
            if identity:
                dealer.set(zmq.IDENTITY, identity)
            dealer.connect(router.endpoint)
            return dealer

        yield connect
        for dealer in made:
            dealer.close()


@pytest.fixture
def plain(router: UnixRouter) -> Iterator[Callable[[bytes], socket.socket]]:
    made: list[socket.socket] = []

    def plain(words: bytes) -> socket.socket:
        peer = socket.socket(socket.AF_UNIX)
        made.append(peer)
        peer.connect(router.endpoint.removeprefix("ipc://"))
        peer.sendall(words)
        return peer

    yield plain
    for peer in made:
        peer.close()


def hear(router: UnixRouter, count: int = 1) -> list[tuple[bytes, list[bytes]]]:
    """The next ``count`` messages, or what came when nothing has been said for a while (``count`` 0)."""
    out: list[tuple[bytes, list[bytes]]] = []
    now_s = time.monotonic()
    end_s, quiet_s = now_s + 60.0, now_s + 0.2
    while len(out) < count or (count == 0 and now_s < quiet_s):
        assert now_s < end_s, f"{len(out)} messages came"
        if router.has_more or select.select([router.source], [], [], 0.05)[0]:
            came = [(peer, [bytes(frame) for frame in frames]) for peer, frames, _ in router.receive()]
            out += came
            quiet_s = time.monotonic() + 0.2 if came else quiet_s
        now_s = time.monotonic()
    return out


def ends(router: UnixRouter, peer: socket.socket) -> bool:
    """Whether the router ends a connection."""
    peer.settimeout(0.05)
    for _ in range(1200):
        hear(router, 0)
        try:
            if peer.recv(4096) == b"":
                return True
        except TimeoutError:
            continue
        except ConnectionError:
            return True
    return False


def test_both_ways_small_and_large(router: UnixRouter, connect: Connect) -> None:
    named, nameless = connect(b"w1"), connect()
    for message in ([b""], [b"a", b"", b"b"], [LARGE, b"x", LARGE], [b"p"] * 700):
        for dealer in (named, nameless):
            dealer.send_multipart(message)
            ((peer, frames),) = hear(router)
            assert frames == message
            assert peer == b"w1" if dealer is named else peer.startswith(b"\0")
            assert router.send(peer, [b"re", *message])
            while not dealer.poll(10):
                hear(router, 0)  # what there was no room for goes on
            assert dealer.recv_multipart() == [b"re", *message]


def test_a_name_is_free_again_when_its_owner_has_gone(router: UnixRouter, connect: Connect) -> None:
    first = connect(b"w1")
    first.send(b"1")
    assert hear(router) == [(b"w1", [b"1"])]
    second = connect(b"w1")
    second.send(b"2")
    assert hear(router, 0) == [], "the name is taken"
    first.close()
    while not (heard := hear(router, 0)):
        second.send(b"3")  # libzmq connects again, and is let in
    assert set(heard[0][1]) == {b"3"}


def test_nobody_is_there(router: UnixRouter, connect: Connect) -> None:
    assert not router.send(b"w9", [b"x"])
    dealer = connect(b"w1")
    dealer.send(b"1")
    hear(router)
    dealer.close()
    hear(router, 0)
    assert not router.send(b"w1", [b"x"])


def test_what_was_said_before_a_peer_ended_is_heard(
    router: UnixRouter, plain: Callable[[bytes], socket.socket]
) -> None:
    said = b"".join(bytes(piece) for i in range(5) for piece in zmtp.framed([str(i).encode(), b"x" * 9000]))
    plain(zmtp.GREETING + zmtp.ready(b"DEALER") + said).close()
    assert [frames[0] for _, frames in hear(router, 5)] == [b"0", b"1", b"2", b"3", b"4"]
    hear(router, 0)
    assert not router.has_more


def test_a_flood_holds_up_nobody_but_its_sender(router: UnixRouter, plain: Callable[[bytes], socket.socket]) -> None:
    flood = plain(zmtp.GREETING + zmtp.ready(b"DEALER", b"flood") + b"\x00\x01x" * 5000)
    quiet = plain(zmtp.GREETING + zmtp.ready(b"DEALER", b"quiet") + b"\x00\x04here")
    order: list[bytes] = []
    while len(order) < 5002:
        if len(order) == 1000:
            quiet.sendall(b"\x00\x01?")
        assert router.has_more or select.select([router.source], [], [], 60.0)[0]
        for peer, _, _ in router.receive():
            order.append(peer)
            if len(order) % 10 == 0:
                break  # as the front does when its slice of time is over
    assert order.count(b"flood") == 5000
    assert order.index(b"quiet") < 3
    assert order.index(b"quiet", 1000) < 1003
    flood.close()


def test_who_does_not_read_is_kept_no_more_than_so_much(router: UnixRouter, connect: Connect) -> None:
    deaf, good = connect(b"deaf"), connect(b"good")
    deaf.set(zmq.RCVHWM, 1)
    for dealer in (deaf, good):
        dealer.send(b"here")
    hear(router, 2)
    taken = 0
    while router.send(b"deaf", [b"x" * 60_000]):
        taken += 1
        assert taken < 10_000
    assert router.send(b"good", [b"still"])
    assert good.recv() == b"still"


def test_who_does_not_read_is_not_heard_until_it_does(
    tmp_path: Path, plain: Callable[[bytes], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = UnixRouter(f"ipc://{tmp_path}/h.sock", most_unsent=2**20)
    peer, other = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    try:
        for one, name in ((peer, b"deaf"), (other, b"good")):
            one.connect(str(tmp_path / "h.sock"))
            one.sendall(zmtp.GREETING + zmtp.ready(b"DEALER", name))
        peer.sendall(b"\x00\x01?" * 30)
        answered = 0
        while held.has_more or select.select([held.source], [], [], 0.3)[0]:
            for name, _, _ in held.receive():
                assert name == b"deaf"
                assert held.send(name, [b"x" * 2**20])
                answered += 1
        assert 1 <= answered < 10, "what waits for it is bounded, and so is what is taken of it"
        other.sendall(b"\x00\x01!")
        assert hear(held) == [(b"good", [b"!"])]
        got, expected = 0, 30 * (2**20 + 9) + len(zmtp.GREETING + zmtp.ready(b"ROUTER"))
        peer.setblocking(False)
        end_s = time.monotonic() + 60.0
        while got < expected:
            assert time.monotonic() < end_s, f"{got} of {expected} bytes came, {answered} answers"
            if held.has_more or select.select([held.source], [], [], 0.0)[0]:
                for name, _, _ in held.receive():
                    held.send(name, [b"x" * 2**20])
                    answered += 1
            if select.select([peer], [], [], 0.01)[0]:
                got += len(peer.recv(2**22))
        assert (answered, got) == (30, expected)
    finally:
        peer.close()
        other.close()
        held.close(0)


def test_what_a_peer_said_that_did_not_read_is_heard_when_it_goes(tmp_path: Path) -> None:
    held = UnixRouter(f"ipc://{tmp_path}/h.sock", most_unsent=2**20)
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(tmp_path / "h.sock"))
            peer.sendall(zmtp.GREETING + zmtp.ready(b"DEALER", b"deaf") + b"\x00\x01?" * 30)
            heard = 0
            while not heard:
                assert select.select([held.source], [], [], 60.0)[0]
                for name, _, _ in held.receive():
                    heard += 1
                    assert held.send(name, [b"x" * 2**23])
                    break
            assert hear(held, 0) == []
        assert len(hear(held, 29)) == 29
        hear(held, 0)
        assert not held.has_more
        assert not held.send(b"deaf", [b"x"])
    finally:
        held.close(0)


def test_some_files_are_left_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routers, "_open_files", lambda: 0)  # 16 all the same
    monkeypatch.setattr(routers, "_TIDY_EVERY_S", 0.0)
    bound = UnixRouter(f"ipc://{tmp_path}/f.sock")
    peers = [socket.socket(socket.AF_UNIX) for _ in range(20)]
    try:
        for i, peer in enumerate(peers):
            peer.connect(str(tmp_path / "f.sock"))
            peer.sendall(zmtp.GREETING + zmtp.ready(b"DEALER", str(i).encode()) + b"\x00\x01x")
        assert len(hear(bound, 16)) == 16
        assert not hear(bound, 0)
        for peer in peers[:19]:
            peer.close()
        hear(bound, 0)
        bound.tidy()
        assert {name for name, _ in hear(bound, 4)} == {b"16", b"17", b"18", b"19"}
    finally:
        for peer in peers:
            peer.close()
        bound.close(0)


SPOILT = {
    "a web browser": b"GET / HTTP/1.1\r\n\r\n",
    "noise": random.Random(3).randbytes(4000),
    "a key": zmtp.GREETING.replace(b"NULL" + bytes(16), b"CURVE" + bytes(15)),
    "a publisher": zmtp.GREETING + zmtp.ready(b"PUB"),
    "a frame too large": zmtp.GREETING + zmtp.ready(b"DEALER") + b"\x02" + (21 * 2**20).to_bytes(8, "big"),
    "a frame of an exabyte": zmtp.GREETING + zmtp.ready(b"DEALER") + b"\x02" + (2**60).to_bytes(8, "big"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_who_breaks_the_rules_is_dropped_alone(
    name: str, router: UnixRouter, connect: Connect, plain: Callable[[bytes], socket.socket]
) -> None:
    good = connect(b"good")
    good.send(b"1")
    hear(router)
    assert ends(router, plain(SPOILT[name]))
    good.send(b"2")
    assert hear(router) == [(b"good", [b"2"])]


def test_half_a_message_is_nobodys(router: UnixRouter, plain: Callable[[bytes], socket.socket]) -> None:
    plain(zmtp.GREETING + zmtp.ready(b"DEALER", b"w1") + b"\x01\x03one\x00\x09half").close()
    assert hear(router, 0) == []
    assert not router.send(b"w1", [b"x"])


def test_who_connects_and_says_nothing_goes_after_a_while(
    router: UnixRouter, plain: Callable[[bytes], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = plain(b"")
    hear(router, 0)
    router.tidy()
    monkeypatch.setattr(routers, "_HANDSHAKE_S", 0.0)
    monkeypatch.setattr(routers, "_TIDY_EVERY_S", 0.0)
    router.tidy()
    assert ends(router, silent)


def test_too_many_open_files_end_nobody(
    router: UnixRouter, connect: Connect, plain: Callable[[bytes], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource

    good = connect(b"good")
    good.send(b"1")
    hear(router)
    waiting = plain(zmtp.GREETING + zmtp.ready(b"DEALER", b"late") + b"\x00\x01x")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        assert select.select([router.source], [], [], 60.0)[0]
        assert list(router.receive()) == []
        assert not select.select([router.source], [], [], 0.0)[0], "it is not asked all the time"
        assert router.send(b"good", [b"still"])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    monkeypatch.setattr(routers, "_TIDY_EVERY_S", 0.0)
    router.tidy()
    assert hear(router) == [(b"late", [b"x"])]
    assert good.recv() == b"still"
    waiting.close()


def test_a_socket_that_a_killed_process_left_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    path = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    UnixRouter(f"ipc://{path}").close(0)
    path.write_text("a user's file")
    with pytest.raises(OSError, match="in use"):
        UnixRouter(f"ipc://{path}")
    assert path.read_text() == "a user's file"
