# SPDX-License-Identifier: GPL-3.0-or-later
"""An armature as plain arrays: world-aligned rest, the tree that travels, and what is needed to find it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import bpy
import numpy as np
from numpy.typing import NDArray

from kineograph.motion.skeleton import Skeleton

from . import bones as bone_choice
from . import controls
from .bones import Which
from .frame import Frame, read_matrices, rotation_of, scale_of
from .places import blocked
from .rest import Rest

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
    armature: Any,
    scene: Any,
    which: Which = Which.DEFORM,
    root: str | None = None,
    ground_bu: float = 0.0,
    rest: Rest | None = None,
) -> Rig:
    """The rig as it stands now. Raises ``invalid_skeleton`` (roots), ``apply_blocked`` (scale), ``unknown_joint``.

    ``rest``: where it was read before. What left Blender before and is the same is the same object."""
    rest = Rest.of(armature) if rest is None else rest
    which = meant(armature, which, rest)
    world = np.array(armature.matrix_world, float).tobytes()
    place = _Place(str(armature.name), int(armature.session_uid), world, _metres_per_bu(scene), ground_bu)
    if which is not Which.CONTROLS:
        return _of_bones(rest, place, which, root)
    scale = place.scale()
    tree = tree_of(armature, which, root, rest)
    return _built(rest, place, scale, tree, *_on_controls(armature, tuple(tree), rest))


class _Place(NamedTuple):
    """Whose rig, and where: ``world`` are the bytes of the object's matrix (4, 4)."""

    armature: str
    session_uid: int
    world: bytes
    metres_per_bu: float
    ground_bu: float

    def matrix(self) -> FloatArray:
        """The object's matrix (4, 4)."""
        return np.frombuffer(self.world).reshape(4, 4)

    def scale(self) -> float:
        """Raises ``apply_blocked`` for one that is not uniform."""
        return check_scale(self.armature, self.matrix())


def _metres_per_bu(scene: Any) -> float:
    return float(scene.unit_settings.scale_length) or 1.0


@lru_cache(8)
def _of_bones(rest: Rest, place: _Place, which: Which, root: str | None) -> Rig:
    scale = place.scale()
    tree = bone_choice.choose(place.armature, rest.above, set(rest.deform), which, root)
    return _built(rest, place, scale, tree, tuple(tree))


def _built(
    rest: Rest,
    place: _Place,
    scale: float,
    tree: Mapping[str, str | None],
    placed: tuple[str, ...],
    seen: tuple[str, ...] = (),
    to_joints: FloatArray | None = None,
) -> Rig:
    """``placed``: the bones at whose rests the joints of ``tree`` are."""
    world, rows = place.matrix(), rest.rows(placed)
    rest_local = rest.matrices[rows]
    rest_world = world @ rest_local
    frame = Frame.of_object(world, place.metres_per_bu, place.ground_bu)
    index = {name: i for i, name in enumerate(tree)}
    parents = np.array([-1 if p is None else index[p] for p in tree.values()], np.int32)
    points = frame.points_m(rest_world[:, :3, 3])
    offsets = np.where(parents[:, None] < 0, points, points - points[parents])
    return Rig(
        armature=place.armature,
        session_uid=place.session_uid,
        skeleton=Skeleton.build(tuple(tree), parents, offsets),
        frame=frame,
        rest_world_xyzw=rotation_of(rest_world),
        rest_local=rest_local,
        scale=scale,
        placed_on=placed if seen else (),
        seen_on=seen,
        seen_offsets=to_joints,
        beside=tuple(n for n in rest.names if n not in index),
        lengths_bu=rest.lengths_bu[rows],
    )


def meant(armature: Any, which: Which, rest: Rest | None = None) -> Which:
    """Which bones ``AUTO`` means for a rig: a generated one's mesh bones follow its controls, and are locked."""
    if which is not Which.AUTO:
        return which
    return Which.DEFORM if controls.find(armature, rest) is None else Which.CONTROLS


def tree_of(armature: Any, which: Which, root: str | None, rest: Rest | None = None) -> dict[str, str | None]:
    """The bones that travel, parents first. Raises ``invalid_skeleton``, ``unknown_joint``."""
    rest = Rest.of(armature) if rest is None else rest
    which = meant(armature, which, rest)
    if which is Which.CONTROLS:
        return bone_choice.under(armature.name, controls.of_rig(armature, rest).tree, root)
    return bone_choice.choose(armature.name, rest.above, set(rest.deform), which, root)


def _on_controls(
    armature: Any, names: tuple[str, ...], rest: Rest
) -> tuple[tuple[str, ...], tuple[str, ...], FloatArray]:
    """For controls that are sent: the bones at whose rests their joints are, the bones on which their poses are seen,
    and from those bones' poses to the joints' (J, 4, 4)."""
    found = controls.of_rig(armature, rest)
    by_name = controls.seen_on(armature, found)
    placed, seen = tuple(found.places[n] for n in names), tuple(by_name[n] for n in names)
    return placed, seen, np.linalg.inv(rest.matrices[rest.rows(seen)]) @ rest.matrices[rest.rows(placed)]


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
