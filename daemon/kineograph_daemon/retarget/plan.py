# SPDX-License-Identifier: Apache-2.0
"""Everything about a retarget that does not change from frame to frame.

The world delta is carried over: with G world rotations, R those at rest, A the turn between the two bodies' frames,
``G_t = A G_s R_s^-1 A^-1 . a_t . R_t``, a_t the shortest arc that lays the target's limb at rest along the source's.
Between a paired joint and its paired ancestor p everything but the source's turn is constant, so that the target's
local rotation is ``P . L . Q`` with L the source's rotation from p to the joint: a constant 4x4 matrix on a
quaternion. No world rotation has to be built, and nothing accumulates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import Group, RigMap, Role
from kineograph_daemon.retarget import pairs as pairing
from kineograph_daemon.retarget import restpose
from kineograph_daemon.retarget.limbs import leg_length_m
from kineograph_daemon.retarget.options import Options, Rest
from kineograph_daemon.retarget.pairs import Pair
from kineograph_daemon.retarget.restpose import RestPose

FloatArray = NDArray[np.floating[Any]]
Step = tuple[int, bool]
"""A joint's local rotation on a way through the tree, inverted when the way goes up."""

_LIMBS = {"upper_arm": "forearm", "forearm": "hand", "thigh": "calf", "calf": "foot"}
_FINGER_BASES = ("index_1", "middle_1", "ring_1", "pinky_1")


@dataclass(frozen=True, eq=False)
class Factor:
    """(The product along ``way`` of the source, taken to the target's frame by ``inner`` (4, 4)) ** ``share``."""

    way: tuple[Step, ...]
    inner: FloatArray
    share: float


@dataclass(frozen=True, eq=False)
class Link:
    """Local rotation of ``target`` = matrix (4, 4) times (the product along ``way`` of the source) ** ``share``.

    For a share below 1 the product is first taken to the target's frame by ``inner`` (4, 4). ``ahead`` and ``then``
    are multiplied to it on either side, in that frame too.
    """

    target: int
    way: tuple[Step, ...]
    matrix: FloatArray
    share: float = 1.0
    inner: FloatArray | None = None
    ahead: Factor | None = None
    then: Factor | None = None

    @property
    def joints(self) -> frozenset[int]:
        """The source's joints that decide it."""
        ways = [self.way, *(f.way for f in (self.ahead, self.then) if f is not None)]
        return frozenset(j for way in ways for j, _ in way)


@dataclass(frozen=True, eq=False)
class Plan:
    """A compiled retarget. ``world_xyzw`` (W) turns the source's world into the target's, ``mirror`` (3, 3) reflects
    or is the identity; positions go ``scale * mirror @ (W p)`` plus a height found from the frames."""

    source: Skeleton
    target: Skeleton
    source_map: RigMap
    target_map: RigMap
    source_rest: RestPose
    target_rest: RestPose
    pairs: tuple[Pair, ...]
    links: tuple[Link, ...]
    hips: Pair
    world_xyzw: FloatArray
    mirror: FloatArray
    scale: float
    options: Options

    @property
    def source_of(self) -> dict[int, int]:
        """Target joint to the source joint that drives it."""
        return {p.target: p.source for p in self.pairs}


def compile_plan(
    source_rest: RestPose,
    source: Skeleton,
    source_map: RigMap,
    target: Skeleton,
    target_map: RigMap,
    options: Options,
) -> Plan:
    """Constants of every link. Raises ``map_incomplete``."""
    found = pairing.find(source, source_map, target, target_map, options.mirror)
    target_rest = restpose.bind(target)
    return _Compiler(source_rest, source, source_map, target_rest, target, target_map, found, options).plan()


