# SPDX-License-Identifier: Apache-2.0
"""glTF to an asset: the skeleton of its (largest) character and one clip per animation that moves it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.formats.asset import Asset, Source
from kineograph.formats.glb import animation, vrm
from kineograph.formats.glb.document import Document
from kineograph.formats.glb.nodes import Rig, Tree, choose
from kineograph.motion import axes, quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Opened:
    """A file with what was read of it: the node tree, the chosen joints, and how the character was turned."""

    document: Document
    tree: Tree
    rig: Rig
    turn_xyzw: FloatArray
    asset: Asset


def read(path: str | Path, *, fps_hz: float | None = None) -> Asset:
    """Skeleton and clips of a .glb, .gltf, .vrm or .vrma file, right-handed, y up, metres (glTF's own axes and unit).

    The transforms of nodes above the root joint are folded into it, scales into lengths. ``fps_hz`` samples all
    clips at one rate; None takes what the file says, else the usual rate on which all keys lie, else 30 Hz. A clip
    begins with the animation's first key. A VRM says itself which joint is which; VRM 0.x is turned to face +Z.
    Raises ``file_unreadable`` or ``file_incomplete`` with the byte offset or the JSON path.
    """
    return open_file(path, fps_hz=fps_hz).asset


def open_file(path: str | Path, *, fps_hz: float | None = None) -> Opened:
    """As ``read``, with the document that the asset came from."""
    path = Path(path)
    document = Document(path)
    tree = Tree(document)
    humanoid = vrm.find(document, len(tree.nodes))
    all_tracks = [
        animation.tracks(document, item, f"animations[{i}]", len(tree.nodes))
        for i, item in enumerate(document.objects("animations"))
    ]
    moved = {track.node for moves in all_tracks for track in moves}
    rig = choose(tree, moved | set(humanoid.nodes.values()) if humanoid else moved)
    rest = animation.Folded(tree, rig, {}, 1)
    skeleton = Skeleton.build(rig.names, rig.parents, np.concatenate(rest.places), rest.rotations[0])
    clips: list[Clip] = []
    uneven = set(rest.uneven)
    for i, (item, moves) in enumerate(zip(document.objects("animations"), all_tracks, strict=True)):
        clip, scaled = animation.clip_of(tree, rig, skeleton, moves, item, f"animations[{i}]", fps_hz)
        uneven.update(scaled)
        if clip is not None:
            clips.append(clip)
    kind = humanoid.kind if humanoid else "gltf" if document.bin is None and path.suffix.lower() == ".gltf" else "glb"
    profile = humanoid.profile(rig) if humanoid else None
    asset = Asset(skeleton, tuple(clips), Source(path, kind, notes=_notes(tree, rig, uneven)), profile)
    turn = humanoid.turn_xyzw if humanoid else quat.identity()
    return Opened(document, tree, rig, turn, turned(asset, turn) if humanoid and humanoid.is_turned else asset)


def turned(asset: Asset, turn_xyzw: FloatArray) -> Asset:
    """The character and its motion turned about the world's origin."""
    old = asset.skeleton
    translations, rotations = old.rest_translations_m.copy(), old.rest_rotations_xyzw.copy()
    translations[old.root] = quat.rotate(turn_xyzw, translations[old.root])
    rotations[old.root] = quat.mul(turn_xyzw, rotations[old.root])
    skeleton = Skeleton.build(old.names, old.parents, translations, rotations)
    clips = tuple(replace(axes.turn_clip(clip, turn_xyzw), skeleton=skeleton) for clip in asset.clips)
    return replace(asset, skeleton=skeleton, clips=clips)


def _notes(tree: Tree, rig: Rig, uneven: set[int]) -> tuple[str, ...]:
    if not uneven:
        return rig.notes
    names = ", ".join(sorted(tree.name(i) for i in uneven)[:6])
    return (*rig.notes, f"Uneven scale is not kept: {names}.")
