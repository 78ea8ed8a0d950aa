# SPDX-License-Identifier: Apache-2.0
"""The front's loop: one thread, one poll, nothing that waits.

A turn: take what clients and workers said, for a few milliseconds at most; let time pass; commit; send. Clients are
served in turn (libzmq's ROUTER does that), so a flood of submits delays another's question by one turn.
"""

from __future__ import annotations

import contextlib
import logging
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import zmq

from kineograph.wire.messages import EventName
from kineograph_daemon.server.auth import ZapHandler
from kineograph_daemon.server.call import Outbox
from kineograph_daemon.server.clock import Clock
from kineograph_daemon.server.desk import Desk
from kineograph_daemon.server.dispatch import Dispatcher
from kineograph_daemon.server.doors import Door
from kineograph_daemon.server.events import Publisher
from kineograph_daemon.server.host import HostWatch
from kineograph_daemon.server.link import WorkerLink
from kineograph_daemon.server.parking import Parking
from kineograph_daemon.server.results import Results
from kineograph_daemon.server.retention import Retention
from kineograph_daemon.server.routers import Router
from kineograph_daemon.settings import Settings
from kineograph_daemon.settled import settle_in
from kineograph_daemon.workers.supervisor import Supervisor

_log = logging.getLogger(__name__)

_SLICE_S = 0.005
"""How long one turn takes messages from one door before the others get theirs."""
_PING_EVERY_S = 1.0
_NAP_S = 0.25
_SETTLED_AFTER = 20
"""Messages of clients after which everything that stays has been used once."""
_CHORES_EVERY_S = 0.02
"""A busy loop turns hundreds of times a second; what nobody waits for is done less often."""


