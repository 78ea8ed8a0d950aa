# SPDX-License-Identifier: Apache-2.0
"""The composition root: builds the daemon's parts and wires them. Also start, stop and status for command lines."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq

from kineograph import __version__, paths
from kineograph.client.discovery import RunFile, find_daemon, pid_exists, start_daemon
from kineograph.client.keys import server_keys
from kineograph.errors import ErrorCode, LinkError, RequestError
from kineograph.wire.messages import Method
from kineograph_daemon import logs, runfile
from kineograph_daemon.http.config import DoorConfig
from kineograph_daemon.http.process import DoorProcess
from kineograph_daemon.jobs.record import Job
from kineograph_daemon.jobs.state import JobMachine, Rules
from kineograph_daemon.jobs.store import JobStore
from kineograph_daemon.server.auth import Keyring, ZapHandler
from kineograph_daemon.server.call import Outbox, Peers
from kineograph_daemon.server.clock import Clock
from kineograph_daemon.server.daemon_handlers import DaemonHandlers
from kineograph_daemon.server.desk import Desk
from kineograph_daemon.server.dispatch import Dispatcher, Handler
from kineograph_daemon.server.doors import Door, open_door
from kineograph_daemon.server.events import Publisher
from kineograph_daemon.server.front import Front
from kineograph_daemon.server.host import Host, HostWatch
from kineograph_daemon.server.jobs_handlers import JobHandlers
from kineograph_daemon.server.link import WorkerLink
from kineograph_daemon.server.models import ModelTable
from kineograph_daemon.server.parking import Parking
from kineograph_daemon.server.results import Results
from kineograph_daemon.server.retargeting import Retargeting
from kineograph_daemon.server.retention import Retention
from kineograph_daemon.server.routers import LibzmqRouter, Router, UnixRouter
from kineograph_daemon.server.submit import READERS, Submitting
from kineograph_daemon.settings import Settings
from kineograph_daemon.settled import settle_in
from kineograph_daemon.workers.supervisor import Supervisor

_log = logging.getLogger(__name__)

_ASK_EVERY_S = 0.02
"""How often the doors are asked whether anybody listens to events; a subscription takes longer to come."""
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def run(settings: Settings, host: Host | None = None) -> int:
    """Be the daemon until told to stop. Returns at once, with 0, when another one lives: it is the daemon then.

    ``host``: the program to end with.
    """
    epoch = secrets.token_hex(8)
    residence = runfile.move_in(epoch)
    if residence is None:
        other = runfile.wait_for_other(10.0)
        print(f"a daemon runs already: {other.endpoint if other else 'it holds the lock but does not answer'}")
        return 0 if other is not None else 1
    logs.set_up("daemon")
    try:
        daemon = Daemon(settings, residence, host)
        try:
            daemon.serve()
        finally:
            daemon.close()
    except Exception:
        _log.exception("the daemon failed")
        raise
    finally:
        residence.leave()
        logging.shutdown()
    return 0


def start(python: str | None = None, flags: Sequence[str] = (), wait_s: float = 15.0) -> RunFile:
    """The running daemon, started with ``flags`` if there was none. Raises ``daemon_unreachable``."""
    return start_daemon(python, flags, wait_s)


def stop(wait_s: float = 15.0) -> bool:
    """Stop this user's daemon and wait until it is gone; False when none runs. Raises ``daemon_unreachable``."""
    running = find_daemon()
    if running is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        _ask_to_end(running.pid)
    until_s = time.monotonic() + wait_s
    while time.monotonic() < until_s:
        now = find_daemon()
        if now is None or now.epoch != running.epoch:
            return True
        time.sleep(0.02)
    details = {"pid": running.pid, "waited_s": wait_s}
    raise LinkError(ErrorCode.DAEMON_UNREACHABLE, f"the daemon (process {running.pid}) does not stop", details)


def status() -> dict[str, Any] | None:
    """What the run file says of a living daemon, or None."""
    running = find_daemon()
    if running is None:
        return None
    return {
        "endpoint": running.endpoint,
        "events": running.events,
        "pid": running.pid,
        "epoch": running.epoch,
        "version": running.version,
        "wire": running.wire,
        "uptime_s": max(0.0, time.time() - running.started_s),
        "alive": pid_exists(running.pid),
        "log": str(paths.log_dir() / "daemon.log"),
    }


