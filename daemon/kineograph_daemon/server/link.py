# SPDX-License-Identifier: Apache-2.0
"""The front's end of the worker link: tasks out, and what workers say turned into events for the desk."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Any

from kineograph.errors import ErrorCode, KineographError, error
from kineograph.wire.codec import Buffer
from kineograph.wire.messages import EventName, ModelReply, ModelState, Progress, ResultFormat, built, to_body
from kineograph_daemon.jobs import signals as s
from kineograph_daemon.jobs.record import RETARGET, Job
from kineograph_daemon.server.clock import Clock
from kineograph_daemon.server.desk import Desk
from kineograph_daemon.server.events import Publisher
from kineograph_daemon.server.models import ModelTable
from kineograph_daemon.server.routers import Router
from kineograph_daemon.workers import link
from kineograph_daemon.workers.supervisor import Supervisor

_log = logging.getLogger(__name__)

_MODEL_EVENT = {
    ModelState.UNLOADED: EventName.MODEL_UNLOADED,
    ModelState.LOADING: EventName.MODEL_LOADING,
    ModelState.READY: EventName.MODEL_READY,
    ModelState.FAILED: EventName.MODEL_FAILED,
}


def _gone(model: str) -> ModelReply:
    message = f"the model {model!r} is not here any more"
    return ModelReply(model, ModelState.FAILED, "", error(ErrorCode.UNKNOWN_MODEL, message).to_envelope())


class WorkerLink:
    """Implements ``desk.Workers``. ``on_models`` is called when the models that can be asked for have changed."""

    def __init__(
        self, router: Router, desk: Desk, models: ModelTable, supervisor: Supervisor, events: Publisher, clock: Clock
    ) -> None:
        self.router = router
        self.on_models: Callable[[], None] = lambda: None
        self._desk = desk
        self._models = models
        self._supervisor = supervisor
        self._events = events
        self._clock = clock
        self._pinged_s = 0.0

    # ---- to workers ------------------------------------------------------------------------------------------------

    def assign(self, worker: str, task: str, model: str, jobs: Sequence[tuple[Job, Sequence[Buffer]]]) -> None:
        """Send a task; the requests travel along unopened."""
        frames: list[Buffer] = []
        told = []
        for job, body in jobs:
            told.append(self._task_job(job, [len(frames), len(body)]))
            frames += body
        # An item of a batch goes through the model's batch pass, also alone; one that lost its worker no more.
        batch = all(job.facts.group and not job.losses for job, _ in jobs)
        self._send(worker, link.TaskRun(task, model, told, batch), frames)

    def stop_job(self, worker: str, job: str) -> None:
        """Ask a worker to stop one job; its other thread hears it while a model runs."""
        self._send(worker + link.HEARTBEAT_SUFFIX, link.TaskCancel(job))

    def encode(self, worker: str, job: Job, form: ResultFormat, frames: Sequence[Buffer]) -> None:
        """Ask a worker for another form of a result."""
        source, target = self._file(job), self._file(job, form)
        self._send(worker, link.TaskEncode(job.id, form, [0, len(frames)], source, target), frames)

    def kill(self, worker: str, reason: str) -> None:
        """End a worker's process."""
        self._supervisor.kill(worker, reason)

    def load(self, model: str, on: bool) -> None:
        """Have every worker that hosts a model load or unload it."""
        for worker in self._models.workers_of(model):
            self._send(worker, link.ModelLoad(model) if on else link.ModelUnload(model))

    def ping(self, every_s: float) -> None:
        """Tell the workers now and then that the front lives."""
        now_s = self._clock.now_s()
        if now_s - self._pinged_s < every_s:
            return
        self._pinged_s = now_s
        for worker in self._supervisor.living():
            self._send(worker + link.HEARTBEAT_SUFFIX, link.WorkerPing())

    # ---- from workers ----------------------------------------------------------------------------------------------

    def receive(self) -> None:
        """Take what workers have said. To be asked when they have said something."""
        for peer, frames, _ in self.router.receive():
            self._take(peer.decode("ascii", "replace"), frames)

    def _take(self, worker: str, frames: Sequence[Buffer]) -> None:
        try:
            self._said(worker, link.unpack(frames).message)
        except KineographError as e:
            _log.warning("a message of worker %s was dropped: %s", worker, e)

    def lost(self, worker: str, reason: str, details: dict[str, Any], *, for_good: bool = False) -> None:
        """A worker's process is gone. ``for_good``: so are the models that nobody else hosts."""
        models = self._models.usable_on(worker)
        away = self._models.left(worker) if for_good else []
        self._models.lost(worker)
        self._desk.feed(s.WorkerLost(worker, reason, self._clock.now_s(), details))
        for model in sorted(models.difference(away)):
            self._events.publish(EventName.MODEL_LOADING, to_body(self._models.state(model)))
        for model in away:
            self._events.publish(EventName.MODEL_FAILED, to_body(_gone(model)))
        if for_good:
            self._settle()
            self.on_models()

    def _said(self, worker: str, message: Any) -> None:
        now_s = self._clock.now_s()
        rss = message.rss_bytes if isinstance(message, link.WorkerHeartbeat) else None
        if not self._supervisor.seen(worker, now_s, rss):
            return  # the late words of a worker that is gone
        hear = _HEARD.get(type(message))
        if hear is None:
            _log.warning("%s is not for the front", type(message).__name__)
        else:
            hear(self, worker, message, now_s)

    def _done(self, worker: str, m: link.TaskDone, now_s: float) -> None:
        self._desk.feed(s.TaskDone(worker, m.job, now_s, m.bytes, m.elapsed_s))
        self._over(worker, m.ends, now_s)

    def _failed(self, worker: str, m: link.TaskFailed, now_s: float) -> None:
        self._desk.feed(s.TaskFailed(worker, m.job, m.error, now_s))
        self._over(worker, m.ends, now_s)

    def _cancelled(self, worker: str, m: link.TaskCancelled, now_s: float) -> None:
        self._desk.feed(s.TaskCancelled(worker, m.job, m.step, m.steps, now_s))
        self._over(worker, m.ends, now_s)

    def _over(self, worker: str, task: str, now_s: float) -> None:
        if task:
            self._desk.feed(s.TaskEnd(worker, task, now_s))

    def _ended(self, worker: str, m: link.TaskEnd, now_s: float) -> None:
        self._over(worker, m.task, now_s)

    def _progressed(self, worker: str, m: link.TaskProgress, now_s: float) -> None:
        self._desk.feed(s.TaskProgress(worker, m.job, Progress(m.fraction, m.step, m.steps, m.stage), now_s))

    def _beat(self, worker: str, m: link.WorkerHeartbeat, now_s: float) -> None:
        """``seen`` has taken it in."""

    def _model_changed(self, worker: str, m: link.ModelStateChanged, now_s: float) -> None:
        self._models.changed(worker, m.model, m.state, m.error)
        with contextlib.suppress(KeyError):
            self._events.publish(_MODEL_EVENT[m.state], to_body(self._models.state(m.model)))

    def _ready(self, worker: str, message: link.WorkerReady, now_s: float) -> None:
        if not self._supervisor.accept(worker, message.token, now_s):
            _log.warning("somebody without its token claims to be worker %s", worker)
            return
        self._models.reported(worker, message.device, message.models)
        _log.info("worker %s is ready", worker, extra={"data": {"models": sorted(message.models)}})
        self._desk.feed(s.WorkerReady(worker, self._models.usable_on(worker) | {RETARGET}, now_s))
        self._settle()
        for model in message.models:
            reply = self._models.state(model)
            self._events.publish(_MODEL_EVENT[reply.state], to_body(reply))
        self.on_models()

    def _settle(self) -> None:
        """Once every worker has reported, a job whose model nobody brought need not wait any longer."""
        if self._supervisor.is_settled:
            self._desk.feed(s.ModelsSettled(self._models.hosted() | {RETARGET}, self._clock.now_s()))

    def _encoded(self, worker: str, message: link.TaskEncoded, now_s: float) -> None:
        job = self._desk.machine.jobs.get(message.job)
        size = 0
        if job is not None and message.error is None:
            with contextlib.suppress(OSError):
                size = self._desk.store.result_file(job.id, job.attempt, message.format).stat().st_size
        self._desk.feed(s.Encoded(worker, message.job, message.format, message.error, now_s, size))

    # ---- small things ----------------------------------------------------------------------------------------------

    def _task_job(self, job: Job, frames: list[int]) -> link.TaskJob:
        facts = job.facts
        others = [f for f in facts.formats if f is not ResultFormat.ARRAYS]
        left_s = None if job.due_s is None else max(0.0, job.due_s - self._clock.now_s())
        values = {
            "job": job.id,
            "frames": frames,
            "result_path": self._file(job),
            "formats": list(facts.formats),
            "trajectories": facts.trajectories,
            "format_paths": {str(f): self._file(job, f) for f in others},
            "deadline_s": left_s,
            "spare_path": self._desk.store.spares.lend(job.id),
            "request_sha256": facts.request_sha256,
        }
        return built(link.TaskJob, values)

    def _file(self, job: Job, form: ResultFormat = ResultFormat.ARRAYS) -> str:
        return self._desk.store.result_path(job.id, job.attempt, form)

    def _send(self, peer: str, message: Any, frames: Sequence[Buffer] = ()) -> None:
        if not self.router.send(peer.encode(), link.pack(message, frames)):
            # The supervisor notices a worker that is gone; its jobs are taken up again then.
            _log.warning("nothing could be sent to %s", peer)


_HEARD: dict[type[Any], Callable[[WorkerLink, str, Any, float], None]] = {
    link.TaskDone: WorkerLink._done,
    link.TaskProgress: WorkerLink._progressed,
    link.TaskFailed: WorkerLink._failed,
    link.TaskCancelled: WorkerLink._cancelled,
    link.TaskEnd: WorkerLink._ended,
    link.TaskEncoded: WorkerLink._encoded,
    link.WorkerHeartbeat: WorkerLink._beat,
    link.WorkerReady: WorkerLink._ready,
    link.ModelStateChanged: WorkerLink._model_changed,
}
