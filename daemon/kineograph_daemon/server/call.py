# SPDX-License-Identifier: Apache-2.0
"""One request of a client on its way through the front, and the replies that wait for the turn's commit."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from kineograph.errors import ErrorCode, InternalError, KineographError
from kineograph.wire import codec
from kineograph.wire.codec import Buffer
from kineograph.wire.messages import Hello, Method, Role
from kineograph_daemon.server.doors import Door

_log = logging.getLogger(__name__)

_PEERS = 10_000
_NAME = 80


class Sender(NamedTuple):
    """Where an answer goes."""

    door: Door
    peer: bytes
    method: str = ""
    request_id: str = ""


class Call(NamedTuple):
    """A decoded request. ``frames`` are its body and arrays as they came; ``message`` is its typed class."""

    sender: Sender
    method: Method
    role: Role | None
    frames: list[Buffer]
    message: Any

    @property
    def size_bytes(self) -> int:
        """What the request took on the wire, less its header."""
        return sum(len(f) for f in self.frames)


class Outbox:
    """Replies of this turn. They leave after the commit, so that no answer promises what a crash could undo."""

    def __init__(self) -> None:
        self._held: list[tuple[Sender, list[Buffer], str]] = []

    @property
    def is_holding(self) -> bool:
        """Whether ``flush`` would tell anybody anything."""
        return bool(self._held)

    def reply(self, to: Sender, body: Mapping[str, Any], promises: str = "") -> None:
        """Answer with a message; ``promises`` is the job that must be on disk before."""
        self.reply_packed(to, codec.pack_body(body), promises)

    def reply_packed(self, to: Sender, body: Sequence[Buffer], promises: str = "") -> None:
        """Answer with body frames that are packed already."""
        header = codec.Header(codec.Kind.REPLY, to.method, to.request_id)
        self._held.append((to, codec.attach_header(header, body), promises))

    def fail(self, to: Sender, e: KineographError) -> None:
        """Answer with an error envelope, which always carries the request's id."""
        self._held.append((to, _failure(to, e), ""))

    def flush(self, refused: Mapping[str, KineographError]) -> None:
        """Send everything; a reply that promises a refused job becomes its error."""
        held, self._held = self._held, []
        for to, frames, promises in held:
            e = refused.get(promises)
            to.door.send(to.peer, frames if e is None else _failure(to, e))


class Peers:
    """What clients said of themselves in ``hello``; the longest silent are forgotten first."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, bytes], str] = OrderedDict()

    def met(self, to: Sender, hello: Hello) -> None:
        """Remember a client."""
        self._known[(to.door.name, to.peer)] = hello.name[:_NAME]
        self._known.move_to_end((to.door.name, to.peer))
        if len(self._known) > _PEERS:
            self._known.popitem(last=False)

    def name(self, to: Sender) -> str:
        """The client's name; one that never introduced itself is just a client."""
        return self._known.get((to.door.name, to.peer)) or "client"


def guarded(outbox: Outbox, to: Sender, act: Callable[[], None]) -> None:
    """Run a handler; whatever goes wrong becomes an answer, never the end of the daemon."""
    try:
        act()
    except KineographError as e:
        outbox.fail(to, e)
    except Exception as e:  # noqa: BLE001 - told and logged; the loop must live
        _log.exception("a request failed", extra={"data": {"method": to.method, "request_id": to.request_id}})
        reason = f"{type(e).__name__}: {e}"[:300]
        details = {"method": to.method, "reason": reason, "ref": to.request_id}
        outbox.fail(to, InternalError(ErrorCode.INTERNAL_ERROR, "the daemon failed on this request", details))


def _failure(to: Sender, e: KineographError) -> list[Buffer]:
    envelope = {**e.to_envelope(), "request_id": to.request_id}
    header = codec.Header(codec.Kind.ERROR, to.method, to.request_id)
    try:
        return codec.encode(header, envelope)
    except (TypeError, ValueError, OverflowError):
        # A detail without a wire form (a number of 30 digits, say) must not hide the error itself.
        bare = {"code": str(e.code), "message": e.message.encode("utf-8", "replace").decode(), "details": {}}
        return codec.encode(header, {**envelope, "error": bare})
