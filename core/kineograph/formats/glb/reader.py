# SPDX-License-Identifier: Apache-2.0
"""glTF to an asset: the skeleton of its (largest) character and one clip per animation that moves it."""

from __future__ import annotations

from pathlib import Path

from kineograph.formats.asset import Asset, Source
from kineograph.formats.glb import animation
from kineograph.formats.glb.document import Document
from kineograph.formats.glb.nodes import Rig, Tree, choose
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton


def read(path: str | Path, *, fps_hz: float | None = None) -> Asset:
    """Skeleton and clips of a .glb or .gltf file, right-handed, y up, metres (glTF's own axes and unit).

    The transforms of nodes above the root joint are folded into it, scales into lengths. ``fps_hz`` samples all
    clips at one rate; None takes what the file says, else the usual rate on which all keys lie, else 30 Hz. A clip
    begins with the animation's first key. Raises ``file_unreadable`` or ``file_incomplete`` with the byte offset or
    the JSON path.
    """
    path = Path(path)
    document = Document(path)
    tree = Tree(document)
    all_tracks = [
        animation.tracks(document, item, f"animations[{i}]", len(tree.nodes))
        for i, item in enumerate(document.objects("animations"))
    ]
    rig = choose(tree, {track.node for moves in all_tracks for track in moves})
    rest = animation.Folded(tree, rig, {}, 1)
    skeleton = Skeleton.build(rig.names, rig.parents, rest.translations[0], rest.rotations[0])
    clips: list[Clip] = []
    uneven = set(rest.uneven)
    for i, (item, moves) in enumerate(zip(document.objects("animations"), all_tracks, strict=True)):
        clip, scaled = animation.clip_of(tree, rig, skeleton, moves, item, f"animations[{i}]", fps_hz)
        uneven.update(scaled)
        if clip is not None:
            clips.append(clip)
    kind = "glb" if document.bin is not None or path.suffix.lower() != ".gltf" else "gltf"
    return Asset(skeleton, tuple(clips), Source(path, kind, notes=_notes(tree, rig, uneven)))


def _notes(tree: Tree, rig: Rig, uneven: set[int]) -> tuple[str, ...]:
    if not uneven:
        return rig.notes
    names = ", ".join(sorted(tree.name(i) for i in uneven)[:6])
    return (*rig.notes, f"Uneven scale is not kept: {names}.")
