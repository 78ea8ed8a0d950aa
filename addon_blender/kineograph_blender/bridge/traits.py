# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request says beside curves and marks: read once, and read again to tell whether it changed meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .. import compat
from . import guard, keymarks
from .datapath import Channel
from .rest import Rest


@dataclass(frozen=True, eq=False)
class Traits:
    """Of all pose bones in their own order: ``names``, rotation ``modes``, how many constraints they have
    (``constrained``), whether they are ``selected``, at which frames they are ``marked`` and ``unmarked`` (only those
    that are), and what they are ``posed`` as, keyed or not. ``at``: where the object is, and the scene's clock."""

    rest: Rest
    is_still: bool
    names: tuple[str, ...]
    modes: tuple[str, ...]
    constrained: tuple[int, ...]
    selected: tuple[bool, ...]
    marked: Mapping[str, set[int]]
    unmarked: Mapping[str, set[int]]
    at: tuple[Any, ...]
    posed: Mapping[str, Any]

    @classmethod
    def of(cls, armature: Any, scene: Any, *, is_still: bool) -> Traits:
        """As they are now. ``is_still``: nothing moves the object."""
        pose, render = armature.pose.bones, scene.render
        names, bones = tuple(pose.keys()), list(pose)
        return cls(
            Rest.of(armature),
            is_still,
            names,
            tuple([bone.rotation_mode for bone in bones]),
            tuple([len(bone.constraints) for bone in bones]),
            tuple([compat.is_bone_selected(bone) for bone in bones]),
            {n: at for n, bone in zip(names, bones, strict=True) if (at := keymarks.marked(bone))},
            {n: at for n, bone in zip(names, bones, strict=True) if (at := keymarks.unmarked(bone))},
            (
                np.array(armature.matrix_world, float).tobytes() if is_still else b"",
                (render.fps, render.fps_base, scene.unit_settings.scale_length),
            ),
            guard.read_pose(armature),
        )

    @cached_property
    def row(self) -> Mapping[str, int]:
        """Where each bone is."""
        return {name: i for i, name in enumerate(self.names)}

    def mode(self, bone: str) -> str:
        """A bone's rotation mode."""
        return self.modes[self.row[bone]]

    def is_constrained(self, bone: str) -> bool:
        """Whether a bone has constraints, at work or not."""
        return self.constrained[self.row[bone]] > 0

    def are_those_of(self, armature: Any, scene: Any, moved: Collection[Channel]) -> bool:
        """Whether they still are, whatever stands in the channels that curves ``moved``."""
        now = Traits.of(armature, scene, is_still=self.is_still)
        if now._plain != self._plain:
            return False
        for prop, before in self.posed.items():
            rows = np.flatnonzero((before != now.posed[prop]).reshape(len(self.names), -1).any(axis=1))
            if any(Channel(self.names[int(row)], prop) not in moved for row in rows):
                return False
        return True

    @property
    def _plain(self) -> tuple[Any, ...]:
        """What is compared as it is."""
        bones = self.names, self.modes, self.constrained, self.selected, self.marked, self.unmarked
        return self.rest, *bones, self.at