class _Compiler:
    """Holds the two rests while the links are made."""

    def __init__(
        self,
        source_rest: RestPose,
        source: Skeleton,
        source_map: RigMap,
        target_rest: RestPose,
        target: Skeleton,
        target_map: RigMap,
        found: list[Pair],
        options: Options,
    ) -> None:
        self.source, self.target, self.options, self.pairs = source, target, options, found
        self.source_map, self.target_map = source_map, target_map
        self.source_rest, self.target_rest = source_rest, target_rest
        frame_s = restpose.body_frame(source_rest.positions_m, source_map)
        frame_t = restpose.body_frame(target_rest.positions_m, target_map)
        self.body = quat.from_matrix(frame_t @ frame_s.T)  # A
        upright = frame_s[1, 1] > 0.5 and frame_t[1, 1] > 0.5
        # A pose out of the clip has the heading of its moment: the clip keeps its own world.
        from_rest = source_rest.kind in (Rest.BIND, Rest.ZERO)
        self.world = self.body if upright and from_rest else quat.identity()
        normal = frame_t[:, 0]
        self.reflect = np.eye(3) - 2.0 * np.outer(normal, normal) if options.mirror else np.eye(3)
        self.rest_s, self.rest_t = source_rest.world_xyzw, target_rest.world_xyzw
        seen = quat.rotate(self.body, source_rest.positions_m)
        self.seen_s = seen @ self.reflect.T  # the source's rest as the target sees it
        self.of_target = {p.target: p for p in found}
        self.align = {p.target: self._align(p) for p in found}
        self.palm = {side: self._palm(side) for side in ("left", "right")}
        for side in ("left", "right"):
            hand = target_map.get(Role(f"{side}_hand"))
            if hand is not None and hand in self.of_target:
                turned = self.palm[side]
                elbow = self.align.get(target_map[Role(f"{side}_forearm")], quat.identity())
                self.align[hand] = quat.conj(turned) if turned is not None else elbow
                self.palm[side] = quat.conj(self.align[hand])

    def plan(self) -> Plan:
        """The whole plan."""
        links: list[Link] = []
        for pair in self.pairs:
            links.extend(self._links(pair))
        hips = self.of_target[self.target_map[Role.HIPS]]
        scale = self.options.travel_scale
        if scale is None:
            scale = leg_length_m(self.target_rest.positions_m, self.target_map)
            scale /= leg_length_m(self.source_rest.positions_m, self.source_map)
        return Plan(
            self.source, self.target, self.source_map, self.target_map, self.source_rest, self.target_rest,
            tuple(self.pairs), tuple(links), hips, self.world, self.reflect, scale, self.options,
        )  # fmt: skip

    def _source_joint(self, role: Role) -> int | None:
        return self.source_map.get(role.mirror if self.options.mirror else role)

    def _align(self, pair: Pair) -> FloatArray:
        """The arc from the target's limb to the source's, both at rest; identity off the limbs."""
        role = pair.role
        below = None if role is None else _LIMBS.get(role.part)
        if role is None or below is None:
            return quat.identity()
        end = Role(f"{role.side}_{below}")
        a, b = self._source_joint(end), self.target_map.get(end)
        if a is None or b is None:
            return quat.identity()
        seen = self.seen_s[a] - self.seen_s[pair.source]
        own = self.target_rest.positions_m[b] - self.target_rest.positions_m[pair.target]
        if min(float(np.linalg.norm(seen)), float(np.linalg.norm(own))) < 1e-9:
            return quat.identity()
        return quat.between(own, seen)

    def _palm(self, side: str) -> FloatArray | None:
        """The turn from the source's hand to the target's at rest, by palms where both have fingers."""
        frames = []
        for positions, joint_of in (
            (self.seen_s, self._source_joint),
            (self.target_rest.positions_m, self.target_map.get),
        ):
            frame = _palm_frame(positions, side, joint_of)
            if frame is None:
                return None
            frames.append(frame)
        turn = quat.from_matrix(frames[1] @ frames[0].T)
        return turn if float(quat.angle_between_rad(turn, quat.identity())) < np.radians(120.0) else None

    def _links(self, pair: Pair) -> list[Link]:
        above = self._paired_above(pair.target)
        if above is None:
            return [self._top_link(pair)]
        # What hangs below a joint that stands between two of the source begins at the second, with what is left of
        # the turn from the first.
        start, ahead = above.source, None
        if above.between is not None:
            start = above.between[0]
            ahead = self._factor(above.source, start, 1.0 - above.between[1])
        then = None if pair.between is None else self._factor(pair.source, *pair.between)
        way = path(self.source, start, pair.source)
        inner = self._inner(start, pair.source)
        before, after = conj(self.align[above.target]), self.align[pair.target]
        if pair.role is not None and pair.role.group is Group.FINGERS:
            palm = self.palm[str(pair.role.side)]
            before = quat.identity() if palm is None else palm
            after = conj(before)
        out = []
        rest = 1.0
        for joint, share in pair.shares:
            outer = left(mul(self._parent_rest(joint), before)) @ right(mul(conj(before), self.rest_t[joint]))
            out.append(Link(joint, way, outer, share, inner))
            rest -= share
        outer = left(mul(self._parent_rest(pair.target), before)) @ right(mul(after, self.rest_t[pair.target]))
        if abs(rest - 1.0) < 1e-9 and ahead is None and then is None:
            out.append(Link(pair.target, way, outer @ inner))
        else:
            out.append(Link(pair.target, way, outer, rest, inner, ahead, then))
        return out

    def _inner(self, start: int, end: int) -> FloatArray:
        """(4, 4) from the source's rotation between two joints to the turn between them in the target's world."""
        inner = _reflect_matrix(self.reflect) @ left(mul(self.body, self.rest_s[start]))
        return np.asarray(inner @ right(mul(conj(self.rest_s[end]), conj(self.body))))

    def _factor(self, start: int, end: int, share: float) -> Factor:
        return Factor(path(self.source, start, end), self._inner(start, end), share)

    def _top_link(self, pair: Pair) -> Link:
        """The hips: the source's world rotation gives the target's, below ancestors that stay at rest."""
        matrix = _reflect_matrix(self.reflect) @ left(self.world)
        matrix = matrix @ right(mul(conj(self.rest_s[pair.source]), conj(self.body)))
        outer = left(self._parent_rest(pair.target))
        outer = outer @ right(mul(self.align[pair.target], self.rest_t[pair.target]))
        return Link(pair.target, tuple((j, False) for j in self.source.chain(pair.source)), outer @ matrix)

    def _parent_rest(self, joint: int) -> FloatArray:
        up = int(self.target.parents[joint])
        return quat.identity() if up < 0 else conj(self.rest_t[up])

    def _paired_above(self, joint: int) -> Pair | None:
        at = int(self.target.parents[joint])
        while at >= 0:
            if at in self.of_target:
                return self.of_target[at]
            at = int(self.target.parents[at])
        return None


