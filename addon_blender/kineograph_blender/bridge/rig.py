# SPDX-License-Identifier: GPL-3.0-or-later
"""An armature as plain arrays: world-aligned rest, the tree that travels, and what is needed to find it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from kineograph.motion.skeleton import Skeleton

from . import bones as bone_choice
from . import controls
from .bones import Which
from .frame import Frame, read_matrices, rotation_of, scale_of
from .places import blocked

FloatArray = NDArray[np.floating[Any]]

_SCALE_TOLERANCE = 1e-4
_REST_TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class Rig:
    """What left Blender. Holds names and numbers, never RNA.

    ``rest_world_xyzw`` (J, 4): the bones' rest rotations in Blender's world axes when the rig was read;
    ``rest_local`` (J, 4, 4): ``bone.matrix_local``; ``scale`` the object's uniform scale.

    Of controls: ``placed_on`` the bones at whose rests the joints are, ``seen_on`` those on which poses are seen, and
    ``seen_offsets`` (J, 4, 4) from their poses to the joints'.

    To know renamed bones again: ``beside`` names the armature's bones that did not travel, ``lengths_bu`` (J,) is how
    long those were that did.
    """

    armature: str
    session_uid: int
    skeleton: Skeleton
    frame: Frame
    rest_world_xyzw: FloatArray
    rest_local: FloatArray
    scale: float
    placed_on: tuple[str, ...] = ()
    seen_on: tuple[str, ...] = ()
    seen_offsets: FloatArray | None = None
    beside: tuple[str, ...] = ()
    lengths_bu: FloatArray | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Bone names, parents first."""
        return self.skeleton.names


def read(
    armature: Any, scene: Any, which: Which = Which.DEFORM, root: str | None = None, ground_bu: float = 0.0
) -> Rig:
    """The rig as it stands now. Raises ``invalid_skeleton`` (roots), ``apply_blocked`` (scale), ``unknown_joint``."""
    world = np.array(armature.matrix_world, float)
    scale = check_scale(armature.name, world)
    bones, which = armature.data.bones, meant(armature, which)
    tree = tree_of(armature, which, root)
    placed: tuple[str, ...] = tuple(tree)
    seen: tuple[str, ...] = ()
    to_joints: FloatArray | None = None
    if which is Which.CONTROLS:
        placed, seen, to_joints = _on_controls(armature, placed)
    rest_local = read_matrices(bones, "matrix_local", placed)
    rest_world = world @ rest_local
    frame = Frame.of_object(world, float(scene.unit_settings.scale_length) or 1.0, ground_bu)
    index = {name: i for i, name in enumerate(tree)}
    parents = np.array([-1 if p is None else index[p] for p in tree.values()], np.int32)
    points = frame.points_m(rest_world[:, :3, 3])
    offsets = np.where(parents[:, None] < 0, points, points - points[parents])
    return Rig(
        armature=armature.name,
        session_uid=int(armature.session_uid),
        skeleton=Skeleton.build(tuple(tree), parents, offsets),
        frame=frame,
        rest_world_xyzw=rotation_of(rest_world),
        rest_local=rest_local,
        scale=scale,
        placed_on=placed if seen else (),
        seen_on=seen,
        seen_offsets=to_joints,
        beside=tuple(n for n in bones.keys() if n not in index),  # noqa: SIM118  # RNA
        lengths_bu=np.array([bones[n].length for n in placed]),
    )


def meant(armature: Any, which: Which) -> Which:
    """Which bones ``AUTO`` means for a rig: a generated one's mesh bones follow its controls, and are locked."""
    if which is not Which.AUTO:
        return which
    return Which.DEFORM if controls.find(armature) is None else Which.CONTROLS


def tree_of(armature: Any, which: Which, root: str | None) -> dict[str, str | None]:
    """The bones that travel, parents first. Raises ``invalid_skeleton``, ``unknown_joint``."""
    which = meant(armature, which)
    if which is Which.CONTROLS:
        return bone_choice.under(armature.name, controls.of_rig(armature).tree, root)
    bones = armature.data.bones
    parents = {b.name: b.parent.name if b.parent else None for b in bones}
    return bone_choice.choose(armature.name, parents, {b.name for b in bones if b.use_deform}, which, root)


