# SPDX-License-Identifier: GPL-3.0-or-later
"""What moves a take's bones from outside: the object's own transform and Blender parents that are not in the take."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import compat
from . import action as actions
from . import curves, datapath, guard, standing, tables
from .channels import BoneTable
from .datapath import Channel
from .frame import rotation_of, scale_of
from .pace import Pace
from .poses import evaluated_matrices
from .rig import Rig

FloatArray = NDArray[np.floating[Any]]

_LOOK_S = 0.003
"""The way there and back costs two evaluations of the scene: more frames at a time are less to be waited for in all."""


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
    return tables.of_bones(armature, rig.names)


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


def sampling(
    find: Callable[[], tuple[Any, Any, Any]], table: BoneTable, frames: NDArray[np.float32]
) -> Generator[None, None, Surroundings]:
    """The surroundings while the take's action plays: worked out where that is possible, looked at once where nothing
    moves, else at every frame, some a turn. ``find`` finds armature, scene and action anew for each."""
    armature, _, made = find()
    worlds = standing.worlds(armature, made, actions.slot_in(made), frames)
    if worlds is not None and _are_still(armature, made, table):
        _, bones = evaluated_matrices(armature, table.outside_names)
        return _surroundings(worlds, np.repeat(bones[None], len(worlds), axis=0))
    looks: list[tuple[FloatArray, FloatArray]] = []
    stops = frames[:1]
    pace = Pace(1, aim_s=_LOOK_S)
    while len(looks) < len(stops):
        yield
        with pace.piece() as count:
            armature, scene, made = find()
            with _playing(armature, scene, made):
                if not looks and _may_move(armature, made, table):
                    stops = frames
                for at in stops[len(looks) : len(looks) + count]:
                    guard.go_to(scene, float(at))
                    looks.append(evaluated_matrices(armature, table.outside_names))
    bones = np.array([b for _, b in looks]).reshape(len(looks), len(table.outside_names), 4, 4)
    return _surroundings(np.array([w for w, _ in looks]), bones)


@contextmanager
def _playing(armature: Any, scene: Any, made: Any) -> Iterator[None]:
    """The take's action plays for a moment."""
    had_data = armature.animation_data is not None
    armature.animation_data_create()
    try:
        with guard.untouched(scene, armature), guard.playing(armature, made, actions.slot_in(made)):
            yield
    finally:
        if not had_data:
            armature.animation_data_clear()


def _surroundings(worlds: FloatArray, bones: FloatArray) -> Surroundings:
    return Surroundings(
        object_xyzw=rotation_of(worlds),
        object_bu=worlds[:, :3, 3],
        scale=scale_of(worlds).mean(axis=-1),
        outside_xyzw=rotation_of(bones),
        outside_bu=bones[..., :3, 3],
    )


def _are_still(armature: Any, made: Any, table: BoneTable) -> bool:
    """Whether the outside parents stand now as they will at every frame: nothing says anything of what moves them."""
    if not table.outside_names:
        return True
    near = influencers(armature, table)
    both = ((made, actions.slot_in(made)), actions.shown(armature))
    said = {datapath.parse(c.data_path) for pair in both for c in compat.curves(*pair)}
    if any(channel is not None and channel.bone in near for channel in said):
        return False
    drivers = armature.animation_data.drivers if armature.animation_data is not None else ()
    return not _bones_may_move(armature, near, said, drivers)


def _may_move(armature: Any, made: Any, table: BoneTable) -> bool:
    """Whether the object or an outside parent can differ between frames. When in doubt, yes: a look is only slow."""
    said = {datapath.parse(c.data_path) for c in compat.curves(made, actions.slot_in(made))}
    data = armature.animation_data
    if None in said or curves.nla_plays(data) or curves.parents_move(armature):
        return True
    return _bones_may_move(armature, influencers(armature, table), said, data.drivers)


def _bones_may_move(armature: Any, near: set[str], said: set[Channel | None], drivers: Any) -> bool:
    """Whether constraints or drivers can move any of ``near``."""
    if any(_may_drive(armature, driver, near, said) for driver in drivers):
        return True
    # What they are bound to in the armature itself is held as well.
    return any(not _is_within(armature, c) for n in near for c in armature.pose.bones[n].constraints)


def _may_drive(armature: Any, driver: Any, near: set[str], said: set[Channel | None]) -> bool:
    """Whether a driver can move anything of ``near``: not where it only reads properties that nothing animates."""
    match = _OF_BONE.match(driver.data_path)
    if match is not None and bpy.utils.unescape_identifier(match[1]) not in near:
        return False
    for variable in driver.driver.variables:
        target = variable.targets[0]
        channel = datapath.parse(target.data_path) if variable.type == "SINGLE_PROP" else None
        if target.id != armature or channel is None or not channel.prop.startswith("["):
            return True
        if any(c is not None and c == channel for c in said):
            return True
    return match is None or "frame" in driver.driver.expression


def _is_within(armature: Any, constraint: Any) -> bool:
    """Whether a constraint binds a bone to bones of the same armature only."""
    if constraint.type == "ARMATURE":
        return all(t.target in (armature, None) for t in constraint.targets)
    return hasattr(constraint, "target") and constraint.target == armature


_OF_BONE = re.compile(r'pose\.bones\["((?:[^"\\]|\\.)*)"\]', re.DOTALL)


def _targets(constraint: Any) -> list[Any]:
    if constraint.type == "ARMATURE":
        return list(constraint.targets)
    return [constraint] if hasattr(constraint, "subtarget") and getattr(constraint, "target", None) else []
