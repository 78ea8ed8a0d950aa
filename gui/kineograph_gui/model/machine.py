# SPDX-License-Identifier: Apache-2.0
"""Models and machine in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kineograph.fixes import wording
from kineograph.wire.messages import DaemonStats
from kineograph_gui.model import rows
from kineograph_gui.model.details import number
from kineograph_gui.model.words import TABLE, say

_MB = 2**20
_KINDS = ("supported_segments", "supported_constraints", "segments", "constraints")


def model_lines(spec: Mapping[str, Any]) -> list[str]:
    """What a model takes and gives, from its entry of the capabilities with the daemon's extras."""
    text = f"models.text_{spec.get('text')}"
    lead = [say(text)] if text in TABLE else []
    own_rig = bool(spec.get("canonical_skeleton")) and not spec.get("supports_retargeting")
    lead.append(say("models.own_rig" if own_rig else "models.any_rig"))
    if spec.get("any_fps"):
        lead.append(say("models.any_fps"))
    elif number(spec.get("fps")):
        lead.append(say("models.fps", fps=f"{number(spec['fps']):g}"))
    out = [", ".join(lead)]
    unread = "text" if spec.get("text") == "ignored" else ""  # it takes prompts, but makes nothing of them
    kinds = [_kind(str(k)) for name in _KINDS for k in _list(spec.get(name)) if k != unread]
    if kinds:
        out.append(say("models.takes", kinds=", ".join(dict.fromkeys(kinds))))
    description = spec.get("description") or spec.get("summary")
    return [str(description), *out] if isinstance(description, str) and description else out


def _kind(kind: str) -> str:
    """A kind of prompt or constraint in the words that the rest of the program uses."""
    known = {**wording.SEGMENT_WORDS, **wording.CONSTRAINT_WORDS}
    return known[kind][1] if kind in known else kind.replace("_", " ")


def daemon_lines(stats: DaemonStats, finished: int) -> list[str]:
    """The daemon's process, its workers, what it has done."""
    out = [
        say("models.daemon", version=stats.version, pid=stats.pid, memory=_memory(stats.memory_bytes)),
        say("models.uptime", time=rows.duration(stats.uptime_s, whole=True)),
        say("models.throughput_one" if finished == 1 else "models.throughput", count=finished),
    ]
    for place, worker in enumerate(stats.workers):
        if isinstance(worker, Mapping):
            out.append(_worker(place, worker))
    return out


def _worker(place: int, worker: Mapping[str, Any]) -> str:
    busy = bool(worker.get("jobs") or worker.get("job") or worker.get("task"))
    state = str(worker.get("state") or "")
    if state == "ready":
        state = say("models.busy" if busy else "models.idle")
    memory = number(worker.get("memory_bytes")) or number(worker.get("rss_bytes"))
    known = {"id": worker.get("id") or place + 1, "device": worker.get("device") or "-", "state": state or "-"}
    return say("models.worker", **known, memory=_memory(memory) if memory else f"pid {worker.get('pid', '-')}")


def _memory(size_bytes: float) -> str:
    return say("models.memory", size=round(size_bytes / _MB))


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else list(value) if isinstance(value, Mapping) else []
