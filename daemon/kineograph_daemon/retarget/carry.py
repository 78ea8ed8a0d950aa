# SPDX-License-Identifier: Apache-2.0
"""Carrying poses, motions, points and turns from rig to rig through one compiled plan.

``retarget`` finds the floor in a clip's own frames. A request has few frames and no clip, so here the floors are given
and the soles of both rest poses stand on them; every height follows from that. All travel goes to the root joint:
nothing but the root is ever translated, as MMCP's motions are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import RigMap
from kineograph_daemon.retarget import contacts, known, root, transfer, twist
from kineograph_daemon.retarget.limbs import leg_length_m, legs
from kineograph_daemon.retarget.options import Options, Rest, RootPolicy
from kineograph_daemon.retarget.plan import Plan
from kineograph_daemon.retarget.run import prepare
from kineograph_daemon.retarget.track import Tracks

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]

_PLAIN = Options(root=RootPolicy.ROOT, feet=False, rest=Rest.BIND, floor_m=None)


@dataclass(frozen=True, eq=False)
class Carrier:
    """One way between two rigs, whose worlds have their floors at ``source_floor_m`` and ``target_floor_m``."""

    plan: Plan
    source_floor_m: float = 0.0
    target_floor_m: float = 0.0

    @classmethod
    def between(
        cls,
        source: Skeleton,
        target: Skeleton,
        *,
        source_map: RigMap | None = None,
        target_map: RigMap | None = None,
        source_floor_m: float = 0.0,
        target_floor_m: float = 0.0,
    ) -> Carrier:
        """From the rest poses alone. Raises ``map_incomplete`` naming what is missing where."""
        source_map, target_map = source_map or known.rig_map(source), target_map or known.rig_map(target)
        at_rest = Clip(source, 1.0, source.rest_rotations_xyzw[None], source.rest_positions_m[None, source.root])
        plan = prepare(at_rest, source_map, target, target_map, _PLAIN)
        return cls(plan, source_floor_m, target_floor_m)

    def motion(self, rotations_xyzw: FloatArray, root_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Local rotations (T, J, 4) and the root's path (T, 3) of the target, from those of the source, float32."""
        clip = Clip(self.plan.source, 1.0, rotations_xyzw, root_m)
        turned = transfer.rotations(self.plan, clip)
        twist.distribute(self.plan, turned)
        hips_m = root.hips_path(self.plan, Tracks(self.plan.source, rotations_xyzw, root_m))
        hips_m[:, 1] += self._lift_m
        placed, moved, _ = root.place(self.plan, turned, hips_m)
        return turned, placed if moved is None else onto_root(self.plan, turned, placed, hips_m)

    def points(self, points_m: FloatArray) -> FloatArray:
        """World points (..., 3) of the source's world in the target's: turned and scaled, floor on floor."""
        out = np.asarray(self.plan.scale * quat.rotate(self.plan.world_xyzw, np.asarray(points_m, float)))
        out[..., 1] += self.target_floor_m - self.plan.scale * self.source_floor_m
        return out

    def turns(self, source_joint: int, world_xyzw: FloatArray) -> FloatArray | None:
        """World rotations (..., 4) of a source joint as those of the joint it drives; None when it drives none."""
        target = self.target_of.get(source_joint)
        if target is None:
            return None
        source_rest = self.plan.source_rest.world_xyzw[source_joint]
        delta = quat.mul(quat.mul(self.plan.world_xyzw, world_xyzw), quat.conj(source_rest))
        delta = quat.mul(delta, quat.conj(self.plan.world_xyzw))
        return quat.mul(delta, self.plan.target_rest.world_xyzw[target])

    @cached_property
    def _lift_m(self) -> float:
        """What to add to scaled heights of the hips: floor on floor, sole on sole, and legs as far below the hips as
        they are: one rig's hips lie over its legs, another's between them."""
        plan = self.plan
        soles = _sole_m(plan.target, plan.target_map) - plan.scale * _sole_m(plan.source, plan.source_map)
        hung = _hung_m(plan.target, plan.target_map, plan.hips.target)
        hung -= plan.scale * _hung_m(plan.source, plan.source_map, plan.hips.source)
        return self.target_floor_m - plan.scale * self.source_floor_m + soles + hung

    @cached_property
    def target_of(self) -> dict[int, int]:
        """Source joint to the target joint it drives."""
        return {p.source: p.target for p in self.plan.pairs}

    @cached_property
    def driven_by(self) -> dict[int, frozenset[int]]:
        """Target joint to the source joints whose rotations it takes on."""
        return {link.target: link.joints for link in self.plan.links}

    def standing(self, rotations_xyzw: FloatArray, root_m: FloatArray, fps_hz: float) -> dict[int, BoolArray]:
        """Where the target's feet stand, (T,) by the joint that touches the ground, as seen in the source's motion."""
        plan = self.plan
        source = Tracks(plan.source, rotations_xyzw, root_m)
        size = leg_length_m(plan.source_rest.positions_m, plan.source_map) / contacts.LEG_M
        out = {}
        for leg in legs(plan.target, plan.target_map):
            tip = plan.source_of.get(leg.tip, plan.source_of.get(leg.end))
            if tip is not None:
                ground_m = self.source_floor_m + root.sole_m(plan.source, tip)
                out[leg.tip] = contacts.detect(source.position(tip), ground_m, fps_hz, size)
        return out


def _sole_m(skeleton: Skeleton, rig: RigMap) -> float:
    """How high the feet's ends stand above the floor at rest, the mean of both."""
    return float(np.mean([root.sole_m(skeleton, leg.end) for leg in legs(skeleton, rig)]))


def _hung_m(skeleton: Skeleton, rig: RigMap, hips: int) -> float:
    """How far the legs' tops lie below the hips at rest, the mean of both."""
    high = skeleton.rest_positions_m[:, 1]
    return float(np.mean([high[hips] - high[leg.top] for leg in legs(skeleton, rig)]))


def onto_root(plan: Plan, rotations_xyzw: FloatArray, root_m: FloatArray, hips_m: FloatArray) -> FloatArray:
    """The root's path (T, 3) that brings the hips to ``hips_m`` with every joint at its rest distance."""
    tracks = Tracks(plan.target, rotations_xyzw, root_m)
    return np.asarray(root_m + hips_m - tracks.position(plan.hips.target).T, np.float32)
