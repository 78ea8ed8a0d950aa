# SPDX-License-Identifier: Apache-2.0
"""What a skeleton is made of, as far as the solve cares: limbs that bend at one hinge, feet, the trunk.

Named rigs are read by their roles. On rigs that no convention knows, a leg is a branch that hangs down to the floor
in the rest pose and bends in the middle; everything else is a general chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import RigMap, Role
from kineograph.rigs.profiles.use import Stamp, read_rig, stamp

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]

TOUCH = 0.06
"""A joint this close to the rest floor, as a share of the body's height, touches it."""

_LIMB_ROLES = (
    (Role.LEFT_THIGH, Role.LEFT_CALF, Role.LEFT_FOOT, Role.LEFT_TOE),
    (Role.RIGHT_THIGH, Role.RIGHT_CALF, Role.RIGHT_FOOT, Role.RIGHT_TOE),
    (Role.LEFT_UPPER_ARM, Role.LEFT_FOREARM, Role.LEFT_HAND, None),
    (Role.RIGHT_UPPER_ARM, Role.RIGHT_FOREARM, Role.RIGHT_HAND, None),
)


@dataclass(frozen=True, eq=False)
class Limb:
    """Two rigid bones and an end: ``top`` (hip, shoulder), ``hinge`` (knee, elbow), ``end`` (ankle, wrist).

    ``bend_axis`` (3,) in the top joint's frame: turning the lower bone about it, right-handed, bends the limb the
    natural way; what decides when the limb is straight. Joints between the three (twist bones) ride along.
    """

    top: int
    hinge: int
    end: int
    bend_axis: FloatArray
    upper_m: float
    lower_m: float
    is_leg: bool

    @property
    def reach_m(self) -> float:
        """Length when straight."""
        return self.upper_m + self.lower_m


@dataclass(frozen=True, eq=False)
class Foot:
    """A leg that stands: ``joints`` (K,) of the foot that may touch the ground, ``rest_height_m`` (K,) over the floor.

    ``contact`` is the joint whose contact is reported: the ball where there is one, else the ankle.
    """

    limb: Limb
    joints: IntArray
    rest_height_m: FloatArray
    contact: int


@dataclass(frozen=True, eq=False)
class Body:
    """``limbs`` by the index of their end joint; ``feet`` that stand in the rest pose; ``front`` (3,) unit, rest."""

    skeleton: Skeleton
    limbs: dict[int, Limb]
    feet: tuple[Foot, ...]
    front: FloatArray
    rest_floor_m: float
    roles: RigMap

    @cached_property
    def told(self) -> dict[str, Any]:
        """What a report says of it: how the rig was read, which limbs and feet were found, by name."""
        names = self.skeleton.names
        return {
            "convention": self.roles.convention_label if self.roles.convention else "",
            "limbs": [[names[limb.top], names[limb.hinge], names[limb.end]] for limb in self.limbs.values()],
            "feet": [names[foot.limb.end] for foot in self.feet],
        }

    @property
    def size_m(self) -> float:
        """Length of a leg, or half the height where there is none: what distances are compared with."""
        legs = [f.limb.reach_m for f in self.feet]
        # Legs whose joints all lie in one place tell nothing.
        return (
            max(float(np.mean(legs)), 0.02 * self.skeleton.height_m) if legs else max(0.5 * self.skeleton.height_m, 0.1)
        )

    def limb_above(self, joint: int) -> Limb | None:
        """The limb whose end is ``joint`` or a joint above it (a toe belongs to its leg, a finger to its arm)."""
        while joint >= 0:
            if joint in self.limbs:
                return self.limbs[joint]
            joint = int(self.skeleton.parents[joint])
        return None

    def foot_of(self, limb: Limb) -> Foot | None:
        """The foot that stands on a limb."""
        return next((f for f in self.feet if f.limb is limb), None)


