# SPDX-License-Identifier: Apache-2.0
"""Who waits turns the loop itself; whatever happens to it, nobody else is left waiting."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.fakes.daemon import FakeDaemon
from tests.unit.core.client.conftest import until
from tests.unit.core.client.test_engine import ScriptedFinder, ScriptedTransport

from kineograph.client import Client
from kineograph.client.engine import Engine
from kineograph.client.link import LinkSettings, LinkState
from kineograph.client.turns import Turns
from kineograph.errors import ErrorCode, InternalError, LinkError
from kineograph.wire import messages as m
from kineograph.wire.messages import Method


@pytest.fixture
def transport() -> ScriptedTransport:
    return ScriptedTransport()


@pytest.fixture
def engine(transport: ScriptedTransport) -> Iterator[Engine]:
    settings = LinkSettings(hello_s=5.0, backoff_s=0.01, backoff_max_s=0.02)
    made = Engine(transport, ScriptedFinder(), m.Hello("test"), settings)
    transport.hello()
    until(lambda: made.state is LinkState.READY)
    yield made
    made.close()
    assert transport.log[-1] == "close"


class Asking:
    """A caller that waits on a thread of its own."""

    def __init__(self, engine: Engine) -> None:
        self.out: Any = None
        self.thread = threading.Thread(target=self._run, args=(engine,))
        self.thread.start()

    def _run(self, engine: Engine) -> None:
        try:
            self.out = engine.ask(Method.CAPABILITIES, m.Empty(), 60.0)
        except BaseException as e:  # noqa: BLE001
            self.out = e

    def end(self) -> Any:
        self.thread.join(60)
        assert not self.thread.is_alive()
        return self.out


@pytest.fixture
def asking(engine: Engine, transport: ScriptedTransport) -> Iterator[Callable[[], Asking]]:
    """Starts callers, each of which turns the loop when it comes back."""
    made: list[Asking] = []

    def ask() -> Asking:
        one = Asking(engine)
        made.append(one)
        until(lambda: transport.waits_on == one.thread.ident and "capabilities" in transport.methods())
        return one

    yield ask
    for one in made:
        one.end()


def answer(transport: ScriptedTransport, number: int = -1) -> None:
    asked = [s for s in transport.sent if s.header.method == "capabilities"]
    transport.answer(asked[number], m.CapabilitiesReply({"n": 1}, {}))


def test_a_caller_that_waits_turns_the_loop(transport: ScriptedTransport, asking: Callable[[], Asking]) -> None:
    one = asking()
    answer(transport)
    assert one.end().mmcp == {"n": 1}


def test_the_engines_own_thread_takes_over_again(
    engine: Engine, transport: ScriptedTransport, asking: Callable[[], Asking]
) -> None:
    one = asking()
    answer(transport)
    one.end()
    until(lambda: transport.waits_on == engine._thread.ident)
    future = engine.call(Method.JOB_STATUS, m.JobRef("a"))
    until(lambda: transport.sent[-1].header.method == "job.status")
    transport.answer(transport.sent[-1], m.JobStatus("a", m.JobState.QUEUED))
    assert future.result(5).job == "a"


def test_a_caller_serves_the_others_too(
    engine: Engine, transport: ScriptedTransport, asking: Callable[[], Asking]
) -> None:
    one = asking()
    future = engine.call(Method.JOB_STATUS, m.JobRef("a"))
    second = Asking(engine)
    until(lambda: len(transport.sent) == 4)
    assert transport.waits_on == one.thread.ident
    status = next(s for s in transport.sent if s.header.method == "job.status")
    transport.answer(status, m.JobStatus("a", m.JobState.QUEUED))
    assert future.result(5).job == "a"
    answer(transport, 0)
    assert one.end().mmcp
    answer(transport, 1)  # what the first left behind is for the engine's own thread
    assert second.end().mmcp


def test_a_listener_is_never_called_on_a_callers_thread(engine: Engine, transport: ScriptedTransport) -> None:
    stop = engine.watch(lambda e: None, snapshots=False)
    until(lambda: "subscribe ipc://e" in transport.log)
    one = Asking(engine)
    until(lambda: "capabilities" in transport.methods())
    assert transport.waits_on == engine._thread.ident
    answer(transport)
    assert one.end().mmcp
    stop()


def test_a_caller_that_is_interrupted_takes_nobody_with_it(
    engine: Engine, transport: ScriptedTransport, asking: Callable[[], Asking]
) -> None:
    one = asking()
    other = engine.call(Method.JOB_STATUS, m.JobRef("a"), 60.0)
    until(lambda: transport.sent[-1].header.method == "job.status")
    transport._arrivals.put(KeyboardInterrupt())  # type: ignore[arg-type]
    assert isinstance(one.end(), KeyboardInterrupt)
    # Nobody knows what was under way: a fresh connection, and what others wait for is asked again.
    until(lambda: transport.methods().count("hello") == 2)
    transport.hello()
    until(lambda: transport.methods().count("job.status") == 2)
    assert transport.methods().count("capabilities") == 1
    transport.answer(transport.sent[-1], m.JobStatus("a", m.JobState.QUEUED))
    assert other.result(5).job == "a"


def test_a_loop_that_breaks_under_a_caller_leaves_nobody_waiting(
    engine: Engine, transport: ScriptedTransport, asking: Callable[[], Asking], caplog: pytest.LogCaptureFixture
) -> None:
    one, other = asking(), engine.call(Method.JOB_STATUS, m.JobRef("a"), 60.0)
    transport._arrivals.put(ZeroDivisionError())  # type: ignore[arg-type]
    assert isinstance(one.end(), InternalError)
    with pytest.raises((InternalError, LinkError)):
        other.result(5)
    with pytest.raises(LinkError):
        engine.ask(Method.CAPABILITIES, m.Empty())
    assert "engine failed" in caplog.text


def test_closing_ends_a_caller_that_turns(engine: Engine, asking: Callable[[], Asking]) -> None:
    one = asking()
    engine.close()
    out = one.end()
    assert isinstance(out, LinkError)
    assert out.code is ErrorCode.CONNECTION_FAILED


def test_one_turns_at_a_time() -> None:
    turns, woken = Turns(), threading.Event()
    assert turns.take(woken.set)
    assert not woken.is_set()
    assert not turns.take(woken.set), "not twice, on the same thread neither"
    turns.give(lambda: False)
    turns.give(lambda: False)  # who does not turn gives nothing back
    assert turns.take(woken.set)
    turns.give(lambda: False)


def test_who_turns_too_long_is_not_waited_for() -> None:
    turns, held, done = Turns(), threading.Event(), threading.Event()

    def hold() -> None:
        with turns.mine():
            held.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(60)
    woken = threading.Event()
    assert not turns.take(woken.set)
    assert woken.is_set()
    assert not turns.is_wanted
    done.set()
    thread.join()


def test_standing_by_ends_when_there_is_work() -> None:
    turns, work = Turns(), threading.Event()
    assert turns.take(lambda: None)
    thread = threading.Thread(target=turns.stand_by, args=(work.is_set,))
    thread.start()
    work.set()
    turns.nudge()
    thread.join(0.05)
    assert thread.is_alive(), "somebody turns: the work is theirs"
    turns.give(work.is_set)
    thread.join(60)
    assert not thread.is_alive()


INTERRUPTED = """
import contextlib, random, signal, sys
from kineograph.client import Client

