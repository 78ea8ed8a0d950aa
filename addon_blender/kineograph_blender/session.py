# SPDX-License-Identifier: GPL-3.0-or-later
"""The session: one client, the jobs in flight, the takes that came back, and the pump that moves them.

``poll`` runs on Blender's main thread, from an app timer in the interface and from a loop in scripts; it never waits
and works for a few milliseconds at most. The client's own thread owns the socket and never touches bpy. Live state
stays here: nothing of it is saved in a file, nothing of it holds RNA, so that undo, deletion, renaming and file load
find nothing to break.
"""

from __future__ import annotations

import ipaddress
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import bpy

from kineograph.client import Client, Errand, LinkState, Result
from kineograph.errors import ErrorCode, InternalError, KineographError, error
from kineograph.fixes import Problem, resolve
from kineograph.wire.messages import JobCancel, JobStatus, Method

from .bridge import request
from .bridge.bake import Bake
from .bridge.request import Direction, Outgoing
from .takes import Take

log = logging.getLogger(__name__)

POLL_BUDGET_S = 0.004
BUSY_INTERVAL_S = 0.02
IDLE_INTERVAL_S = 0.5


@dataclass
class Timings:
    """The longest that Blender's main thread was held, seconds."""

    submit_s: float = 0.0
    poll_s: float = 0.0
    bake_slice_s: float = 0.0


@dataclass(eq=False)
class Job:
    """One generation under way. ``status`` is what the daemon said last; ``take`` or ``error`` is how it ended."""

    label: str
    outgoing: Outgoing
    apply: dict[str, Any] | None
    status: JobStatus | None = None
    take: Take | None = None
    error: KineographError | None = None
    retry: tuple[KineographError, float] | None = None
    is_done: bool = False
    wants_cancel: bool = False
    errand: Errand[Result] | None = None

    @property
    def id(self) -> str:
        """The daemon's id of the job at work."""
        return self.errand.job if self.errand is not None else ""


@dataclass(eq=False)
class _Apply:
    take: Take
    bake: Bake
    job: Job | None
    on_done: Callable[[KineographError | None], None] | None = None


@dataclass(eq=False)
class Session:
    """Everything alive. Make one through ``current``."""

    address: str | None = None
    start_daemon: bool = False
    jobs: list[Job] = field(default_factory=list)
    takes: dict[str, Take] = field(default_factory=dict)
    timings: Timings = field(default_factory=Timings)
    _client: Client | None = None
    _applies: deque[_Apply] = field(default_factory=deque)

    @property
    def client(self) -> Client:
        """The one client, made when first needed. Making it does not wait."""
        if self._client is None:
            check_address(self.address)
            name = f"Blender {bpy.app.version_string}"
            self._client = Client(self.address, name=name, kind="blender", start_daemon=self.start_daemon)
        return self._client

    @property
    def link(self) -> LinkState:
        """Where the connection stands; closed when there is none yet."""
        return LinkState.CLOSED if self._client is None else self._client.state

    @property
    def is_busy(self) -> bool:
        """Whether anything waits for ``poll``."""
        return bool(self._applies) or any(not job.is_done for job in self.jobs)

    def generate(
        self, armature: Any, scene: Any, direction: Direction, label: str = "", apply: dict[str, Any] | None = None
    ) -> Job:
        """Read the scene and send it; returns at once. With ``apply`` (keywords of ``Take.bake``) the result is baked.

        Raises what the scene does not allow; what the daemon says comes through the job.
        """
        began = time.perf_counter()
        outgoing = request.gather(armature, scene, direction)
        job = Job(label or _label(direction), outgoing, apply)
        job.errand = self.client.generate_nowait(
            outgoing.request,
            lambda errand: self._arrived(job, errand),
            lambda status: self._heard(job, status),
            on_retry=lambda why, delay_s: setattr(job, "retry", (why, delay_s)),
            label=job.label,
            character=armature.name,
            refs=outgoing.refs,
        )
        self.jobs.append(job)
        self.client.poll(0.0)  # the request leaves now, not at the next tick
        self.timings.submit_s = max(self.timings.submit_s, time.perf_counter() - began)
        wake()
        return job

    def apply(self, take: Take, on_done: Callable[[KineographError | None], None] | None = None, **how: Any) -> None:
        """Bake a take in slices, from ``poll``. ``how``: keywords of ``Take.bake``."""
        self._applies.append(_Apply(take, take.bake(**how), None, on_done))
        wake()

    def cancel(self, job: Job) -> None:
        """Ask the daemon to stop this job, and no other; the answer comes through the job."""
        job.wants_cancel = True
        # Before its first status a job may not have reached the daemon: a cancel sent now would overtake it.
        if job.status is not None:
            self._send_cancel(job)

    def _heard(self, job: Job, status: JobStatus) -> None:
        job.status = status
        if job.wants_cancel:
            self._send_cancel(job)

    def _send_cancel(self, job: Job) -> None:
        if not job.is_done and job.status is not None and not job.status.state.is_final:
            self.client.call_nowait(Method.JOB_CANCEL, JobCancel([job.status.job]))

    def poll(self, budget_s: float = POLL_BUDGET_S) -> bool:
        """Run what has come and bake a little; returns whether there is more to wait for. Main thread only."""
        began = time.perf_counter()
        if self._client is not None:
            self._client.poll(budget_s)
        left_s = budget_s - (time.perf_counter() - began)
        if self._applies and left_s > 0.0:
            self._bake(left_s)
        self.timings.poll_s = max(self.timings.poll_s, time.perf_counter() - began)
        return self.is_busy

    def wait(self, job: Job, timeout_s: float | None = None) -> bool:
        """Poll until a job is done, for scripts. Returns whether it is; the job goes on after a timeout."""
        end_s = None if timeout_s is None else time.monotonic() + timeout_s
        while not job.is_done and (end_s is None or time.monotonic() < end_s):
            self.poll()
            time.sleep(0.001)
        return job.is_done

    def forget(self, take: Take) -> None:
        """Drop a take from memory. Actions that were baked from it stay."""
        self.takes.pop(take.id, None)

    def close(self) -> None:
        """End the connection; jobs go on in the daemon. Half-written actions are removed."""
        while self._applies:
            self._applies.popleft().bake.abandon()
        for job in self.jobs:
            if job.errand is not None:
                job.errand.abandon()
        self.jobs.clear()
        if self._client is not None:
            self._client.close()
            self._client = None

    def _arrived(self, job: Job, errand: Errand[Result]) -> None:
        job.retry = None
        if errand.value is None:
            self._end(job, _known(errand.error))
            return
        try:
            job.take = Take.of(job.outgoing, errand.value, job.label)
        except KineographError as e:
            self._end(job, e)
            return
        job.status = errand.value.job
        self.takes[job.take.id] = job.take
        if job.apply is None:
            self._end(job, None)
        else:
            self._applies.append(_Apply(job.take, job.take.bake(**job.apply), job))

    def _bake(self, budget_s: float) -> None:
        current = self._applies[0]
        failed: KineographError | None = None
        try:
            if not current.bake.step(budget_s):
                return
            current.take.applied.append(current.bake.report)
            _push_undo(f"Apply {current.take.label}".strip())
        except KineographError as e:
            failed = e
        except ReferenceError as e:  # RNA that went away inside one slice
            failed = error(ErrorCode.RIG_CHANGED, f"the scene changed while the take was being written: {e}")
        finally:
            longest = current.bake.report.longest_slice_s
            self.timings.bake_slice_s = max(self.timings.bake_slice_s, longest)
        self._applies.popleft()
        if current.job is not None:
            self._end(current.job, failed)
        if current.on_done is not None:
            current.on_done(failed)

    def _end(self, job: Job, failed: KineographError | None) -> None:
        job.error = failed
        job.is_done = True


