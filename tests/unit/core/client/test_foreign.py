# SPDX-License-Identifier: Apache-2.0
"""Peers that are no daemon, or no good one: a clear error in time, never a hang, never a crash."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq
from tests.fakes.daemon import FakeDaemon, Raw, Silence
from tests.unit.core.client.conftest import until

from kineograph.client import Client, LinkSettings, LinkState
from kineograph.errors import AccessError, ErrorCode, KineographError, LinkError, error
from kineograph.wire import codec
from kineograph.wire import messages as m
from kineograph.wire.codec import Header, Kind
from kineograph.wire.messages import Method

Connect = Callable[..., Client]
VERSION_7 = msgpack.packb({"v": 7, "k": "reply", "m": "hello", "id": "x", "a": 0})


def failure(client: Client) -> KineographError:
    with pytest.raises(KineographError) as caught:
        client.connect(30.0)
    return caught.value


@pytest.fixture
def tcp_server() -> Iterator[Callable[[bytes | None], str]]:
    """A plain TCP server that says something (None: nothing) to whoever connects."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    kept: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(greeting: bytes | None) -> str:
        def serve() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                kept.append(peer)
                if greeting is not None:
                    peer.sendall(greeting)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return f"tcp://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for thread in threads:
        thread.join()
    for peer in kept:
        peer.close()


