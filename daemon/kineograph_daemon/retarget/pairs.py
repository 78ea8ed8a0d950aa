# SPDX-License-Identifier: Apache-2.0
"""Which joint of the source drives which joint of the target.

Roles pair by themselves. Spines, necks and tails of different length pair joint by joint at the nearest normalised arc
length, both ends kept; the longer chain's other joints take shares of the turn between their paired neighbours. A neck
of one joint turns as the longer one does at its place, between two of its joints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.errors import ErrorCode, SceneError
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import Group, RigMap, Role
from kineograph_daemon.retarget.limbs import hanging_chains, leg_length_m, stands_on_hands

FloatArray = NDArray[np.floating[Any]]

SHORTEST_LEG = 0.02
"""Legs shorter than this share of a body's height carry nothing."""


@dataclass(frozen=True)
class Pair:
    """``source`` drives ``target``; ``role`` is None for a chain's inner joints and for tails and wings.

    ``shares`` are joints of the target between its paired ancestor and itself, outwards, each with the share of the
    turn between the two that it takes (the pair's own joint takes the rest).
    """

    source: int
    target: int
    role: Role | None = None
    shares: tuple[tuple[int, float], ...] = ()
    between: tuple[int, float] | None = None
    """A neck of one joint for a longer one: the source's next joint, and how far towards its turn this one goes."""


@dataclass
class _Found:
    pairs: dict[int, Pair] = field(default_factory=dict)  # by target joint
    used: set[int] = field(default_factory=set)  # source joints

    def add(self, pair: Pair) -> None:
        if pair.target not in self.pairs and pair.source not in self.used:
            self.pairs[pair.target] = pair
            self.used.add(pair.source)


def find(
    source: Skeleton, source_map: RigMap, target: Skeleton, target_map: RigMap, mirror: bool = False
) -> list[Pair]:
    """Pairs in the target's order (parents first). Raises ``map_incomplete`` naming what is missing where."""
    check(source, source_map, target, target_map)
    found = _Found()
    for role in Role:
        if role.group is Group.TWIST or role in (Role.ROOT, Role.SPINE, Role.NECK, Role.CHEST):
            continue
        a, b = source_map.get(role.mirror if mirror else role), target_map.get(role)
        if a is not None and b is not None:
            found.add(Pair(a, b, role))
    for which, (low, high) in {Role.SPINE: (Role.HIPS, None), Role.NECK: (Role.CHEST, Role.HEAD)}.items():
        _pair_chain(
            found,
            (source, _chain(source_map, which), source_map.get(low), source_map.get(high) if high else None),
            (target, _chain(target_map, which), target_map.get(low), target_map.get(high) if high else None),
        )
    tails = hanging_chains(source, source_map, set(found.used)), hanging_chains(target, target_map, set(found.pairs))
    for kind, joints in tails[1].items():
        other = tails[0].get(_mirrored(kind) if mirror else kind)
        if other is not None:
            up = int(source.parents[other[0]]), int(target.parents[joints[0]])
            _pair_chain(found, (source, other, up[0], None), (target, joints, up[1], None))
    return sorted(found.pairs.values(), key=lambda p: p.target)


def _mirrored(kind: str) -> str:
    swap = {"left": "right", "right": "left"}
    return " ".join(swap.get(word, word) for word in kind.split())


def check(source: Skeleton, source_map: RigMap, target: Skeleton, target_map: RigMap) -> None:
    missing = {"source": source_map.missing(_REQUIRED), "target": target_map.missing(_REQUIRED)}
    if missing["source"] or missing["target"]:
        said = " and ".join(
            f"the {side} rig has no joint for {', '.join(str(r).replace('_', ' ') for r in roles[:6])}"
            for side, roles in missing.items()
            if roles
        )
        details = {side: [str(r) for r in roles] for side, roles in missing.items() if roles}
        roles = sorted({r for rows in details.values() for r in rows})
        raise SceneError(ErrorCode.MAP_INCOMPLETE, said, {"missing": roles, "missing_in": details})
    for side, skeleton, rig in (("source", source, source_map), ("target", target, target_map)):
        if leg_length_m(skeleton.rest_positions_m, rig) < SHORTEST_LEG * skeleton.height_m:
            said = f"the legs of the {side} rig have no length: their joints lie in one place"
            raise SceneError(ErrorCode.MAP_INCOMPLETE, said, {"missing": ["left_calf", "right_calf"], "got": side})
    four = stands_on_hands(source, source_map), stands_on_hands(target, target_map)
    if four[0] != four[1]:
        which = "the source walks on four legs, the target on two" if four[0] else "the source walks on two legs, the "
        said = which if four[0] else which + "target on four"
        raise SceneError(
            ErrorCode.MAP_INCOMPLETE, said + "; legs and arms do not stand for each other",
            {"missing": ["arms" if four[1] else "front legs"], "got": "four legs" if four[0] else "two legs"},
        )  # fmt: skip


_REQUIRED = (
    Role.HIPS,
    Role.LEFT_THIGH, Role.LEFT_CALF, Role.LEFT_FOOT,
    Role.RIGHT_THIGH, Role.RIGHT_CALF, Role.RIGHT_FOOT,
    Role.LEFT_UPPER_ARM, Role.LEFT_FOREARM,
    Role.RIGHT_UPPER_ARM, Role.RIGHT_FOREARM,
)  # fmt: skip