class Front:
    """Owns the loop; everything it calls returns at once. ``stop`` ends it after the turn."""

    def __init__(
        self,
        *,
        doors: Sequence[Door],
        zap: ZapHandler | None,
        link: WorkerLink,
        supervisor: Supervisor,
        dispatcher: Dispatcher,
        desk: Desk,
        results: Results,
        parking: Parking,
        retention: Retention,
        events: Publisher,
        outbox: Outbox,
        clock: Clock,
        settings: Settings,
        heartbeat: Callable[[], dict[str, Any]],
        be_found: Callable[[], None],
        host: HostWatch | None = None,
    ) -> None:
        self._doors = list(doors)
        self._zap = zap
        self._link = link
        self._routers = [link.router, *(door.requests for door in self._doors)]
        self._supervisor = supervisor
        self._dispatcher = dispatcher
        self._desk = desk
        self._results = results
        self._parking = parking
        self._retention = retention
        self._events = events
        self._outbox = outbox
        self._clock = clock
        self._heartbeat_every_s = settings.heartbeat_s
        self._heartbeat = heartbeat
        self._be_found = be_found
        self._host = host
        self._heartbeat_s = 0.0
        self._chores_s = 0.0
        self._start_s: float | None = None
        self._taken = 0
        self._why: str | None = None
        self._idle: list[Callable[[], None]] = []
        self._wake, self._waker = socket.socketpair()
        # What only has to ask the system is asked with one call; libzmq's own sockets need two, and its poller.
        is_plain = zap is None and all(isinstance(router.source, int) for router in self._routers)
        self._poller: Any = select.poll() if is_plain else zmq.Poller()
        link.on_models = lambda: parking.release(dispatcher.again)

    def stop(self, why: str) -> None:
        """End the loop after this turn."""
        if self._why is None:
            self._why = why
            _log.info("stopping: %s", why)
            self._events.publish(EventName.DAEMON_STOPPING, {"reason": why})

    def when_idle(self, act: Callable[[], None]) -> None:
        """Do something once, in the first turn that has nothing else to do."""
        self._idle.append(act)

    def run(self) -> None:
        """Turn until stopped."""
        self._register()
        with _Signals(self._waker, self.stop):
            while self._why is None:
                self.turn(self._patience_s())

    def turn(self, patience_s: float) -> None:
        """Wait for something to happen, at most ``patience_s``, and deal with it."""
        ready = dict(self._poller.poll(max(0, int(patience_s * 1000.0 + 0.999))))
        if self._wake.fileno() in ready:
            with contextlib.suppress(BlockingIOError):
                self._wake.recv(4096)
        if self._zap is not None and self._zap.socket in ready:
            self._zap.answer()
        if _speaks(self._link.router, ready):
            self._link.receive()
        for door in self._doors:
            if _speaks(door.requests, ready):
                self._serve(door)
        if not ready and self._idle:
            self._idle.pop(0)()
        self._pass_time()
        self._finish()

    def close(self) -> None:
        """Send what is left and unbind."""
        self._finish()
        for door in self._doors:
            door.close()
        self._link.router.close(0)
        if self._zap is not None:
            self._zap.close()
        self._wake.close()
        self._waker.close()

    def _serve(self, door: Door) -> None:
        until_s = time.monotonic() + _SLICE_S
        for incoming in door.receive():
            self._taken += 1
            if self._taken == _SETTLED_AFTER:
                self.when_idle(settle_in)
            self._dispatcher.take(incoming)
            if time.monotonic() >= until_s:
                return

    def _pass_time(self) -> None:
        now_s = self._clock.now_s()
        if now_s - self._chores_s >= _CHORES_EVERY_S:
            self._chores_s = now_s
            self._do_chores(now_s)
            now_s = self._clock.now_s()
        self._parking.expire()
        self._results.expire(now_s)
        if self._why is None:
            self._desk.tick(now_s)

    def _do_chores(self, now_s: float) -> None:
        for lost in self._supervisor.poll(now_s):
            self._link.lost(lost.worker, lost.reason, lost.details, for_good=lost.for_good)
        self._link.ping(_PING_EVERY_S)
        for router in self._routers:
            router.tidy()
        self._retention.run()
        self._start_s = self._supervisor.next_s()  # only ``poll`` changes it
        if now_s - self._heartbeat_s >= self._heartbeat_every_s:
            self._heartbeat_s = now_s
            self._events.publish(EventName.DAEMON_HEARTBEAT, self._heartbeat())
            self._be_found()
            if self._host is not None:
                self._host.look()

    def _finish(self) -> None:
        refused = self._desk.commit(heard=self._events.is_holding or self._outbox.is_holding)
        self._events.flush()
        self._outbox.flush(refused)

    def _patience_s(self) -> float:
        if any(router.has_more for router in self._routers):
            return 0.0
        if self._idle:
            return 0.02
        chore_s = self._heartbeat_s + self._heartbeat_every_s
        if self._start_s is not None and self._start_s < chore_s:
            chore_s = self._start_s
        now_s = self._clock.now_s()
        # A dead worker is noticed by polling its process, so never sleep long.
        until_s = min(now_s + _NAP_S, max(chore_s, self._chores_s + _CHORES_EVERY_S))
        for due_s in (self._desk.machine.next_deadline_s(), self._results.next_s(), self._parking.next_s()):
            if due_s is not None and due_s < until_s:
                until_s = due_s
        return max(0.0, until_s - now_s)

    def _register(self) -> None:
        self._wake.setblocking(False)
        self._waker.setblocking(False)
        self._poller.register(self._wake.fileno(), zmq.POLLIN)
        for router in self._routers:
            self._poller.register(router.source, zmq.POLLIN)
        if self._zap is not None:
            self._poller.register(self._zap.socket, zmq.POLLIN)


def _speaks(router: Router, ready: Mapping[Any, int]) -> bool:
    return router.source in ready or router.has_more


class _Signals:
    """SIGTERM and SIGINT end the loop; the wake-up socket ends the poll."""

    def __init__(self, waker: socket.socket, stop: Callable[[str], None]) -> None:
        self._waker = waker
        self._stop = stop
        self._before: list[tuple[int, Any]] = []

    def __enter__(self) -> None:
        self._fd = signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        numbers = [signal.SIGINT, signal.SIGTERM]
        if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            numbers.append(signal.SIGHUP)  # unless nohup asked to outlive the terminal
        for number in numbers:
            handler = lambda n, _: self._stop(signal.Signals(n).name)  # noqa: E731
            self._before.append((number, signal.signal(number, handler)))

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._fd)
        for number, handler in self._before:
            signal.signal(number, handler)