def test_a_web_server(tcp_server: Callable[[bytes | None], str], connect: Connect) -> None:
    why = failure(connect(tcp_server(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")))
    assert why.code in (ErrorCode.PROTOCOL_MISMATCH, ErrorCode.HANDSHAKE_TIMEOUT)


def test_a_server_that_accepts_and_says_nothing(tcp_server: Callable[[bytes | None], str], connect: Connect) -> None:
    assert failure(connect(tcp_server(None))).code is ErrorCode.HANDSHAKE_TIMEOUT


def test_a_port_where_nobody_listens(connect: Connect) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert failure(connect(f"tcp://127.0.0.1:{port}")).code is ErrorCode.DAEMON_UNREACHABLE


@pytest.mark.parametrize("address", ["", "nonsense", "ftp://x", "tcp://127.0.0.1"])
def test_an_address_that_is_none(address: str, connect: Connect) -> None:
    assert failure(connect(address)).code is ErrorCode.CONNECTION_FAILED


def test_a_peer_that_never_says_hello(daemon: FakeDaemon, connect: Connect) -> None:
    daemon.on(Method.HELLO, lambda body: Silence())
    assert failure(connect(daemon.endpoint)).code is ErrorCode.HANDSHAKE_TIMEOUT


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([b"hello to you"], ErrorCode.BAD_RESPONSE),
        ([b"", b"", b""], ErrorCode.BAD_RESPONSE),
        ([b"\xc1", b"\x80"], ErrorCode.BAD_RESPONSE),
        (
            [msgpack.packb({"v": 7, "k": "reply", "m": "hello", "id": "x", "a": 0}), b"\x80"],
            ErrorCode.PROTOCOL_MISMATCH,
        ),
    ],
    ids=["text", "empty", "no header", "version 7"],
)
def test_garbage_instead_of_a_hello(frames: list[bytes], code: ErrorCode, daemon: FakeDaemon, connect: Connect) -> None:
    daemon.on(Method.HELLO, lambda body: Raw(frames))
    assert failure(connect(daemon.endpoint)).code is code


def test_a_daemon_of_another_wire_version(tmp_path: Path, connect: Connect) -> None:
    with FakeDaemon(tmp_path, wire=2) as newer:
        why = failure(connect(newer.endpoint))
    assert why.code is ErrorCode.PROTOCOL_MISMATCH
    assert why.details["got"] == 2


def test_a_daemon_that_refuses_this_client(daemon: FakeDaemon, connect: Connect) -> None:
    daemon.on(Method.HELLO, lambda body: error("unauthorized", "this daemon wants a key"))
    client = connect(daemon.endpoint)
    assert isinstance(failure(client), AccessError)
    assert client.state is not LinkState.READY


def test_a_daemon_that_cannot_read_anything_says_so(daemon: FakeDaemon, connect: Connect) -> None:
    refusal = error("protocol_mismatch", "the daemon speaks wire version 9").to_envelope()
    daemon.on(Method.HELLO, lambda body: Raw([bytes(f) for f in codec.encode(Header(Kind.ERROR, ""), refusal)]))
    assert failure(connect(daemon.endpoint)).code is ErrorCode.PROTOCOL_MISMATCH


def reply(body: Any, kind: Kind = Kind.REPLY) -> Callable[[FakeDaemon], Any]:
    """An answer to the request that came last, with this body."""

    def answer(daemon: FakeDaemon) -> Any:
        header = Header(kind, "capabilities", daemon.received[-1].request_id, daemon.epoch)
        return Raw([bytes(f) for f in codec.encode(header, body)])

    return answer


def cut_off(daemon: FakeDaemon) -> Any:
    import numpy as np

    header = Header(Kind.REPLY, "capabilities", daemon.received[-1].request_id)
    frames = [bytes(f) for f in codec.encode(header, {"mmcp": {}, "models": {"a": np.zeros(9)}})]
    return Raw([*frames[:2], frames[2][:8]])


@pytest.mark.parametrize(
    "answer",
    [
        reply({}),
        reply({"mmcp": 3, "models": {}}),
        reply({"error": "no"}, Kind.ERROR),
        reply({"error": {"code": "made_up", "message": "x"}}, Kind.ERROR),
        reply({"mmcp": {}, "models": {}}, Kind.EVENT),
        cut_off,
        lambda daemon: Raw([b"garbage"]),
        lambda daemon: Raw([bytes(codec.encode(Header(Kind.REPLY, "capabilities", "1"), {})[0]), *[b"\x80"] * 2000]),
    ],
    ids=["empty", "wrong type", "no envelope", "foreign code", "an event", "cut off", "no frames", "2000 frames"],
)
def test_a_bad_answer_is_an_error_of_that_call_only(
    answer: Callable[[FakeDaemon], Any], daemon: FakeDaemon, connect: Connect
) -> None:
    client = connect(daemon.endpoint)
    client.connect()
    daemon.on(Method.CAPABILITIES, lambda body: answer(daemon))
    with pytest.raises(LinkError) as caught:
        client.capabilities()
    assert caught.value.code is ErrorCode.BAD_RESPONSE
    assert client.state is LinkState.READY
    assert client.stats().epoch == daemon.epoch


def test_answers_to_nothing_are_ignored(daemon: FakeDaemon, connect: Connect) -> None:
    client = connect(daemon.endpoint)
    stray = [bytes(f) for f in codec.encode(Header(Kind.REPLY, "capabilities", "never-asked"), {})]

    def answer(body: dict[str, Any]) -> Any:
        daemon._send(daemon.received[-1].identity, stray)
        return daemon._capabilities(m.Empty())

    daemon.on(Method.CAPABILITIES, answer)
    assert client.capabilities().default_model == "fake"


def test_a_daemon_that_falls_silent_is_noticed(daemon: FakeDaemon, connect: Connect) -> None:
    client = connect(daemon.endpoint, deadline_s=0.2)
    client.connect()
    for method in Method:
        daemon.on(method, lambda body: Silence())
    with pytest.raises(LinkError) as caught:
        client.capabilities()
    assert caught.value.code is ErrorCode.DAEMON_UNREACHABLE
    until(lambda: client.link_error is not None)
    assert client.link_error is not None
    assert client.link_error.code is ErrorCode.HANDSHAKE_TIMEOUT


# --- keys -------------------------------------------------------------------------------------------------------------
def test_tcp_goes_by_keys(tmp_path: Path, connect: Connect) -> None:
    keys = zmq.curve_keypair()
    with FakeDaemon(tmp_path, auto=True, tcp_keys=keys) as fake:
        assert fake.endpoint.startswith("tcp://127.0.0.1:")
        run = fake.announce()
        assert run.server_key == keys[0].decode()
        seen: list[Any] = []
        for client in (
            connect(),
            connect(run),
            connect(fake.endpoint),
            connect(fake.endpoint, server_key=run.server_key),
        ):
            assert client.generate({}, on_progress=seen.append).frames == 4
    stored = (tmp_path / "home/config/client_key.json").stat()
    assert stored.st_mode & 0o777 == 0o600


def test_another_daemons_key_does_not_open_a_connection(tmp_path: Path, connect: Connect) -> None:
    with FakeDaemon(tmp_path, tcp_keys=zmq.curve_keypair()) as fake:
        wrong = zmq.curve_keypair()[0].decode()
        why = failure(connect(fake.endpoint, server_key=wrong))
        assert why.code in (ErrorCode.HANDSHAKE_TIMEOUT, ErrorCode.PROTOCOL_MISMATCH, ErrorCode.UNAUTHORIZED)
        assert fake.received == []


def test_a_key_that_is_none_is_refused(tmp_path: Path, connect: Connect) -> None:
    with FakeDaemon(tmp_path, tcp_keys=zmq.curve_keypair()) as fake:
        assert failure(connect(fake.endpoint, server_key="not a key")).code is ErrorCode.UNAUTHORIZED


@pytest.mark.skipif(os.name == "nt", reason="Unix sockets")
def test_a_socket_whose_owner_ends_before_it_is_met(tmp_path: Path, connect: Connect) -> None:
    """As when a daemon is killed and another one started: the hello reaches the one that comes."""
    with socket.socket(socket.AF_UNIX) as dying:
        dying.bind(str(tmp_path / "d.sock"))
        dying.listen()
        client = connect(f"ipc://{tmp_path}/d.sock", settings=LinkSettings(hello_s=60.0), deadline_s=60.0)
        peer, _ = dying.accept()
        (tmp_path / "d.sock").unlink()
        with FakeDaemon(tmp_path, endpoint=f"ipc://{tmp_path}/d.sock"):
            peer.close()
            assert client.connect().pid


@pytest.mark.skipif(os.name == "nt", reason="Unix sockets")
@pytest.mark.parametrize("words", [b"220 mail.example.org ESMTP\r\n", bytes(100)], ids=["mail", "zeros"])
def test_a_unix_socket_of_something_else(words: bytes, tmp_path: Path, connect: Connect) -> None:
    kept: list[socket.socket] = []
    with socket.socket(socket.AF_UNIX) as foreign:
        foreign.bind(str(tmp_path / "d.sock"))
        foreign.listen()

        def greet() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(foreign.accept()[0])
                    kept[-1].sendall(words)

        greeter = threading.Thread(target=greet)
        greeter.start()
        client = connect(f"ipc://{tmp_path}/d.sock")
        assert failure(client).code is ErrorCode.PROTOCOL_MISMATCH
        client.close()
        foreign.shutdown(socket.SHUT_RDWR)
        greeter.join()
    for peer in kept:
        peer.close()
