# SPDX-License-Identifier: Apache-2.0
"""The connection as a state machine without I/O: what happened goes in, what to do comes out.

    looking -> connecting -> ready -> lost(why) -> looking ...        and from anywhere -> closed
    looking -> starting -> connecting

A ZeroMQ connect always 'succeeds', so only a ``hello`` answered within its deadline makes the link ready. The reply
carries the daemon's epoch; a new one means that the daemon restarted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import assert_never

from kineograph.errors import ErrorCode, KineographError, LinkError
from kineograph.wire.messages import HelloReply
from kineograph.wire.version import SUPPORTED_WIRE_VERSIONS


class LinkState(StrEnum):
    """Where the connection stands."""

    LOOKING = "looking"
    STARTING = "starting"
    CONNECTING = "connecting"
    READY = "ready"
    LOST = "lost"
    CLOSED = "closed"


@dataclass(frozen=True)
class LinkSettings:
    """Supervision constants, seconds. ``may_start``: start a daemon when none is found."""

    may_start: bool = False
    hello_s: float = 3.0
    start_s: float = 15.0
    start_poll_s: float = 0.05
    backoff_s: float = 0.05
    backoff_max_s: float = 2.0
    jitter: float = 0.25


@dataclass(frozen=True)
class Target:
    """Where to connect. ``server_key`` (CURVE) goes with tcp; ``events`` is a guess until ``hello`` is answered."""

    endpoint: str
    events: str = ""
    server_key: str | None = None


# --- what happens -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Begin:
    """The client opens."""


@dataclass(frozen=True)
class Found:
    """Looking found where a daemon should listen."""

    target: Target


@dataclass(frozen=True)
class NotFound:
    """Looking found nothing. ``exit_error`` is set when a daemon that was started ended."""

    exit_error: KineographError | None = None


@dataclass(frozen=True)
class StartFailed:
    """The daemon's program could not be started at all."""

    error: KineographError


@dataclass(frozen=True)
class Reached:
    """Somebody accepted the connection; who it is remains to be seen."""


@dataclass(frozen=True)
class HelloAnswered:
    """A daemon proved itself."""

    reply: HelloReply


@dataclass(frozen=True)
class Refused:
    """The peer refused, or is no daemon."""

    error: KineographError


@dataclass(frozen=True)
class Dropped:
    """The peer went away."""

    error: KineographError


@dataclass(frozen=True)
class Silent:
    """A request met its deadline unanswered: is anybody there?"""


@dataclass(frozen=True)
class Wanted:
    """Somebody asks for something: no reason to wait for the back-off."""


@dataclass(frozen=True)
class Tick:
    """Time passed."""


@dataclass(frozen=True)
class Close:
    """The client closes."""


Input = (
    Begin
    | Found
    | NotFound
    | StartFailed
    | Reached
    | HelloAnswered
    | Refused
    | Dropped
    | Silent
    | Wanted
    | Tick
    | Close
)


# --- what to do -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Look:
    """Look for a daemon; answer with Found or NotFound."""


@dataclass(frozen=True)
class Start:
    """Start a daemon's process; answer with StartFailed if that is impossible."""


@dataclass(frozen=True)
class Connect:
    """Open a fresh socket to the target."""

    target: Target


@dataclass(frozen=True)
class SayHello:
    """Send ``hello`` on the open socket."""


@dataclass(frozen=True)
class Disconnect:
    """Drop the sockets."""


@dataclass(frozen=True)
class FailPending:
    """Fail what waits: everything, or (``sent_once_only``) what was sent and must not be sent twice."""

    error: KineographError
    sent_once_only: bool


@dataclass(frozen=True)
class SendPending:
    """Send what waits, again what was sent before on a connection that is gone."""


@dataclass(frozen=True)
class Announce:
    """Tell the listeners: the link's state changed. ``restarted``: another epoch than last time."""

    state: LinkState
    error: KineographError | None = None
    restarted: bool = False


Instruction = Look | Start | Connect | SayHello | Disconnect | FailPending | SendPending | Announce

_FINAL_WORDS = frozenset({ErrorCode.PROTOCOL_MISMATCH, ErrorCode.VERSION_UNSUPPORTED})
_FINAL_WORDS_ACCESS = frozenset({ErrorCode.UNAUTHORIZED, ErrorCode.FORBIDDEN})


