# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixes beyond the scene: settings, jobs and the connection, the daemon, and reports."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import bpy

from kineograph import paths
from kineograph.client import LinkState
from kineograph.client.discovery import end_daemon, start_log
from kineograph.fixes import report
from kineograph.wire.messages import Empty, JobRef, Method, ModelRef

from .. import props, session
from ..link import connect
from ..session import Trouble
from .work import Work

Action = Callable[[Work], str]


# --- settings ---------------------------------------------------------------------------------------------------------
def _remember_model(work: Work) -> str:
    model = str(work.args["model"])
    props.of_scene(work.context.scene).model = model
    return f"The scene uses '{model}' now."


def _read_key(work: Work) -> str:
    connect()
    return "This user's key is read again."


# --- jobs and the connection ------------------------------------------------------------------------------------------
def _submit_as_new(work: Work) -> str:
    return "It can be sent again."


def _dismiss(work: Work) -> str:
    session.current().put_away(work.trouble)
    work.can_go_on = False
    return "Put away."


def _forget_job(work: Work) -> str:
    client = session.current().client
    client.call_nowait(Method.JOB_FORGET, JobRef(str(work.args["job"])))
    return _dismiss(work)


def _cancel_job(work: Work) -> str:
    if work.trouble.job is not None:
        session.current().cancel(work.trouble.job)
    return _dismiss(work)


def _wait(work: Work) -> str:
    if work.trouble.job is not None and not work.trouble.job.is_done:
        work.can_go_on = False
        return "It is tried again by itself."
    work.trouble.fields["on_busy"] = "wait"
    return "It waits for its turn when it is sent again."


def _retry_file(work: Work) -> str:
    return "It can be read again."


def _skip_file(work: Work) -> str:
    """Put a take aside whose file cannot be read; the file stays."""
    shelf = session.current().shelf
    row = shelf.get(work.trouble.take)
    if row is not None:
        row.rejected = True
        shelf.changed(row)
    _dismiss(work)
    return "The take is put aside; its file stays."


def _reconnect(work: Work) -> str:
    connect()
    return "Looking for Kineograph."


# --- the daemon -------------------------------------------------------------------------------------------------------
def _start(work: Work) -> str:
    connect(start=True, own=True)
    return "Kineograph is being started."


def _restart(work: Work) -> str:
    current = session.current()
    if current.link is LinkState.READY:
        current.client.call_nowait(Method.DAEMON_STOP, Empty(), lambda _: connect(start=True))
    else:  # one of another version: it cannot be asked, and it is this user's own
        end_daemon()
        connect(start=True, own=True)
    return "Kineograph is being restarted; what waits there is kept."


def _restart_model(work: Work) -> str:
    client, model = session.current().client, ModelRef(str(work.args["model"]))
    client.call_nowait(Method.MODELS_UNLOAD, model, lambda _: void(client.call_nowait(Method.MODELS_LOAD, model)))
    return f"'{model.model}' is loaded anew."


def _unload_idle(work: Work) -> str:
    current = session.current()
    wanted = str((work.trouble.request or {}).get("model") or "")
    idle = [m.id for m in current.models.every if m.id != wanted and m.extras.get("state") == "ready"]
    for name in idle:
        current.client.call_nowait(Method.MODELS_UNLOAD, ModelRef(name))
    return f"{len(idle)} models are unloaded." if idle else "No other model is loaded."


# --- reports ----------------------------------------------------------------------------------------------------------
def report_of(work: Work) -> str:
    """What failed, without names and paths."""
    import kineograph

    versions = {"kineograph": kineograph.__version__, "blender": bpy.app.version_string}
    return report(work.trouble.error, work.trouble.request, versions, _names(work.trouble))


def _names(trouble: Trouble) -> set[str]:
    """What a message may name of this file and its user."""
    sent = () if trouble.job is None else trouble.job.outgoing.rig.names
    things = (bpy.data.objects, bpy.data.armatures, bpy.data.actions, bpy.data.scenes)
    found = {trouble.character, *sent, *(thing.name for group in things for thing in group)}
    found |= {bone.name for armature in bpy.data.armatures for bone in armature.bones}
    found |= {Path(bpy.data.filepath).stem, Path(bpy.data.filepath).name, Path.home().name}
    return found - {""}


def _copy_report(work: Work) -> str:
    work.context.window_manager.clipboard = report_of(work)
    work.can_go_on = False
    return "The report is on the clipboard. It holds no names and no paths."


def _save_report(work: Work) -> str:
    work.can_go_on = False
    name = f"report-{work.trouble.error.request_id or work.trouble.id}.txt"
    path = paths.log_dir() / Path(name).name
    path.write_text(report_of(work), encoding="utf-8")
    return f"The report is saved as {path.name} in Kineograph's log folder."


def _copy_request(work: Work) -> str:
    work.context.window_manager.clipboard = json.dumps(work.trouble.request, default=_plain)
    work.can_go_on = False
    return "The request is on the clipboard."


def _open_log(work: Work) -> str:
    work.can_go_on = False
    logs = [p for p in (paths.log_dir() / "daemon.log", start_log()) if p.exists()]
    if not logs:
        return "There is no log yet."
    newest = max(logs, key=os.path.getmtime)
    text = bpy.data.texts.new(f"Kineograph {newest.name}")
    text.from_string(newest.read_bytes()[-200_000:].decode("utf-8", "replace"))
    return f"The log is in the Text Editor as '{text.name}'."


def _show_load_error(work: Work) -> str:
    work.can_go_on = False
    return str(work.args["reason"])


def _prompt_tips(work: Work) -> str:
    work.can_go_on = False
    return "Say who does what, one thing at a time, in the present: 'walks slowly', 'waves with the left hand'."


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def void(_: Any) -> None:
    """Nobody waits for it."""


SETTINGS: Mapping[str, Action] = {"remember_model": _remember_model, "read_key": _read_key}
LINK: Mapping[str, Action] = {
    "submit_as_new": _submit_as_new,
    "dismiss": _dismiss,
    "forget_job": _forget_job,
    "cancel_job": _cancel_job,
    "wait": _wait,
    "queue_behind": _wait,
    "retry_file": _retry_file,
    "skip_file": _skip_file,
    "reconnect": _reconnect,
    "adopt_daemon": _reconnect,
}
DAEMON: Mapping[str, Action] = {
    "start": _start,
    "start_own": _start,
    "restart": _restart,
    "restart_model": _restart_model,
    "unload_idle_models": _unload_idle,
}
REPORT: Mapping[str, Action] = {
    "copy_report": _copy_report,
    "save_report": _save_report,
    "copy_request": _copy_request,
    "open_log": _open_log,
    "show_load_error": _show_load_error,
    "prompt_tips": _prompt_tips,
}
