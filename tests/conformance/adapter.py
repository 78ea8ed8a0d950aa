# SPDX-License-Identifier: Apache-2.0
"""``answer(config, vector)``: one MMCP request, or batch, to a real daemon, and its answer in HTTP's terms.

The request goes over ZeroMQ through the queue to a worker and back; the answer is ``{"status", "ok" | "error" |
"results"}``, as a recording of an HTTP server would be.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from motionmcp.errors import STATUS_FOR
from tests.conformance.daemons import Daemon, daemon_for

from kineograph.wire.codec import Kind
from kineograph.wire.messages import Generate, GenerateBatch, JobResult, Method, to_body

_WAIT_S = 30.0
Answer = dict[str, Any]


def answer(config: Mapping[str, Any], vector: Mapping[str, Any]) -> Answer:
    """The daemon's answer to ``vector["request"]``, asked of a daemon with the models of ``config``."""
    payload = plain(vector["request"])
    daemon = daemon_for(config)
    if isinstance(payload, dict) and "requests" in payload:
        return _batch(daemon, payload)
    return _single(daemon, payload)


def plain(value: Any) -> Any:
    """A recorded value with its markers undone: ``{"$float": "nan"}``, ``{"$int": "123"}``."""
    if isinstance(value, dict):
        match value:
            case {"$float": str(text)} if len(value) == 1:
                return float(text)
            case {"$int": str(text)} if len(value) == 1:
                return int(text)
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def _single(daemon: Daemon, payload: Any) -> Answer:
    job = str(uuid.uuid4())
    kind, body = daemon.link.call(Method.GENERATE, to_body(Generate(job, payload)))
    return _refused(body) if kind == Kind.ERROR else _outcome(daemon, job)


def _batch(daemon: Daemon, payload: dict[str, Any]) -> Answer:
    items = payload["requests"]
    jobs = [str(uuid.uuid4()) for _ in items] if isinstance(items, list) else []
    kind, body = daemon.link.call(Method.GENERATE_BATCH, to_body(GenerateBatch(jobs, payload)))
    if kind == Kind.ERROR:
        return _refused(body)
    outcomes = [_outcome(daemon, entry["job"]["job"]) if "job" in entry else entry for entry in body["results"]]
    return {
        "status": 200,
        "results": [{"error": o["error"]} if "error" in o else {"gltf": o["ok"]} for o in outcomes],
    }


def _outcome(daemon: Daemon, job: str) -> Answer:
    while True:
        kind, body = daemon.link.call(Method.JOB_RESULT, to_body(JobResult(job, wait_s=_WAIT_S)))
        if kind == Kind.ERROR:
            return _refused(body)
        if body["result"] is not None:
            return {"status": 200, "ok": _summary(body["result"])}
        if body["job"]["error"] is not None:  # what became of a job is said by its status
            return _refused(body["job"]["error"])


def _refused(envelope: Mapping[str, Any]) -> Answer:
    error = envelope["error"]
    # Codes beyond MMCP's table never answer one of its requests; 599 makes such a slip visible.
    return {
        "status": STATUS_FOR.get(error["code"], 599),
        "error": error,
        "retry_after_s": envelope.get("retry_after_s"),
    }


def _summary(result: Mapping[str, Any]) -> dict[str, Any]:
    samples, frames, joints = result["rotations_xyzw"].shape[:3]
    return {
        "node_names": list(result["joint_names"]),
        "num_frames": [int(frames)] * int(samples),
        "fps": float(result["fps_hz"]),
        "num_samples": int(samples),
        "joints": int(joints),
        "contacts": sorted(result["contacts"]),
        "notes": result["notes"],
        "root_m": result["root_m"],
        "rotations_xyzw": result["rotations_xyzw"],
    }
