# SPDX-License-Identifier: Apache-2.0
"""Rigs in several naming conventions, and motions to travel: walks, turns, stops, jumps, stills, noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat

Array = NDArray[Any]

_LEG_M = 0.85
_CYCLE_HZ = 1.0

# Joint, parent, offset (metres, left side) in one convention; the others rename.
_TRUNK = (
    ("Hips", None, (0.0, 0.95, 0.0)),
    ("Spine1", "Hips", (0.0, 0.10, 0.0)),
    ("Spine2", "Spine1", (0.0, 0.12, 0.0)),
    ("Chest", "Spine2", (0.0, 0.15, 0.0)),
    ("Neck", "Chest", (0.0, 0.20, 0.0)),
    ("Head", "Neck", (0.0, 0.10, 0.02)),
)
_SIDE = (
    ("Shoulder", "Chest", (0.05, 0.15, 0.0)),
    ("Arm", "Shoulder", (0.13, 0.0, 0.0)),
    ("ForeArm", "Arm", (0.28, 0.0, 0.0)),
    ("Hand", "ForeArm", (0.26, 0.0, 0.0)),
    ("HandMiddle1", "Hand", (0.09, 0.0, 0.0)),
    ("HandThumb1", "Hand", (0.03, 0.0, 0.03)),
    ("Leg", "Hips", (0.10, -0.05, 0.0)),
    ("Shin", "Leg", (0.0, -0.43, 0.0)),
    ("Foot", "Shin", (0.0, -0.42, 0.0)),
    ("ToeBase", "Foot", (0.0, -0.05, 0.13)),
)


@dataclass(frozen=True)
class TestRig:
    """MMCP joints and their names; ``index`` is by the first convention's names."""

    __test__ = False
    joints: list[dict[str, Any]]
    index: dict[str, int]
    canonical_to_request: dict[str, str] | None = None

    @property
    def names(self) -> list[str]:
        """Joint names in order."""
        return [joint["name"] for joint in self.joints]


def _mixamo(name: str) -> str:
    base = name.replace("Leg", "UpLeg") if name.endswith("Leg") else name.replace("Shin", "Leg")
    return "mixamorig:" + base


def _unreal(name: str) -> str:
    words = {
        "Leg": "thigh",
        "Shin": "calf",
        "Foot": "foot",
        "ToeBase": "ball",
        "Arm": "upperarm",
        "ForeArm": "lowerarm",
    }
    words |= {"Hand": "hand", "HandMiddle1": "middle_01", "Shoulder": "clavicle", "HandThumb1": "thumb_01"}
    for side in ("Left", "Right"):
        if name.startswith(side):
            return f"{words[name[len(side) :]]}_{side[0].lower()}"
    return {"Hips": "pelvis", "Spine1": "spine_01", "Spine2": "spine_02", "Chest": "spine_03"}.get(name, name.lower())


def _rigify(name: str) -> str:
    words = {"Leg": "thigh", "Shin": "shin", "Foot": "foot", "ToeBase": "toe", "Arm": "upper_arm", "ForeArm": "forearm"}
    for side in ("Left", "Right"):
        if name.startswith(side):
            return f"DEF-{words.get(name[len(side) :], name[len(side) :].lower())}.{side[0]}"
    return "DEF-" + name.lower()


CONVENTIONS: dict[str, Callable[[str], str]] = {
    "soma": lambda name: name,
    "mixamo": _mixamo,
    "unreal": _unreal,
    "rigify": _rigify,
    "nameless": lambda name: f"bone{sum(map(ord, name)):04d}",
}


def rig(convention: str = "soma", mapped: bool = False) -> TestRig:
    """A biped of 26 joints; ``mapped`` adds the server's map from canonical names."""
    rename = CONVENTIONS[convention]
    rows = [*_TRUNK]
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        for name, parent, (x, y, z) in _SIDE:
            above = parent if parent in ("Hips", "Chest") else side + parent
            rows.append((side + name, above, (x * sign, y, z)))
    joints = [
        {
            "name": rename(name),
            "parent": None if parent is None else rename(parent),
            "rest_translation": list(offset),
            "rest_rotation": [0.0, 0.0, 0.0, 1.0],
        }
        for name, parent, offset in rows
    ]
    index = {name: i for i, (name, *_) in enumerate(rows)}
    return TestRig(joints, index, {name: rename(name) for name in index} if mapped else None)


Motion = tuple[Array, Array]
"""Rotations (1, T, J, 4) xyzw float32, root (1, T, 3) float32."""


