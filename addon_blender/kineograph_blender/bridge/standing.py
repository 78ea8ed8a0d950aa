# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an object stands at each frame, worked out from its own curves where nothing else moves it."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mathutils import Euler, Matrix, Quaternion, Vector
from numpy.typing import NDArray

from .. import compat
from . import curves, datapath

FloatArray = NDArray[np.floating[Any]]

_PROPS = ("location", "rotation_euler", "rotation_quaternion", "rotation_axis_angle", "scale")
_UNMOVED = (
    ("delta_location", (0.0, 0.0, 0.0)),
    ("delta_rotation_euler", (0.0, 0.0, 0.0)),
    ("delta_rotation_quaternion", (1.0, 0.0, 0.0, 0.0)),
    ("delta_scale", (1.0, 1.0, 1.0)),
)


def worlds(armature: Any, action: Any, slot: Any, frames: NDArray[np.float32]) -> FloatArray | None:
    """World matrices (T, 4, 4), or (1, 4, 4) where it stands still, while ``action`` plays; None where only Blender
    knows."""
    if not _is_its_own(armature):
        return None
    said: dict[tuple[str, int], Any] = {}
    for curve in compat.curves(action, slot):
        if datapath.parse(curve.data_path) is None:
            if curve.data_path not in _PROPS or curve.mute:
                return None
            said[curve.data_path, curve.array_index] = curve
    if any(group.mute for group in compat.groups(action, slot)):
        return None
    stops = frames if said else frames[:1]
    values = {prop: np.repeat(np.array(getattr(armature, prop), float)[None], len(stops), axis=0) for prop in _PROPS}
    for (prop, index), curve in said.items():
        values[prop][:, index] = [curve.evaluate(float(at)) for at in stops]
    above = Matrix.Identity(4)
    if armature.parent is not None:
        bpy.context.view_layer.update()
        above = armature.parent.matrix_world @ armature.matrix_parent_inverse
    rows = ({prop: v[n] for prop, v in values.items()} for n in range(len(stops)))
    return np.array([above @ _basis(armature.rotation_mode, row) for row in rows], float)


def _is_its_own(armature: Any) -> bool:
    """Whether nothing but its own curves moves it."""
    data = armature.animation_data
    if len(bpy.app.handlers.frame_change_pre) or len(bpy.app.handlers.frame_change_post):
        return False
    if curves.parents_move(armature):
        return False
    if any(tuple(getattr(armature, prop)) != rest for prop, rest in _UNMOVED):
        return False
    if data is None:
        return True
    moved = any(not d.data_path.startswith("pose.bones[") for d in data.drivers)
    plain = data.action_blend_type == "REPLACE" and data.action_influence >= 1.0
    return plain and not moved and not curves.nla_plays(data) and not data.use_tweak_mode


def _basis(mode: str, row: dict[str, FloatArray]) -> Matrix:
    if mode == "QUATERNION":
        turn = Quaternion(row["rotation_quaternion"]).normalized()
    elif mode == "AXIS_ANGLE":
        angle, *axis = row["rotation_axis_angle"]
        turn = Quaternion(Vector(axis), angle) if any(axis) else Quaternion()
    else:
        turn = Euler(row["rotation_euler"], mode).to_quaternion()
    return Matrix.LocRotScale(Vector(row["location"]), turn, Vector(row["scale"]))