class Interrupt(BaseException):
    pass

def strike(*_):
    global struck
    struck += 1
    raise Interrupt

struck, moments = 0, random.Random(7)
signal.signal(signal.SIGALRM, strike)
with Client(sys.argv[1]) as client:
    for n in range(40):
        with contextlib.suppress(Interrupt):
            signal.setitimer(signal.ITIMER_REAL, moments.uniform(0.001, 0.015))
            while struck == n:  # Python drops what strikes in a finalizer
                client.generate({})
        assert client.generate({}).job.state == "succeeded"
print(struck)
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="wants a signal after a fraction of a second")
def test_interrupts_at_any_moment_leave_a_client_that_works(daemon: FakeDaemon) -> None:
    daemon.auto = True
    # A process of its own: an interrupt would also strike what a test runner does in between.
    command = [sys.executable, "-c", INTERRUPTED, daemon.endpoint]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "40"), done.stderr


def test_a_callback_on_the_engines_thread_may_ask_without_waiting(daemon: FakeDaemon, client: Client) -> None:
    asked: list[Any] = []
    first = client.call_nowait(Method.CAPABILITIES, m.Empty())
    first.add_done_callback(lambda _: asked.append(client.call_nowait(Method.CAPABILITIES, m.Empty())))
    until(lambda: asked)
    assert asked[0].result(5).mmcp is not None
    assert client.capabilities() is not None