def rest_floor(skeleton: Skeleton) -> float:
    """The height on which the rest pose stands, metres.

    Authors stand characters on the origin, with a sole's thickness below the lowest joint; a skeleton that hangs
    elsewhere stands on its own lowest joint.
    """
    lowest = float(skeleton.rest_positions_m[:, 1].min())
    return 0.0 if 0.0 <= lowest < 0.12 * skeleton.height_m else lowest


def read_body(skeleton: Skeleton) -> Body:
    """What a skeleton is made of. Equal skeletons share one reading, as long as the profiles stay as they are."""
    global _last
    now = stamp()
    last = _last
    if last is None or last[0] is not skeleton or last[1] != now:
        last = _last = (skeleton, now, _read(_Key(skeleton, now)))
    return last[2]


_last: tuple[Skeleton, Stamp, Body] | None = None
"""The last one by identity: job after job is for one character."""


class _Key:
    """A skeleton by value: requests bring a new object each time."""

    def __init__(self, skeleton: Skeleton, profiles: Stamp) -> None:
        self.skeleton = skeleton
        arrays = (skeleton.parents, skeleton.rest_translations_m, skeleton.rest_rotations_xyzw)
        self.value = (skeleton.names, profiles, *(a.tobytes() for a in arrays))

    def __hash__(self) -> int:
        return hash(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.value == other.value


@lru_cache(maxsize=64)
def _read(key: _Key) -> Body:
    skeleton = key.skeleton
    position = skeleton.rest_positions_m
    roles = read_rig(skeleton.names, skeleton.parents.tolist(), position)
    floor = rest_floor(skeleton)
    named = _named_limbs(skeleton, roles)
    hanging = _hanging_limbs(skeleton, floor, {j for limb in named for j in limb[:3]})
    front = _front(skeleton, [*named, *hanging])
    limbs: dict[int, Limb] = {}
    feet: list[Foot] = []
    for top, hinge, end, is_leg in [*named, *hanging]:
        limb = _limb(skeleton, (top, hinge, end), is_leg, front)
        limbs[end] = limb
        if is_leg:
            feet.append(_foot(skeleton, limb, floor))
    return Body(skeleton, limbs, tuple(feet), front, floor, roles)


def _named_limbs(skeleton: Skeleton, roles: RigMap) -> list[tuple[int, int, int, bool]]:
    out = []
    for top_role, hinge_role, end_role, toe_role in _LIMB_ROLES:
        top, hinge, end = roles.get(top_role), roles.get(hinge_role), roles.get(end_role)
        if top is None or hinge is None or end is None:
            continue
        if _above(skeleton, top, hinge) and _above(skeleton, hinge, end):
            stands = toe_role is not None or _touches(skeleton, end)
            out.append((top, hinge, end, stands))
    return out


def _above(skeleton: Skeleton, high: int, low: int) -> bool:
    at = int(skeleton.parents[low])
    while at >= 0:
        if at == high:
            return True
        at = int(skeleton.parents[at])
    return False


def _below(skeleton: Skeleton, joint: int) -> list[int]:
    """A joint and everything under it."""
    out = [joint]
    for j in out:
        out.extend(skeleton.children[j])
    return out


def _touches(skeleton: Skeleton, joint: int) -> bool:
    position = skeleton.rest_positions_m
    lowest = min(float(position[j, 1]) for j in _below(skeleton, joint))
    return lowest - float(position[:, 1].min()) < TOUCH * skeleton.height_m


def _hanging_limbs(skeleton: Skeleton, floor: float, taken: set[int]) -> list[tuple[int, int, int, bool]]:
    """Branches that hang down to the floor and that no name explains, as (top, hinge, end, True)."""
    position = skeleton.rest_positions_m
    touch = TOUCH * skeleton.height_m
    if all(len(c) <= 1 for c in skeleton.children):
        return []  # one chain is no animal with legs
    out = []
    grounded = {
        j for j in range(len(skeleton))
        if all(position[k, 1] - floor < touch for k in _below(skeleton, j) if not skeleton.children[k])
    }  # fmt: skip
    tops = [j for j in grounded if skeleton.parents[j] >= 0 and int(skeleton.parents[j]) not in grounded]
    for top in tops:
        leaf = max((k for k in _below(skeleton, top) if not skeleton.children[k]), key=lambda k: len(skeleton.chain(k)))
        chain = skeleton.chain(leaf, top)
        picked = _two_bones(skeleton, chain)
        if picked is None or taken & set(chain):
            continue
        a, _, e = picked
        if position[a, 1] - position[e, 1] > 0.12 * skeleton.height_m and position[a, 1] - floor > 3 * touch:
            out.append((*picked, True))
    return out


def _two_bones(skeleton: Skeleton, chain: list[int]) -> tuple[int, int, int] | None:
    """The consecutive pair of bones that is longest together: what a leg bends with."""
    if len(chain) < 3:
        return None
    length = [float(np.linalg.norm(skeleton.rest_translations_m[j])) for j in chain]
    best = max(range(len(chain) - 2), key=lambda i: length[i + 1] + length[i + 2])
    if min(length[best + 1], length[best + 2]) <= 1e-6:
        return None
    return chain[best], chain[best + 1], chain[best + 2]


def _front(skeleton: Skeleton, limbs: list[tuple[int, int, int, bool]]) -> FloatArray:
    """Where the character looks at rest: where its feet point, else +Z."""
    position = skeleton.rest_positions_m
    out = np.zeros(3)
    for _, _, end, is_leg in limbs:
        if is_leg:
            tip = max(_below(skeleton, end), key=lambda j: float(np.hypot(*(position[j] - position[end])[[0, 2]])))
            out += (position[tip] - position[end]) * [1, 0, 1]
    length = float(np.linalg.norm(out))
    return out / length if length > 0.02 * skeleton.height_m else np.array([0.0, 0.0, 1.0])


def _limb(skeleton: Skeleton, joints: tuple[int, int, int], is_leg: bool, front: FloatArray) -> Limb:
    a, b, e = (skeleton.rest_positions_m[j] for j in joints)
    upper, lower = b - a, e - b
    la, lb = float(np.linalg.norm(upper)), float(np.linalg.norm(lower))
    axis = np.cross(upper, lower) / max(la * lb, 1e-12)
    if float(np.linalg.norm(axis)) < np.sin(np.radians(2.0)):
        # Straight at rest: knees go to the front, elbows to the back.
        side = front if is_leg else -front
        along = (e - a) / max(float(np.linalg.norm(e - a)), 1e-12)
        axis = np.cross(side, along)
        if float(np.linalg.norm(axis)) < 0.1:
            axis = np.cross([0.0, -1.0, 0.0], along)
    axis = axis / max(float(np.linalg.norm(axis)), 1e-12)
    local = quat.rotate(quat.conj(skeleton.rest_world_rotations_xyzw[joints[0]]), axis)
    return Limb(*joints, local, la, lb, is_leg)


def _foot(skeleton: Skeleton, limb: Limb, floor: float) -> Foot:
    position = skeleton.rest_positions_m
    below = _below(skeleton, limb.end)
    height = position[:, 1] - floor
    # Toes carry the sole; a claw or a marker high above the floor does not.
    low = [j for j in below if j == limb.end or height[j] < max(height[limb.end], TOUCH * skeleton.height_m)]
    balls = [c for c in skeleton.children[limb.end] if c in low and height[c] < height[limb.end] - 1e-6]
    contact = limb.end
    if balls:
        contact = max(balls, key=lambda j: len(_below(skeleton, j)))
    # A whole hoof of markers would slow every frame down: end, ball and the two lowest tell where the sole is.
    keep = sorted({limb.end, contact, *sorted(low, key=lambda j: height[j])[:2]})
    return Foot(limb, np.array(keep, int), height[keep], contact)
