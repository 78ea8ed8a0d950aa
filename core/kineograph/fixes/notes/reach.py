# SPDX-License-Identifier: Apache-2.0
"""Notes on pins: is the chain from the root to the joint long enough for where the body is at that frame?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from kineograph.errors import NoteCode
from kineograph.fixes import timeline
from kineograph.fixes.notes.base import Finding, FloatArray, Scene, points, vector

TOLERANCE_M = 0.01
LOWEST_SHARE = 0.3
"""Hips go down to this share of their rest height: a deep squat."""


def target_out_of_reach(scene: Scene) -> Iterator[Finding]:
    """Pins that the stretched chain from the root cannot touch; generous, so that a note is never wrong."""
    if not any(c.get("type") == "effector_target" for _, c in timeline.items(scene.request, "constraints")):
        return
    lengths = chain_lengths_m(scene)
    root_at = _Root(scene)
    for i, constraint, frames in timeline.constraint_frames(scene.request):
        joint = constraint.get("joint")
        if constraint.get("type") != "effector_target" or joint not in lengths or not frames:
            continue
        try:
            targets = points(constraint.get("positions"), 3, len(frames))
        except (ValueError, TypeError):
            continue
        gaps = [(_gap(root_at, f, t, lengths[joint]), f) for f, t in zip(frames, targets, strict=True)]
        reachable = [(g, f) for g, f in gaps if g is not None]
        (gap, distance), frame = max(reachable, default=((0.0, 0.0), 0))
        if gap > TOLERANCE_M:
            found = Finding(NoteCode.TARGET_OUT_OF_REACH, ("constraints", i)).put("frame", frame).put("joint", joint)
            for name, value in (("gap", gap), ("reach", lengths[joint]), ("distance", distance)):
                found.put(name, value * 100, f"{value * 100:.0f}" if value >= 0.1 else f"{value * 100:.1f}")
            yield found


def _gap(root_at: _Root, frame: int, target: FloatArray, reach_m: float) -> tuple[float, float] | None:
    """(missing metres, distance from where the root can be), None for a target that is no number."""
    if not np.isfinite(target).all():
        return None
    distance = root_at.distance_m(frame, target)
    return distance - reach_m, distance


def chain_lengths_m(scene: Scene) -> dict[str, float]:
    """Length of the stretched chain from the root to every joint, metres."""
    out: dict[str, float] = {}
    for joint in timeline.joints(scene.request):
        name, parent = joint.get("name"), joint.get("parent")
        if not isinstance(name, str):
            continue
        if parent is None:
            out[name] = 0.0
        elif parent in out:
            # Not with numpy: of a single vector it takes twice as long, and the first time 15 ms, for threads to wake.
            out[name] = out[parent] + math.hypot(*vector(joint.get("rest_translation"), 3).tolist())
    return out


class _Root:
    """Where the root can be at a frame: keyed there, on a path at any height it can take, or anywhere."""

    def __init__(self, scene: Scene) -> None:
        self._rest_m = scene.root_height_m
        self._keyed: dict[int, FloatArray] = {}
        self._paths: list[tuple[FloatArray, FloatArray]] = []
        self._floor = _lowest_floor(scene), _highest_floor(scene)
        for _, constraint, frames in timeline.constraint_frames(scene.request):
            self._take(constraint, frames)

    def _take(self, constraint: Any, frames: list[int]) -> None:
        try:
            if constraint.get("type") == "pose_keyframe" and constraint.get("root_position") is not None and frames:
                self._keyed[frames[0]] = vector(constraint["root_position"], 3)
            elif constraint.get("type") == "root_path" and frames:
                xz = points(constraint.get("positions_xz"), 2, len(frames))
                keep = np.isfinite(xz).all(axis=1)
                if keep.any():
                    self._paths.append((np.asarray(frames, float)[keep], xz[keep]))
        except (ValueError, TypeError):
            return

    def distance_m(self, frame: int, target: FloatArray) -> float:
        """The least distance from the root to ``target`` at ``frame``."""
        if frame in self._keyed:
            return float(np.linalg.norm(target - self._keyed[frame]))
        low = self._floor[0] + LOWEST_SHARE * self._rest_m
        high = self._floor[1] + self._rest_m
        vertical = max(0.0, target[1] - high, low - target[1])
        return float(np.hypot(self._across_m(frame, target), vertical))

    def _across_m(self, frame: int, target: FloatArray) -> float:
        """On the floor plane; 0 where no path says where the body is at that frame, the least where several do."""
        covering = [(f, xz) for f, xz in self._paths if f[0] <= frame <= f[-1]]
        return min((_from_way_m(frame, target[[0, 2]], f, xz) for f, xz in covering), default=0.0)


def _from_way_m(frame: int, target_xz: FloatArray, frames: FloatArray, xz: FloatArray) -> float:
    """How far a place is from where a path may have the body: its point, or anywhere between two points, since how the
    way between them is timed is the model's."""
    k = int(np.searchsorted(frames, frame))
    if frames[k] == frame:
        return float(np.linalg.norm(target_xz - xz[k]))
    along = xz[k] - xz[k - 1]
    u = float(np.clip((target_xz - xz[k - 1]) @ along / max(float(along @ along), 1e-12), 0.0, 1.0))
    return float(np.linalg.norm(target_xz - xz[k - 1] - u * along))


def _floors(scene: Scene) -> list[float]:
    out = []
    for _, constraint in timeline.items(scene.request, "constraints"):
        if constraint.get("type") == "ground_height":
            given = constraint.get("points")
            out += [float(y) for y in points(given, 3, len(given))[:, 2] if np.isfinite(y)]  # type: ignore[arg-type]
    return out


def _lowest_floor(scene: Scene) -> float:
    return min(_floors(scene), default=0.0)


def _highest_floor(scene: Scene) -> float:
    return max(_floors(scene), default=0.0)