def path(skeleton: Skeleton, start: int, end: int) -> tuple[Step, ...]:
    """The way from ``start``'s frame to ``end``'s: up to the joint they share, inverted, then down."""
    up, down = skeleton.chain(start), skeleton.chain(end)
    shared = 0
    while shared < min(len(up), len(down)) and up[shared] == down[shared]:
        shared += 1
    return (*((j, True) for j in reversed(up[shared:])), *((j, False) for j in down[shared:]))


def mul(a: FloatArray, b: FloatArray) -> FloatArray:
    """One product a*b (4,): many times quicker than the batched one on so few numbers."""
    return np.asarray(left(a) @ b)


def conj(q: FloatArray) -> FloatArray:
    """The inverse of one unit quaternion (4,)."""
    return np.asarray(q * _CONJ)


_CONJ = np.array([-1.0, -1.0, -1.0, 1.0])


def left(q: FloatArray) -> FloatArray:
    """(4, 4) with ``left(q) @ x == q * x``."""
    x, y, z, w = q
    return np.array([[w, -z, y, x], [z, w, -x, y], [-y, x, w, z], [-x, -y, -z, w]])


def right(q: FloatArray) -> FloatArray:
    """(4, 4) with ``right(q) @ x == x * q``."""
    x, y, z, w = q
    return np.array([[w, z, -y, x], [-z, w, x, y], [y, -x, w, z], [-x, -y, -z, w]])


def _reflect_matrix(reflect: FloatArray) -> FloatArray:
    """S q S for a reflection S: the axis is a pseudo-vector, so it turns by -S. Identity for the identity."""
    out = np.eye(4)
    if np.linalg.det(reflect) < 0:
        out[:3, :3] = -reflect
    return out


def _palm_frame(positions_m: FloatArray, side: str, joint_of: Any) -> FloatArray | None:
    """(3, 3) columns: along the hand, across the palm, out of it. None without two knuckles apart."""
    hand = joint_of(Role(f"{side}_hand"))
    knuckles = [j for j in (joint_of(Role(f"{side}_{base}")) for base in _FINGER_BASES) if j is not None]
    if hand is None or len(knuckles) < 3:
        return None
    spots = positions_m[knuckles]
    along = spots.mean(axis=0) - positions_m[hand]
    across = spots[0] - spots[-1]
    size = float(np.linalg.norm(along))
    if size < 1e-6:
        return None
    along = along / size
    across = across - along * (across @ along)
    if float(np.linalg.norm(across)) < 0.1 * size:
        return None
    across = across / np.linalg.norm(across)
    return np.stack([along, across, np.cross(along, across)], axis=-1)
