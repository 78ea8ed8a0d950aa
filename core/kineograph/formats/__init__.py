# SPDX-License-Identifier: Apache-2.0
"""Motion files: ``load`` and ``save`` by extension.

Everything that comes out is right-handed, y up, in metres. ``bvh``, ``glb`` (with VRM), ``amass``, ``fbx`` and ``usd``
hold the readers and writers with all their options; they are imported with the first file, so that a program starts
without them. FBX and USD need libraries of their own (extras ``[fbx]``, ``[usd]``), which are looked for when a file
asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from kineograph.errors import SceneError
from kineograph.formats import whole
from kineograph.formats.asset import Asset, Mesh, Source
from kineograph.formats.failure import unreadable
from kineograph.formats.takes import choose
from kineograph.formats.units import in_metres, upright
from kineograph.motion.clip import Clip
from kineograph.motion.resample import resample
from kineograph.motion.skeleton import Skeleton

__all__ = ["EXTENSIONS", "WRITTEN", "Asset", "Mesh", "Source", "choose", "has_mesh", "load", "save"]

EXTENSIONS = (".bvh", ".glb", ".gltf", ".vrm", ".vrma", ".npz", ".fbx", ".usd", ".usda", ".usdc", ".usdz")
"""What can be read."""
WRITTEN = (".bvh", ".glb", ".gltf", ".vrm", ".vrma", ".fbx", ".usd", ".usda", ".usdc")
"""What can be written."""
_GLTF = (".glb", ".gltf", ".vrm")


def load(
    path: str | Path,
    *,
    metres_per_unit: float | None = None,
    up: Literal["y", "z"] | None = None,
    fps_hz: float | None = None,
) -> Asset:
    """The skeleton and clips of a file. Raises ``file_unreadable``, ``file_incomplete``.

    ``metres_per_unit`` and ``up`` are for files that do not say (BVH): None guesses and leaves a note; for other
    formats a unit multiplies what the file says. ``fps_hz`` is the rate of the clips; None keeps the file's.
    """
    path = Path(path)
    asset = _load(path, metres_per_unit, up, fps_hz)
    if fps_hz is not None and any(clip.fps_hz != fps_hz for clip in asset.clips):
        clips = tuple(resample(clip, fps_hz) for clip in asset.clips)
        asset = Asset(asset.skeleton, clips, asset.source, asset.profile)
    return asset


def save(
    path: str | Path,
    skeleton: Skeleton,
    clips: Sequence[Clip],
    mesh: Mesh | None = None,
    *,
    character: str | Path | None = None,
    units_per_metre: float = 1.0,
    up: Literal["y", "z"] = "y",
    keys: Mapping[str, Mapping[str, Sequence[int]]] | None = None,
) -> None:
    """Write clips on a skeleton; the file appears whole or not at all. A BVH or VRMA file holds one clip.

    ``character`` is the file that the skeleton was read from: where its format fits that of ``path``, its mesh, skin
    and materials are kept. ``units_per_metre`` and ``up`` are for formats that leave them open (BVH, USD). ``keys`` are
    the frames that have keys, joint name to ``rotation`` and ``translation``, where not all have; only glTF can say so.
    Raises ``file_unreadable`` for an extension, a missing library, or a place that cannot be written.
    """
    from kineograph.formats import bvh, fbx, glb, usd

    path = Path(path)
    kind = path.suffix.lower()
    if kind not in WRITTEN:
        raise _unknown(path, WRITTEN)
    if kind in (".bvh", ".vrma") and len(clips) > 1:
        raise ValueError(f"a {kind[1:].upper()} file holds one clip, {len(clips)} were given")
    if kind == ".fbx":
        fbx.require(path)  # said of the name that people know, before a temporary one is made
    kept = _kept(kind, character)

    def make(out: Path) -> None:
        match kind:
            case ".bvh":
                clip = clips[0] if clips else None
                bvh.write(out, skeleton, clip, units_per_metre=units_per_metre, up=up)
            case ".fbx":
                fbx.write(out, skeleton, clips, character=kept)
            case ".usd" | ".usda" | ".usdc":
                usd.write(out, skeleton, clips, mesh, up=up, units_per_metre=units_per_metre)
            case _ if kept is not None:
                glb.write_onto(out, kept, clips, keys=keys)
            case ".vrm" | ".vrma":
                glb.write_vrm(out, skeleton, clips, mesh, animation=kind == ".vrma", name=path.stem)
            case _:
                glb.write(out, skeleton, clips, mesh, keys=keys)

    whole.write(path, make)


def has_mesh(path: str | Path) -> bool:
    """Whether a character file has a mesh that ``save`` keeps in glTF. Raises what reading it raises."""
    from kineograph.formats.glb.reader import open_file

    path = Path(path)
    return path.suffix.lower() in _GLTF and bool(open_file(path).document.objects("meshes"))


def _load(path: Path, metres_per_unit: float | None, up: Literal["y", "z"] | None, fps_hz: float | None) -> Asset:
    from kineograph.formats import amass, bvh, fbx, glb, usd

    match path.suffix.lower():
        case ".bvh":
            return bvh.read(path, metres_per_unit=metres_per_unit, up=up)
        case ".glb" | ".gltf" | ".vrm" | ".vrma":
            asset = glb.read(path, fps_hz=fps_hz)
        case ".npz":
            asset = amass.read(path, up=up or "z")
            up = None
        case ".fbx":
            asset = fbx.read(path)
        case ".usd" | ".usda" | ".usdc" | ".usdz":
            asset = usd.read(path, fps_hz=fps_hz)
        case _:
            raise _unknown(path, EXTENSIONS)
    asset = in_metres(asset, metres_per_unit) if metres_per_unit is not None else asset
    return upright(asset, up) if up == "z" else asset


def _kept(kind: str, character: str | Path | None) -> Path | None:
    """The character file whose mesh can be kept in a file of ``kind``."""
    if character is None:
        return None
    own = Path(character).suffix.lower()
    fits = {".fbx": (".fbx", ".glb", ".gltf"), ".vrm": (".vrm",)}.get(kind, _GLTF if kind in _GLTF else ())
    return Path(character) if own in fits else None


def _unknown(path: Path, known: tuple[str, ...]) -> SceneError:
    if path.is_dir():
        return unreadable(path, "is a folder, not a file")
    named = ", ".join(known)
    said = f"'{path.suffix}' is not a known format; these are: {named}" if path.suffix else f"needs one of {named}"
    return unreadable(path, said, got=path.suffix, allowed=list(known))
