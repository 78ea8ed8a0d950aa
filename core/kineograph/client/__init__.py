# SPDX-License-Identifier: Apache-2.0
"""The client: finds the daemon, proves that it answers, submits, waits, fetches, and rides out restarts."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kineograph.client.aio import AsyncClient
    from kineograph.client.discovery import RunFile, find_daemon, start_daemon
    from kineograph.client.events import (
        ClientEvent,
        DaemonEvent,
        EventStream,
        JobEvent,
        JobPage,
        LinkChanged,
        ModelEvent,
        Snapshot,
    )
    from kineograph.client.link import LinkSettings, LinkState
    from kineograph.client.lock import DaemonLock
    from kineograph.client.result import Result
    from kineograph.client.runners import Errand
    from kineograph.client.sync import Client
    from kineograph.client.verbs import new_job_id

_HOMES = {
    "AsyncClient": "aio",
    "RunFile": "discovery",
    "find_daemon": "discovery",
    "start_daemon": "discovery",
    "ClientEvent": "events",
    "DaemonEvent": "events",
    "EventStream": "events",
    "JobEvent": "events",
    "JobPage": "events",
    "LinkChanged": "events",
    "ModelEvent": "events",
    "Snapshot": "events",
    "LinkSettings": "link",
    "LinkState": "link",
    "DaemonLock": "lock",
    "Result": "result",
    "Errand": "runners",
    "Client": "sync",
    "new_job_id": "verbs",
}
"""Where each name lives. Read when it is asked for: the daemon wants its lock, not asyncio and a client's engine."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__


__all__ = [
    "AsyncClient",
    "Client",
    "ClientEvent",
    "DaemonEvent",
    "DaemonLock",
    "Errand",
    "EventStream",
    "JobEvent",
    "JobPage",
    "LinkChanged",
    "LinkSettings",
    "LinkState",
    "ModelEvent",
    "Result",
    "RunFile",
    "Snapshot",
    "find_daemon",
    "new_job_id",
    "start_daemon",
]
