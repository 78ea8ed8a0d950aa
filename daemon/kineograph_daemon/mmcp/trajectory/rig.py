# SPDX-License-Identifier: Apache-2.0
"""A rig as far as its travel needs it: the joints with a role and those above them, level by level, and what is
measured on them: the centre of mass, the points that may touch the floor, the line across the hips.

Everything is linear in the joints' positions, so it is worked out once a skeleton and kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph_daemon.mmcp.trajectory.roles import read_roles

Ints = NDArray[np.intp]
Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

_BELOW = {  # the joint that a part reaches to
    "hips": "spine", "spine": "chest", "chest": "neck", "neck": "head",
    "l_arm": "l_forearm", "l_forearm": "l_hand", "l_hand": "l_hand_end",
    "r_arm": "r_forearm", "r_forearm": "r_hand", "r_hand": "r_hand_end",
    "l_leg": "l_shin", "l_shin": "l_foot", "l_foot": "l_toe",
    "r_leg": "r_shin", "r_shin": "r_foot", "r_foot": "r_toe",
}  # fmt: skip
_HEAD_REACH, _HAND_REACH = 1.2, 0.6
"""How far head and hand reach past their joint, as a part of the bone before it, where no joint marks their end."""

# Mass fractions and centres of the body's segments: Winter, "Biomechanics and motor control of human movement" (2009).
_TRUNK_MASS = (("hips", "spine", 0.142, 0.5), ("spine", "chest", 0.139, 0.5), ("chest", "neck", 0.216, 0.5))
_LIMB_MASS = (
    ("arm", "forearm", 0.028, 0.436),
    ("forearm", "hand", 0.016, 0.43),
    ("leg", "shin", 0.100, 0.433),
    ("shin", "foot", 0.0465, 0.433),
)
_END_MASS = (("neck", "head", 0.081, 0.6),)
_LIMB_END_MASS = (("hand", 0.006, 0.5), ("foot", 0.0145, 0.5))
_LEAST_MASS = 0.3
"""With less of the body found, the hips stand for it."""

GROUPS = ("l foot", "r foot", "l hand", "r hand", "l knee", "r knee", "l elbow", "r elbow", "torso", "head")
# What may rest on the floor: group, role, at the joint or at the end of its part, and how high it is then (metres,
# for a body whose hips are 0.9 m up). The trunk may move faster than a planted limb.
_TOUCHES = (
    ("l foot", "l_foot", False, 0.09), ("l foot", "l_foot", True, 0.06),
    ("r foot", "r_foot", False, 0.09), ("r foot", "r_foot", True, 0.06),
    ("l knee", "l_shin", False, 0.12), ("r knee", "r_shin", False, 0.12),
    ("l hand", "l_hand", True, 0.11), ("l hand", "l_hand", False, 0.16),
    ("r hand", "r_hand", True, 0.11), ("r hand", "r_hand", False, 0.16),
    ("l elbow", "l_forearm", False, 0.12), ("r elbow", "r_forearm", False, 0.12),
    ("torso", "l_arm", False, 0.15), ("torso", "r_arm", False, 0.15), ("torso", "hips", False, 0.18),
    ("torso", "spine", False, 0.15), ("torso", "chest", False, 0.15), ("torso", "neck", False, 0.15),
    ("head", "head", False, 0.13), ("head", "head", True, 0.13),
)  # fmt: skip
_LIMB_SPEED, _TRUNK_SPEED = 0.4, 1.2


@dataclass(frozen=True)
class Level:
    """Joints of one depth. Slots ``start:stop``; the first ``turning`` of them turn joints below them."""

    start: int
    stop: int
    turning: int
    parents: Ints
    offset_up: Complexes
    offset_ground: Complexes


@dataclass(frozen=True)
class Point:
    """A point of the body: a slot's position, or past it: ``p + (p - q) * reach`` with ``q`` at ``before``."""

    slot: int
    before: int = 0
    reach: float = 0.0


@dataclass(frozen=True)
class Rig:
    """One skeleton, read. ``columns``: the joint of each turning slot, in the order of ``levels``; ``root`` is a slot,
    ``root_joint`` its joint."""

    levels: tuple[Level, ...]
    columns: Ints
    slots: int
    root: int
    root_joint: int
    hips: int
    mass: Floats
    touches: tuple[Point, ...]
    groups: Ints
    heights_m: Floats
    speeds_m_s: Floats
    feet: tuple[int, ...]
    across: tuple[int, int] | None


def rig_of(
    joints: Sequence[Any], joint_names: Sequence[str], canonical_to_request: Mapping[str, str] | None
) -> Rig | None:
    """The rig of ``joint_names`` in the skeleton ``joints`` (MMCP joints, as objects or maps); None without a root."""
    by_name = {_get(joint, "name"): joint for joint in joints}
    try:
        chosen = [by_name[name] for name in joint_names]
    except KeyError:
        return None
    return _read(
        tuple(joint_names),
        tuple(_get(joint, "parent") for joint in chosen),
        tuple(tuple(map(float, _get(joint, "rest_translation"))) for joint in chosen),
        tuple((canonical_to_request or {}).items()),
    )


def _get(joint: Any, field: str) -> Any:
    return joint.get(field) if isinstance(joint, Mapping) else getattr(joint, field)


