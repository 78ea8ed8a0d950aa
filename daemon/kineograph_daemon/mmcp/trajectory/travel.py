# SPDX-License-Identifier: Apache-2.0
"""From motions to trajectories in MMCP's form."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.mmcp.trajectory import heading, shapes
from kineograph_daemon.mmcp.trajectory.body import Body, read_bodies
from kineograph_daemon.mmcp.trajectory.gait import Gait
from kineograph_daemon.mmcp.trajectory.rig import Complexes, Floats, rig_of

Array = NDArray[Any]


def compute(
    skeleton_joints: Sequence[Any],
    joint_names: Sequence[str],
    rotations_xyzw: Array,
    root_m: Array,
    fps: float,
    loop: bool = False,
    canonical_to_request: Mapping[str, str] | None = None,
) -> list[dict[str, Any] | None]:
    """One trajectory a sample, as MMCP's ``samples[b].trajectory``; None where there is none to read.

    ``rotations_xyzw`` (B, T, J, 4) local, in the order of ``joint_names``; ``root_m`` (B, T, 3) metres;
    ``skeleton_joints`` are MMCP joints, as objects or maps. A sample's ``position`` (T, 2) is x, z in metres, rounded
    to 0.1 mm, and its ``yaw`` (T,) radians about +Y, 0 at the first frame; both are arrays, which the wire carries as
    they are and JSON wants as lists. One frame has no travel.
    """
    samples, frames = rotations_xyzw.shape[:2]
    rig = rig_of(skeleton_joints, joint_names, canonical_to_request)
    if rig is None or frames < 2:
        return [None] * samples
    bodies = read_bodies(rig, rotations_xyzw, root_m, fps, loop)
    return [_trajectory(body, rotations_xyzw[i, :, rig.root_joint]) for i, body in enumerate(bodies)]


def _trajectory(body: Body, root_xyzw: Array) -> dict[str, Any]:
    gait = Gait(body)
    shape = shapes.choose(gait)
    points = shapes.timed(shape, gait)
    fitted = heading.fit(gait, shape.model == "still")
    yaw, how = fitted if fitted is not None else (heading.of_path(points, body.fps), "path")
    if body.loop:
        points, yaw = _closed(body, shape.model, points, yaw, fitted is not None, root_xyzw)
    numbers = dict(shape.numbers)
    if shape.model != "still":
        numbers.update(_speeds(shape.model, points, body.fps))
    return {
        "model": shape.model,
        "loop": body.loop,
        "params": numbers,
        "heading": how,
        "markers": body.touchdowns(),
        "position": np.round(np.stack([points.imag, points.real], 1), 4),
        "yaw": np.round(yaw, 5),
    }


def _closed(
    body: Body, model: str, points: Complexes, yaw: Floats, faces: bool, root_xyzw: Array
) -> tuple[Complexes, Floats]:
    """A cycle ends exactly one root's travel further, facing the way it began plus its turn."""
    u = np.linspace(0, 1, body.frames)
    points = points + ((body.root[-1] - body.root[0]) - (points[-1] - points[0])) * u
    if faces and body.facing is not None:
        yaw = yaw + (float(body.facing[-1] - body.facing[0]) - yaw[-1]) * u
    elif model == "arc":
        yaw = yaw + (_root_turn(root_xyzw) - yaw[-1]) * u
    return points, yaw


def _root_turn(root_xyzw: Array) -> float:
    """The root's turn about the vertical over the cycle, radians, by whichever of its axes lies flattest."""
    first, last = quat.to_matrix(quat.normalize(np.asarray(root_xyzw[[0, -1]], np.float64)))
    axis = int(np.argmin(np.abs(first[1])))
    before, after = (complex(m[2, axis], m[0, axis]) for m in (first, last))
    return float(np.angle(after * before.conjugate()))


def _speeds(model: str, points: Complexes, fps: float) -> dict[str, Any]:
    speed = np.abs(np.gradient(points)) * fps
    out: dict[str, Any] = {
        "speed": round(float(speed.mean()), 3),
        "speed_range": [round(float(speed.min()), 3), round(float(speed.max()), 3)],
    }
    if model == "arc":
        turned = math.degrees(float(heading.of_path(points, fps)[-1]))
        out["turned_deg"] = round(turned, 1)
        out["turn_deg_s"] = round(turned / max((len(points) - 1) / fps, 1e-6), 2)
    return out
