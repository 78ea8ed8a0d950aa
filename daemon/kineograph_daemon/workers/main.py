# SPDX-License-Identifier: Apache-2.0
"""A worker process: owns one device, hosts models, runs one task at a time.

``python -m kineograph_daemon.workers.main --link ENDPOINT --id w1 --device cpu [--backbone SPEC]... [--only]``

The heartbeat starts first; models, which may take long to import, come after it. SIGTERM ends the worker cleanly at
the running job's next step.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

from kineograph.errors import KineographError
from kineograph_daemon import logs
from kineograph_daemon.settled import settle_in
from kineograph_daemon.workers import link
from kineograph_daemon.workers.heartbeat import HEARTBEAT_EVERY_S, LINK_GRACE_S, Heartbeat
from kineograph_daemon.workers.line import Line

_log = logging.getLogger(__name__)

DEVICE_ENV = "KINEOGRAPH_DEVICE"
"""Set for the backbones: the device this worker owns."""
_GENERATION = re.compile(r"-\d+$")  # w1-2 follows w1 and goes on with its log


class Worker:
    """The process's main thread. Everything a backbone needs is imported in ``serve``, under a beating heart."""

    def __init__(self, args: argparse.Namespace, token: str) -> None:
        self._args = args
        self._token = token
        self._stopping = threading.Event()
        self._ending = False
        self._idle = False
        self._task = ""
        self._has_worked = False
        self._early_cancels: list[str] = []
        self._cancel: Any = self._early_cancels.append
        self._line: Line

    def serve(self) -> None:
        """Live until told to stop, or until the front is gone."""
        heart = Heartbeat(
            self._args.link,
            self._args.id,
            self._token,
            busy=lambda: self._task,
            on_cancel=lambda job: self._cancel(job),
            on_lost=self._on_lost,
            front_pid=int(os.environ[link.FRONT_PID_ENV]) if os.environ.get(link.FRONT_PID_ENV) else None,
            every_s=self._args.heartbeat_s,
            link_grace_s=self._args.link_grace_s,
        )
        heart.start()
        try:
            with contextlib.closing(Line(self._args.link, self._args.id)) as self._line:
                self._live(heart)
        except _Terminated:
            _log.info("terminated")
        except Exception:
            _log.exception("the worker failed")
            raise
        finally:
            heart.stop()

    def terminate(self, *_: Any) -> None:
        """SIGTERM: stop the running job at its next step and end."""
        self._stopping.set()
        if self._idle:
            raise _Terminated

    def _live(self, heart: Heartbeat) -> None:
        # Imported here, not above: they pull in numpy, pydantic and the pipeline, and the heart beats already.
        from kineograph_daemon.backbones import registry
        from kineograph_daemon.workers import provenance
        from kineograph_daemon.workers.hooks import Cancels
        from kineograph_daemon.workers.models import Models
        from kineograph_daemon.workers.tasks import Tasks

        cancels = Cancels()
        self._cancel = cancels.cancel
        for job in self._early_cancels:
            cancels.cancel(job)
        os.environ[DEVICE_ENV] = self._args.device
        loaders = registry.discover(self._args.backbone, entry_points=not self._args.only)
        models = Models(registry.load_all(loaders), self._args.device, self._send)
        fsync = os.environ.get(link.FSYNC_ENV, "").strip().lower() in ("1", "true", "yes", "on")
        tasks = Tasks(models, cancels, self._stopping, self._send, device=self._args.device, fsync=fsync)
        provenance.versions()  # asks the system; not on the first job's time
        settle_in()
        heart.ready = True
        self._send(link.WorkerReady(self._token, os.getpid(), self._args.device, models.report()))
        _log.info("ready", extra={"data": {"models": sorted(models.report())}})
        try:
            while not (self._stopping.is_set() or self._ending):
                packet = self._receive()
                if packet is not None:
                    self._handle(packet, tasks, models)
        finally:
            models.close()

    def _receive(self) -> link.Packet | None:
        self._idle = True
        try:
            if self._stopping.is_set():
                return None
            frames = self._line.receive()
        finally:
            self._idle = False
        try:
            return None if frames is None else link.unpack(frames)
        except KineographError as e:
            _log.error("a message of the front was dropped: %s", e)
            return None

    def _handle(self, packet: link.Packet, tasks: Any, models: Any) -> None:
        match packet.message:
            case link.TaskRun() as task:
                self._task = task.task
                try:
                    tasks.run(packet, task)
                finally:
                    self._task = ""
                if not self._has_worked:  # the first job has brought in the rest of what stays
                    self._has_worked = True
                    settle_in()
            case link.TaskEncode() as task:
                tasks.encode(packet, task)
            case link.ModelLoad(model=model):
                _for_model(models.load, model)
            case link.ModelUnload(model=model):
                _for_model(models.unload, model)
            case link.WorkerStop():
                self._ending = True
            case other:
                _log.error("%s is not for a worker's main socket", type(other).__name__)

    def _send(self, message: Any) -> None:
        self._line.send(link.pack(message))

    def _on_lost(self, why: str) -> None:
        self._stopping.set()


class _Terminated(Exception):
    """Raised out of waiting by SIGTERM."""


def _for_model(act: Any, model: str) -> None:
    try:
        act(model)
    except KineographError as e:
        _log.warning("model %s: %s", model, e)  # the front named a model that is not here


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="kineograph_daemon.workers.main", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--link", required=True, help="the front's worker endpoint")
    parser.add_argument("--id", required=True, help="this worker's name, also its socket identity")
    parser.add_argument("--device", default="cpu", help="cpu, cuda:0, ...")
    parser.add_argument("--backbone", action="append", default=[], help="module:name, or an installed backbone")
    parser.add_argument("--only", action="store_true", help="host only what --backbone names")
    parser.add_argument("--heartbeat-s", type=float, default=HEARTBEAT_EVERY_S, help="seconds between heartbeats")
    parser.add_argument("--link-grace-s", type=float, default=LINK_GRACE_S, help="seconds the link may be down")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a worker until it is told to stop; the exit status."""
    args = arguments(argv)
    logs.set_up(f"worker-{_GENERATION.sub('', args.id)}")
    worker = Worker(args, os.environ.pop(link.TOKEN_ENV, ""))
    signal.signal(signal.SIGTERM, worker.terminate)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the front's affair; it stops its workers itself
    worker.serve()
    logging.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
