# SPDX-License-Identifier: Apache-2.0
"""New motion in an existing character file: mesh, skin, materials and extensions stay as they were made.

Only the animations are replaced. The reader folds what stands above the root joint into it and scales into lengths;
here that is undone, so that the file's own nodes move as the clip's joints do.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.formats import fit
from kineograph.formats.failure import read_bytes, unreadable
from kineograph.formats.glb import writer
from kineograph.formats.glb.document import Document
from kineograph.formats.glb.reader import Opened, open_file
from kineograph.motion import quat
from kineograph.motion.clip import Clip

FloatArray = NDArray[np.floating[Any]]

_IMAGE_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}


def write(path: str | Path, character: str | Path, clips: Sequence[Clip], *, keys: writer.Keys | None = None) -> None:
    """The file ``character`` (.glb, .gltf, .vrm) with ``clips`` as its animations, everything in one file; ``keys`` as
    in ``writer.write``.

    Raises ValueError for a clip on other joints than the character's, and what reading the character raises.
    """
    character = Path(character)
    opened, told, data = _template(character, _stamp(character))
    fitted = [fit.onto(opened.asset.skeleton, clip) for clip in clips]
    out = dict(told)
    buffer = writer.Buffer(data, out.get("bufferViews", ()), out.get("accessors", ()))
    if fitted:
        out["animations"] = [writer.animation(buffer, c, _tracks(opened, c), i, keys) for i, c in enumerate(fitted)]
    out |= {"accessors": buffer.accessors, "bufferViews": buffer.views}
    writer.store(Path(path), out, buffer.bytes())


def _stamp(path: Path) -> tuple[int, int]:
    try:
        info = path.stat()
    except OSError:
        return 0, 0  # opening it says what is wrong
    return info.st_mtime_ns, info.st_size


@lru_cache(maxsize=2)
def _template(path: Path, stamp: tuple[int, int]) -> tuple[Opened, dict[str, Any], bytes]:
    """The character, its document without animations, and all its bytes: made once for a whole folder."""
    opened = open_file(path)
    out = copy.deepcopy(opened.document.map)
    out.pop("animations", None)
    return opened, out, _gather(opened.document, out)


def _tracks(opened: Opened, clip: Clip) -> writer.Tracks:
    """The clip as its nodes' own transforms: the inverse of what the reader folded."""
    tree, rig = opened.tree, opened.rig
    t, r, s = tree.local
    even = np.cbrt(np.prod(s, axis=-1))
    turn, place, size = opened.turn_xyzw, np.zeros(3), 1.0
    for node in rig.above:
        place = place + quat.rotate(turn, size * t[node])
        turn = quat.mul(turn, r[node])
        size *= float(even[node])
    plain = writer.Tracks.of(clip)
    root = clip.skeleton.root
    rotations = plain.rotations  # an array of its own, without jumps between q and -q; a turn makes none
    if not np.array_equal(turn, quat.identity()):
        rotations[:, root] = quat.mul(quat.conj(turn), rotations[:, root].astype(np.float64))
    moves: dict[int, Any] = {root: quat.rotate(quat.conj(turn), clip.root_m - place) / size}
    sizes = np.ones(len(rig.joints))
    for j, (node, parent) in enumerate(zip(rig.joints, rig.parents, strict=True)):
        sizes[j] = (size if parent < 0 else sizes[parent]) * even[node]
    moves |= {j: v / sizes[rig.parents[j]] for j, v in plain.translations.items() if j != root}
    return writer.Tracks(rotations, moves, rig.joints)


def _gather(document: Document, out: dict[str, Any]) -> bytes:
    """All buffers and images of the document as one run of bytes; ``out`` is changed to point into it."""
    parts: list[bytes] = []
    starts: list[int] = []
    size = 0
    for i, buffer in enumerate(document.objects("buffers")):
        whole = document.buffer_bytes(i)[: document.integer(buffer, "byteLength", f"buffers[{i}]", low=1)]
        data = bytes(whole) + b"\0" * (-len(whole) % 4)
        starts.append(size)
        parts.append(data)
        size += len(data)
    if document.objects("bufferViews"):
        assert len(document.views) == len(out["bufferViews"])  # which checks them
    for view in out.get("bufferViews", ()):
        view["byteOffset"] = view.get("byteOffset", 0) + starts[view["buffer"]]
        view["buffer"] = 0
    for i, image in enumerate(out.get("images", ())):
        uri = image.get("uri") if isinstance(image, dict) else None
        if isinstance(uri, str) and not uri.startswith("data:"):
            file = document.sibling(uri, f"images[{i}].uri")
            kind = _IMAGE_TYPES.get(file.suffix.lower())
            if kind is None:
                raise unreadable(
                    document.path, f"is no image of a known kind: {uri[:80]}", json_path=f"images[{i}].uri"
                )
            data = read_bytes(file)
            out.setdefault("bufferViews", []).append({"buffer": 0, "byteOffset": size, "byteLength": len(data)})
            del image["uri"]
            image |= {"bufferView": len(out["bufferViews"]) - 1, "mimeType": kind}
            parts.append(data + b"\0" * (-len(data) % 4))
            size += len(parts[-1])
    return b"".join(parts)
