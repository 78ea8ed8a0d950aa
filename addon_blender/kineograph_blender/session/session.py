# SPDX-License-Identifier: GPL-3.0-or-later
"""The session: one client, the jobs in flight, and the takes that came back.

``poll`` runs on Blender's main thread, from an app timer in the interface and from a loop in scripts; it never waits
and works for a few milliseconds at most. The client's own thread owns the socket and never touches bpy. Live state
stays here: nothing of it is saved in a file, nothing of it holds RNA, so that undo, deletion, renaming and file load
find nothing to break.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import bpy

from kineograph.client import Client, ClientEvent, Errand, LinkChanged, LinkState, ModelEvent, Result, new_job_id
from kineograph.errors import ErrorCode, InternalError, KineographError, LinkError, error
from kineograph.fixes import Problem, all_rows, resolve
from kineograph.wire.messages import Empty, JobCancel, JobStatus, Method

from .. import props
from ..bridge import gathering
from ..bridge.looking import Looking
from ..bridge.request import Direction, Outgoing
from ..bridge.swift import in_one_go, swift
from ..takes import Take
from .address import check_address
from .archive import Sent
from .connection import Standing, standing
from .job import Job, Timings, label_of
from .models import Models
from .outbox import PATIENCE_S, Outbox
from .pump import POLL_BUDGET_S, wake
from .readers import Readers
from .sent import Ledger
from .shelf import Shelf
from .troubles import Trouble, Troubles
from .undelivered import FRESH_S, never_left, unread
from .writer import Order, Writer

log = logging.getLogger(__name__)

_NOBODYS = frozenset({ErrorCode.REQUEST_NOT_FOUND, ErrorCode.RESULT_EXPIRED, ErrorCode.REQUEST_CANCELLED})
"""Of a job that an earlier Blender sent: nothing that anybody has to hear of."""


on_applied: list[Callable[[Take, Mapping[str, Any]], Iterator[None]]] = []
"""Who hears of each take that was written, with the keywords of its bake, and what they then do, in pieces: what is
drawn follows."""


@dataclass(eq=False)
class Session:
    """Everything alive. Make one through ``current``."""

    address: str | None = None
    start_daemon: bool = False
    ends_with_blender: bool = False
    jobs: list[Job] = field(default_factory=list)
    shelf: Shelf = field(default_factory=Shelf)
    troubles: Troubles = field(default_factory=Troubles)
    models: Models = field(default_factory=Models)
    timings: Timings = field(default_factory=Timings)
    is_watching: bool = False
    _client: Client | None = None
    _writer: Writer = field(default_factory=Writer)
    _outbox: Outbox = field(default_factory=Outbox)
    _unsent: list[Job] = field(default_factory=list)
    _readers: Readers = field(init=False)
    _was_lost: bool = False
    _ledger: Ledger = field(init=False)
    _found: list[Sent] = field(default_factory=list)
    _mine: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._ledger = Ledger(self.shelf)
        self._readers = Readers(self.troubles.add)

    @property
    def client(self) -> Client:
        """The one client, made when first needed. Making it does not wait."""
        if self._client is None:
            check_address(self.address)
            name = client_name()
            # Not a child that dies with Blender, unless the user wants it so.
            flags = ["--end-with", str(os.getpid()), "--end-with-client", name] if self.ends_with_blender else []
            self._client = Client(
                self.address, name=name, kind="blender", start_daemon=self.start_daemon, daemon_flags=flags
            )
        return self._client

    @property
    def link(self) -> LinkState:
        """Where the connection stands; closed when there is none yet."""
        return LinkState.CLOSED if self._client is None else self._client.state

    @property
    def takes(self) -> dict[str, Take]:
        """The takes that are in memory, by id."""
        return self.shelf.in_memory

    @property
    def standing(self) -> Standing:
        """The connection in words."""
        failed = None if self._client is None else self._client.link_error
        is_local = self.address is None
        return standing(self.link, failed, self._was_lost, is_local, lambda e: problem_of(e).text)

    def face(self) -> tuple[Any, ...]:
        """What the panels show of all this, to be compared: they are drawn anew when it changes, and not else."""
        jobs = tuple((j.status, j.is_done, j.wants_cancel, _left_s(j)) for j in self.jobs if not j.is_done)
        reading = tuple(looking.progress for looking in self.reading)
        takes = (len(self.shelf.every()), len(self.shelf.unsaved), len(self._writer))
        newest = next((t.id for t in self.troubles), "")
        return self.standing, reading, jobs, len(self.jobs), takes, newest, len(self.troubles), id(self.models)

    @property
    def is_urgent(self) -> bool:
        """Whether the next turn of ``poll`` is to come at once."""
        return self._writer.is_urgent

    @property
    def is_busy(self) -> bool:
        """Whether anything waits for ``poll``."""
        return bool(self._writer) or bool(self._readers) or any(not job.is_done for job in self.jobs)

    def connect(self) -> None:
        """Look for the daemon, follow what it says and keep its list of models; returns at once."""
        client = self.client
        if not self.is_watching:
            self.is_watching = True
            # What there is to say about errors: read by another thread before the first is told of, in 30 ms.
            self.shelf.run(all_rows)
            client.watch_nowait(self._told, snapshots=False)
            # Asked at once and again when the link is ready: it may become so before the listener is there.
            self._ask_models()
        wake()

    def disconnect(self) -> None:
        """Leave the daemon; jobs go on there. What is here of running jobs is forgotten, takes stay."""
        self._writer.abandon()
        for job in self.jobs:
            if job.errand is not None:
                job.errand.abandon()
        self.jobs = [job for job in self.jobs if job.is_done]
        self._outbox.clear()
        self._unsent.clear()
        self._readers.abandon()
        self._found.clear()
        self._mine.clear()
        self._ledger.ask_again()
        self.is_watching, self._was_lost, self.models = False, False, Models()
        if self._client is not None:
            self._client.close()
            self._client = None

    def generate(
        self, armature: Any, scene: Any, direction: Direction, label: str = "", apply: dict[str, Any] | None = None
    ) -> Job:
        """Read the scene and send it; returns at once. With ``apply`` (keywords of ``Take.bake``) the result is baked.

        Raises what the scene does not allow; what the daemon says comes through the job.
        """
        began = time.perf_counter()
        with in_one_go():
            outgoing = gathering.gather(armature, scene, direction)
            job = Job(label or label_of(direction), outgoing, apply, owner=owner_of(armature), direction=direction)
            self._send(job, PATIENCE_S)
        self.timings.submit_s = max(self.timings.submit_s, time.perf_counter() - began)
        return job

    def generate_soon(
        self,
        armature: Any,
        scene: Any,
        direction: Direction,
        label: str = "",
        apply: dict[str, Any] | None = None,
        redo: tuple[str, Mapping[str, Any]] = ("", {}),
    ) -> None:
        """``generate`` for an interface: the scene is read from ``poll``, some of it a turn, and then sent.

        Raises what is wrong at once; what is found wrong later becomes a trouble, with ``redo`` to do it again.
        """
        owner = owner_of(armature)

        def send(outgoing: Outgoing) -> Iterator[None]:
            self._send(Job(label or label_of(direction), outgoing, apply, owner=owner, direction=direction))
            return iter(())

        self.read_soon(armature, scene, direction, send, redo, is_sent=not apply)

    def read_soon(
        self,
        armature: Any,
        scene: Any,
        direction: Direction,
        then: Callable[[Outgoing], Iterator[None]],
        redo: tuple[str, Mapping[str, Any]] = ("", {}),
        *,
        is_sent: bool = False,
    ) -> None:
        """Read a scene for a request, and do something ``then``, in pieces, from ``poll``. Raises as above.

        ``is_sent``: a Blender that ends meanwhile is told of by the next one, which offers to generate.
        """
        began = time.perf_counter()
        with swift():
            looking = Looking.ahead(armature, scene, direction)
            owner, name = owner_of(armature), str(armature.name)
            told = self._ledger.begin_to_read(owner, name, bpy.data.filepath) if is_sent else ""
            over = lambda: self._ledger.end_to_read(owner, told)  # noqa: E731
            self._readers.add(looking, then, over, owner=owner, character=name, redo=redo)
            wake()
        self.timings.submit_s = max(self.timings.submit_s, time.perf_counter() - began)

    @property
    def reading(self) -> list[Looking]:
        """Requests whose scene is still being read."""
        return self._readers.every

    def stop_reading(self) -> bool:
        """Nothing that is still being read is sent; whether there was any."""
        return self._readers.clear()

    def _send(self, job: Job, patience_s: float = 0.0) -> None:
        client = self.client  # raises where there may be none
        job.sent = new_job_id()
        job.troubles_before = self.troubles.newest
        self._mine.add(job.sent)
        self.jobs.append(job)
        self._choose_model(job)
        self._outbox.add(job, self._keep(job))
        self._leave(patience_s)
        client.poll(0.0)  # the request leaves now, not at the next tick
        wake()

    def _keep(self, job: Job) -> Future[None] | None:
        where = (self.address or "", bpy.data.filepath, job.fields)
        return self._ledger.keep(Sent(job.sent, job.owner, job.label, job.outgoing, time.time(), *where))

    def _leave(self, patience_s: float = 0.0) -> None:
        """What is on disk leaves."""
        for job in self._outbox.ready(patience_s):
            if self._choose_model(job):
                self._submit(job)
            else:
                # Nobody chose a model and the daemon has not told its own yet: the request waits for that answer.
                self._unsent.append(job)
                self._ask_models()

    def _choose_model(self, job: Job) -> bool:
        request = job.outgoing.request
        request["model"] = request["model"] or self.models.default
        return bool(request["model"])

    def _submit(self, job: Job) -> None:
        job.errand = self.client.generate_nowait(
            job.outgoing.request,
            lambda errand: self._arrived(job, errand),
            lambda status: self._heard(job, status),
            on_retry=lambda why, delay_s: self._retrying(job, why, delay_s),
            label=job.label,
            character=job.armature,
            refs=job.outgoing.refs,
            job=job.sent,
            **job.fields,
        )

    def send_again(self, job: Job, request: dict[str, Any], fields: dict[str, Any] | None = None) -> Job:
        """The job once more, with a changed request; ``fields`` are those of the submit message.

        One that still waits to be tried again gives way.
        """
        if not job.is_done:
            self.give_up(job)
        if job.error is not None and job.error.details.get("never_left"):
            self._ledger.forget(job.owner, job.sent)
        again = replace(
            job,
            outgoing=job.outgoing.asking(request),
            status=None,
            take=None,
            error=None,
            retry=None,
            is_done=False,
            wants_cancel=False,
            errand=None,
            sent="",
            is_resumed=False,
            asked_s=None,
            fields={**job.fields, **(fields or {})},
        )
        self._send(again)
        return again

    def apply(self, take: Take, on_done: Callable[[KineographError | None], None] | None = None, **how: Any) -> None:
        """Bake a take in slices, from ``poll``. ``how``: keywords of ``Take.bake``. A failure becomes a trouble too."""
        row = self.shelf.get(take.id)

        def done(failed: KineographError | None) -> None:
            if failed is not None:
                owner, character = (row.owner, row.character) if row else ("", take.rig.armature)
                self.troubles.add(failed, owner=owner, character=character, take=take.id, how=how)
            if on_done is not None:
                on_done(failed)

        self._writer.add(Order(take, take.bake(**how), done, lambda: _telling(take, how)))
        wake()

    def cancel(self, job: Job) -> None:
        """Ask the daemon to stop this job, and no other; the answer comes through the job."""
        job.wants_cancel = True
        self._ledger.forget(job.owner, job.sent)  # no later Blender goes on with it, whatever comes of this one
        if job.retry is not None and job.errand is not None:  # between two tries nothing runs that could be stopped
            job.errand.abandon()
            self._goes_on(job)
            self._end(job, error(ErrorCode.REQUEST_CANCELLED, "cancelled before it was tried again", {"by": "you"}))
            return
        if self._outbox.drop(job) or job in self._unsent:
            self._unsent = [j for j in self._unsent if j is not job]
            self._end(job, error(ErrorCode.REQUEST_CANCELLED, "cancelled before it was sent", {"by": "you"}))
            return
        # Before its first status a job may not have reached the daemon: a cancel sent now would overtake it.
        if job.status is not None:
            self._send_cancel(job)

    def give_up(self, job: Job) -> None:
        """Drop a job that waits to be tried again: its last try has ended, so nothing of it runs."""
        if job.errand is not None:
            job.errand.abandon()
        self.jobs = [j for j in self.jobs if j.errand is not job.errand]
        self._ledger.forget(job.owner, job.sent)
        job.is_done, job.retry = True, None

    def poll(self, budget_s: float = POLL_BUDGET_S) -> bool:
        """Run what has come and bake a little; returns whether there is more to wait for. Main thread only."""
        with swift():
            return self._poll(budget_s)

    def _poll(self, budget_s: float) -> bool:
        began = time.perf_counter()
        if self._client is not None:
            self._client.poll(budget_s)
        self.shelf.settle()
        self._go_on()
        self._leave()
        left_s = budget_s - (time.perf_counter() - began)
        if self._readers:
            self._readers.step(max(left_s, 0.0))  # one frame at least, however much has come
        elif left_s > 0.0:
            self._writer.step(left_s)
        self.timings.bake_slice_s = max(self.timings.bake_slice_s, self._writer.longest_slice_s)
        self.timings.poll_s = max(self.timings.poll_s, time.perf_counter() - began)
        return self.is_busy or self._ledger.is_looking

    def look_around(self) -> None:
        """Go on with what earlier Blenders sent for the characters of this file and did not see the end of.

        A character that has no id is one of a Blender that ended before its file was saved: known by file and name.
        """
        here = [o for o in bpy.data.objects if o.type == "ARMATURE"]
        for armature in here:
            self._look_for(owner_of(armature))
        if bpy.data.filepath and not all(map(owner_of, here)):
            self._ledger.ask_who(bpy.data.filepath)

    def _look_for(self, owner: str) -> None:
        self.shelf.ask(owner)
        self._ledger.ask(owner)

    def wait(self, job: Job, timeout_s: float | None = None) -> bool:
        """Poll until a job is done, for scripts. Returns whether it is; the job goes on after a timeout."""
        end_s = None if timeout_s is None else time.monotonic() + timeout_s
        while not job.is_done and (end_s is None or time.monotonic() < end_s):
            self.poll()
            time.sleep(0.001)
        return job.is_done

    def forget(self, take: Take) -> None:
        """Drop a take for good. Actions that were baked from it stay."""
        row = self.shelf.get(take.id)
        if row is not None:
            self.shelf.drop(row)

    def close(self) -> None:
        """End the connection; jobs go on in the daemon. Half-written actions are removed."""
        self.disconnect()
        self.jobs.clear()
        self.shelf.close()

    # --- what comes in ------------------------------------------------------------------------------------------------
    def _told(self, event: ClientEvent) -> None:
        match event:
            case LinkChanged(LinkState.READY):
                self._was_lost = False
                self._ask_models()
                self._ledger.ask_again()
                self.look_around()
            case LinkChanged(LinkState.LOST):
                self._was_lost = True
            case ModelEvent():
                self._ask_models()

    def _ask_models(self) -> None:
        self.client.call_nowait(Method.CAPABILITIES, Empty(), self._models_came)

    def _models_came(self, reply: Future[Any]) -> None:
        failed = reply.exception()
        if failed is None:
            self.models = Models.of(reply.result())
        waiting, self._unsent = self._unsent, []
        for job in waiting:
            if failed is not None:
                self._end(job, _known(failed))
            elif self._choose_model(job):
                self._keep(job)  # with the model that it goes to
                self._submit(job)
            else:
                nothing: dict[str, Any] = {"got": None, "allowed": []}
                self._end(job, error(ErrorCode.UNKNOWN_MODEL, "this daemon has no models", nothing))

    def _heard(self, job: Job, status: JobStatus) -> None:
        if job.status is None:
            self._ledger.arrived(job.owner, job.sent)
        job.status, job.asked_s = status, None
        self._goes_on(job)
        if job.wants_cancel:
            self._send_cancel(job)

    def _retrying(self, job: Job, why: KineographError, delay_s: float) -> None:
        self._goes_on(job)
        job.retry = (why, time.monotonic() + delay_s)
        job.waiting = self._trouble(job, why).id

    def _goes_on(self, job: Job) -> None:
        """It waits no longer, and what was to be said of that is settled."""
        job.retry = None
        trouble = self.troubles.get(job.waiting)
        job.waiting = ""
        if trouble is not None:
            self.troubles.settle(trouble)

    def _send_cancel(self, job: Job) -> None:
        if not job.is_done and job.status is not None and not job.status.state.is_final:
            self.client.call_nowait(Method.JOB_CANCEL, JobCancel([job.status.job]))

    def _go_on(self) -> None:
        """Jobs of earlier Blenders: what was found waits for the daemon, then each is a job like any other."""
        self._found += self._ledger.found()
        for told in self._ledger.unread():
            self._ledger.end_to_read(told.owner, told.key)
            card = self.troubles.add(unread(told), owner=told.owner, character=told.character)
            card.redo, card.can_go_on = ("kineograph.generate", {}), True
        for file, names in self._ledger.who():
            self._recognise(file, names)
        if self.link is not LinkState.READY:
            return
        found, self._found = self._found, []
        for sent in found:
            if sent.job not in self._mine and sent.address == (self.address or ""):
                self._mine.add(sent.job)
                job = Job(sent.label, sent.outgoing, None, owner=sent.owner, sent=sent.job, is_resumed=True)
                job.fields, job.asked_s = dict(sent.fields), None if sent.has_arrived else sent.created_s
                self.jobs.append(job)
                job.errand = self.client.resume_nowait(
                    sent.job,
                    lambda errand, job=job: self._arrived(job, errand),  # type: ignore[misc]
                    lambda status, job=job: self._heard(job, status),  # type: ignore[misc]
                )

    def _recognise(self, file: str, names: dict[str, str]) -> None:
        if file != bpy.data.filepath:  # another one was loaded meanwhile
            return
        for armature in bpy.data.objects:
            if armature.type == "ARMATURE" and armature.name in names and not owner_of(armature):
                props.remember(armature, names[armature.name])
                self._look_for(names[armature.name])

    def _arrived(self, job: Job, errand: Errand[Result]) -> None:
        self._goes_on(job)
        if errand.value is None:
            failed = _known(errand.error)
            if job.asked_s is not None and failed.code is ErrorCode.REQUEST_NOT_FOUND:
                self._never_left(job, job.asked_s)
            else:
                self._end(job, failed)
            return
        try:
            job.take = Take.of(job.outgoing, errand.value, job.label)
        except KineographError as e:
            self._end(job, e)
            return
        job.status = errand.value.job
        job.row = self.shelf.add(job.take, job.owner, job.outgoing.request, bpy.data.filepath)
        if job.apply is None:
            self._end(job, None)
        else:
            take, how = job.take, job.apply
            self._writer.add(
                Order(take, take.bake(**how), lambda failed: self._end(job, failed), lambda: _telling(take, how))
            )

    def _never_left(self, job: Job, asked_s: float) -> None:
        """A Blender ended between the click and the wire: what is fresh goes now, what is old is asked about."""
        job.asked_s, job.errand = None, None
        if time.time() - asked_s < FRESH_S:
            self._outbox.add(job, None)
            self._leave()
            return
        job.error, job.is_done = never_left(job.label, asked_s), True
        self._trouble(job, job.error).can_go_on = True

    def put_away(self, trouble: Trouble) -> None:
        """Nobody wants to hear of it any more; nor of the request, where it never left."""
        self.troubles.settle(trouble)
        if trouble.job is not None and trouble.error.details.get("never_left"):
            self._ledger.forget(trouble.job.owner, trouble.job.sent)

    def _end(self, job: Job, failed: KineographError | None) -> None:
        job.error = failed
        job.is_done = True
        if _is_over(job, failed):
            self._ledger.forget(job.owner, job.sent)
        else:
            self._mine.discard(job.sent)
        if job.is_resumed and failed is not None and failed.code in _NOBODYS:
            log.info("%s was sent by an earlier Blender, and nothing came of it: %s", job.label, failed.message)
            self.jobs.remove(job)
        elif failed is not None:
            written = {"take": job.take.id, "how": dict(job.apply or {})} if job.take is not None else {}
            trouble = self._trouble(job, failed, **written)
            # What only has to pass needs no mending.
            trouble.can_go_on = self.troubles.problem(trouble).severity == "waiting"
        else:
            self.troubles.settle_all(job.owner, of_generate=True, until=job.troubles_before)

    def _trouble(self, job: Job, failed: KineographError, **written: Any) -> Trouble:
        known = {
            "models": [m.id for m in self.models.every],
            "local_models": self.models.local,
            "capabilities": self.models.document,
            "first_frame": job.outgoing.first,
        }
        return self.troubles.add(failed, owner=job.owner, character=job.armature, job=job, context=known, **written)


def _telling(take: Take, how: Mapping[str, Any]) -> Iterator[None]:
    for hear in tuple(on_applied):
        yield from hear(take, how)


def client_name() -> str:
    """Under which name the daemon knows this Blender: by its file, and no other Blender's."""
    return f"{Path(bpy.data.filepath).stem or 'Blender'} {os.getpid()}"


def problem_of(failed: KineographError, job: Job | None = None) -> Problem:
    """What to say about an error and which fixes to offer, from the catalogue."""
    ref = (failed.details.get("where") or {}).get("ref") or {}
    if job is None:
        return resolve(failed, {"character": ref.get("character") or None})
    sent = job.outgoing
    known = {"request": sent.request, "refs": sent.refs, "character": sent.rig.armature, "first_frame": sent.first}
    return resolve(failed, known)


def owner_of(armature: Any) -> str:
    """A character's id; empty where nobody gave it one."""
    return props.uid_of(armature)


def _is_over(job: Job, failed: KineographError | None) -> bool:
    """Whether nothing more can come of a job: not where the daemon was lost after it may have taken the job in."""
    is_only_here = job.status is None and not job.is_resumed
    return failed is None or is_only_here or not isinstance(failed, LinkError)


def _left_s(job: Job) -> int:
    return 0 if job.retry is None else math.ceil(job.retry[1] - time.monotonic())


def _known(e: BaseException | None) -> KineographError:
    if isinstance(e, KineographError):
        return e
    return InternalError(ErrorCode.INTERNAL_ERROR, f"{type(e).__name__}: {e}")
