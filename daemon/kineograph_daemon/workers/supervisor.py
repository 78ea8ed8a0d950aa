# SPDX-License-Identifier: Apache-2.0
"""One process a device: started, watched, ended, started again with back-off. No thread, no waiting.

``poll`` is called by the front's loop and says which workers were lost and why. A worker has a new name each time it
is started (``w1``, ``w1-2``, ...), so that nothing a dead one sent late can be taken for its successor's word.

Environments come and go while the daemon runs: a worker is started for one that has been finished, ended for one that
has been taken away, and both for one that was made again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from kineograph_daemon.backbones.environments import ready
from kineograph_daemon.settings import Settings
from kineograph_daemon.workers.hosts import Host, hosts_of
from kineograph_daemon.workers.link import FRONT_PID_ENV, FSYNC_ENV, HEARTBEAT_SUFFIX, REMOTES_ENV, TOKEN_ENV

_log = logging.getLogger(__name__)

_LOG_TAIL_BYTES = 2000
_LOG_LIMIT_BYTES = 5 * 2**20
_LOOK_EVERY_S = 1.0
"""How often to look for environments that came or went."""


class SlotState(StrEnum):
    """Where a device's worker stands."""

    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Lost:
    """A worker that is gone, and what is known about why. ``for_good``: nobody comes in its place."""

    worker: str
    reason: str
    details: dict[str, Any]
    for_good: bool = False


@dataclass
class Slot:
    """A device and the process that owns it now."""

    host: Host
    worker: str = ""
    state: SlotState = SlotState.WAITING
    token: str = ""
    process: subprocess.Popen[bytes] | None = None
    generation: int = 0
    deaths: int = 0
    started_s: float = 0.0
    seen_s: float = 0.0
    start_at_s: float = 0.0
    end_reason: str = ""
    rss_bytes: int = 0
    last: str = field(default="", repr=False)
    leave_by_s: float | None = None
    heir: Host | None = None

    @property
    def base(self) -> str:
        """The name that every process of this slot begins with."""
        return self.host.base

    @property
    def device(self) -> str:
        """What the process owns."""
        return self.host.device


