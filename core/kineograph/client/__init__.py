# SPDX-License-Identifier: Apache-2.0
"""The client: finds the daemon, proves that it answers, submits, waits, fetches, and rides out restarts."""

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