def _on_controls(armature: Any, names: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...], FloatArray]:
    """For controls that are sent: the bones at whose rests their joints are, the bones on which their poses are seen,
    and from those bones' poses to the joints' (J, 4, 4)."""
    found = controls.of_rig(armature)
    by_name = controls.seen_on(armature, found)
    placed, seen = tuple(found.places[n] for n in names), tuple(by_name[n] for n in names)
    bones = armature.data.bones
    offsets = np.linalg.inv(read_matrices(bones, "matrix_local", seen)) @ read_matrices(bones, "matrix_local", placed)
    return placed, seen, offsets


def check_scale(name: str, world: FloatArray) -> float:
    """The object's uniform scale. Raises ``apply_blocked`` for one that is not uniform, negative or zero."""
    lengths = scale_of(world)
    flipped = bool(np.linalg.det(world[:3, :3]) <= 0.0)
    mean = float(lengths.mean())
    square = mean * mean
    sheared = not np.allclose(world[:3, :3].T @ world[:3, :3], square * np.eye(3), atol=_SCALE_TOLERANCE * square)
    if not (flipped or sheared or mean <= 0.0 or not np.isfinite(mean)):
        return mean
    what = "negative or zero" if flipped else "not the same along x, y and z"
    raise blocked(
        name,
        "scale",
        f"the scale of {name!r} is {what}: {', '.join(f'{x:.4g}' for x in lengths)}",
        got=[round(float(x), 6) for x in lengths],
        allowed="one positive scale for x, y and z",
    )


def find(rig: Rig, name: str | None = None) -> Any:
    """The armature object again: ``name`` if given, else by its id in this session (a rename keeps it), else by name.

    None when it is gone.
    """
    if name is None:
        named = bpy.data.objects.get(rig.armature)  # most often: there may be thousands
        if named is not None and named.session_uid == rig.session_uid:
            return named if named.type == "ARMATURE" else None
        same = (o for o in bpy.data.objects if o.session_uid == rig.session_uid and o.type == "ARMATURE")
        found = next(same, None) or bpy.data.objects.get(rig.armature)
    else:
        found = bpy.data.objects.get(name)
    return found if found is not None and found.type == "ARMATURE" else None


def is_same_rest(rig: Rig, one: FloatArray, other: FloatArray) -> NDArray[np.bool_]:
    """Which rests (..., 4, 4) are the same, for a character of this size: place, direction and roll."""
    off = np.abs(one - other)
    off[..., :3, 3] *= _REST_TOLERANCE / rest_tolerance_bu(rig)
    return np.asarray(off.max(axis=(-2, -1)) <= _REST_TOLERANCE)


def rest_tolerance_bu(rig: Rig) -> float:
    """How far apart two places may be that are the same, for a character of this size."""
    return _REST_TOLERANCE * max(float(np.ptp(rig.rest_local[:, :3, 3], axis=0).max()), 1e-6)


def what_changed(rig: Rig, armature: Any) -> list[str]:
    """In words, how the armature differs from when ``rig`` was read; empty when a result still fits."""
    bones = armature.data.bones
    placed = rig.placed_on or rig.names
    missing = [n for n in dict.fromkeys((*rig.names, *placed)) if n not in bones]
    if missing:
        return [f"bone {n!r} is gone" for n in missing]
    out = []
    rest = read_matrices(bones, "matrix_local", placed)
    for i in np.flatnonzero(~is_same_rest(rig, rig.rest_local, rest)):
        out.append(f"the rest of bone {rig.names[int(i)]!r} was edited")
    scale = float(scale_of(np.array(armature.matrix_world, float)).mean())
    if abs(scale / rig.scale - 1.0) > _SCALE_TOLERANCE:
        out.append(f"the object's scale went from {rig.scale:.4g} to {scale:.4g}")
    return out
