# SPDX-License-Identifier: Apache-2.0
"""``retarget``: checked at the door, kept and queued like a generation, but for no model."""

from __future__ import annotations

from kineograph.wire.messages import Retarget
from kineograph_daemon.jobs.record import RETARGET, JobFacts
from kineograph_daemon.server.call import Call, Outbox, Peers
from kineograph_daemon.server.desk import Desk
from kineograph_daemon.server.status import status_map
from kineograph_daemon.server.submit import MAX_TEXT, Submitting, check_id, digest


class Retargeting:
    """The handler that makes retarget jobs."""

    def __init__(self, desk: Desk, peers: Peers, outbox: Outbox, submitting: Submitting) -> None:
        self._desk = desk
        self._peers = peers
        self._outbox = outbox
        self._submitting = submitting

    def retarget(self, call: Call) -> None:
        """One job; the same id with the same request again is the same job."""
        m: Retarget = call.message
        check_id(m.job, m.deadline_s, ["job"])
        if not self._submitting.is_known(m.job, call.frames):
            self._desk.submit(self._facts(m, call), call.frames, m.on_busy)
        self._outbox.reply(call.sender, status_map(self._desk.machine.status(m.job)), promises=m.job)

    def _facts(self, m: Retarget, call: Call) -> JobFacts:
        from kineograph_daemon.retarget.wire import parse  # not on the time of a start

        ask = parse(m.request)
        fps_hz = ask.options.fps_hz or ask.clip.fps_hz
        return JobFacts(
            job=m.job,
            model=RETARGET,
            kind=RETARGET,
            client=self._peers.name(call.sender),
            priority=m.priority,
            label=m.label[:MAX_TEXT],
            character=m.character[:MAX_TEXT],
            frames=round(ask.clip.duration_s * fps_hz) + 1,
            fps_hz=fps_hz,
            deadline_s=m.deadline_s,
            digest=digest(call.frames),
        )
