# SPDX-License-Identifier: Apache-2.0
"""Events: ``[topic][header][body]`` on every door's PUB socket, numbered without a gap within an epoch.

The topic is the event's name. A number is given when the event happens; it leaves once what it tells is on disk.
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

    def __init__(self, epoch: str, send: Callable[[list[Buffer]], None]) -> None:
        self.epoch = epoch
        self.seq = 0
        self._send = send
        self._held: list[list[Buffer]] = []

    def publish(self, name: EventName, body: Mapping[str, Any]) -> None:
        """Tell everybody, with the next ``flush``."""
        self.seq += 1
        header = codec.Header(codec.Kind.EVENT, str(name), epoch=self.epoch, seq=self.seq)
        self._held.append([name.encode(), *codec.encode(header, body)])

    def job(self, name: EventName, status: JobStatus) -> None:
        """An event of a job carries its whole status."""
        self.publish(name, status_map(status))

    def flush(self) -> None:
        """Send what was published since the last flush."""
        held, self._held = self._held, []
        for frames in held:
            self._send(frames)
