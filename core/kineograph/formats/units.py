# SPDX-License-Identifier: Apache-2.0
"""Lengths and axes in files that do not say their unit and which way is up.

BVH has no unit. A rest pose of up to ``LARGEST_M`` is taken to be in metres; a larger one is read in the first unit
that makes it the size of a character, or left alone.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Literal

import numpy as np

from kineograph.formats.asset import Asset
from kineograph.motion import axes, kinematics
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import RigMap, Role, roles_of

LARGEST_M = 12.0
CHARACTER_M = (0.5, 4.0)
_LOOKED_AT = 24  # frames
_UPRIGHT = 1.5  # how much longer the way from feet to head must be along z than along any other axis
# The CMU motion capture database: lengths in inches times 0.45 (its FAQ on skeleton files).
UNITS = (("centimetres", 0.01), ("CMU units (inches x 0.45)", 0.0254 / 0.45), ("millimetres", 0.001))


def guess(skeleton: Skeleton) -> tuple[float, str]:
    """Metres per unit, and what was decided as a sentence ("" for metres)."""
    size = float(np.ptp(skeleton.rest_positions_m, axis=0).max())
    if size <= LARGEST_M:
        return 1.0, ""
    for name, metres in UNITS:
        if CHARACTER_M[0] <= size * metres <= CHARACTER_M[1]:
            return metres, f"The rest pose is {size:.4g} units large: lengths were read as {name}."
    return 1.0, f"The rest pose is {size:.4g} units large: no unit fits a character, lengths were read as metres."


def guess_up(skeleton: Skeleton, clip: Clip | None) -> Literal["y", "z"]:
    """The axis along which the body stands: from the feet to the head in the clip, else at rest; "y" in doubt."""
    roles = _roles(skeleton.names, tuple(skeleton.parents.tolist()), skeleton.rest_positions_m.tobytes())
    head, feet = roles.get(Role.HEAD), [roles.get(Role.LEFT_FOOT), roles.get(Role.RIGHT_FOOT)]
    low = [foot for foot in feet if foot is not None]
    if head is None or not low:
        return "y"
    at = skeleton.rest_positions_m[None]
    if clip is not None and len(clip):
        few = np.unique(np.linspace(0, len(clip) - 1, min(_LOOKED_AT, len(clip))).round().astype(int))
        moved = None if clip.translations_m is None else clip.translations_m[few]
        at, _ = kinematics.forward(skeleton, clip.rotations_xyzw[few], clip.root_m[few], moved)
    x, y, z = np.median(at[:, head] - at[:, low].mean(axis=1), axis=0)
    return "z" if z > _UPRIGHT * max(abs(x), abs(y)) else "y"


@lru_cache(maxsize=16)
def _roles(names: tuple[str, ...], parents: tuple[int, ...], positions_m: bytes) -> RigMap:
    """The roles of a skeleton, read once: a folder of files is mostly one rig."""
    return roles_of(names, parents, np.frombuffer(positions_m).reshape(-1, 3))


def upright(asset: Asset, up: Literal["y", "z"] | None) -> Asset:
    """``asset`` with y up. None looks at how the body stands and leaves a note where it turned the file."""
    turn = up or guess_up(asset.skeleton, asset.clips[0] if asset.clips else None)
    if turn == "y":
        return asset
    notes = asset.source.notes
    if up is None:
        notes = (*notes, "The body stands along z: the file was read with z up.")
    clips = tuple(axes.clip_y_up_from_z_up(clip) for clip in asset.clips)
    skeleton = clips[0].skeleton if clips else axes.skeleton_y_up_from_z_up(asset.skeleton)
    return replace(asset, skeleton=skeleton, clips=clips, source=replace(asset.source, up="z", notes=notes))


def in_metres(asset: Asset, metres_per_unit: float | None) -> Asset:
    """``asset`` with its lengths multiplied; None guesses and leaves a note in the source."""
    factor, note = (metres_per_unit, "") if metres_per_unit is not None else guess(asset.skeleton)
    if not factor > 0:
        raise ValueError(f"metres_per_unit must be above 0, got {factor}")
    notes = (*asset.source.notes, note) if note else asset.source.notes
    source = replace(asset.source, metres_per_unit=factor, notes=notes)
    if factor == 1.0:
        return replace(asset, source=source)
    clips = tuple(axes.scale_clip(clip, factor) for clip in asset.clips)
    return replace(asset, skeleton=axes.scale_skeleton(asset.skeleton, factor), clips=clips, source=source)
