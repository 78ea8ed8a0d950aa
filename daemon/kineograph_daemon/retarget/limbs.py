# SPDX-License-Identifier: Apache-2.0
"""Legs, tails and wings of a rig: what stands on the ground, and chains that no role names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import RigMap, Role
from kineograph_daemon.retarget.restpose import body_frame

FloatArray = NDArray[np.floating[Any]]

_LEGS = (("thigh", "calf", "foot", ("toe",)), ("upper_arm", "forearm", "hand", ("middle_1", "index_1")))


@dataclass(frozen=True)
class Leg:
    """``top``, ``hinge``, ``end`` of a limb that bends at one joint; ``tip`` touches the ground (the ball, else the
    end itself); ``is_arm`` tells an arm or front leg."""

    side: str
    top: int
    hinge: int
    end: int
    tip: int
    is_arm: bool


def legs(skeleton: Skeleton, rig: RigMap, arms: bool = False) -> list[Leg]:
    """The legs by role; with ``arms`` (or for a body on four legs) the arms too."""
    out = []
    with_arms = arms or stands_on_hands(skeleton, rig)
    for top, hinge, end, tips in _LEGS[: 2 if with_arms else 1]:
        for side in ("left", "right"):
            joints = [rig.get(Role(f"{side}_{part}")) for part in (top, hinge, end)]
            if any(j is None for j in joints):
                continue
            a, b, e = (int(j) for j in joints if j is not None)
            if b not in skeleton.chain(e)[1:] or a not in skeleton.chain(b)[:-1]:
                continue
            is_arm = top == "upper_arm"
            found = [rig.get(Role(f"{side}_{tip}")) for tip in tips] if not is_arm or not arms else []
            tip = next((j for j in found if j is not None and e in skeleton.chain(j)), e)
            out.append(Leg(side, a, b, e, tip, is_arm))
    return out


def leg_length_m(positions_m: FloatArray, rig: RigMap) -> float:
    """Mean length of thigh plus calf, metres."""
    total = []
    for side in ("left", "right"):
        a, b, e = (positions_m[rig[Role(f"{side}_{part}")]] for part in ("thigh", "calf", "foot"))
        total.append(float(np.linalg.norm(b - a) + np.linalg.norm(e - b)))
    return max(float(np.mean(total)), 1e-6)


def stands_on_hands(skeleton: Skeleton, rig: RigMap) -> bool:
    """Whether the arms are front legs: at rest they hang down to about where the feet are, in front of the hips."""
    tips, feet = [], []
    p = skeleton.rest_positions_m
    for side in ("left", "right"):
        hand = rig.get(Role(f"{side}_hand"))
        elbow, foot = rig.get(Role(f"{side}_forearm")), rig.get(Role(f"{side}_foot"))
        top = rig.get(Role(f"{side}_upper_arm"))
        if elbow is None or foot is None or top is None:
            return False
        # Front legs have joints that no arm has: without a hand the lowest joint below the elbow stands.
        low = p[hand, 1] if hand is not None else min(p[j, 1] for j in _below(skeleton, elbow))
        tips.append(p[top, 1] - low)
        feet.append(p[rig[Role.HIPS], 1] - p[foot, 1])
        trunk = p[top] - p[rig[Role.HIPS]]
        if abs(trunk[1]) > np.hypot(trunk[0], trunk[2]):
            return False  # the trunk stands upright: a biped, whatever its arms do
    return bool(np.mean(tips) > 0.4 * abs(float(np.mean(feet))))


def _below(skeleton: Skeleton, joint: int) -> list[int]:
    out = [joint]
    for j in out:
        out.extend(skeleton.children[j])
    return out


def hanging_chains(skeleton: Skeleton, rig: RigMap, taken: set[int]) -> dict[str, list[int]]:
    """Tails and wings by topology: chains of two joints or more that no role names, off the hips or the spine.

    ``tail`` leaves the hips near the middle and backwards; ``left wing`` and ``right wing`` leave the trunk sideways.
    """
    frame = body_frame(skeleton.rest_positions_m, rig)
    trunk = {rig[Role.HIPS], *rig.chains.get(Role.SPINE, ())} | {j for j in [rig.get(Role.CHEST)] if j is not None}
    used = taken | set(rig.roles)
    size = skeleton.height_m
    out: dict[str, list[int]] = {}
    for joint in range(len(skeleton)):
        up = int(skeleton.parents[joint])
        if up not in trunk or joint in used:
            continue
        chain = [joint]
        while len(skeleton.children[chain[-1]]) >= 1 and not set(skeleton.children[chain[-1]]) & used:
            chain.append(max(skeleton.children[chain[-1]], key=lambda j: _depth(skeleton, j)))
        way = frame.T @ (skeleton.rest_positions_m[chain[-1]] - skeleton.rest_positions_m[up])
        if len(chain) < 2 or float(np.linalg.norm(way)) < 0.1 * size:
            continue
        kind = None
        if up == rig[Role.HIPS] and way[2] < -abs(way[0]):
            kind = "tail"
        elif abs(way[0]) > 0.15 * size:
            kind = "left wing" if way[0] > 0 else "right wing"
        if kind is not None and len(chain) > len(out.get(kind, ())):
            out[kind] = chain
    return out


def _depth(skeleton: Skeleton, joint: int) -> int:
    return 1 + max((_depth(skeleton, c) for c in skeleton.children[joint]), default=0)