def problem_of(failed: KineographError, job: Job | None = None) -> Problem:
    """What to say about an error and which fixes to offer, from the catalogue."""
    ref = (failed.details.get("where") or {}).get("ref") or {}
    if job is None:
        return resolve(failed, {"character": ref.get("character") or None})
    sent = job.outgoing
    return resolve(failed, {"request": sent.request, "refs": sent.refs, "character": sent.rig.armature})


def check_address(address: str | None) -> None:
    """Beyond this computer only with the user's leave (``bpy.app.online_access``). Raises ``connection_failed``."""
    if address is None or address.startswith("ipc://") or bpy.app.online_access:
        return
    host = urlsplit(address).hostname or ""
    try:
        is_local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        raise error(
            ErrorCode.CONNECTION_FAILED,
            f"Blender is set to stay offline, and {host!r} is another computer",
            {"where": {"setting": "online_access"}, "got": address},
        )


_current: Session | None = None


def current() -> Session:
    """The session of this Blender."""
    global _current
    if _current is None:
        _current = Session()
    return _current


def wake() -> None:
    """Start the pump. Without an interface there are no timers: whoever waits polls."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=0.0, persistent=True)


def _tick() -> float | None:
    """One turn of the pump; the timer ends itself when nothing is left to wait for."""
    if _current is None:
        return None
    try:
        busy = _current.poll()
    except Exception:
        # A timer that raises is dropped by Blender, and every later result with it.
        log.exception("the pump stumbled")
        return IDLE_INTERVAL_S
    return BUSY_INTERVAL_S if busy else None


def register() -> None:
    """Nothing runs until something is asked for."""


def unregister() -> None:
    """Stop the pump, leave the daemon, forget what is alive."""
    global _current
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    if _current is not None:
        _current.close()
        _current = None


def _push_undo(message: str) -> None:
    # One undo step for a bake that the pump made; operators have their own.
    if not bpy.app.background and bpy.ops.ed.undo_push.poll():
        bpy.ops.ed.undo_push(message=message)


def _known(e: BaseException | None) -> KineographError:
    if isinstance(e, KineographError):
        return e
    return InternalError(ErrorCode.INTERNAL_ERROR, f"{type(e).__name__}: {e}")


def _label(direction: Direction) -> str:
    return next((b.prompt.strip() for b in direction.blocks if b.prompt.strip()), "take")