@lru_cache(maxsize=64)
def _read(
    names: tuple[str, ...],
    parent_names: tuple[str | None, ...],
    offsets_m: tuple[tuple[float, ...], ...],
    renamed: tuple[tuple[str, str], ...],
) -> Rig | None:
    index = {name: i for i, name in enumerate(names)}
    if any(parent is not None and parent not in index for parent in parent_names):
        return None
    parents = [-1 if parent is None else index[parent] for parent in parent_names]
    roles = read_roles(names, parents, {ours: canonical for canonical, ours in renamed})
    if "hips" not in roles:
        return None
    order, levels, columns = _levels(parents, offsets_m, set(roles.values()))
    slot_of = {joint: slot for slot, joint in enumerate(order)}
    parts = {role: slot_of[joint] for role, joint in roles.items()}
    return _measures(parts, levels, columns, order)


def _levels(
    parents: Sequence[int], offsets_m: Sequence[Sequence[float]], wanted: set[int]
) -> tuple[list[int], tuple[Level, ...], Ints]:
    """The wanted joints and those above them, by depth; on each level, those with something below come first."""
    needed: set[int] = set()
    for joint in wanted:
        while joint >= 0 and joint not in needed:
            needed.add(joint)
            joint = parents[joint]
    turning = {parents[joint] for joint in needed}
    depth = {joint: _depth(joint, parents) for joint in needed}
    order = sorted(needed, key=lambda joint: (depth[joint], joint not in turning, joint))
    slot_of = {joint: slot for slot, joint in enumerate(order)}
    levels, columns, start = [], [], 0
    for d in range(max(depth.values()) + 1):
        here = [joint for joint in order if depth[joint] == d]
        turners = [joint for joint in here if joint in turning]
        columns += turners
        x, y, z = np.array([offsets_m[joint] for joint in here], dtype=np.float64).T
        up, ground = (1j * y)[:, None], (z + 1j * x)[:, None]
        above = np.array([slot_of.get(parents[joint], 0) for joint in here], dtype=np.intp)
        levels.append(Level(start, start + len(here), len(turners), above, up, ground))
        start += len(here)
    return order, tuple(levels), np.array(columns, dtype=np.intp)


def _depth(joint: int, parents: Sequence[int]) -> int:
    depth = 0
    while parents[joint] >= 0:
        joint, depth = parents[joint], depth + 1
    return depth


def _measures(parts: Mapping[str, int], levels: tuple[Level, ...], columns: Ints, order: Sequence[int]) -> Rig:
    touches = [t for t in _TOUCHES if t[1] in parts]
    trunk = [group in ("torso", "head") for group, *_ in touches]
    across = next(
        (
            (parts[f"l_{part}"], parts[f"r_{part}"])
            for part in ("leg", "arm")
            if {f"l_{part}", f"r_{part}"} <= set(parts)
        ),
        None,
    )
    return Rig(
        levels=levels,
        columns=columns,
        slots=len(order),
        root=0,  # the one joint without a parent stands first
        root_joint=order[0],
        hips=parts["hips"],
        mass=_mass(parts, len(order)),
        touches=tuple(_end(parts, role) if at_end else Point(parts[role]) for _, role, at_end, _ in touches),
        groups=np.array([GROUPS.index(group) for group, *_ in touches], dtype=np.intp),
        heights_m=np.array([height for *_, height in touches]),
        speeds_m_s=np.where(trunk, _TRUNK_SPEED, _LIMB_SPEED),
        feet=tuple(i for i, (_, role, _, _) in enumerate(touches) if role in ("l_foot", "r_foot")),
        across=across,
    )


def _end(parts: Mapping[str, int], role: str) -> Point:
    """Where the part of ``role`` ends: at the next joint, or as far past this one as heads and hands reach."""
    slot, below = parts[role], parts.get(_BELOW.get(role, ""))
    if below is not None:
        return Point(below)
    if role == "head" and "neck" in parts:
        return Point(slot, parts["neck"], _HEAD_REACH)
    if role in ("l_hand", "r_hand") and f"{role[0]}_forearm" in parts:
        return Point(slot, parts[f"{role[0]}_forearm"], _HAND_REACH)
    return Point(slot)


def _mass(parts: Mapping[str, int], slots: int) -> Floats:
    """Weights ``(slots,)`` whose sum over the joints' positions is the centre of mass."""
    weights = np.zeros(slots)
    for near, far, mass, centre in _segments(parts):
        weights[near] += mass * (1 - centre)
        weights[far.slot] += mass * centre * (1 + far.reach)
        weights[far.before] -= mass * centre * far.reach
    total = float(weights.sum())
    if total < _LEAST_MASS:
        weights[:] = 0.0
        weights[parts["hips"]] = total = 1.0
    return weights / total


def _segments(parts: Mapping[str, int]) -> list[tuple[int, Point, float, float]]:
    pairs = [*_TRUNK_MASS, *((f"{s}_{a}", f"{s}_{b}", m, c) for s in "lr" for a, b, m, c in _LIMB_MASS)]
    ends = [*_END_MASS, *((f"{s}_{a}", f"{s}_{a}", m, c) for s in "lr" for a, m, c in _LIMB_END_MASS)]
    found = [(parts[a], Point(parts[b]), m, c) for a, b, m, c in pairs if a in parts and b in parts]
    return found + [(parts[a], _end(parts, b), m, c) for a, b, m, c in ends if a in parts and b in parts]
