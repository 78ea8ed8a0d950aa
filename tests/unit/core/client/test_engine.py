# SPDX-License-Identifier: Apache-2.0
"""The engine on a scripted transport: no sockets, every arrival on purpose."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from tests.unit.core.client.conftest import until

from kineograph.client.engine import Engine
from kineograph.client.events import LinkChanged
from kineograph.client.link import Found, LinkSettings, LinkState, NotFound, StartFailed, Target
from kineograph.client.transport import Arrival, PeerGone, PeerReached, PeerRefused, Replied
from kineograph.errors import AccessError, ErrorCode, InternalError, LinkError
from kineograph.wire import codec
from kineograph.wire import messages as m
from kineograph.wire.codec import Buffer, Header, Kind
from kineograph.wire.messages import Method


class ScriptedTransport:
    """Keeps what is sent; ``arrive`` is what the network does."""

    def __init__(self) -> None:
        self.sent: list[codec.Message] = []
        self.log: list[str] = []
        self.takes = True
        self.waits_on = 0
        self._arrivals: queue.SimpleQueue[Arrival | None] = queue.SimpleQueue()

    def arrive(self, arrival: Arrival) -> None:
        self._arrivals.put(arrival)

    def answer(self, message: codec.Message, body: Any, kind: Kind = Kind.REPLY) -> None:
        header = Header(kind, message.header.method, message.header.request_id)
        self.arrive(Replied([bytes(f) for f in codec.encode(header, m.to_body(body))]))

    def hello(self, epoch: str = "e1") -> None:
        said = until(lambda: [s for s in self.sent if s.header.method == "hello" and s.header.request_id[0] == "h"])
        self.answer(said[-1], m.HelloReply(1, "0", "1.4", epoch, 1, m.Role.ADMIN, "ipc://e", 0, {}, []))

    def methods(self) -> list[str]:
        return [s.header.method for s in self.sent]

    def connect(self, endpoint: str, server_key: str | None) -> None:
        self.log.append(f"connect {endpoint}")

    def subscribe(self, endpoint: str, server_key: str | None) -> None:
        self.log.append(f"subscribe {endpoint}")

    def unsubscribe(self) -> None:
        self.log.append("unsubscribe")

    def disconnect(self) -> None:
        self.log.append("disconnect")

    def send(self, frames: Sequence[Buffer]) -> bool:
        if self.takes:
            self.sent.append(codec.decode([bytes(f) for f in frames]))
        return self.takes

    def wait(self, timeout_s: float | None) -> list[Arrival]:
        self.waits_on = threading.get_ident()
        try:
            arrival = self._arrivals.get(timeout=timeout_s)
        except queue.Empty:
            return []
        if isinstance(arrival, BaseException):
            raise arrival
        return [] if arrival is None else [arrival]

    def wake(self) -> None:
        self._arrivals.put(None)

    def close(self) -> None:
        self.log.append("close")


class ScriptedFinder:
    """Finds what the test says."""

    def __init__(self) -> None:
        self.found: Found | NotFound = Found(Target("ipc://a"))
        self.started = 0

    def look(self) -> Found | NotFound:
        return self.found

    def start(self) -> StartFailed | None:
        self.started += 1
        return None


@pytest.fixture
def transport() -> ScriptedTransport:
    return ScriptedTransport()


@pytest.fixture
def finder() -> ScriptedFinder:
    return ScriptedFinder()


@pytest.fixture
def engine(transport: ScriptedTransport, finder: ScriptedFinder) -> Iterator[Engine]:
    settings = LinkSettings(hello_s=5.0, backoff_s=0.01, backoff_max_s=0.02)
    made = Engine(transport, finder, m.Hello("test"), settings)
    yield made
    made.close()
    assert transport.log[-1] == "close"


def test_nothing_is_sent_before_hello_is_answered(engine: Engine, transport: ScriptedTransport) -> None:
    future = engine.call(Method.JOB_STATUS, m.JobRef("a"))
    until(lambda: transport.sent)
    transport.arrive(PeerReached())
    assert transport.methods() == ["hello"]
    transport.hello()
    until(lambda: len(transport.sent) == 2)
    transport.answer(transport.sent[1], m.JobStatus("a", m.JobState.QUEUED))
    assert future.result(5).job == "a"


def test_a_deadline_holds_while_nobody_answers(engine: Engine, transport: ScriptedTransport) -> None:
    future = engine.call(Method.CAPABILITIES, m.Empty(), 0.05)
    with pytest.raises(LinkError) as caught:
        future.result(5)
    assert caught.value.code is ErrorCode.DAEMON_UNREACHABLE
    assert caught.value.details["method"] == "capabilities"


def test_a_transport_that_takes_nothing_now_gets_it_again_after_hello(
    engine: Engine, transport: ScriptedTransport
) -> None:
    transport.hello()
    until(lambda: engine.state is LinkState.READY)
    transport.takes = False
    future = engine.call(Method.JOB_STATUS, m.JobRef("a"), 5.0)
    tried = threading.Event()
    engine._enqueue(tried.set)
    assert tried.wait(60)
    transport.takes = True
    transport.arrive(PeerGone())
    until(lambda: transport.methods().count("hello") == 2)
    transport.hello("e2")
    until(lambda: "job.status" in transport.methods())
    transport.answer(transport.sent[-1], m.JobStatus("a", m.JobState.QUEUED))
    assert future.result(5).state is m.JobState.QUEUED


def test_a_late_hello_of_a_former_connection_is_nobodys(engine: Engine, transport: ScriptedTransport) -> None:
    until(lambda: transport.sent)
    first = transport.sent[0]
    transport.arrive(PeerRefused(LinkError(ErrorCode.PROTOCOL_MISMATCH, "no")))
    until(lambda: len(transport.sent) == 2)
    transport.answer(first, m.HelloReply(1, "0", "1.4", "old", 1, m.Role.ADMIN, "", 0, {}, []))
    transport.hello("new")
    until(lambda: engine.hello is not None)
    assert engine.hello is not None
    assert engine.hello.epoch == "new"


def test_a_key_that_is_refused_fails_what_waits(engine: Engine, transport: ScriptedTransport) -> None:
    future = engine.call(Method.CAPABILITIES, m.Empty())
    transport.arrive(PeerRefused(AccessError(ErrorCode.UNAUTHORIZED, "unknown key")))
    with pytest.raises(AccessError):
        future.result(5)


def test_a_cancelled_future_is_left_alone(engine: Engine, transport: ScriptedTransport) -> None:
    transport.hello()
    future = engine.call(Method.CAPABILITIES, m.Empty())
    until(lambda: "capabilities" in transport.methods())
    assert future.cancel()
    transport.answer(transport.sent[-1], m.CapabilitiesReply({}, {}))
    assert engine.greet(0.01).exception(5) is not None


def test_the_last_listener_ends_the_subscription(engine: Engine, transport: ScriptedTransport) -> None:
    transport.hello()
    stops = [engine.watch(lambda e: None, snapshots=False) for _ in range(2)]
    until(lambda: "subscribe ipc://e" in transport.log)
    stops[0]()
    stops[0]()
    engine.greet(0.01).exception(5)
    assert "unsubscribe" not in transport.log
    stops[1]()
    until(lambda: "unsubscribe" in transport.log)
    assert transport.log.count("subscribe ipc://e") == 1


def test_listeners_hear_of_the_link(engine: Engine, transport: ScriptedTransport, finder: ScriptedFinder) -> None:
    heard: list[Any] = []
    engine.watch(heard.append)
    transport.hello()
    until(lambda: any(isinstance(e, LinkChanged) and e.state is LinkState.READY for e in heard))
    finder.found = NotFound()
    transport.arrive(PeerGone())
    until(lambda: any(isinstance(e, LinkChanged) and e.state is LinkState.LOST and e.error for e in heard))


def test_a_late_listener_is_told_where_the_link_stands(engine: Engine, transport: ScriptedTransport) -> None:
    transport.hello()
    until(lambda: engine.state is LinkState.READY)
    heard: list[Any] = []
    engine.watch(heard.append, snapshots=False)
    until(lambda: heard)
    assert heard == [LinkChanged(LinkState.READY)]


def test_an_engine_that_breaks_leaves_nobody_waiting(
    engine: Engine, transport: ScriptedTransport, caplog: pytest.LogCaptureFixture
) -> None:
    future = engine.call(Method.CAPABILITIES, m.Empty(), 60.0)
    until(lambda: transport.sent)
    transport._arrivals.put(ZeroDivisionError())  # type: ignore[arg-type]
    with pytest.raises(InternalError):
        future.result(5)
    with pytest.raises(LinkError):
        engine.call(Method.CAPABILITIES, m.Empty()).result(5)
    assert "engine failed" in caplog.text
