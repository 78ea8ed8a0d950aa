# SPDX-License-Identifier: Apache-2.0
"""What the tree of joints says, whatever the joints are called. ``parents`` are indices, -1 for a root."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.rigs.roles import Role, Side, role

FloatArray = NDArray[np.floating[Any]]


def ancestors(parents: list[int], joint: int) -> list[int]:
    """The joint, its parent, and so on to the root; a cycle ends the walk."""
    out: list[int] = []
    while 0 <= joint < len(parents) and joint not in out:
        out.append(joint)
        joint = parents[joint]
    return out


def is_above(parents: list[int], upper: int, lower: int) -> bool:
    """Whether ``upper`` is a true ancestor of ``lower``."""
    return upper != lower and upper in ancestors(parents, lower)


def common_ancestor(parents: list[int], a: int, b: int) -> int | None:
    """The deepest joint above both, or None when they hang from different roots."""
    above_a = ancestors(parents, a)
    return next((j for j in ancestors(parents, b) if j in above_a), None)


def between(parents: list[int], upper: int, lower: int) -> list[int]:
    """Joints strictly between two joints of one chain, downwards; empty when they are not in one chain."""
    way = ancestors(parents, lower)
    return way[1 : way.index(upper)][::-1] if upper in way[1:] else []


def trunk(parents: list[int], at: Mapping[Role, int]) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Spine and neck as paths: hips to where the arms branch off, from there to the head. None without an end."""
    hips, head = at.get(Role.HIPS), at.get(Role.HEAD)
    arms = [at[r] for r in (Role.LEFT_UPPER_ARM, Role.RIGHT_UPPER_ARM) if r in at]
    if hips is None or head is None or len(arms) != 2:
        return None
    branch = common_ancestor(parents, *arms)
    if branch is None:
        return None
    spine = between(parents, hips, branch) + ([branch] if branch != hips else [])
    neck = between(parents, branch, head)
    if not spine and not neck:
        return None
    return tuple(spine), tuple(neck)


def limbs_by_position(parents: list[int], positions_m: FloatArray) -> dict[Role, int]:
    """A standing biped's limbs from positions alone: mirrored chains, low ones legs, high ones arms.

    ``positions_m`` (J, 3), y up, +X the character's left (it faces +Z). Only pairs that mirror each other within 5 % of
    the height count, and only chains of three joints or more; else nothing is returned.
    """
    out: dict[Role, int] = {}
    if len(parents) < 8 or len(positions_m) != len(parents) or not np.isfinite(positions_m).all():
        return out
    height = float(np.ptp(positions_m[:, 1]))
    if height <= 0:
        return out
    chains = _mirrored_chains(parents, positions_m, 0.05 * height)
    legs = [c for c in chains if positions_m[c[0][-1], 1] < positions_m[:, 1].min() + 0.15 * height]
    arms = [c for c in chains if positions_m[c[0][0], 1] > positions_m[:, 1].min() + 0.6 * height]
    for found, parts in ((legs, ("thigh", "calf", "foot")), (arms, ("upper_arm", "forearm", "hand"))):
        if len(found) != 1:
            continue
        for side, chain in zip((Side.LEFT, Side.RIGHT), found[0], strict=True):
            start = 1 if parts[0] == "upper_arm" and len(chain) > 3 else 0
            for part, joint in zip(parts, chain[start:], strict=False):
                out[role(part, side)] = joint
    return out


def _mirrored_chains(
    parents: list[int], positions_m: FloatArray, tolerance_m: float
) -> list[tuple[list[int], list[int]]]:
    """Pairs of chains (left, right) that start beside the middle line and mirror each other."""
    children: dict[int, list[int]] = {}
    for i, p in enumerate(parents):
        children.setdefault(p, []).append(i)
    middle = float(positions_m[[i for i, p in enumerate(parents) if p < 0], 0].mean())
    out = []
    for siblings in children.values():
        lefts = [i for i in siblings if positions_m[i, 0] > middle + 0.2 * tolerance_m]
        for left in lefts:
            mirrored = positions_m[left] * (-1, 1, 1) + (2 * middle, 0, 0)
            rights = [i for i in siblings if np.linalg.norm(positions_m[i] - mirrored) < tolerance_m]
            if len(rights) == 1:
                chain = _chain(children, left), _chain(children, rights[0])
                if len(chain[0]) == len(chain[1]) >= 3:
                    out.append(chain)
    return out


def _chain(children: Mapping[int, list[int]], joint: int) -> list[int]:
    """Down the first child of each joint until it branches into a hand or ends."""
    out = [joint]
    while True:
        below = children.get(out[-1], [])
        if len(below) != 1:
            return out
        out.append(below[0])
