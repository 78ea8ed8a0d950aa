# SPDX-License-Identifier: Apache-2.0
"""The solve: one motion on the user's own skeleton made to meet everything the request asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph_daemon.solve import correct, crouch, cycle, feet, targets
from kineograph_daemon.solve.body import Body, read_body
from kineograph_daemon.solve.goals import Goals
from kineograph_daemon.solve.ground import Ground, lift, read_ground
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Solved:
    """The motion that meets the goals; ``contacts`` say where each of ``body.feet`` stands, (T,) each.

    ``let_go`` are the feet that a target pulled: a model's own word about their contacts no longer holds.
    """

    pose: Pose
    body: Body
    ground: Ground
    contacts: dict[int, BoolArray]
    let_go: frozenset[int] = frozenset()


def solve(
    goals: Goals,
    rotations_xyzw: FloatArray,
    root_m: FloatArray,
    contacts: Mapping[str, BoolArray],
    *,
    translations_m: FloatArray | None = None,
    stands_on_ground: bool = False,
) -> Solved:
    """Meet the goals with one sample's motion: ``rotations_xyzw`` (T, J, 4), ``root_m`` (T, 3).

    Keys and root points come first, then the ground, the targets, the feet; what a later step had to touch near a
    key is exact again at the end. ``stands_on_ground``: the model has already followed ``ground_height``.
    """
    body = read_body(goals.skeleton)
    ground = read_ground(goals)
    pose = Pose(goals.skeleton, rotations_xyzw, root_m, translations_m)
    if not stands_on_ground and ground.points_m is None:
        lift(pose, goals, ground)
    flat = Ground(ground.usual_m if ground.points_m is not None else ground.floor_m, ground.rest_floor_m)
    correct.place(pose, goals)
    correct.keys(pose, goals)
    before = ground if stands_on_ground else flat
    stands = feet.contacts_of(pose, body, contacts, before, goals.fps_hz)
    if not stands_on_ground and ground.points_m is not None:
        lift(pose, goals, ground)
    crouch.lower(pose, body, goals, stands)
    pulled = targets.meet(pose, body, goals)
    stands = _let_go(pose, body, stands, pulled, ground, goals.fps_hz)
    _settle_feet(pose, body, goals, stands, pulled, ground)
    if goals.loop:
        cycle.close(pose, goals)
        # Closing carries feet that stood on the ground a little into it.
        feet.lift_sunk(pose, body, goals, ground, pulled, (0, len(pose) - 1))
    correct.pin(pose, goals)
    gone = frozenset(i for i, foot in enumerate(body.feet) if foot.limb.end in pulled)
    return Solved(pose, body, ground, stands, gone)


def _let_go(
    pose: Pose, body: Body, stands: dict[int, BoolArray], pulled: dict[int, BoolArray], ground: Ground, fps_hz: float
) -> dict[int, BoolArray]:
    """A foot that a target pulls stands only where it is seen to stand."""
    out = dict(stands)
    for i, foot in enumerate(body.feet):
        busy = pulled.get(foot.limb.end)
        if busy is not None and busy.any():
            out[i] = np.where(busy, feet.detect(pose, body, foot, ground, fps_hz), stands[i])
    return out


def _settle_feet(
    pose: Pose,
    body: Body,
    goals: Goals,
    stands: dict[int, BoolArray],
    pulled: dict[int, BoolArray],
    ground: Ground,
) -> None:
    """Hold standing feet on the ground, lower the body where a leg does not reach, raise what sank."""
    by_foot = {i: pulled.get(f.limb.end, np.zeros(len(pose), bool)) for i, f in enumerate(body.feet)}
    wanted = feet.locks(pose, body, goals, stands, ground, by_foot)
    if wanted:
        at = pose.root_m.copy()
        feet.drop(pose, goals, body, wanted)
        if not np.array_equal(at, pose.root_m):
            targets.meet(pose, body, goals)
            wanted = feet.locks(pose, body, goals, stands, ground, by_foot)
        for lock in wanted:
            feet.apply(pose, lock)
    feet.lift_sunk(pose, body, goals, ground, pulled)
