# SPDX-License-Identifier: Apache-2.0
"""The verbs of the panel: what is asked of the daemon, and what is said about it. No widget, no waiting."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from kineograph import paths
from kineograph.client import LinkChanged, LinkState, new_job_id
from kineograph.client.verbs import checked
from kineograph.errors import ErrorCode, KineographError, LinkError
from kineograph.fixes import NotApplicable, apply, resolve
from kineograph.wire import messages as m
from kineograph.wire.messages import JobState, JobStatus, Method, ModelState
from kineograph_gui.link import Link, OnReply
from kineograph_gui.model import rows
from kineograph_gui.model.jobs import JobStore
from kineograph_gui.model.mending import known_names
from kineograph_gui.model.settings import PanelSettings
from kineograph_gui.model.words import say

ACTIVE = (JobState.QUEUED, JobState.RUNNING, JobState.CANCELLING)
STATS_MS = 2000
RESTART_MS = 300
LATE_MS = 250
"""A job that was not acknowledged by then gets its row; a refusal usually comes sooner, and no row flickers."""
SUBMIT_FIELDS = ("priority", "deadline_s", "on_busy", "formats", "trajectories", "label", "character", "refs")


class Desk(QObject):
    """Link, jobs, models and settings, wired together."""

    said = Signal(str)
    failed = Signal(object)  # KineographError: of something that was asked for here
    link_changed = Signal()
    models_changed = Signal()
    stats_changed = Signal()
    submitted = Signal(str)

    def __init__(self, link: Link, settings: PanelSettings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.link = link
        self.settings = settings
        self.jobs = JobStore(self)
        self.capabilities: m.CapabilitiesReply | None = None
        self.stats: m.DaemonStats | None = None
        self.model_states: dict[str, m.ModelReply] = {}
        self.paused = False
        self._restarting = False
        self._sending: dict[str, JobStatus] = {}
        self._withdrawn: set[str] = set()
        self._rng = Random()
        link.jobs_changed.connect(self._jobs_changed)
        link.job_forgotten.connect(lambda job: self.jobs.forget([job]))
        link.snapshot_ended.connect(lambda known: self.jobs.keep(known.union(self._sending)))
        link.state_changed.connect(self._link_changed)
        link.model_changed.connect(self._model_changed)
        link.daemon_news.connect(self._daemon_news)
        self._poll = QTimer(self)
        self._poll.setInterval(STATS_MS)
        self._poll.timeout.connect(self.refresh_stats)
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(LATE_MS)
        self._late.timeout.connect(lambda: self.jobs.update(list(self._sending.values())))

    # --- the connection -----------------------------------------------------------------------------------------------
    @property
    def is_ready(self) -> bool:
        """Whether a daemon answers."""
        return self.link.state is LinkState.READY

    def start_daemon(self) -> None:
        """Connect to this computer's own daemon, starting it when none runs."""
        self.said.emit(say("said.daemon_start"))
        self.link.reopen(None, start_daemon=True)

    def reconnect(self) -> None:
        """Try again at once."""
        self.link.reopen(self.link.address, start_daemon=self.link.start_daemon)

    def connect_to(self, address: str) -> None:
        """Another daemon; empty: this computer's own."""
        self.settings.address = address.strip()
        self.jobs.keep(frozenset())
        self.link.reopen(address.strip() or None, start_daemon=self.settings.start_daemon and not address.strip())

    def restart_daemon(self) -> None:
        """Stop the daemon and start it again; its jobs stay."""
        self.said.emit(say("said.daemon_stop"))
        self._restarting = True
        self._ask(Method.DAEMON_STOP, m.Empty())

    def _link_changed(self, event: LinkChanged) -> None:
        if event.state is LinkState.READY:
            self.refresh()
            if event.restarted:
                self.said.emit(say("link.restarted"))
        elif event.state in (LinkState.LOST, LinkState.CLOSED):
            self.stats = None
            if self._restarting:
                self._restarting = False
                QTimer.singleShot(RESTART_MS, self, self.start_daemon)
        self._poll.start() if event.state is LinkState.READY else self._poll.stop()
        self.link_changed.emit()

    def _daemon_news(self, event: Any) -> None:
        paused = bool(event.body.get("draining", event.body.get("on", self.paused)))
        if paused != self.paused:
            self.paused = paused
            self.link_changed.emit()

    def _model_changed(self, model: m.ModelReply) -> None:
        self.model_states[model.model] = model
        self.models_changed.emit()
        is_new = self.capabilities is not None and model.model not in self.capabilities.models
        if is_new or model.state in (ModelState.READY, ModelState.FAILED):
            self.refresh_models()

    def refresh(self) -> None:
        """Ask for what comes with no event: models, machine."""
        self.refresh_models()
        self.refresh_stats()

    def refresh_models(self) -> None:
        """Ask for the models."""
        self.link.ask(Method.CAPABILITIES, m.Empty(), self._got_models)

    def refresh_stats(self) -> None:
        """Ask what the daemon is doing."""
        self.link.ask(Method.DAEMON_STATS, m.Empty(), self._got_stats)

    def _got_models(self, reply: m.CapabilitiesReply) -> None:
        self.capabilities = reply
        self.models_changed.emit()

    def _got_stats(self, reply: m.DaemonStats) -> None:
        self.stats, self.paused = reply, reply.draining
        self.stats_changed.emit()

    # --- models -------------------------------------------------------------------------------------------------------
    @property
    def model_ids(self) -> list[str]:
        """Models that answer, the default one first."""
        if self.capabilities is None:
            return []
        ids = [str(spec["id"]) for spec in self.capabilities.mmcp.get("models", ())]
        default = self.capabilities.default_model
        return sorted(ids, key=lambda i: i != default)

    def spec_of(self, model: str) -> dict[str, Any]:
        """A model's MMCP entry with what MMCP has no word for; empty when unknown."""
        if self.capabilities is None:
            return {}
        specs = {str(s["id"]): s for s in self.capabilities.mmcp.get("models", ())}
        return {**specs.get(model, {}), **(self.capabilities.models.get(model) or {})}

    def context(self, request: Any = None, refs: Any = None, character: str = "") -> dict[str, Any]:
        """What the catalogue may know besides the error."""
        out: dict[str, Any] = {"models": self.model_ids, "local_models": self.model_ids}
        if self.capabilities is not None:
            out["capabilities"] = self.capabilities.mmcp
        if isinstance(request, Mapping):
            out["request"] = request
        if isinstance(refs, Mapping):
            out["refs"] = refs
        if character:
            out["character"] = character
        return out

    def load(self, model: str) -> None:
        """Load a model."""
        self._ask(Method.MODELS_LOAD, m.ModelRef(model), self._model_changed)

    def unload(self, model: str) -> None:
        """Free a model's memory."""
        self._ask(Method.MODELS_UNLOAD, m.ModelRef(model), self._model_changed)

    def restart_model(self, model: str) -> None:
        """Unload a model and load it again."""
        self._ask(Method.MODELS_UNLOAD, m.ModelRef(model), lambda _: self.load(model))

    def unload_idle(self, but: str = "") -> list[str]:
        """Unload every loaded model that no waiting or running job needs; which ones."""
        needed = {job.model for job in self.jobs if job.state in ACTIVE} | {but}
        idle = [i for i in self.model_ids if self.state_of(i) == ModelState.READY and i not in needed]
        for model in idle:
            self.unload(model)
        self.said.emit(say("said.unloaded", models=", ".join(idle)) if idle else say("said.nothing_idle"))
        return idle

    def state_of(self, model: str) -> str:
        """Where a model stands, as a word of the protocol."""
        told = self.model_states.get(model)
        return str(told.state if told is not None else self.spec_of(model).get("state", ""))

    # --- jobs ---------------------------------------------------------------------------------------------------------
    def cancel(self, jobs: Sequence[str]) -> None:
        """Stop jobs, these and no other."""
        wanted = [j for j in jobs if (s := self.jobs.get(j)) is not None and not s.state.is_final]
        self._withdrawn |= self._sending.keys() & set(wanted)
        if wanted:
            self._ask(Method.JOB_CANCEL, m.JobCancel(wanted), lambda reply: self._cancelled(wanted, reply))

    def _cancelled(self, jobs: Sequence[str], reply: m.JobCancelReply) -> None:
        for job, body in zip(jobs, reply.jobs, strict=False):
            if body is None:
                self.said.emit(say("said.nothing", job=job[:8]))
                continue
            status = m.from_body(JobStatus, body)
            self.jobs.update([status])
            ended = status.state in (JobState.SUCCEEDED, JobState.FAILED, JobState.EXPIRED)
            self.said.emit(say("said.gone" if ended else "said.cancelled", job=rows.name_of(status)))

    def move(self, job: str, to: str) -> None:
        """Move a waiting job to the front or the back."""
        self._ask(Method.JOB_MOVE, m.JobMove(job, to), lambda s: self.said.emit(say("said.moved", job=rows.name_of(s))))

    def move_before(self, job: str, before: str) -> None:
        """Move a waiting job before another one."""
        message = m.JobMove(job, "front", before)
        self._ask(Method.JOB_MOVE, message, lambda s: self.said.emit(say("said.moved", job=rows.name_of(s))))

    def forget(self, job: str) -> None:
        """Remove a finished job and its result."""

        def gone(error: KineographError | None = None) -> None:
            if error is not None and error.code is not ErrorCode.REQUEST_NOT_FOUND:
                self.failed.emit(error)
                return
            status = self.jobs.get(job)
            self.jobs.forget([job])
            self.said.emit(say("said.removed", job=rows.name_of(status) if status else job[:8]))

        self.link.ask(Method.JOB_FORGET, m.JobRef(job), lambda _: gone(), gone)

    def pause(self, on: bool) -> None:
        """Stop starting jobs, or go on."""
        self._ask(Method.DAEMON_DRAIN, m.DaemonDrain(on), lambda _: self._daemon_paused(on))

    def _daemon_paused(self, on: bool) -> None:
        self.paused = on
        self.link_changed.emit()

    def again(self, job: str, *, another_seed: bool = False) -> None:
        """Send a job again, with the same seed or another one."""

        def send(reply: m.JobRequestReply) -> None:
            request = dict(reply.request) if isinstance(reply.request, Mapping) else reply.request
            if another_seed and isinstance(request, dict):
                request["options"] = {**(request.get("options") or {}), "seed": self._rng.randrange(1, 1_000_000)}
            self.submit(request, fields_of(reply))

        self._ask(Method.JOB_REQUEST, m.JobRef(job), send)

    def submit(self, request: Any, fields: Mapping[str, Any], job: str | None = None) -> str:
        """Send a request; the new job's id. What the daemon refuses is ``failed``, and nothing is in the queue."""
        new = job or new_job_id()
        request = self._with_aliases(request)
        try:
            message = checked(m.Generate, {**fields, "job": new, "request": request})
        except KineographError as e:
            self.failed.emit(e)
            return new
        self._sending[new] = _unacknowledged(new, request, fields, self.link.name)
        self._late.start()
        self.link.ask(Method.GENERATE, message, self._sent, lambda e: self._not_sent(new, e))
        return new

    def _jobs_changed(self, jobs: Sequence[JobStatus]) -> None:
        for status in jobs:
            self._sending.pop(status.job, None)
        self.jobs.update(jobs)

    def _with_aliases(self, request: Any) -> Any:
        """The request with the bone names that the rig's profile on this computer reads as others.

        This computer's own daemon reads the same profile, and its report says so.
        """
        if not isinstance(request, Mapping) or not self.link.address:
            return request
        for joint, to in known_names(request).items():
            patch = {"target": "request", "action": "rename_joint_everywhere", "args": {"joint": joint, "to": to}}
            with suppress(NotApplicable):
                request = apply(patch, request).request
        return request

    def _not_sent(self, job: str, error: KineographError) -> None:
        """Refused, or no answer came: where the daemon told nothing of it, it is no job."""
        self._withdrawn.discard(job)
        if self._sending.pop(job, None) is not None:
            self.jobs.forget([job])
        self.failed.emit(error)

    def _sent(self, status: JobStatus) -> None:
        self._jobs_changed([status])
        if status.job in self._withdrawn:
            self._withdrawn.discard(status.job)
            self.cancel([status.job])
        self.said.emit(say("said.sent", job=rows.name_of(status)))
        self.submitted.emit(status.job)

    def _ask(self, method: Method, message: Any, on_reply: OnReply | None = None) -> None:
        self.link.ask(method, message, on_reply or (lambda _: None), self.failed.emit)


def _unacknowledged(job: str, request: Any, fields: Mapping[str, Any], client: str) -> JobStatus:
    """What is shown of a job until the daemon says how it stands."""
    return JobStatus(
        job,
        JobState.QUEUED,
        model=str(request.get("model") or "") if isinstance(request, Mapping) else "",
        label=str(fields.get("label") or ""),
        character=str(fields.get("character") or ""),
        client=client,
        created_s=time.time(),
        note=rows.SENDING,
    )


def fields_of(reply: m.JobRequestReply) -> dict[str, Any]:
    """How a job was submitted, as fields for submitting it again."""
    out = {k: v for k, v in reply.options.items() if k in SUBMIT_FIELDS and v is not None}
    out.setdefault("label", reply.job.label)
    out.setdefault("character", reply.job.character)
    return out


def link_words(state: LinkState, error: KineographError | None) -> str:
    """The connection's state in words."""
    if state is LinkState.LOST and isinstance(error, LinkError) and error.code is not ErrorCode.DAEMON_UNREACHABLE:
        return resolve(error).title
    return say(f"link.{state}")


def log_folder() -> str:
    """Where the logs are."""
    return str(paths.log_dir())
