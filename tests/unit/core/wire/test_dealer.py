# SPDX-License-Identifier: Apache-2.0
"""The DEALER without a thread against libzmq's ROUTER, and against sockets that are something else."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from kineograph.wire import zmtp
from kineograph.wire.dealer import UnixDealer
from kineograph.wire.stream import Gone

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Unix sockets")
LARGE = bytes(range(256)) * 40_000


@pytest.fixture
def endpoint(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/r.sock"


@pytest.fixture
def router(endpoint: str) -> Iterator[Any]:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as bound:
        bound.set(zmq.LINGER, 0)
        bound.bind(endpoint)
        yield bound


@pytest.fixture
def listener(endpoint: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as plain:
        plain.bind(endpoint.removeprefix("ipc://"))
        plain.listen()
        yield plain


@pytest.fixture
def reach(endpoint: str) -> Iterator[Callable[..., UnixDealer]]:
    made: list[UnixDealer] = []

    def reach(identity: bytes = b"") -> UnixDealer:
        dealer = UnixDealer.reach(endpoint, identity)
        assert dealer is not None
        made.append(dealer)
        return dealer

    yield reach
    for dealer in made:
        dealer.close()


def hear(dealer: UnixDealer, count: int = 1) -> list[list[bytes]]:
    """The next messages of one that does not wait by itself."""
    out: list[Any] = []
    end_s = time.monotonic() + 60
    while len(out) < count:
        assert time.monotonic() < end_s, f"{len(out)} messages came"
        select.select([dealer], [dealer] if dealer.unsent else [], [], 1.0)
        dealer.flush()
        out += dealer.receive()
    return [[bytes(part) for part in message] for message in out]


def test_both_ways_by_name_small_and_large(router: Any, reach: Callable[..., UnixDealer]) -> None:
    dealer = reach(b"w1")
    dealer.send([b"before anybody was met", LARGE])
    assert not dealer.is_ready
    router.send_multipart([b"w1", b"too early"])  # nobody has that name yet: dropped
    hear(dealer, 0)
    while not dealer.is_ready:
        select.select([dealer], [], [], 1.0)
        dealer.receive()
    while dealer.unsent:
        select.select([], [dealer], [], 1.0)
        dealer.flush()
    assert router.recv_multipart() == [b"w1", b"before anybody was met", LARGE]
    for message in ([b""], [b"a", b"", b"b"], [LARGE, b"x", LARGE], [b"p"] * 700):
        router.send_multipart([b"w1", *message])
        assert hear(dealer) == [message]
        dealer.send(message)
        while dealer.unsent:
            select.select([], [dealer], [], 1.0)
            dealer.flush()
        assert router.recv_multipart() == [b"w1", *message]


def test_a_thousand_messages_keep_their_order(router: Any, reach: Callable[..., UnixDealer]) -> None:
    dealer = reach()
    assert dealer.wait_ready(60.0, 60.0)
    for i in range(1000):
        dealer.send([str(i).encode(), b"x" * 1000])
    names = set()
    for i in range(1000):
        name, number, _ = router.recv_multipart()
        assert int(number) == i
        names.add(name)
        router.send_multipart([name, number])
    assert len(names) == 1
    got: list[Any] = []
    while len(got) < 1000:
        got += dealer.receive()
    assert [int(number) for (number,) in got] == list(range(1000))


def test_who_waits_gets_nothing_after_a_while(router: Any, reach: Callable[..., UnixDealer]) -> None:
    dealer = reach()
    assert dealer.wait_ready(60.0, 0.05)
    assert dealer.receive() == []


@pytest.mark.parametrize("address", ["", "ipc://", "tcp://127.0.0.1:1", "ipc://@abstract", "ipc:///nowhere/x.sock"])
def test_addresses_that_are_for_libzmq(address: str) -> None:
    assert UnixDealer.reach(address) is None


def test_a_path_too_long_a_plain_file_and_one_where_nobody_listens(tmp_path: Path, endpoint: str) -> None:
    assert UnixDealer.reach(f"ipc://{tmp_path}/{'x' * 200}") is None
    (tmp_path / "r.sock").touch()
    assert UnixDealer.reach(endpoint) is None
    (tmp_path / "r.sock").unlink()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "r.sock"))
        assert UnixDealer.reach(endpoint) is None


def test_what_nobody_was_met_for_is_given_back(listener: socket.socket, reach: Callable[..., UnixDealer]) -> None:
    dealer = reach()
    dealer.send([b"hello"])
    peer, _ = listener.accept()
    peer.close()
    with pytest.raises(Gone) as gone:
        hear(dealer)
    assert gone.value.unsent == [[b"hello"]]


def test_a_peer_that_ends_in_the_middle_of_a_message(listener: socket.socket, reach: Callable[..., UnixDealer]) -> None:
    dealer = reach()
    peer, _ = listener.accept()
    peer.sendall(zmtp.GREETING + zmtp.ready(b"ROUTER") + b"\x01\x03one\x00\x09half")
    peer.close()
    with pytest.raises(Gone) as gone:
        hear(dealer)
    assert gone.value.unsent == []


def test_a_peer_that_is_no_zeromq(listener: socket.socket, reach: Callable[..., UnixDealer]) -> None:
    dealer = reach()
    peer, _ = listener.accept()
    with peer:
        peer.sendall(b"220 mail.example.org ESMTP\r\n")
        with pytest.raises(zmtp.Broken):
            hear(dealer)


def test_a_peer_that_says_nothing_is_not_waited_for(listener: socket.socket, reach: Callable[..., UnixDealer]) -> None:
    assert not reach().wait_ready(0.05, 1.0)
