# SPDX-License-Identifier: Apache-2.0
"""Jobs in every state, requests and results for the fake daemon."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
from typing import Any

import numpy as np
import psutil
from tests.fakes.daemon import FakeDaemon

from kineograph import demo
from kineograph.client.discovery import RunFile
from kineograph.errors import KineographError, error
from kineograph.motion.skeleton import Skeleton
from kineograph.wire.messages import JobState, JobStatus, Progress

ALL_STATES = tuple(JobState)


def new_id() -> str:
    """A job's id."""
    return str(uuid.uuid4())


def status(state: JobState, job: str = "", **known: Any) -> JobStatus:
    """A job in a state, with what such a job has."""
    now_s = time.time()
    defaults: dict[str, Any] = {
        "label": f"a {state} job",
        "character": "Hero",
        "model": "fake",
        "client": "cli:somebody",
        "created_s": now_s - 60,
    }
    if state is JobState.QUEUED:
        defaults |= {"position": 1, "eta_s": 12.0}
    elif state in (JobState.RUNNING, JobState.CANCELLING):
        defaults |= {"started_s": now_s - 3, "progress": Progress(0.4, 4, 10, "steps"), "eta_s": 4.0}
    else:
        defaults |= {"started_s": now_s - 9, "finished_s": now_s - 6}
    if state is JobState.FAILED:
        defaults |= {"error": unknown_joint().to_envelope()}
    if state is JobState.CANCELLED:
        defaults |= {"note": "cancelled by a client", "progress": Progress(0.5, 12, 25)}
    return JobStatus(job or new_id(), state, **{**defaults, **known})


def unknown_joint() -> KineographError:
    """'LefHand' is not a joint of the rig."""
    names = list(demo.character().names)
    return error(
        "unknown_joint",
        "the joint 'LefHand' is not in the skeleton",
        {
            "where": {"path": ["constraints", 0, "joint"], "ref": "Grab"},
            "joint": "LefHand",
            "got": "LefHand",
            "allowed": names,
            "suggestions": ["LeftHand"],
        },
    )


def request(**changes: Any) -> dict[str, Any]:
    """Two prompts, a key, a path and a pin on the demo's character."""
    skeleton = demo.character()
    out = {
        "protocol_version": "1.4",
        "model": "fake",
        "skeleton": skeleton.to_mmcp(),
        "segments": [
            {"type": "text", "prompt": "waves hello", "duration_frames": 40},
            {"type": "unconditioned", "duration_frames": 20},
        ],
        "constraints": [
            {"type": "effector_target", "joint": "LeftHand", "frames": [30], "positions": [[0.4, 1.2, 0.3]]},
            {"type": "root_path", "frames": [0, 59], "positions_xz": [[0.0, 0.0], [0.0, 1.5]]},
            {"type": "pose_keyframe", "frame": 0, "joint_rotations": {}, "root_position": [0.0, 0.9, 0.0]},
        ],
        "timing": {"fps": 30.0},
        "options": {"seed": 7},
    }
    return {**out, **changes}


def wrong_request() -> dict[str, Any]:
    """The same with a pin on a joint that is not there."""
    out = request()
    out["constraints"][0]["joint"] = "LefHand"
    return out


def result(samples: int = 1, frames: int = 60) -> dict[str, Any]:
    """A figure that glides forward, a report with one miss."""
    skeleton = demo.character()
    rotations = np.zeros((samples, frames, len(skeleton), 4), np.float32)
    rotations[..., 3] = 1
    root = np.zeros((samples, frames, 3), np.float32)
    root[..., 1] = float(skeleton.rest_positions_m[skeleton.root, 1])
    root[..., 2] = np.linspace(0, 1.5, frames)
    return {
        "fps_hz": 30.0,
        "joint_names": list(skeleton.names),
        "num_frames": frames,
        "num_samples": samples,
        "rotations_xyzw": rotations,
        "root_m": root,
        "contacts": {"LeftFoot": np.ones((samples, frames), np.bool_)},
        "report": report(),
        "provenance": {"seed": 7, "version": "0.1", "weights_hash": "5ee70510" * 8, "device": "cpu"},
        "notes": [],
    }


def report() -> dict[str, Any]:
    """A pin that is off, a prompt that was ignored, feet that slide."""
    return {
        "segments": [{"index": 0, "type": "text", "outcome": "ignored", "reason": "this model does not read text"}],
        "constraints": [
            {"index": 0, "type": "effector_target", "joint": "LeftHand", "outcome": "changed", "miss_cm": [4.2],
             "worst_cm": 4.2, "reason": "out of reach"},
            {"index": 1, "type": "root_path", "outcome": "applied", "worst_cm": 0.0},
        ],
        "options": [{"name": "seed", "outcome": "ignored", "reason": "nothing is random"}],
        "quality": [{"slide_mean_cm_s": 0.4, "penetration_cm": 0.2}],
    }  # fmt: skip


def put(daemon: FakeDaemon, job: JobStatus, asked: Any = None, result_body: dict[str, Any] | None = None) -> JobStatus:
    """A job that the daemon has had for a while."""
    daemon.jobs.status[job.job] = job
    daemon.jobs.requests[job.job] = asked if asked is not None else request()
    if result_body is not None:
        daemon.jobs.results[job.job] = result_body
    elif job.state is JobState.SUCCEEDED:
        daemon.jobs.results[job.job] = result()
    return job


def every_state(daemon: FakeDaemon) -> dict[JobState, str]:
    """One job in each state; their ids."""
    out = {}
    for state in ALL_STATES:
        asked = wrong_request() if state is JobState.FAILED else request()
        out[state] = put(daemon, status(state), asked).job
    return out


def skeleton() -> Skeleton:
    """The demo's character."""
    return demo.character()


def end_daemon(run: RunFile | None, *, hard: bool = False) -> None:
    """End a daemon that this test started, and see that nothing of it is left."""
    if run is None:
        return
    family = [psutil.Process(run.pid), *psutil.Process(run.pid).children(recursive=True)]
    with contextlib.suppress(ProcessLookupError):
        os.kill(run.pid, signal.SIGKILL if hard else signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not alive, f"still running: {alive}"
