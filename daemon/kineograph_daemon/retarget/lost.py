# SPDX-License-Identifier: Apache-2.0
"""What the target cannot hold: found on the way there, put back on the way home.

Joints of the source that no joint of the target stands for, between ones that do (the second of two neck joints), turn
as they like; the target shows the sum. What the way back alone would miss is kept beside the clip, as a turn on top of
what that way gives: so a clip that was edited on the target in between comes home with its edits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.clip import Clip
from kineograph.motion.kept import Kept
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs.profiles import signature
from kineograph_daemon.retarget import known, soa, transfer
from kineograph_daemon.retarget.options import Options
from kineograph_daemon.retarget.plan import Plan, compile_plan, conj, left, right
from kineograph_daemon.retarget.restpose import bind

FloatArray = NDArray[np.floating[Any]]

LEAST_RAD = float(np.radians(0.01))
"""Smaller turns are not kept."""


def take(plan: Plan, clip: Clip, rotations_xyzw: FloatArray) -> Kept | None:
    """What ``clip`` holds and ``rotations_xyzw`` (T, J, 4) on the target cannot; None where that is nothing."""
    if plan.options.mirror:
        return None
    way = _WAYS.get(id(plan), lambda: _Way.of(plan), plan)
    turns: dict[str, FloatArray] = {}
    for j, again in transfer.some(way.back, rotations_xyzw, way.joints).items():
        own = soa.column(clip.rotations_xyzw, j)
        missing = soa.mul(soa.conj(np.ascontiguousarray(again.T, np.float32)), own)
        if float(np.abs(missing[:3]).max(initial=0.0)) > 0.5 * LEAST_RAD:
            turns[plan.source.names[j]] = missing.T @ way.to_world[j]
    return Kept(_signature(plan.source), turns) if turns else None


@dataclass(frozen=True, eq=False)
class _Way:
    """The way back of a plan, for the joints that it may miss. ``to_world`` (4, 4) turns a row of their local turns
    into one about the world's axes at rest."""

    joints: tuple[int, ...]
    back: Plan
    to_world: Mapping[int, FloatArray]

    @classmethod
    def of(cls, plan: Plan) -> _Way:
        joints = between(plan)
        options = Options(feet=False, travel_scale=1.0)
        back = (
            compile_plan(bind(plan.target), plan.target, plan.target_map, plan.source, plan.source_map, options)
            if joints
            else plan
        )
        rest = plan.source.rest_world_rotations_xyzw
        turned = {j: (left(rest[j]) @ right(conj(rest[j]))).T.astype(np.float32) for j in joints}
        return cls(tuple(joints), replace(back, links=tuple(k for k in back.links if k.target in turned)), turned)


_WAYS: known.Kept[_Way] = known.Kept()


def put_back(plan: Plan, kept: Kept | None, rotations_xyzw: FloatArray) -> None:
    """Add what was kept to a clip that comes home; changes ``rotations_xyzw`` (T, J, 4) in place.

    What hangs below keeps its place in the world's turn: a head looks where it looked.
    """
    target = plan.target
    if kept is None or len(kept) != len(rotations_xyzw) or plan.options.mirror or kept.rig != _signature(target):
        return
    turns = {target.index[name]: turn for name, turn in kept.turns_xyzw.items() if name in target.index}
    rest = target.rest_world_rotations_xyzw
    before: dict[int, FloatArray] = {j: rotations_xyzw[:, j].astype(np.float64) for j in turns}
    after: dict[int, FloatArray] = {}
    for j, turn in turns.items():
        local = quat.mul(quat.mul(quat.conj(rest[j]), turn.astype(np.float64)), rest[j])
        after[j] = rotations_xyzw[:, j] = quat.normalize(quat.mul(before[j], local))
    for j in turns:
        for child in target.children[j]:
            if child in turns:
                continue
            old, new = (_along(target, of, j) for of in (before, after))
            rotations_xyzw[:, child] = quat.mul(quat.mul(quat.conj(new), old), rotations_xyzw[:, child].astype(float))


def between(plan: Plan) -> list[int]:
    """Joints of the source that nothing of the target stands for alone, with such above and below them."""
    driving = {p.source for p in plan.pairs if p.between is None}
    above: set[int] = set()
    for j in driving:
        above.update(plan.source.chain(j)[:-1])
    hips = plan.hips.source
    return [j for j in range(len(plan.source)) if j in above and j not in driving and hips in plan.source.chain(j)]


def _along(skeleton: Skeleton, local_xyzw: dict[int, FloatArray], joint: int) -> FloatArray:
    """The product (T, 4) of the given joints' turns down to ``joint``, from the first of them in one run."""
    out = local_xyzw[joint]
    up = int(skeleton.parents[joint])
    while up in local_xyzw:
        out = quat.mul(local_xyzw[up], out)
        up = int(skeleton.parents[up])
    return out


_SIGNATURES: known.Kept[str] = known.Kept()


def _signature(skeleton: Skeleton) -> str:
    key = (skeleton.names, skeleton.parents.tobytes())
    return _SIGNATURES.get(key, lambda: signature(skeleton.names, skeleton.parents.tolist()))