def _chain(rig: RigMap, role: Role) -> tuple[int, ...]:
    """The chain's joints outwards; a rig with the role alone has a chain of one."""
    chain = rig.chains.get(role, ())
    if chain:
        return tuple(chain)
    one = rig.get(role)
    return () if one is None else (one,)


_Side = tuple[Skeleton, Sequence[int], int | None, int | None]


def _pair_chain(found: _Found, source: _Side, target: _Side) -> None:
    (source_skeleton, a, _, _), (target_skeleton, b, b_low, b_high) = source, target
    a = [j for j in a if j not in found.used]
    b = [j for j in b if j not in found.pairs]
    if not b:
        return
    arc_a = arcs(source_skeleton, a, source[2], source[3])
    arc_b = arcs(target_skeleton, b, b_low, b_high)
    matched = match(arc_a, arc_b) if a else []
    if b_high is not None and a and 1 in (len(a), len(b)) and len(a) != len(b):
        # From the neck's own first joint: how far it stands above the chest differs from rig to rig.
        necks = arcs(source_skeleton, a, None, source[3]), arcs(target_skeleton, b, None, b_high)
        _pair_neck(found, a, necks[0], b, necks[1])
        return
    arc_of = dict(zip(b, arc_b, strict=True))
    paired = {b[k]: a[i] for i, k in matched}
    waiting: list[int] = []
    before = 0.0
    for joint in [*b, *([b_high] if b_high is not None else [])]:
        if joint in paired:
            found.add(Pair(paired[joint], joint, None, _shares(waiting, arc_of, before, arc_of[joint])))
            waiting, before = [], arc_of[joint]
        elif joint == b_high and joint in found.pairs:
            end = found.pairs[joint]
            found.pairs[joint] = Pair(end.source, joint, end.role, _shares(waiting, arc_of, before, 1.0))
        else:
            waiting.append(joint)


def _pair_neck(found: _Found, a: list[int], arc_a: list[float], b: list[int], arc_b: list[float]) -> None:
    """One neck joint on either side: it turns as the longer neck does at its place, so that the head is where it is.

    The other way the longer neck goes as one, stiff from where the single joint stands between two of its own.
    """
    one, many = (arc_a[0], arc_b) if len(a) == 1 else (arc_b[0], arc_a)
    i = min(max(int(np.searchsorted(many, one, side="right")) - 1, 0), len(many) - 2)
    gap = many[i + 1] - many[i]
    share = float(np.clip((one - many[i]) / gap, 0.0, 1.0)) if gap > 1e-9 else 0.5
    if len(a) == 1:
        below = b[:i]
        found.add(Pair(a[0], b[i], None, _shares(below, dict(zip(b, arc_b, strict=True)), 0.0, arc_b[i])))
    else:
        found.add(Pair(a[i], b[0], None, between=(a[i + 1], share)))
        found.used.add(a[i + 1])


def _shares(joints: list[int], arc_of: dict[int, float], low: float, high: float) -> tuple[tuple[int, float], ...]:
    """The share of the turn from ``low`` to ``high`` that falls on each joint: its part of the way to the last one."""
    out: list[tuple[int, float]] = []
    before = 0.0
    for i, joint in enumerate(joints):
        way = high - low
        at = (arc_of[joint] - low) / way if way > 1e-6 else (i + 1) / (len(joints) + 1)
        at = min(max(at, before), 1.0)
        out.append((joint, at - before))
        before = at
    return tuple(out)


def arcs(skeleton: Skeleton, joints: Sequence[int], low: int | None, high: int | None) -> list[float]:
    """How far along its chain each joint's bone lies, 0 to 1, by rest positions, from ``low`` to ``high``.

    A joint turns the bone that begins at it, so the middle of that bone counts: joints that coincide with their parent,
    as mocap skeletons have, still take their share. A chain with no ``high`` ends in its last joint, at 1.
    """
    way = [*([low] if low is not None else []), *joints, *([high] if high is not None else [])]
    position = skeleton.rest_positions_m[way]
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(position, axis=0), axis=1))])
    total = float(along[-1])
    along = along / total if total > 1e-9 else np.linspace(0, 1, len(way))
    middle = np.append(0.5 * (along[:-1] + along[1:]), 1.0)
    first = 1 if low is not None else 0
    return [float(x) for x in middle[first : first + len(joints)]]


def match(a: Sequence[float], b: Sequence[float]) -> list[tuple[int, int]]:
    """Index pairs in order, all of the shorter one matched, nearest in arc length; the ends meet the ends.

    A single joint meets the nearest one of the other chain. Symmetric: ``match(b, a)`` is the same pairing.
    """
    if len(a) > len(b):
        return [(i, k) for k, i in match(b, a)]
    n, m = len(a), len(b)
    if n == m:
        return [(i, i) for i in range(n)]
    if n == 1:
        return [(0, int(np.argmin([abs(a[0] - x) for x in b])))]
    inner = min(
        combinations(range(1, m - 1), n - 2),
        key=lambda ks: sum(abs(x - b[k]) for x, k in zip(a[1:-1], ks, strict=True)),
    )
    return list(enumerate((0, *inner, m - 1)))
