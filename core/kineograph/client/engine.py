# SPDX-License-Identifier: Apache-2.0
"""The engine: one background thread that owns the transport, drives the link and settles futures.

Every face (``Client``, ``AsyncClient``, Blender's inbox) stands on three methods: ``call`` returns a future,
``watch`` adds a listener, ``close`` ends it. None of them waits. ``ask`` is ``call`` for who waits: the loop is then
turned by the waiting thread itself (see ``turns``).
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, assert_never

from kineograph.client import link
from kineograph.client.events import LinkChanged, Listener, Verdict
from kineograph.client.feed import EventFeed
from kineograph.client.finder import Finder
from kineograph.client.link import Link, LinkState
from kineograph.client.packing import Packing
from kineograph.client.pending import Pending, PendingTable, Slot, settle, settle_error
from kineograph.client.transport import Arrival, PeerGone, PeerReached, PeerRefused, Published, Replied, Transport
from kineograph.client.turns import Turns
from kineograph.errors import ErrorCode, InternalError, KineographError, LinkError, RequestError, from_envelope
from kineograph.wire import codec, messages, stored
from kineograph.wire.codec import Buffer, Header, Kind
from kineograph.wire.messages import (
    EventName,
    Hello,
    HelloReply,
    JobList,
    JobListReply,
    JobResult,
    JobResultReply,
    Method,
    ResultFormat,
)

log = logging.getLogger(__name__)

DEFAULT_DEADLINE_S = 10.0
_IDLE_S = 60.0
_packing = Packing()
"""One for all clients of a process: they send the same characters."""


class Engine:
    """Thread-safe; starts its thread at once and never blocks the caller."""

    def __init__(self, transport: Transport, finder: Finder, hello: Hello, settings: link.LinkSettings) -> None:
        self._transport = transport
        self._finder = finder
        self._introduction = codec.pack_body(messages.to_body(hello))
        self._link = Link(settings)
        self._pending = PendingTable()
        self._feed = EventFeed(self._ask_for_jobs)
        self._subscribed = False
        self._ids = itertools.count(1)
        self._hello_id = ""
        self._commands: deque[Callable[[], None]] = deque()
        self._gate = threading.Lock()
        self._turns = Turns()
        self._closing = False
        self._interrupted = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="kineograph-client", daemon=True)
        self._thread.start()

    # --- any thread ---------------------------------------------------------------------------------------------------
    @property
    def state(self) -> LinkState:
        """Where the connection stands."""
        return self._link.state

    @property
    def error(self) -> KineographError | None:
        """Why the connection was lost, while it is."""
        return self._link.error

    @property
    def hello(self) -> HelloReply | None:
        """What the daemon last met said of itself."""
        return self._link.hello

    def call(self, method: Method, message: Any, deadline_s: float = DEFAULT_DEADLINE_S) -> Future[Any]:
        """Ask; the future gets the reply's typed message or a ``KineographError``.

        Raises ``schema_validation`` or ``payload_too_large`` for a message that cannot travel. Arrays in the message
        are not copied: they must not change before the answer.
        """
        return self._ask(method, pack(message), deadline_s)

    def ask(self, method: Method, message: Any, deadline_s: float = DEFAULT_DEADLINE_S) -> Any:
        """``call``, waited for. Raises as ``call``, and what the daemon answered."""
        body = pack(message)
        future: Future[Any] | Slot = Slot()
        try:
            if self._may_be_driven and self._turns.take(self._transport.wake) and self._may_be_driven:
                self._drive(Pending(f"{next(self._ids):x}", method, body, future, time.monotonic() + deadline_s))
            else:
                self._turns.give(self._has_work)
                future = self._ask(method, body, deadline_s)
        finally:
            self._turns.give(self._has_work)
        return future.result()

    def greet(self, deadline_s: float = DEFAULT_DEADLINE_S) -> Future[HelloReply]:
        """``hello`` again: the future tells whether a daemon answers now, or why none does."""
        return self._ask(Method.HELLO, self._introduction, deadline_s)

    def watch(self, listener: Listener, *, snapshots: bool = True) -> Callable[[], None]:
        """Call ``listener`` with every event, on the engine's thread, until the function returned is called.

        The first one says where the connection stands, for a quick daemon may have answered before anybody listened;
        of an engine that is closed it is the only one, and comes at once.
        ``snapshots``: also a ``Snapshot`` of all jobs at the start, after a gap and after a restart.
        """
        token = next(self._ids)
        if not self._enqueue(lambda: self._add_listener(token, listener, snapshots)):
            listener(LinkChanged(LinkState.CLOSED))
        return lambda: void(self._enqueue(lambda: self._remove_listener(token)))

    def never_start(self) -> None:
        """Do not start a daemon again: it was stopped on purpose."""
        self._link.may_start = False

    def close(self, timeout_s: float = 5.0) -> None:
        """Fail what waits, close the sockets, end the thread. A second call does nothing."""
        with self._gate:
            self._closing = True
        self._transport.wake()
        self._turns.nudge()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)

    def _ask(self, method: Method, body: list[Buffer], deadline_s: float) -> Future[Any]:
        future: Future[Any] = Future()
        request = Pending(f"{next(self._ids):x}", method, body, future, time.monotonic() + deadline_s)
        if not self._enqueue(lambda: self._accept(request)):
            settle_error(future, link.closed_error())
        return future

    def _enqueue(self, command: Callable[[], None]) -> bool:
        with self._gate:
            if self._closing:
                return False
            self._commands.append(command)
        self._transport.wake()
        self._turns.nudge()
        return True

    # --- a caller's thread, while it turns ----------------------------------------------------------------------------
    @property
    def _may_be_driven(self) -> bool:
        # Listeners are called on the engine's own thread; a connection that is not up is looked after by it.
        return self._link.state is LinkState.READY and not (self._closing or self._feed.is_wanted)

    def _drive(self, request: Pending) -> None:
        try:
            self._accept(request)
            while not (request.future.done() or self._closing):
                self._turn()
        except Exception as e:  # noqa: BLE001 - the engine's own thread tells it, to everybody who waits
            self._failure = e
        except BaseException:
            self._interrupted = True
            self._pending.take(request.request_id)
            raise

    def _has_work(self) -> bool:
        """Whether something is left that the engine's own thread must see to now."""
        broken = self._closing or self._interrupted or self._failure is not None
        return broken or bool(self._commands or len(self._pending)) or not self._may_be_driven

    # --- the engine's thread ------------------------------------------------------------------------------------------
    def _run(self) -> None:
        try:
            with self._turns.mine():
                self._happened(link.Begin())
            while not self._closing:
                self._turns.stand_by(self._has_work)
                with self._turns.mine():
                    while not (self._closing or self._turns.is_wanted):
                        self._turn()
        except Exception as e:
            log.exception("the client's engine failed")
            with self._turns.mine():
                self._pending.fail(
                    InternalError(ErrorCode.INTERNAL_ERROR, f"the client failed: {e!r}"), sent_once_only=False
                )
        finally:
            with self._turns.mine():
                self._end()

    def _turn(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._interrupted:  # between any two steps: only a fresh connection is known to be in order
            self._interrupted = False
            self._happened(link.Dropped(LinkError(ErrorCode.CONNECTION_FAILED, "the caller was interrupted")))
        while self._commands:
            self._commands[0]()  # taken off when it is done: twice does no harm, never would
            self._commands.popleft()
        if self._link.deadline_s is not None:
            self._happened(link.Tick())
        self._expire()
        for arrival in self._transport.wait(self._patience_s()):
            self._arrived(arrival)

    def _end(self) -> None:
        with self._gate:
            self._closing = True
        while self._commands:
            self._commands.popleft()()
        self._happened(link.Close())
        self._pending.fail(link.closed_error(), sent_once_only=False)
        self._transport.close()

    def _patience_s(self) -> float:
        if self._commands:
            return 0.0
        now_s = time.monotonic()
        until_s = now_s + _IDLE_S
        for due_s in (self._pending.next_deadline_s(), self._link.deadline_s):
            if due_s is not None and due_s < until_s:
                until_s = due_s
        return max(0.0, until_s - now_s)

    def _happened(self, event: link.Input) -> None:
        work = deque(self._link.handle(event, time.monotonic()))
        while work:
            follow = self._perform(work.popleft())
            if follow is not None:
                work.extend(self._link.handle(follow, time.monotonic()))

    def _perform(self, instruction: link.Instruction) -> link.Input | None:
        match instruction:
            case link.Look():
                return self._finder.look()
            case link.Start():
                return self._finder.start()
            case link.Connect(target):
                return self._connect(target)
            case link.SayHello():
                self._say_hello()
            case link.Disconnect():
                self._transport.disconnect()
                self._unsubscribe()
            case link.FailPending(error, sent_once_only):
                self._pending.fail(error, sent_once_only)
            case link.SendPending():
                for request in self._pending:
                    self._send(request)
                self._subscribe()
            case link.Announce(state, error, restarted):
                self._feed.tell(LinkChanged(state, _restarted(self._link.hello) if restarted else error, restarted))
            case _:
                assert_never(instruction)
        return None

    def _connect(self, target: link.Target) -> link.Input | None:
        try:
            self._transport.connect(target.endpoint, target.server_key)
        except KineographError as e:
            return link.Refused(e)
        return None

    def _say_hello(self) -> None:
        self._hello_id = f"hello-{next(self._ids):x}"
        self._transport.send(
            codec.attach_header(Header(Kind.REQUEST, Method.HELLO, self._hello_id), self._introduction)
        )

    def _accept(self, request: Pending) -> None:
        self._pending.add(request)
        if self._link.state is LinkState.READY:
            self._send(request)
        else:
            self._happened(link.Wanted())

    def _send(self, request: Pending) -> None:
        header = Header(Kind.REQUEST, request.method, request.request_id)
        request.was_sent = self._transport.send(codec.attach_header(header, request.body)) or request.was_sent

    def _expire(self) -> None:
        late = self._pending.expired(time.monotonic())
        for request in late:
            settle_error(request.future, self._no_answer(request.method))
        if late:
            self._happened(link.Silent())

    def _no_answer(self, method: Method) -> KineographError:
        if self._link.state is not LinkState.READY and self._link.error is not None:
            error = from_envelope(self._link.error.to_envelope())
            if self._link.lost_s is not None:
                error.details["away_s"] = round(time.monotonic() - self._link.lost_s, 3)
            return error
        return LinkError(
            ErrorCode.DAEMON_UNREACHABLE, f"the daemon did not answer {method} in time", {"method": str(method)}
        )

    def _arrived(self, arrival: Arrival) -> None:
        match arrival:
            case Replied(frames):
                self._replied(frames)
            case Published(frames):
                self._published(frames)
            case PeerReached():
                self._happened(link.Reached())
            case PeerGone():
                self._happened(link.Dropped(LinkError(ErrorCode.CONNECTION_FAILED, "the daemon closed the connection")))
            case PeerRefused(error):
                self._happened(link.Refused(error))
            case _:
                assert_never(arrival)

    # --- replies ------------------------------------------------------------------------------------------------------
    def _replied(self, frames: list[Buffer]) -> None:
        try:
            header, _ = codec.decode_header(frames)
            if header.kind is Kind.ERROR and not header.request_id:
                raise from_envelope(codec.decode_body(frames[1], frames[2:]))
        except KineographError as e:
            # Nobody knows whose answer this was: better a clear error for all than a silent wait.
            if self._link.state is LinkState.READY:
                self._pending.fail(e, sent_once_only=False)
            else:
                self._happened(link.Refused(e))
            return
        if header.request_id == self._hello_id:
            self._hello_replied(header, frames)
            return
        request = self._pending.get(header.request_id)
        if request is None:
            return
        try:
            reply = open_reply(request.method, header, frames)
            if isinstance(reply, JobResultReply) and reply.file:
                reply = self._fetched(reply)
            if reply is None:
                self._ask_for_bytes(request)
            else:
                settle(request.future, reply)
        except KineographError as e:
            settle_error(request.future, e)
        self._pending.take(header.request_id)

    def _fetched(self, reply: JobResultReply) -> JobResultReply | None:
        """The reply with the result out of the file that it names; None where that cannot be read from here."""
        target = self._link.target
        frames = stored.read(reply.file) if target is not None and target.endpoint.startswith("ipc:") else None
        if frames is None:
            return None
        return JobResultReply(reply.job, codec.decode_body(frames[0], frames[1:]))

    def _ask_for_bytes(self, request: Pending) -> None:
        """Ask again for what a request was to get as a file: this machine, or this user, cannot read it."""
        asked = codec.decode_body(request.body[0], request.body[1:])
        format = ResultFormat(asked.get("format", ResultFormat.ARRAYS))
        body = pack(JobResult(asked["job"], format))
        self._accept(Pending(f"{next(self._ids):x}", Method.JOB_RESULT, body, request.future, request.deadline_s))

    def _hello_replied(self, header: Header, frames: list[Buffer]) -> None:
        try:
            reply: HelloReply = open_reply(Method.HELLO, header, frames)
        except KineographError as e:
            self._happened(link.Refused(e))
        else:
            self._happened(link.HelloAnswered(reply))

    # --- events -------------------------------------------------------------------------------------------------------
    def _subscribe(self) -> None:
        hello, target = self._link.hello, self._link.target
        wanted = self._feed.is_wanted and not self._subscribed and self._link.state is LinkState.READY
        if not wanted or hello is None or target is None:
            return
        try:
            self._transport.subscribe(hello.events or target.events, target.server_key)
        except KineographError as e:
            log.warning("no events: %s", e)  # waits go on by long-poll
            return
        self._subscribed = True
        self._feed.begin(hello.epoch, hello.seq)

    def _unsubscribe(self) -> None:
        self._subscribed = False
        self._feed.end()

    def _add_listener(self, token: int, listener: Listener, snapshots: bool) -> None:
        was_subscribed = self._subscribed
        self._feed.add(token, listener, snapshots)
        self._feed.tell_one(token, LinkChanged(self._link.state, self._link.error))
        self._subscribe()
        if was_subscribed and snapshots:
            self._feed.resync()

    def _remove_listener(self, token: int) -> None:
        self._feed.remove(token)
        if self._subscribed and not self._feed.is_wanted:
            self._transport.unsubscribe()
            self._unsubscribe()

    def _published(self, frames: list[Buffer]) -> None:
        try:
            message = codec.decode(frames[1:])  # the first frame is the topic, for subscriptions by prefix
        except LinkError as e:
            log.warning("an event could not be read: %s", e)  # its number is missing, so the gap will show
            return
        if message.header.method == EventName.DAEMON_STOPPING:
            self.never_start()
        if self._feed.take(message) is Verdict.OTHER_EPOCH:
            self._happened(link.Dropped(_restarted(None)))

    def _ask_for_jobs(self, answer: Callable[[Future[JobListReply]], None]) -> None:
        future: Future[Any] = Future()
        future.add_done_callback(answer)
        deadline_s = time.monotonic() + DEFAULT_DEADLINE_S
        self._accept(Pending(f"{next(self._ids):x}", Method.JOB_LIST, pack(JobList()), future, deadline_s))


def pack(message: Any) -> list[Buffer]:
    """A message's body frames. Raises ``schema_validation`` for a value without a wire form, ``payload_too_large``."""
    try:
        frames = _packing.pack(messages.to_body(message))
    except (TypeError, ValueError, OverflowError) as e:
        told = {"errors": [{"type": "unsendable", "loc": [], "msg": str(e)[:200]}]}
        raise RequestError(ErrorCode.SCHEMA_VALIDATION, f"the message cannot travel: {e}", told) from None
    codec.check_size(frames)
    return frames


def open_reply(method: Method, header: Header, frames: list[Buffer]) -> Any:
    """The typed reply in ``frames``. Raises what the daemon answered, or ``bad_response``."""
    body = codec.decode_body(frames[1], frames[2:])
    if header.kind is Kind.ERROR:
        raise from_envelope(body)
    if header.kind is not Kind.REPLY:
        raise LinkError(
            ErrorCode.BAD_RESPONSE, f"a {header.kind} came as the answer to {method}", {"got": str(header.kind)}
        )
    try:
        return messages.from_body(messages.REPLY_OF[method], body)
    except RequestError as e:
        raise LinkError(
            ErrorCode.BAD_RESPONSE, f"the answer to {method} does not fit: {e.message}", e.details
        ) from None


def void(_: object) -> None:
    """Drop a value."""


def _restarted(hello: HelloReply | None) -> LinkError:
    return LinkError(
        ErrorCode.DAEMON_RESTARTED, "the daemon restarted", {"epoch": hello.epoch} if hello is not None else {}
    )
