# SPDX-License-Identifier: Apache-2.0
"""The public surface: what other programs may rely on changes only on purpose."""

from __future__ import annotations

import inspect
import subprocess
import sys

import kineograph.client
from kineograph.client import AsyncClient, Client

SURFACE = [
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

VERBS = {
    "call_nowait": "method message callback deadline_s",
    "cancel": "jobs",
    "capabilities": "",
    "close": "",
    "connect": "deadline_s",
    "drain": "on",
    "events": "timeout_s",
    "forget": "job",
    "generate": "request on_progress timeout_s job on_retry on_link fields",
    "generate_nowait": "request on_done on_progress timeout_s job on_retry fields",
    "list": "states client text jobs limit offset",
    "load": "model",
    "move": "job to before",
    "poll": "budget_s",
    "request_of": "job",
    "result": "job format wait_s",
    "resume_nowait": "job on_done on_progress timeout_s",
    "retarget": "request on_progress timeout_s job on_retry on_link fields",
    "stats": "",
    "status": "job",
    "stop_daemon": "",
    "submit": "request job fields",
    "submit_batch": "batch jobs fields",
    "submit_retarget": "request job fields",
    "unload": "model",
    "wait": "job timeout_s on_progress on_link",
    "watch_nowait": "listener snapshots",
}


def test_exported_names() -> None:
    assert sorted(kineograph.client.__all__) == sorted(SURFACE)
    assert all(hasattr(kineograph.client, name) for name in SURFACE)


def test_verbs_and_their_arguments() -> None:
    found = {
        name: " ".join(list(inspect.signature(member).parameters)[1:])
        for name, member in inspect.getmembers(Client, inspect.isfunction)
        if not name.startswith("_")
    }
    assert found == VERBS


POLLED = {"call_nowait", "generate_nowait", "poll", "resume_nowait", "watch_nowait"}
"""For a main thread that must not wait: an event loop has no need of them."""


def test_both_faces_have_the_same_verbs_arguments_and_defaults() -> None:
    def shape(face: type, name: str) -> list[tuple[str, object]]:
        parameters = inspect.signature(getattr(face, name)).parameters.values()
        # A wait for events ends when an event loop's own timeout says so.
        return [(p.name, p.default) for p in parameters if (name, p.name) != ("events", "timeout_s")]

    def public(face: type) -> set[str]:
        return {n for n in vars(face) if not n.startswith("_")}

    assert public(Client) - public(AsyncClient) == POLLED
    assert public(AsyncClient) <= public(Client)
    for name in ("__init__", *sorted(n for n in public(AsyncClient) if inspect.isfunction(vars(AsyncClient)[n]))):
        assert shape(AsyncClient, name) == shape(Client, name), name


def test_importing_it_brings_no_heavy_library() -> None:
    program = "import sys, kineograph.client; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    for heavy in ("torch", "pydantic", "motionmcp", "typer", "rich", "PIL", "sqlite3", "psutil", "kineograph_daemon"):
        assert heavy not in loaded
