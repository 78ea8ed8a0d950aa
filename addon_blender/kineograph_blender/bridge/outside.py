# SPDX-License-Identifier: GPL-3.0-or-later
"""What moves a take's bones from outside: the object's own transform and Blender parents that are not in the take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import compat
from . import action as actions
from . import curves, datapath, guard
from .channels import BoneTable
from .frame import rotation_of, scale_of
from .poses import evaluated_matrices
from .rig import Rig

FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Per frame (T, or 1 when nothing moves): ``object_xyzw`` (T, 4), ``object_bu`` (T, 3), ``scale`` (T,);
    ``outside_xyzw`` (T, E, 4), ``outside_bu`` (T, E, 3) in armature space."""

    object_xyzw: FloatArray
    object_bu: FloatArray
    scale: FloatArray
    outside_xyzw: FloatArray
    outside_bu: FloatArray

    def frames(self, first: int, count: int) -> Surroundings:
        """Some frames; all alike when nothing moves."""
        if len(self.scale) == 1:
            return self
        part = slice(first, first + count)
        return Surroundings(
            self.object_xyzw[part],
            self.object_bu[part],
            self.scale[part],
            self.outside_xyzw[part],
            self.outside_bu[part],
        )


def table_of(armature: Any, rig: Rig) -> BoneTable:
    """The written bones as Blender sees them: its own parents, which may not be the tree that was sent."""
    bones = [armature.data.bones[n] for n in rig.names]
    index = {n: i for i, n in enumerate(rig.names)}
    above = [b.parent.name if b.parent else None for b in bones]
    outside_names = tuple(dict.fromkeys(n for n in above if n is not None and n not in index))
    outside = {n: i for i, n in enumerate(outside_names)}
    rest = np.array([b.matrix_local for b in bones], float)
    up_rest = np.array([b.parent.matrix_local if b.parent else np.eye(4) for b in bones], float)
    return BoneTable(
        names=rig.names,
        modes=tuple(armature.pose.bones[n].rotation_mode for n in rig.names),
        parents=np.array([index.get(n, -1) if n else -1 for n in above], np.int32),
        outside=np.array([outside.get(n, -1) if n else -1 for n in above], np.int32),
        outside_names=outside_names,
        rest_xyzw=rotation_of(rest),
        rest_bu=rest[:, :3, 3],
        up_rest_xyzw=rotation_of(up_rest),
        up_rest_bu=up_rest[:, :3, 3],
        inherits_rotation=np.array([b.use_inherit_rotation for b in bones]),
        local_location=np.array([b.use_local_location for b in bones]),
        connected=np.array([b.use_connect and b.parent is not None for b in bones]),
    )


def influencers(armature: Any, table: BoneTable) -> set[str]:
    """Bones outside the take that move its bones: parents, and whatever constrains those."""
    written = set(table.names)
    found: set[str] = set()
    waiting = list(table.outside_names)
    while waiting:
        name = waiting.pop()
        if name in found or name in written or name not in armature.pose.bones:
            continue
        found.add(name)
        bone = armature.pose.bones[name]
        if bone.parent is not None:
            waiting.append(bone.parent.name)
        for constraint in bone.constraints:
            waiting += [t.subtarget for t in _targets(constraint) if t.target == armature]
            pole = getattr(constraint, "pole_subtarget", "")
            waiting += [pole] if pole else []
    return found


def sample(armature: Any, scene: Any, made: Any, table: BoneTable, frames: NDArray[np.float32]) -> Surroundings:
    """The surroundings while the take's action plays: one look where nothing moves, else one a frame."""
    if not table.outside_names and curves.object_is_still(armature, made, actions.slot_in(made)):
        bpy.context.view_layer.update()
        world = np.array(armature.matrix_world, float)[None]
        none = np.zeros((1, 0, 4)), np.zeros((1, 0, 3))
        return Surroundings(rotation_of(world), world[:, :3, 3], scale_of(world).mean(axis=-1), *none)
    had_data = armature.animation_data is not None
    armature.animation_data_create()
    with guard.untouched(scene, armature), guard.playing(armature, made, actions.slot_in(made)):
        stops = frames if _may_move(armature, made, table) else frames[:1]
        looks = []
        for at in stops:
            guard.go_to(scene, float(at))
            looks.append(evaluated_matrices(armature, table.outside_names))
    if not had_data:
        armature.animation_data_clear()
    worlds = np.array([w for w, _ in looks])
    bones = np.array([b for _, b in looks]).reshape(len(looks), len(table.outside_names), 4, 4)
    return Surroundings(
        object_xyzw=rotation_of(worlds),
        object_bu=worlds[:, :3, 3],
        scale=scale_of(worlds).mean(axis=-1),
        outside_xyzw=rotation_of(bones),
        outside_bu=bones[..., :3, 3],
    )


def _may_move(armature: Any, made: Any, table: BoneTable) -> bool:
    """Whether the object or an outside parent can differ between frames. When in doubt, yes: a look is only slow."""
    found = compat.curves(made, actions.slot_in(made))
    if any(datapath.parse(c.data_path) is None for c in found) or len(armature.animation_data.drivers):
        return True
    if curves.nla_plays(armature.animation_data) or curves.parents_move(armature):
        return True
    return any(len(armature.pose.bones[n].constraints) for n in influencers(armature, table))


def _targets(constraint: Any) -> list[Any]:
    if constraint.type == "ARMATURE":
        return list(constraint.targets)
    return [constraint] if hasattr(constraint, "subtarget") and getattr(constraint, "target", None) else []