def travel(
    on: TestRig, speed_m_s: Array, heading_rad: Array, fps: float, drift_rad: float = 0.0, seed: int = 0
) -> Motion:
    """A gait of stiff, swinging legs along a path: ``speed_m_s`` and the body's ``heading_rad`` (T,) a frame.

    ``drift_rad`` turns the way it goes away from the way it faces: a quarter turn is a sidestep, a half one backwards.
    """
    n = len(speed_m_s)
    t = np.arange(n) / fps
    way = heading_rad + drift_rad
    step = speed_m_s / fps
    root = np.zeros((n, 3))
    root[1:, 0] = np.cumsum(step[1:] * np.sin(way[1:]))
    root[1:, 2] = np.cumsum(step[1:] * np.cos(way[1:]))
    phase = 2 * np.pi * _CYCLE_HZ * t
    active = np.minimum(1.0, speed_m_s / 0.4)
    root[:, 1] = 0.95 + 0.02 * active * np.sin(2 * phase)
    root[:, 0] += 0.02 * active * np.sin(phase)
    rotations = np.broadcast_to(quat.identity(len(on.joints)), (n, len(on.joints), 4)).copy()
    rotations[:, 0] = quat.mul(quat.about_y(heading_rad), _about_x(0.05 * active * np.sin(2 * phase)))
    reach = speed_m_s * np.cos(drift_rad) / (_LEG_M * 2 * np.pi * _CYCLE_HZ)
    for side, lead in (("Left", 0.0), ("Right", np.pi)):
        swing = -reach * np.sin(phase + lead)
        lift = active * np.clip(np.cos(phase + lead), 0, None) * 0.7
        rotations[:, on.index[side + "Leg"]] = _about_x(-swing - 0.4 * lift)
        rotations[:, on.index[side + "Shin"]] = _about_x(lift)
        rotations[:, on.index[side + "Arm"]] = _about_x(swing)
    noise = np.random.default_rng(seed).normal(0, 0.004, (n, len(on.joints), 3))
    smooth = np.stack([np.convolve(row, np.ones(5) / 5, "same") for row in noise.reshape(n, -1).T], 1)
    rotations = quat.mul(rotations, quat.from_rotvec(smooth.reshape(n, -1, 3)))
    return rotations[None].astype(np.float32), root[None].astype(np.float32)


def _about_x(angle_rad: Array) -> Array:
    half, zero = angle_rad / 2, np.zeros_like(angle_rad)
    return np.stack([np.sin(half), zero, zero, np.cos(half)], -1)


def jump(on: TestRig, seconds: float, fps: float, forward_m: float, seed: int = 0) -> Motion:
    """A crouch, a flight and a landing."""
    n = round(seconds * fps)
    rotations, root = travel(on, np.zeros(n), np.zeros(n), fps, seed=seed)
    u = np.clip((np.arange(n) / n - 0.4) / 0.2, 0, 1)
    root[0, :, 1] += 2.4 * u * (1 - u) - 0.15 * np.exp(-(((np.arange(n) / n - 0.35) / 0.05) ** 2))
    root[0, :, 2] += forward_m * u
    return rotations, root


def noise(on: TestRig, seconds: float, fps: float, seed: int) -> Motion:
    """Every joint swings at its own pace while the root glides."""
    rng = np.random.default_rng(seed)
    n, j = round(seconds * fps), len(on.joints)
    t = np.arange(n)[:, None, None] / fps
    pace_hz, start = rng.uniform(0.3, 1.5, (j, 3)), rng.uniform(0, 6, (j, 3))
    turns = rng.uniform(0, 0.4, (j, 3)) * np.sin(2 * np.pi * pace_hz * t + start)
    root = np.zeros((n, 3))
    root[:, 1] = 0.95 + 0.03 * np.sin(9 * t[:, 0, 0])
    root[:, [0, 2]] = rng.normal(0, 0.7, 2) * t[:, 0] + rng.normal(0, 0.15, 2) * np.sin(2 * t[:, 0])
    return quat.from_rotvec(turns)[None].astype(np.float32), root[None].astype(np.float32)


def _ramp(n: int, *points: float) -> Array:
    return np.interp(np.linspace(0, 1, n), np.linspace(0, 1, len(points)), points)


def motions(on: TestRig, fps: float = 30.0, seconds: float = 6.0, seed: int = 0) -> dict[str, Motion]:
    """Motions of every kind, by name."""
    n = round(seconds * fps)
    full, none = np.ones(n), np.zeros(n)
    kinds = {
        "still": (none, none, 0.0),
        "walk": (1.2 * full, none, 0.0),
        "stroll at an angle": (0.7 * full, 0.8 * full, 0.0),
        "run": (3.0 * full, none, 0.0),
        "start and stop": (_ramp(n, 0, 0, 1.3, 1.3, 0, 0), none, 0.0),
        "stop on the way": (_ramp(n, 1.2, 1.2, 0, 0, 1.2, 1.2), none, 0.0),
        "curve": (1.2 * full, _ramp(n, 0, 1.2), 0.0),
        "circle": (1.0 * full, _ramp(n, 0, 7.5), 0.0),
        "bend": (1.3 * full, _ramp(n, 0, 0, 0, 1.6, 1.6, 1.6), 0.0),
        "snake": (1.2 * full, 0.9 * np.sin(np.linspace(0, 6.3, n)), 0.0),
        "slalom": (1.5 * full, 1.5 * np.sin(np.linspace(0, 6.3, n)), 0.0),
        "hook": (1.4 * full, _ramp(n, 0, 0, 0.2, 0.8, 2.6, 2.8), 0.0),
        "about turn": (1.2 * np.abs(_ramp(n, 1, 0, 1)), _ramp(n, 0, 0, 0, 3.1, 3.1, 3.1), 0.0),
        "turn on the spot": (none, _ramp(n, 0, 0, 1.6, 1.6), 0.0),
        "glance": (none, 0.2 * np.sin(np.linspace(0, 9, n)), 0.0),
        "sidestep": (0.6 * full, none, np.pi / 2),
        "backwards": (0.9 * full, none, np.pi),
        "creep": (0.02 * full, none, 0.0),
    }
    out = {name: travel(on, *how[:2], fps, how[2], seed) for name, how in kinds.items()}
    out["jump up"] = jump(on, seconds, fps, 0.05, seed)
    out["jump ahead"] = jump(on, seconds, fps, 1.1, seed)
    out["noise"] = noise(on, seconds, fps, seed)
    return out
