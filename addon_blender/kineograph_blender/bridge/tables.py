# SPDX-License-Identifier: GPL-3.0-or-later
"""Bones as Blender composes them, as a table of plain arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from .channels import BoneTable
from .frame import rotation_of


def of_bones(armature: Any, names: tuple[str, ...]) -> BoneTable:
    """The table of some bones, with Blender's own parents."""
    bones = [armature.data.bones[n] for n in names]
    index = {n: i for i, n in enumerate(names)}
    above = [b.parent.name if b.parent else None for b in bones]
    outside_names = tuple(dict.fromkeys(n for n in above if n is not None and n not in index))
    outside = {n: i for i, n in enumerate(outside_names)}
    rest = np.array([b.matrix_local for b in bones], float)
    up_rest = np.array([b.parent.matrix_local if b.parent else np.eye(4) for b in bones], float)
    return BoneTable(
        names=names,
        modes=tuple(armature.pose.bones[n].rotation_mode for n in names),
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