class Daemon:
    """The daemon's parts, wired. ``serve`` runs it; ``close`` takes it apart in order."""

    def __init__(self, settings: Settings, residence: runfile.Residence, host: Host | None = None) -> None:
        self._settings = settings
        self._residence = residence
        self._http_config = DoorConfig.from_settings(settings)
        self._http: DoorProcess | None = None
        self.clock = Clock()
        self._context = zmq.Context()
        self._doors: list[Door] = []
        self._heard = False
        self._asked_s = 0.0
        self._zap: ZapHandler | None = None
        self._server_key: str | None = None
        self._open_doors()
        link_router = self._open_link()
        data = paths.data_dir()
        self._store = JobStore(data, settings.inline_request_kb * 1024)
        self.supervisor = Supervisor(settings, link_router.endpoint, paths.log_dir())
        parts = _Parts.build(
            settings,
            self.clock,
            Publisher(residence.epoch, self._publish, self._is_heard),
            self._store,
            self.supervisor,
            data,
        )
        self.desk = parts.desk
        link = WorkerLink(link_router, parts.desk, parts.models, self.supervisor, parts.events, self.clock)
        parts.desk.workers = link
        daemon_handlers = DaemonHandlers(
            parts.desk,
            parts.models,
            link,
            self.supervisor,
            parts.events,
            parts.peers,
            parts.outbox,
            self.clock,
            settings,
            parts.parking,
            lambda why: self.front.stop(why),
        )
        self.front = Front(
            doors=self._doors,
            zap=self._zap,
            link=link,
            supervisor=self.supervisor,
            dispatcher=Dispatcher(
                _table(parts, daemon_handlers), parts.outbox, READERS, settings.body_limit_mb * 2**20
            ),
            desk=parts.desk,
            results=parts.results,
            parking=parts.parking,
            retention=Retention(parts.desk, self.clock, settings),
            events=parts.events,
            outbox=parts.outbox,
            clock=self.clock,
            settings=settings,
            heartbeat=daemon_handlers.heartbeat,
            be_found=residence.be_found,
            host=None if host is None else HostWatch(host, self._end, self._jobs),
        )

    def serve(self) -> None:
        """Take over what is there, start the workers, be found, serve."""
        self.desk.restore()
        self.supervisor.start(self.clock.now_s())
        main = self._doors[0]
        self._residence.announce(
            main.endpoint, main.events_endpoint, self._server_key, os.getpid(), self.clock.started_s
        )
        if self._http_config is not None:
            self._http = DoorProcess(self._http_config, paths.log_dir())
        _log.info("ready", extra={"data": {"endpoints": [d.endpoint for d in self._doors], "version": __version__}})
        self.front.when_idle(self._warm_up)
        self.front.when_idle(lambda: void(self._store.sweep(list(self.desk.machine.jobs.values()))))
        self.front.run()

    def _warm_up(self) -> None:
        """Import what the first request needs, beside the loop: with a cold disk or a busy machine it takes seconds, in
        which a client wants to hear that the daemon is there."""
        importing = threading.Thread(target=_import_schema, name="warm-up")
        importing.start()

        def settle() -> None:
            if importing.is_alive():
                self.front.when_idle(settle)
            else:
                settle_in()

        self.front.when_idle(settle)

    def close(self) -> None:
        """Stop the HTTP door and the workers, then the sockets, then the store."""
        self.supervisor.begin_stop()
        if self._http is not None:
            self._http.stop()
        with contextlib.suppress(Exception):
            self.front.close()
        self.supervisor.end_stop(self._settings.worker_stop_s)
        self._store.close()
        self._context.destroy(linger=0)
        if sys.platform != "win32":
            _remove_old_sockets()
        _log.info("stopped")

    def _end(self, why: str) -> None:
        self.front.stop(why)

    def _jobs(self) -> list[Job]:
        return list(self.desk.machine.jobs.values())

    def _publish(self, frames: list[Any]) -> None:
        for door in self._doors:
            door.publish(frames)

    def _is_heard(self) -> bool:
        now_s = time.monotonic()
        if now_s - self._asked_s > _ASK_EVERY_S:
            self._asked_s = now_s
            heard = [door.is_heard for door in self._doors]  # each is asked: it has news to take in
            self._heard = True in heard
        return self._heard

    def _open_doors(self) -> None:
        settings, epoch8 = self._settings, self._residence.epoch[:8]
        common: dict[str, Any] = {
            "frame_bytes": settings.frame_limit_mb * 2**20,
            "peer_queue": settings.peer_queue,
        }
        if sys.platform != "win32":
            _remove_old_sockets()
            endpoints = (paths.ipc_endpoint(f"daemon-{epoch8}.sock"), paths.ipc_endpoint(f"events-{epoch8}.sock"))
            self._doors.append(open_door(self._context, "ipc", endpoints, **common))
        if settings.tcp or sys.platform == "win32":
            keyring = Keyring()
            self._zap = ZapHandler(self._context, keyring)
            keys = server_keys()
            self._server_key = keys.public
            endpoints = tcp_endpoints(settings.tcp or "127.0.0.1")
            secret = keys.secret.encode()
            door = open_door(self._context, "tcp", endpoints, server_secret=secret, role_of=keyring.role_of, **common)
            self._doors.append(door)
            print(f"{door.endpoint} {keys.public}", flush=True)

    def _open_link(self) -> Router:
        endpoint = "tcp://127.0.0.1:*"
        if sys.platform != "win32":
            endpoint = paths.ipc_endpoint(f"workers-{self._residence.epoch[:8]}.sock")
            if UnixRouter.is_possible():
                return UnixRouter(endpoint)
        socket: Any = self._context.socket(zmq.ROUTER)
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.SNDHWM, 0)
        socket.set(zmq.ROUTER_MANDATORY, 1)
        socket.bind(endpoint)
        return LibzmqRouter(socket)


