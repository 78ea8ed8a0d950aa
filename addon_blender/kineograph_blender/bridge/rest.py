# SPDX-License-Identifier: GPL-3.0-or-later
"""An armature's bones at rest, as plain arrays: what only an edit changes, and what follows of it, worked out once.

It is read anew each time, in bulk, and looked up by what was read: nobody has to say that something changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .frame import rotation_of

FloatArray = NDArray[np.floating[Any]]

FLAGS = ("use_deform", "use_connect", "use_local_location", "use_inherit_rotation")
_MOST_KEPT = 8


@dataclass(frozen=True, eq=False)
class Rest:
    """Bones in the armature's own order, parents first: ``names`` (B), the names of their ``parents``, ``matrices``
    (B, 4, 4) in the armature's space, ``lengths_bu`` (B,), and ``flags`` (B,) by name. Equal only to itself."""

    names: tuple[str, ...]
    parents: tuple[str | None, ...]
    matrices: FloatArray
    lengths_bu: FloatArray
    flags: Mapping[str, NDArray[np.bool_]]

    @staticmethod
    def of(armature: Any) -> Rest:
        """As they are now; the same object as long as nothing of them differs."""
        bones = armature.data.bones
        matrices, lengths = np.empty(len(bones) * 16, np.float32), np.empty(len(bones), np.float32)
        bones.foreach_get("matrix_local", matrices)
        bones.foreach_get("length", lengths)
        flags = []
        for flag in FLAGS:
            found = np.empty(len(bones), bool)
            bones.foreach_get(flag, found)
            flags.append(found.tobytes())
        parents = tuple([up.name if (up := bone.parent) else None for bone in bones])
        return _kept(tuple(bones.keys()), parents, matrices.tobytes(), lengths.tobytes(), tuple(flags))

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Where each bone is."""
        return {name: i for i, name in enumerate(self.names)}

    @cached_property
    def above(self) -> Mapping[str, str | None]:
        """Each bone's parent."""
        return dict(zip(self.names, self.parents, strict=True))

    @cached_property
    def ups(self) -> tuple[int, ...]:
        """Where each bone's parent is, -1 for none."""
        return tuple(-1 if up is None else self.index[up] for up in self.parents)

    @cached_property
    def deform(self) -> frozenset[str]:
        """Bones that deform."""
        return frozenset(n for n, does in zip(self.names, self.flags["use_deform"].tolist(), strict=True) if does)

    @cached_property
    def xyzw(self) -> FloatArray:
        """The rests' rotations (B, 4)."""
        return rotation_of(self.matrices)

    def rows(self, names: Sequence[str]) -> NDArray[np.intp]:
        """Where some bones are. Raises KeyError."""
        return np.array([self.index[name] for name in names], np.intp)


@lru_cache(_MOST_KEPT)
def _kept(
    names: tuple[str, ...], parents: tuple[str | None, ...], matrices: bytes, lengths: bytes, flags: tuple[bytes, ...]
) -> Rest:
    # Blender stores columns one after the other.
    columns = np.frombuffer(matrices, np.float32).reshape(-1, 4, 4)
    return Rest(
        names,
        parents,
        columns.transpose(0, 2, 1).astype(float),
        np.frombuffer(lengths, np.float32).astype(float),
        {flag: np.frombuffer(found, bool) for flag, found in zip(FLAGS, flags, strict=True)},
    )
