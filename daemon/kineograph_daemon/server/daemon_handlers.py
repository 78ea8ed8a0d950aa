# SPDX-License-Identifier: Apache-2.0
"""Handlers about the daemon and its models: hello, capabilities, load, unload, stats, drain, stop."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from kineograph import __version__
from kineograph.errors import ErrorCode, LinkError, RequestError
from kineograph.wire import version as limits
from kineograph.wire.messages import EventName, Hello, HelloReply, ModelRef, ModelReply, ModelState, Role, to_body
from kineograph_daemon.jobs import signals as s
from kineograph_daemon.server.call import Call, Outbox, Peers
from kineograph_daemon.server.clock import Clock
from kineograph_daemon.server.desk import Desk
from kineograph_daemon.server.events import Publisher
from kineograph_daemon.server.link import WorkerLink
from kineograph_daemon.server.memory import resident_bytes
from kineograph_daemon.server.models import ModelTable
from kineograph_daemon.server.parking import Parking
from kineograph_daemon.settings import Settings
from kineograph_daemon.workers.supervisor import Supervisor


class DaemonHandlers:
    """Each method of this class answers one method of the protocol."""

    def __init__(
        self,
        desk: Desk,
        models: ModelTable,
        link: WorkerLink,
        supervisor: Supervisor,
        events: Publisher,
        peers: Peers,
        outbox: Outbox,
        clock: Clock,
        settings: Settings,
        parking: Parking,
        stop: Callable[[str], None],
    ) -> None:
        self._desk = desk
        self._models = models
        self._link = link
        self._supervisor = supervisor
        self._events = events
        self._peers = peers
        self._outbox = outbox
        self._clock = clock
        self._settings = settings
        self._parking = parking
        self._stop = stop

    def hello(self, call: Call) -> None:
        """``hello``: the highest wire version that both sides speak."""
        m: Hello = call.message
        common = [v for v in m.wire if v in limits.SUPPORTED_WIRE_VERSIONS]
        if not common:
            allowed = list(limits.SUPPORTED_WIRE_VERSIONS)
            message = f"the client speaks wire versions {m.wire}, this daemon {allowed}"
            raise LinkError(ErrorCode.PROTOCOL_MISMATCH, message, {"got": m.wire, "allowed": allowed})
        self._peers.met(call.sender, m)
        reply = HelloReply(
            wire=max(common),
            daemon_version=__version__,
            mmcp_version=limits.MMCP_VERSION,
            epoch=self._events.epoch,
            pid=os.getpid(),
            role=call.role or Role.OBSERVE,
            events=call.sender.door.events_endpoint,
            seq=self._events.seq,
            limits=self._limits(),
            models=self._models.ids,
        )
        self._outbox.reply(call.sender, to_body(reply))

    def capabilities(self, call: Call) -> None:
        """``capabilities``: packed once for each change.

        At the very first start it waits for the workers as a submit does: "no models" would be a wrong answer.
        """
        if self._parking.must_wait(call):
            return
        self._outbox.reply_packed(call.sender, self._models.capabilities())

    def load(self, call: Call) -> None:
        """``models.load``."""
        self._switch(call, on=True)

    def unload(self, call: Call) -> None:
        """``models.unload``."""
        self._switch(call, on=False)

    def stats(self, call: Call) -> None:
        """``daemon.stats``."""
        self._outbox.reply(call.sender, {**self.heartbeat(), "workers": self._workers(), "seq": self._events.seq})

    def drain(self, call: Call) -> None:
        """``daemon.drain``."""
        self._desk.feed(s.Drain(call.message.on, self._clock.now_s()))
        self._events.publish(EventName.DAEMON_DRAINING, {"on": call.message.on})
        self._outbox.reply(call.sender, {"ok": True})

    def stop(self, call: Call) -> None:
        """``daemon.stop``: what waits or runs goes on after the next start."""
        self._outbox.reply(call.sender, {"ok": True})
        self._stop(f"{self._peers.name(call.sender)} asked for it")

    def heartbeat(self) -> dict[str, Any]:
        """What a heartbeat event carries: stats without the workers."""
        machine = self._desk.machine
        return {
            "epoch": self._events.epoch,
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": self._clock.now_s() - self._clock.started_s,
            "draining": machine.draining,
            "jobs": {str(state): count for state, count in machine.counts.items() if count},
            "memory_bytes": resident_bytes(),
        }

    def _switch(self, call: Call, on: bool) -> None:
        m: ModelRef = call.message
        try:
            now = self._models.state(m.model)
        except KeyError:
            named = m.model[:80]
            details = {"model_id": named, "available_models": self._models.ids, "got": named}
            raise RequestError(
                ErrorCode.UNKNOWN_MODEL, f"there is no model {named!r} here", {**details, "allowed": self._models.ids}
            ) from None
        self._link.load(m.model, on)
        goal = ModelState.READY if on else ModelState.UNLOADED
        if on and now.state not in (goal, ModelState.FAILED):
            now = ModelReply(m.model, ModelState.LOADING, now.device)
        self._outbox.reply(call.sender, to_body(now))

    def _workers(self) -> list[dict[str, Any]]:
        facts = self._supervisor.facts()
        return [{**fact, "jobs": self._desk.machine.worker_of(fact["worker"])} for fact in facts]

    def _limits(self) -> dict[str, Any]:
        return {
            "max_body_bytes": min(limits.MAX_BODY_BYTES, self._settings.body_limit_mb * 2**20),
            "max_array_bytes": min(limits.MAX_ARRAY_BYTES, self._settings.frame_limit_mb * 2**20),
            "max_arrays": limits.MAX_ARRAYS,
            "max_wait_s": self._settings.wait_limit_s,
            "queue_limit": self._settings.queue_limit,
            "client_limit": self._settings.client_limit,
            "keep_days": self._settings.keep_days,
        }
