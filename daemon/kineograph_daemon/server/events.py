# SPDX-License-Identifier: Apache-2.0
"""Events: ``[topic][header][body]`` on every door's event socket, numbered without a gap within an epoch.

The topic is the event's name. A number is given when the event happens; it leaves once what it tells is on disk. While
nobody listens, events are only counted: who subscribes then sees by the next number that there was something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kineograph.wire import codec
from kineograph.wire.codec import Buffer
from kineograph.wire.messages import EventName, JobStatus
from kineograph_daemon.server.status import status_map


class Publisher:
    """Numbers events and holds them until ``flush``."""

    def __init__(
        self, epoch: str, send: Callable[[list[Buffer]], None], is_heard: Callable[[], bool] = lambda: True
    ) -> None:
        self.epoch = epoch
        self.seq = 0
        self._send = send
        self._is_heard = is_heard
        self._held: list[list[Buffer]] = []

    @property
    def is_holding(self) -> bool:
        """Whether ``flush`` would tell anybody anything."""
        return bool(self._held)

    def publish(self, name: EventName, body: Mapping[str, Any]) -> None:
        """Tell everybody, with the next ``flush``."""
        self.seq += 1
        if self._is_heard():
            self._tell(name, body)

    def job(self, name: EventName, status: Callable[[], JobStatus]) -> None:
        """An event of a job carries its whole status, which is asked for at once, if anybody listens."""
        self.seq += 1
        if self._is_heard():
            self._tell(name, status_map(status()))

    def _tell(self, name: EventName, body: Mapping[str, Any]) -> None:
        header = codec.Header(codec.Kind.EVENT, str(name), epoch=self.epoch, seq=self.seq)
        self._held.append([name.encode(), *codec.encode(header, body)])

    def flush(self) -> None:
        """Send what was published since the last flush."""
        held, self._held = self._held, []
        for frames in held:
            self._send(frames)
