# SPDX-License-Identifier: GPL-3.0-or-later
"""Empties (and any other object) as pins: one bone held at one place, over the frames at which the pin is keyed."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from kineograph.errors import ErrorCode, error
from kineograph.rigs import suggest

from .. import compat
from . import marks
from .frame import rotation_of
from .keys import keyed_span
from .places import where
from .rig import Rig

FloatArray = NDArray[np.floating[Any]]


def check_joint(pin: Any, rig: Rig, all_bones: list[str]) -> str:
    """The joint that a pin names. Raises ``unknown_joint`` with the nearest names."""
    joint = marks.joint_of(pin)
    if joint in rig.names:
        return joint
    reason = "which is not sent" if joint in all_bones else "which it does not have"
    found = [s.name for s in suggest(joint, rig.names)]
    raise error(
        ErrorCode.UNKNOWN_JOINT,
        f"the pin {pin.name!r} points at {joint!r} of {rig.armature!r}, {reason}",
        {
            "where": where("pin", pin.name, rig.armature),
            "joint": joint,
            "got": joint,
            "suggestions": found,
        },
    )


def frames_of(pin: Any, span: tuple[int, int]) -> list[int]:
    """Scene frames at which a pin holds, inside ``span``: its own mark, its keys (or its parents'), or all."""
    named = marks.frames_of(pin)
    first, last = named or keyed(pin) or span
    return list(range(max(int(np.floor(first)), span[0]), min(int(np.ceil(last)), span[1]) + 1))


def is_still(pin: Any) -> bool:
    """Whether nothing can move the pin: one look is enough then."""
    up = pin
    while up is not None:
        if up.animation_data is not None or len(up.constraints) or up.rigid_body is not None or up.type == "ARMATURE":
            return False
        up = up.parent
    return True


def matrix(pin: Any) -> FloatArray:
    """The pin's evaluated world matrix (4, 4) at the current frame. ``schema_validation`` for one without a place."""
    world = np.array(pin.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world, float)
    lost = not np.isfinite(world).all()
    flat = marks.turns(pin) and abs(float(np.linalg.det(world[:3, :3]))) < 1e-18
    if lost or flat:
        what = "orientation (scale 0)" if flat else "position"
        raise error(
            ErrorCode.SCHEMA_VALIDATION,
            f"the pin {pin.name!r} has no valid {what}",
            {"where": where("pin", pin.name, ""), "got": str(world[:3, 3].tolist()), "errors": []},
        )
    return world


def constraint(pin: Any, rig: Rig, joint: str, frames: list[int], matrices: FloatArray) -> dict[str, Any]:
    """An MMCP ``effector_target``; ``matrices`` (F, 4, 4) are the pin's world matrices at ``frames``."""
    out: dict[str, Any] = {
        "type": "effector_target",
        "joint": joint,
        "frames": frames,
        "positions": rig.frame.points_m(matrices[:, :3, 3]).tolist(),
    }
    if marks.turns(pin):
        rest = rig.rest_world_xyzw[rig.skeleton.index[joint]]
        out["rotations"] = rig.frame.deltas_xyzw(rotation_of(_unflipped(matrices)), rest).tolist()
    return out


def _unflipped(matrices: FloatArray) -> FloatArray:
    out = matrices.copy()
    out[np.linalg.det(out[:, :3, :3]) < 0, :3, :3] *= -1.0
    return out


def keyed(pin: Any) -> tuple[float, float] | None:
    """From the first to the last key of the pin or its parents; None without any."""
    spans = []
    up = pin
    while up is not None:
        data = up.animation_data
        if data is not None and data.action is not None:
            spans.append(keyed_span(compat.curves(data.action, compat.slot_of(data))))
        up = up.parent
    found = [s for s in spans if s is not None]
    return (min(s[0] for s in found), max(s[1] for s in found)) if found else None