@dataclass(frozen=True)
class _Parts:
    desk: Desk
    models: ModelTable
    events: Publisher
    outbox: Outbox
    peers: Peers
    results: Results
    parking: Parking
    submitting: Submitting
    jobs: JobHandlers

    @classmethod
    def build(
        cls,
        settings: Settings,
        clock: Clock,
        events: Publisher,
        store: JobStore,
        supervisor: Supervisor,
        data: Path,
    ) -> _Parts:
        outbox, peers = Outbox(), Peers()
        desk = Desk(JobMachine(_rules(settings)), store, events, clock, settings.progress_every_s)
        hosted = [*settings.backbone, *settings.remotes, f"only={settings.only_backbones}"]
        models = ModelTable(data / "models.json", hosted)
        results = Results(desk, models, clock, settings.waiters_limit)
        parking = Parking(models, clock, outbox, supervisor, settings.spec_wait_s)
        submitting = Submitting(desk, models, peers, outbox, parking, results, settings.wait_limit_s)
        jobs = JobHandlers(desk, results, events, peers, outbox, clock, settings.wait_limit_s)
        return cls(desk, models, events, outbox, peers, results, parking, submitting, jobs)


def _table(parts: _Parts, daemon: DaemonHandlers) -> dict[Method, Handler]:
    return {
        Method.HELLO: daemon.hello,
        Method.CAPABILITIES: daemon.capabilities,
        Method.GENERATE: parts.submitting.generate,
        Method.GENERATE_WAIT: parts.submitting.generate_and_wait,
        Method.GENERATE_BATCH: parts.submitting.batch,
        Method.RETARGET: Retargeting(parts.desk, parts.peers, parts.outbox, parts.submitting).retarget,
        Method.JOB_STATUS: parts.jobs.status,
        Method.JOB_RESULT: parts.jobs.result,
        Method.JOB_REQUEST: parts.jobs.request,
        Method.JOB_LIST: parts.jobs.list,
        Method.JOB_CANCEL: parts.jobs.cancel,
        Method.JOB_MOVE: parts.jobs.move,
        Method.JOB_FORGET: parts.jobs.forget,
        Method.MODELS_LOAD: daemon.load,
        Method.MODELS_UNLOAD: daemon.unload,
        Method.DAEMON_STATS: daemon.stats,
        Method.DAEMON_DRAIN: daemon.drain,
        Method.DAEMON_STOP: daemon.stop,
    }


def tcp_endpoints(address: str) -> tuple[str, str]:
    """Requests and events for ``HOST`` or ``HOST:PORT`` (events on PORT + 1). Raises ``invalid_parameters``."""
    host, colon, port = address.rpartition(":") if not address.endswith("]") and ":" in address else (address, "", "")
    number = int(port) if port.isdecimal() else 0
    if host not in _LOOPBACK or (colon and not 0 < number < 65_535):
        details = {"where": {"path": ["tcp"]}, "got": address, "allowed": "127.0.0.1 or 127.0.0.1:PORT"}
        raise RequestError(
            ErrorCode.INVALID_PARAMETERS, f"tcp is {address!r}: only this computer's own address", details
        )
    host = "127.0.0.1" if host == "localhost" else host
    return (f"tcp://{host}:{number or '*'}", f"tcp://{host}:{number + 1 if number else '*'}")


def _rules(settings: Settings) -> Rules:
    return Rules(
        queue_limit=settings.queue_limit,
        client_limit=settings.client_limit,
        batch_limit=settings.batch_limit,
        max_losses=settings.max_losses,
        max_attempts=settings.max_attempts,
        cancel_grace_s=settings.cancel_grace_s,
    )


def _remove_old_sockets() -> None:
    """What a daemon that was killed left behind; the lock says that none of them lives."""
    folder = Path(paths.ipc_endpoint("x").removeprefix("ipc://")).parent
    for name in ("daemon", "events", "workers"):
        for path in folder.glob(f"{name}-*.sock"):
            path.unlink(missing_ok=True)


def _import_schema() -> None:
    import kineograph_daemon.mmcp.validate  # noqa: F401


def _ask_to_end(pid: int) -> None:
    import signal

    os.kill(pid, signal.SIGTERM)


def void(_: object) -> None:
    """Drop a value."""
