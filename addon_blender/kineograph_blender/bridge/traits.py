# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request says beside curves and marks, in short: to tell whether it changed while the scene was being read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import compat
from . import guard, keymarks
from .datapath import Channel

_FLAGS = ("use_deform", "use_connect", "use_local_location", "use_inherit_rotation")


@dataclass(frozen=True, eq=False)
class Traits:
    """``plain`` is compared as it is; ``posed`` where no curve speaks."""

    plain: tuple[Any, ...]
    posed: dict[str, Any]

    @classmethod
    def of(cls, armature: Any, scene: Any, *, is_still: bool) -> Traits:
        """As they are now. ``is_still``: nothing moves the object."""
        bones, pose = armature.data.bones, armature.pose.bones
        flags = []
        for flag in _FLAGS:
            found = np.empty(len(bones), bool)
            bones.foreach_get(flag, found)
            flags.append(found.tobytes())
        render = scene.render
        return cls(
            (
                is_still,
                tuple(bones.keys()),
                tuple(flags),
                [_of_bone(bone) for bone in pose],
                np.array(armature.matrix_world, float).tobytes() if is_still else b"",
                (render.fps, render.fps_base, scene.unit_settings.scale_length),
            ),
            guard.read_pose(armature),
        )

    def are_those_of(self, armature: Any, scene: Any, moved: Collection[Channel]) -> bool:
        """Whether they still are, whatever stands in the channels that curves ``moved``."""
        now = Traits.of(armature, scene, is_still=bool(self.plain[0]))
        if now.plain != self.plain:
            return False
        names = self.plain[1]
        for prop, before in self.posed.items():
            rows = np.flatnonzero((before != now.posed[prop]).reshape(len(names), -1).any(axis=1))
            if any(Channel(names[int(row)], prop) not in moved for row in rows):
                return False
        return True


def _of_bone(bone: Any) -> tuple[Any, ...]:
    return (
        bone.rotation_mode,
        len(bone.constraints),
        compat.is_bone_selected(bone),
        keymarks.marked(bone),
        keymarks.unmarked(bone),
    )
