# SPDX-License-Identifier: Apache-2.0
"""Motion files: ``load`` and ``save`` by extension.

Everything that comes out is right-handed, y up, in metres; ``bvh`` and ``glb`` hold the readers and writers with
all their options.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kineograph.errors import SceneError
from kineograph.formats import bvh, glb
from kineograph.formats.asset import Asset, Mesh, Source
from kineograph.formats.failure import unreadable
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

__all__ = ["EXTENSIONS", "Asset", "Mesh", "Source", "load", "save"]

EXTENSIONS = (".bvh", ".glb", ".gltf")


def load(path: str | Path) -> Asset:
    """The skeleton and clips of a file. Raises ``file_unreadable``, ``file_incomplete``."""
    path = Path(path)
    match path.suffix.lower():
        case ".bvh":
            return bvh.read(path)
        case ".glb" | ".gltf":
            return glb.read(path)
    raise _unknown(path)


def save(path: str | Path, skeleton: Skeleton, clips: Sequence[Clip], mesh: Mesh | None = None) -> None:
    """Write clips on a skeleton. A BVH file holds one clip and no mesh. Raises ``file_unreadable`` for an extension."""
    path = Path(path)
    match path.suffix.lower():
        case ".bvh":
            if len(clips) > 1:
                raise ValueError(f"a BVH file holds one clip, {len(clips)} were given")
            bvh.write(path, skeleton, clips[0] if clips else None)
        case ".glb" | ".gltf":
            glb.write(path, skeleton, clips, mesh)
        case _:
            raise _unknown(path)


def _unknown(path: Path) -> SceneError:
    known = ", ".join(EXTENSIONS)
    said = f"'{path.suffix}' is not a known format; these are: {known}" if path.suffix else f"needs one of {known}"
    return unreadable(path, said, got=path.suffix, allowed=list(EXTENSIONS))
