# SPDX-License-Identifier: Apache-2.0
"""The worker's second thread: heartbeats out, cancels in, and the watch over the front.

It starts before any model is imported and shares nothing with the main thread but a few flags, so that a worker deep
in a model step still tells that it lives and still hears a cancel. It also makes sure that no worker outlives its
front: a parent that is gone, a link that stays down, or pings that stopped, end the process.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable

import psutil
import zmq
from zmq.utils.monitor import recv_monitor_message

from kineograph.errors import KineographError
from kineograph_daemon.workers import link

_log = logging.getLogger(__name__)

HEARTBEAT_EVERY_S = 1.0
LINK_GRACE_S = 3.0
"""How long the link may be down, at the start or later, before the front counts as gone."""
PING_GRACE_S = 15.0
"""How long the front may be silent, once it has sent pings."""
EXIT_GRACE_S = 2.0
"""How long the main thread has to end by itself once the front is gone."""
EXIT_ORPHANED = 75

_DOWN = zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED | zmq.EVENT_MONITOR_STOPPED
_UP = zmq.EVENT_HANDSHAKE_SUCCEEDED


class Heartbeat(threading.Thread):
    """``busy`` gives the running task's id; ``on_cancel`` and ``on_lost`` are called on this thread."""

    def __init__(
        self,
        endpoint: str,
        worker: str,
        token: str,
        *,
        busy: Callable[[], str],
        on_cancel: Callable[[str], None],
        on_lost: Callable[[str], None],
        front_pid: int | None = None,
        every_s: float = HEARTBEAT_EVERY_S,
        link_grace_s: float = LINK_GRACE_S,
    ) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self.ready = False
        self._endpoint, self._identity, self._token = endpoint, (worker + link.HEARTBEAT_SUFFIX).encode(), token
        self._busy, self._on_cancel, self._on_lost = busy, on_cancel, on_lost
        self._front = _Front(front_pid, link_grace_s)
        self._every_s = every_s
        self._lost_s: float | None = None
        self._ended = False
        self._wake_here, self._wake_there = socket.socketpair()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._ended = True
        self._wake_there.send(b"x")
        self.join()
        self._wake_here.close()
        self._wake_there.close()

    def run(self) -> None:
        """The thread's life; what goes wrong here must not leave the process deaf, so it ends it."""
        try:
            self._run()
        except Exception:
            _log.exception("the heartbeat thread failed")
            self._on_lost("the heartbeat thread failed")
            raise

    def _run(self) -> None:
        # A context of its own: the main thread closing hers never waits for this one.
        with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
            dealer.setsockopt(zmq.IDENTITY, self._identity)
            dealer.setsockopt(zmq.LINGER, 0)
            dealer.setsockopt(zmq.SNDHWM, 16)
            with dealer.get_monitor_socket(_DOWN | _UP) as monitor:
                dealer.connect(self._endpoint)
                try:
                    self._loop(dealer, monitor)
                finally:
                    dealer.disable_monitor()

    def _loop(self, dealer: zmq.Socket[bytes], monitor: zmq.Socket[bytes]) -> None:
        poller = zmq.Poller()
        for source in (dealer, monitor, self._wake_here.fileno()):
            poller.register(source, zmq.POLLIN)
        due_s = 0.0
        while not self._ended:
            now_s = time.monotonic()
            if now_s >= due_s:
                self._beat(dealer)
                due_s = now_s + self._every_s
            ready = dict(poller.poll(max(1, int((due_s - now_s) * 1000))))
            if dealer in ready:
                self._receive(dealer)
            if monitor in ready:
                self._front.heard(int(recv_monitor_message(monitor)["event"]))
            self._watch()

    def _beat(self, dealer: zmq.Socket[bytes]) -> None:
        beat = link.WorkerHeartbeat(self._token, psutil.Process().memory_info().rss, self._busy(), self.ready)
        try:
            dealer.send_multipart(link.pack(beat), zmq.DONTWAIT)
        except zmq.Again:
            return  # nobody reads; the watch over the front decides

    def _receive(self, dealer: zmq.Socket[bytes]) -> None:
        try:
            message = link.unpack(dealer.recv_multipart(zmq.DONTWAIT)).message
        except KineographError as e:
            _log.warning("a message on the heartbeat socket was dropped: %s", e)
            return
        match message:
            case link.TaskCancel(job=job):
                self._on_cancel(job)
            case link.WorkerPing():
                self._front.pinged()
            case _:
                _log.warning("%s does not belong on the heartbeat socket", type(message).__name__)

    def _watch(self) -> None:
        now_s = time.monotonic()
        if self._lost_s is None:
            why = self._front.gone()
            if why is not None:
                self._lost_s = now_s
                _log.warning("the front is gone: %s", why)
                self._on_lost(why)
        elif now_s - self._lost_s > EXIT_GRACE_S:
            _log.warning("the running task does not stop; leaving")
            logging.shutdown()
            os._exit(EXIT_ORPHANED)


class _Front:
    """What is known of the front's life."""

    def __init__(self, pid: int | None, link_grace_s: float) -> None:
        self._pid = os.getppid() if pid is None else pid
        self._is_parent = self._pid == os.getppid()
        self._link_grace_s = link_grace_s
        self._down_s: float | None = time.monotonic()
        self._ping_s: float | None = None

    def heard(self, event: int) -> None:
        """An event of the link's own socket."""
        if event & _UP:
            self._down_s = None
        elif self._down_s is None:
            self._down_s = time.monotonic()

    def pinged(self) -> None:
        self._ping_s = time.monotonic()

    def gone(self) -> str | None:
        """Why the front counts as gone, or None."""
        now_s = time.monotonic()
        if self._is_parent and os.name == "posix":
            if os.getppid() != self._pid:
                return f"process {self._pid} ended"
        elif not psutil.pid_exists(self._pid):
            return f"process {self._pid} ended"
        if self._down_s is not None and now_s - self._down_s > self._link_grace_s:
            return f"the link is down for {self._link_grace_s:g} s"
        if self._ping_s is not None and now_s - self._ping_s > PING_GRACE_S:
            return f"no ping for {PING_GRACE_S:g} s"
        return None
