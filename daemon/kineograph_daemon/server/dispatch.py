# SPDX-License-Identifier: Apache-2.0
"""From frames to a handler: decode once, check the role, look the method up. Each step has its own error."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kineograph.errors import ErrorCode, KineographError, LinkError, PayloadTooLarge, RequestError
from kineograph.wire import codec
from kineograph.wire import version as limits
from kineograph.wire.codec import Buffer
from kineograph.wire.messages import REQUEST_OF, Method, from_body
from kineograph_daemon.server.auth import check_role
from kineograph_daemon.server.call import Call, Outbox, Sender, guarded
from kineograph_daemon.server.doors import Incoming

_log = logging.getLogger(__name__)

Handler = Callable[[Call], None]
Reader = Callable[[Sequence[Buffer]], dict[str, Any]]
"""From a request's body frames to its fields."""


_METHODS = {str(method): method for method in Method}


class Dispatcher:
    """Takes messages in, sees to it that each is answered."""

    def __init__(
        self,
        handlers: Mapping[Method, Handler],
        outbox: Outbox,
        readers: Mapping[Method, Reader] | None = None,
        most_bytes: int = limits.MAX_BODY_BYTES,
    ) -> None:
        missing = set(Method) - set(handlers)
        if missing:
            raise ValueError(f"no handler for {sorted(missing)}")
        self._handlers = dict(handlers)
        self._outbox = outbox
        self._readers = dict(readers or {})
        self._most_bytes = most_bytes

    def take(self, incoming: Incoming) -> None:
        """Answer a message, or leave that to the handler that took it."""
        try:
            header, arrays = codec.decode_header(incoming.frames)
        except KineographError as e:
            _log.info("a message was refused: %s", e)
            self._outbox.fail(Sender(incoming.door, incoming.peer, *codec.named(incoming.frames)), e)
            return
        to = Sender(incoming.door, incoming.peer, header.method, header.request_id)
        guarded(self._outbox, to, lambda: self._open(incoming, to, header, arrays))

    def again(self, call: Call) -> None:
        """Handle a call that had to wait."""
        guarded(self._outbox, call.sender, lambda: self._handlers[call.method](call))

    def _open(self, incoming: Incoming, to: Sender, header: codec.Header, arrays: int) -> None:
        if header.kind is not codec.Kind.REQUEST:
            raise LinkError(ErrorCode.BAD_RESPONSE, f"a daemon takes requests, not {header.kind}", {"got": header.kind})
        method = _METHODS.get(header.method)
        if method is None:
            allowed = list(_METHODS)
            details = {"where": {"path": ["m"]}, "got": header.method[:80], "allowed": allowed}
            raise RequestError(ErrorCode.SCHEMA_VALIDATION, f"there is no method {header.method[:80]!r}", details)
        check_role(incoming.role, method)
        frames = incoming.frames[1 : 2 + arrays]
        if len(frames[0]) > self._most_bytes:
            raise _too_large(len(frames[0]), self._most_bytes)
        read = self._readers.get(method, _decoded)
        message = from_body(REQUEST_OF[method], read(frames))
        self._handlers[method](Call(to, method, incoming.role, frames, message))


def _too_large(got: int, most: int) -> PayloadTooLarge:
    return PayloadTooLarge(
        ErrorCode.PAYLOAD_TOO_LARGE,
        f"the request has {got} bytes beside its arrays, this daemon takes {most} (its setting body_limit_mb)",
        {"got": got, "allowed": most, "setting": "body_limit_mb"},
    )


def _decoded(frames: Sequence[Buffer]) -> dict[str, Any]:
    return codec.decode_body(frames[0], frames[1:])