class Link:
    """Feed it with ``handle``; perform what it returns; call again at ``deadline_s`` with Tick."""

    def __init__(self, settings: LinkSettings, rng: Random | None = None) -> None:
        self.settings = settings
        self.state = LinkState.LOOKING
        self.error: KineographError | None = None
        self.hello: HelloReply | None = None
        self.target: Target | None = None
        self.may_start = settings.may_start
        self.deadline_s: float | None = None
        self.lost_s: float | None = None
        """When the daemon last met was last known to be there, while it is away."""
        self._rng = rng or Random()
        self._attempt = 0
        self._reached = False
        self._poll_until_s = 0.0
        self._looked_s = float("-inf")

    @property
    def epoch(self) -> str:
        """The epoch of the daemon last met, or the empty text."""
        return self.hello.epoch if self.hello is not None else ""

    def handle(self, event: Input, now_s: float) -> list[Instruction]:
        """What to do after ``event`` at ``now_s`` (a monotonic clock)."""
        if self.state is LinkState.CLOSED:
            return []
        match event:
            case Begin():
                return self._look(now_s)
            case Found(target):
                return self._connect(target, now_s)
            case NotFound(exit_error):
                return self._not_found(exit_error, now_s)
            case StartFailed(error):
                return self._lose(error, now_s)
            case Reached():
                self._reached = True
                return []
            case HelloAnswered(reply):
                return self._hello(reply, now_s)
            case Refused(error):
                return self._lose(error, now_s) if self._is_up else []
            case Dropped(error):
                # While connecting, libzmq connects again by itself; the hello's deadline decides.
                return self._lose(error, now_s) if self.state is LinkState.READY else []
            case Silent():
                return self._doubt(now_s)
            case Wanted():
                return self._wanted(now_s)
            case Tick():
                return self._tick(now_s)
            case Close():
                return self._close()
            case _:
                assert_never(event)

    @property
    def _is_up(self) -> bool:
        return self.state in (LinkState.CONNECTING, LinkState.READY)

    def _look(self, now_s: float) -> list[Instruction]:
        self._looked_s = now_s
        self.deadline_s = None
        return [*self._enter(LinkState.LOOKING), Look()]

    def _connect(self, target: Target, now_s: float) -> list[Instruction]:
        if self.state not in (LinkState.LOOKING, LinkState.STARTING):
            return []
        self.target, self._reached = target, False
        self.deadline_s = now_s + self.settings.hello_s
        return [*self._enter(LinkState.CONNECTING), Connect(target), SayHello()]

    def _not_found(self, exit_error: KineographError | None, now_s: float) -> list[Instruction]:
        if self.state is LinkState.LOOKING and self.may_start:
            self._poll_until_s = now_s + self.settings.start_s
            self.deadline_s = now_s + self.settings.start_poll_s
            return [*self._enter(LinkState.STARTING), Start()]
        if self.state is LinkState.STARTING and exit_error is None and now_s < self._poll_until_s:
            self.deadline_s = now_s + self.settings.start_poll_s
            return []
        return self._lose(exit_error or _unreachable("no Kineograph daemon runs for this user"), now_s)

    def _hello(self, reply: HelloReply, now_s: float) -> list[Instruction]:
        if not self._is_up:
            return []
        if reply.wire not in SUPPORTED_WIRE_VERSIONS:
            return self._lose(_mismatch(reply.wire), now_s)
        restarted = self.hello is not None and self.hello.epoch != reply.epoch
        self.hello, self.error, self._attempt, self.deadline_s, self.lost_s = reply, None, 0, None, None
        self.state = LinkState.READY
        return [Announce(LinkState.READY, None, restarted), SendPending()]

    def _doubt(self, now_s: float) -> list[Instruction]:
        if self.state is not LinkState.READY:
            return []
        self.deadline_s = now_s + self.settings.hello_s
        return [*self._enter(LinkState.CONNECTING), SayHello()]

    def _wanted(self, now_s: float) -> list[Instruction]:
        if self.state is LinkState.LOST and now_s - self._looked_s > self.settings.backoff_s:
            return self._look(now_s)
        return []

    def _tick(self, now_s: float) -> list[Instruction]:
        if self.deadline_s is None or now_s < self.deadline_s:
            return []
        if self.state is LinkState.LOST:
            return self._look(now_s)
        if self.state is LinkState.STARTING:
            return [Look()]
        if self.state is LinkState.CONNECTING:
            return self._lose(self._no_hello(), now_s)
        return []

    def _no_hello(self) -> KineographError:
        where = self.target.endpoint if self.target else ""
        if not self._reached and self.hello is None:
            return _unreachable(f"nobody listens at {where}", where)
        return LinkError(
            ErrorCode.HANDSHAKE_TIMEOUT,
            f"no daemon answered at {where} within {self.settings.hello_s:g} s",
            {"endpoint": where, "waited_s": self.settings.hello_s},
        )

    def _lose(self, error: KineographError, now_s: float) -> list[Instruction]:
        settings = self.settings
        hopeless = error.code in _FINAL_WORDS | _FINAL_WORDS_ACCESS
        delay_s = (
            settings.backoff_max_s if hopeless else min(settings.backoff_s * 2**self._attempt, settings.backoff_max_s)
        )
        self._attempt = min(self._attempt + 1, 30)
        self.deadline_s = now_s + delay_s * (1 + settings.jitter * self._rng.uniform(-1, 1))
        self.error = error
        if self.hello is not None and self.lost_s is None:
            self.lost_s = now_s
        self.state = LinkState.LOST
        # Somebody who never met a daemon wants to know at once; somebody who did rides out a restart.
        everything = self.hello is None or hopeless
        return [Disconnect(), Announce(LinkState.LOST, error), FailPending(error, sent_once_only=not everything)]

    def _close(self) -> list[Instruction]:
        error = closed_error()
        self.state, self.deadline_s = LinkState.CLOSED, None
        return [FailPending(error, sent_once_only=False), Disconnect(), Announce(LinkState.CLOSED)]

    def _enter(self, state: LinkState) -> list[Instruction]:
        if self.state is state and state is not LinkState.LOOKING:
            return []
        self.state = state
        return [Announce(state)]


def closed_error() -> LinkError:
    """What a request gets when its client was closed; nothing to wait for."""
    return LinkError(ErrorCode.CONNECTION_FAILED, "the client was closed", {"client_closed": True})


def _unreachable(message: str, endpoint: str = "") -> LinkError:
    return LinkError(ErrorCode.DAEMON_UNREACHABLE, message, {"endpoint": endpoint} if endpoint else {})


def _mismatch(wire: int) -> LinkError:
    return LinkError(
        ErrorCode.PROTOCOL_MISMATCH,
        f"the daemon speaks wire version {wire}, this side {', '.join(map(str, SUPPORTED_WIRE_VERSIONS))}",
        {"got": wire, "allowed": list(SUPPORTED_WIRE_VERSIONS)},
    )