class Supervisor:
    """All slots. ``endpoint`` is where workers connect to; times are the front clock's seconds."""

    def __init__(self, settings: Settings, endpoint: str, log_folder: Path) -> None:
        self._settings = settings
        self._endpoint = endpoint
        self._logs = log_folder
        self._stopping = False
        self._marks = ready.marks()
        self._look_s = 0.0
        self.slots = [Slot(host) for host in hosts_of(settings)]

    @property
    def is_settled(self) -> bool:
        """Whether every worker has reported its models."""
        return all(slot.state is SlotState.READY for slot in self.slots)

    def start(self, now_s: float) -> None:
        """Start every worker."""
        for slot in self.slots:
            self._spawn(slot, now_s)

    def poll(self, now_s: float) -> list[Lost]:
        """End the silent, notice the dead, start those whose wait is over."""
        lost = []
        if now_s >= self._look_s and not self._stopping:
            self._look_s = now_s + _LOOK_EVERY_S
            self._look(now_s)
        for slot in list(self.slots):
            if slot.process is not None:
                self._check_silence(slot, now_s)
                code = slot.process.poll()
                if code is not None:
                    lost.append(self._bury(slot, code, now_s))
            elif slot.state is SlotState.WAITING and now_s >= slot.start_at_s and not self._stopping:
                self._spawn(slot, now_s)
        return lost

    def next_s(self) -> float | None:
        """When a waiting worker is due to start."""
        due = [s.start_at_s for s in self.slots if s.state is SlotState.WAITING]
        return min(due) if due and not self._stopping else None

    def accept(self, worker: str, token: str, now_s: float) -> bool:
        """A worker reported; whether it is the one that was started."""
        slot = self._slot(worker)
        if slot is None or not secrets.compare_digest(slot.token.encode(), token.encode()):
            return False
        slot.state, slot.seen_s = SlotState.READY, now_s
        return True

    def seen(self, worker: str, now_s: float, rss_bytes: int | None = None) -> bool:
        """A worker said something; whether it is one of the living."""
        slot = self._slot(worker.removesuffix(HEARTBEAT_SUFFIX))
        if slot is None:
            return False
        slot.seen_s = now_s
        if rss_bytes is not None:
            slot.rss_bytes = rss_bytes
        return True

    def kill(self, worker: str, reason: str) -> None:
        """End a worker at once; ``poll`` reports it as lost for this reason."""
        slot = self._slot(worker)
        if slot is not None and slot.process is not None:
            slot.end_reason = slot.end_reason or reason
            _log.warning("worker %s is killed: %s", worker, reason)
            _kill(slot.process)

    def living(self) -> list[str]:
        """The names of the workers that have reported."""
        return [s.worker for s in self.slots if s.state is SlotState.READY]

    def begin_stop(self) -> None:
        """Start no worker any more, and ask the living to end."""
        self._stopping = True
        for slot in self.slots:
            if slot.process is not None:
                with contextlib.suppress(OSError):
                    slot.process.terminate()

    def end_stop(self, patience_s: float) -> None:
        """Wait for all workers, kill those that take too long. Only called when the loop has ended."""
        for slot in self.slots:
            if slot.process is None:
                continue
            try:
                slot.process.wait(patience_s)
            except subprocess.TimeoutExpired:
                _kill(slot.process)
                slot.process.wait()
            slot.process, slot.state = None, SlotState.STOPPED

    def facts(self) -> list[dict[str, Any]]:
        """The workers as ``daemon.stats`` shows them."""
        return [
            {
                "worker": s.worker,
                "device": s.device,
                "state": str(s.state),
                "pid": None if s.process is None else s.process.pid,
                "started_s": s.started_s,
                "deaths": s.deaths,
                "memory_bytes": s.rss_bytes,
                "last_error": s.last,
            }
            for s in self.slots
        ]

    def _look(self, now_s: float) -> None:
        """Take in the environments of now."""
        marks = ready.marks()
        if marks == self._marks:
            return
        self._marks = marks
        wanted = {host.base: host for host in hosts_of(self._settings)}
        for slot in list(self.slots):
            host = wanted.pop(slot.base, None)
            if host == slot.host and slot.leave_by_s is None:
                continue
            slot.heir = host
            if slot.process is None:
                self._inherit(slot, now_s)
            elif slot.leave_by_s is None:
                slot.leave_by_s = now_s + self._settings.worker_stop_s
                slot.end_reason = "its environment was taken away or made again"
                with contextlib.suppress(OSError):
                    slot.process.terminate()
        for host in wanted.values():
            _log.info("the environment of %s is new here", host.base)
            self.slots.append(Slot(host))
            self._spawn(self.slots[-1], now_s)

    def _inherit(self, slot: Slot, now_s: float) -> None:
        """The slot's process is gone for good: to its heir, or away with it."""
        if slot.heir is None:
            self.slots.remove(slot)
            return
        slot.host, slot.heir, slot.leave_by_s, slot.deaths = slot.heir, None, None, 0
        slot.state, slot.start_at_s = SlotState.WAITING, now_s

    def _slot(self, worker: str) -> Slot | None:
        return next((s for s in self.slots if s.worker == worker and s.process is not None), None)

    def _spawn(self, slot: Slot, now_s: float) -> None:
        slot.generation += 1
        slot.worker = slot.base if slot.generation == 1 else f"{slot.base}-{slot.generation}"
        slot.token, slot.end_reason = secrets.token_hex(16), ""
        slot.state, slot.started_s, slot.seen_s = SlotState.STARTING, now_s, now_s
        try:
            with self._open_log(slot) as log:
                slot.process = _popen(slot.host.command(self._endpoint, slot.worker), log, self._env(slot))
        except OSError as e:
            _log.error("worker %s cannot be started: %s", slot.worker, e)
            slot.last = f"it cannot be started: {e}"
            self._wait(slot, now_s)

    def _env(self, slot: Slot) -> dict[str, str]:
        # Small matrices on few cores: BLAS threads that wait for one another cost a model ten times what they bring.
        env = {"OPENBLAS_NUM_THREADS": "1", **os.environ, TOKEN_ENV: slot.token, FRONT_PID_ENV: str(os.getpid())}
        if self._settings.fsync_results:
            env[FSYNC_ENV] = "1"
        if self._settings.remotes:
            env[REMOTES_ENV] = ",".join(self._settings.remotes)
        return env

    def _check_silence(self, slot: Slot, now_s: float) -> None:
        is_ready = slot.state is SlotState.READY
        limit_s = self._settings.worker_heartbeat_s if is_ready else self._settings.worker_ready_s
        if slot.leave_by_s is not None and now_s > slot.leave_by_s:
            self.kill(slot.worker, slot.end_reason)
        elif now_s - slot.seen_s > limit_s:
            how = f"it was silent for {limit_s:g} s" if is_ready else f"it was not ready within {limit_s:g} s"
            self.kill(slot.worker, how)

    def _bury(self, slot: Slot, code: int, now_s: float) -> Lost:
        reason = slot.end_reason or _how(code)
        details = {
            "worker": slot.worker,
            "device": slot.device,
            "exit_code": code,
            "log": str(self._log_file(slot)),
            "log_tail": self._tail(slot),
        }
        _log.log(logging.INFO if self._stopping else logging.ERROR, "worker %s is gone: %s", slot.worker, reason)
        slot.process, slot.last = None, reason
        if slot.leave_by_s is not None and not self._stopping:
            for_good = slot.heir is None
            self._inherit(slot, now_s)
            return Lost(slot.worker, reason, details, for_good)
        if now_s - slot.started_s >= self._settings.worker_stable_s:
            slot.deaths = 0
        self._wait(slot, now_s)
        return Lost(slot.worker, reason, details)

    def _wait(self, slot: Slot, now_s: float) -> None:
        settings = self._settings
        delay_s = min(settings.worker_backoff_s * 2.0 ** min(slot.deaths, 30), settings.worker_backoff_most_s)
        slot.deaths += 1
        slot.state, slot.start_at_s = SlotState.WAITING, now_s + delay_s

    def _log_file(self, slot: Slot) -> Path:
        return self._logs / f"worker-{slot.base}.err"

    def _open_log(self, slot: Slot) -> IO[bytes]:
        file = self._log_file(slot)
        if file.exists() and file.stat().st_size > _LOG_LIMIT_BYTES:
            os.replace(file, file.with_suffix(".err.1"))
        return file.open("ab")

    def _tail(self, slot: Slot) -> str:
        try:
            with self._log_file(slot).open("rb") as f:
                f.seek(max(0, f.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
                return f.read().decode("utf-8", "replace")
        except OSError:
            return ""


def _popen(command: Sequence[str], log: IO[bytes], env: dict[str, str]) -> subprocess.Popen[bytes]:
    # A session of its own: a Ctrl-C in the daemon's terminal must not reach the worker before the daemon decides.
    options: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        options = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, **options)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)  # with whatever the model has started


def _how(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"it was ended by {signal.Signals(-code).name}"
    return f"it ended with exit code {code}"
