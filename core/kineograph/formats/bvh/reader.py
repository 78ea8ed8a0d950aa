# SPDX-License-Identifier: Apache-2.0
"""BVH to an asset.

Rest rotations are the identity, as BVH has none. Position channels replace the OFFSET (as Blender writes and reads
them). An End Site of some length becomes a leaf joint ``<parent>_end``; one of no length is dropped.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kineograph.formats import units
from kineograph.formats.asset import Asset, Source
from kineograph.formats.bvh import frames as motion
from kineograph.formats.bvh import hierarchy
from kineograph.formats.failure import MAX_VALUES, incomplete, read_bytes, unreadable
from kineograph.motion import euler, quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]

_MOTION = re.compile(rb"^[^\S\n]*MOTION\b", re.IGNORECASE | re.MULTILINE)
_MOVED_M = 1e-6  # a position channel that only repeats the offset is no translation


def read(
    path: str | Path,
    *,
    metres_per_unit: float | None = None,
    up: Literal["y", "z"] | None = "y",
    end_sites: bool = True,
) -> Asset:
    """The skeleton and its clip (none for a file of 0 frames), y up, in metres.

    ``metres_per_unit`` None guesses centimetres, millimetres or CMU units from a rest pose too large for metres and
    says so in ``source.notes``. ``up="z"`` turns a z-up file (as Blender may write), None looks how the body stands.
    Raises ``file_unreadable`` and ``file_incomplete`` with the line.
    """
    path = Path(path)
    data = read_bytes(path).removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    split = _MOTION.search(data)
    head = data[: split.start()] if split else data
    all_nodes = hierarchy.parse(path, _text(path, head))
    if split is None:
        raise incomplete(path, "has no MOTION section", line=head.count(b"\n") + 1)
    channels = sum(len(node.channels) for node in all_nodes)
    fps_hz, values = motion.parse(path, data[split.end() :], head.count(b"\n") + 1, channels)

    nodes = _kept(all_nodes, end_sites)
    if len(values) * len(nodes) > MAX_VALUES:
        said = f"{len(values)} frames of {len(nodes)} joints are too many"
        raise unreadable(path, said, got=len(values), allowed=MAX_VALUES // len(nodes))
    skeleton = _skeleton(nodes)
    clips: tuple[Clip, ...] = ()
    if len(values):
        clips = (_clip(path, skeleton, nodes, values, fps_hz),)
    asset = units.in_metres(Asset(skeleton, clips, Source(path, "bvh")), metres_per_unit)
    return units.upright(asset, up)


def _text(path: Path, head: bytes) -> str:
    if b"\0" in head:
        raise unreadable(path, "is no text file", line=head.count(b"\n", 0, head.index(b"\0")) + 1)
    try:
        return head.decode("utf-8")
    except UnicodeDecodeError:
        return head.decode("latin-1")


def _kept(nodes: list[hierarchy.Node], end_sites: bool) -> list[hierarchy.Node]:
    """Nodes that become joints, parents renumbered. A name that is taken is not given to an End Site."""
    taken = {node.name for node in nodes if not node.is_end}
    new: dict[int, int] = {-1: -1}
    kept: list[hierarchy.Node] = []
    for i, node in enumerate(nodes):
        if node.is_end and (not end_sites or node.name in taken or not any(node.offset)):
            continue
        taken.add(node.name)
        new[i] = len(kept)
        node.parent = new[node.parent]
        kept.append(node)
    return kept


def _skeleton(nodes: list[hierarchy.Node]) -> Skeleton:
    return Skeleton.build([n.name for n in nodes], [n.parent for n in nodes], [n.offset for n in nodes])


def _clip(path: Path, skeleton: Skeleton, nodes: list[hierarchy.Node], values: FloatArray, fps_hz: float) -> Clip:
    rotations = quat.identity(len(values), len(nodes))
    rest_m = skeleton.rest_translations_m
    positions: dict[int, FloatArray] = {}  # of joints with position channels
    turns: dict[str, tuple[list[int], list[list[int]]]] = {}
    column = 0
    for j, node in enumerate(nodes):
        columns = range(column, column + len(node.channels))
        column += len(node.channels)
        for c, (axis, kind) in zip(columns, node.channels, strict=True):
            if kind == "position":
                place = positions.setdefault(j, np.tile(rest_m[j], (len(values), 1)))
                place[:, "XYZ".index(axis)] = values[:, c]
        joints, rows = turns.setdefault(node.order, ([], []))
        joints.append(j)
        rows.append([c for c, (_, kind) in zip(columns, node.channels, strict=True) if kind == "rotation"])
    for order, (joints, rows) in turns.items():
        if order:
            rotations[:, joints] = euler.to_quat(np.deg2rad(values[:, np.array(rows)]), order)
    root_m = positions.pop(skeleton.root, np.tile(rest_m[skeleton.root], (len(values), 1)))
    moved: FloatArray | None = None
    if any(np.abs(place - rest_m[j]).max() > _MOVED_M for j, place in positions.items()):
        moved = np.broadcast_to(rest_m, (len(values), len(nodes), 3)).copy()
        for j, place in {**positions, skeleton.root: root_m}.items():
            moved[:, j] = place
    return Clip(
        skeleton,
        fps_hz,
        quat.continuous(rotations),
        root_m,
        name=path.stem,
        translations_m=moved,
    )
