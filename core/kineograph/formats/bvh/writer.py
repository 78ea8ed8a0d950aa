# SPDX-License-Identifier: Apache-2.0
"""A skeleton and at most one clip to BVH, with a world-aligned rest pose.

BVH has no rest rotations, so the file carries the world-aligned form: its zero pose is the rest pose as it looks.
A leaf joint called ``<parent>_end`` that never turns is written as the End Site that it once was.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kineograph.formats import fit
from kineograph.formats.bvh import numbers
from kineograph.motion import axes, euler, quat, rest
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]

_STILL_RAD = 1e-6
_MOVED_M = 1e-6
_DEFAULT_FPS_HZ = 30.0
_LINES_AT_ONCE = 64  # what fits into a processor's cache


def write(
    path: str | Path,
    skeleton: Skeleton,
    clip: Clip | None = None,
    *,
    units_per_metre: float = 1.0,
    order: str = "ZYX",
    up: Literal["y", "z"] = "y",
) -> None:
    """Write ``clip`` (None: one frame of rest). ``order`` is one of ``euler.ORDERS``; lengths are multiplied.

    Joints stand depth first in the file. A joint that moves against its parent gets position channels too.
    """
    if order not in euler.ORDERS:
        raise ValueError(f"order is one of {', '.join(euler.ORDERS)}, got {order!r}")
    clip = rest.align_clip(fit.onto(skeleton, clip) if clip is not None else _rest_clip(skeleton))
    clip = axes.clip_z_up_from_y_up(clip) if up == "z" else clip
    skeleton = clip.skeleton
    ends = _end_sites(clip)
    moving = _moving(clip)
    sequence = [j for j in _depth_first(skeleton) if j not in ends]
    lines = ["HIERARCHY", *_hierarchy(skeleton, ends, moving, units_per_metre, order)]
    lines += ["MOTION", f"Frames: {len(clip)}", f"Frame Time: {1.0 / clip.fps_hz:.10f}"]
    values, decimals = _values(clip, sequence, moving, units_per_metre, order)
    with open(path, "wb") as file:
        file.write(("\n".join(lines) + "\n").encode("utf-8"))
        for start in range(0, len(values), _LINES_AT_ONCE):
            file.write(_lines(values[start : start + _LINES_AT_ONCE], decimals))


def _lines(values: FloatArray, decimals: IntArray) -> bytes:
    """Frames (T, C) as lines of text."""
    text = numbers.rows(values, decimals)
    if text is None:
        row = " ".join(f"%.{places}f" for places in decimals.tolist()) + "\n"
        text = "".join(row % tuple(frame) for frame in values.tolist()).encode("ascii")
    return text


def _rest_clip(skeleton: Skeleton) -> Clip:
    root_m = skeleton.rest_translations_m[skeleton.root][None]
    return Clip(skeleton, _DEFAULT_FPS_HZ, skeleton.rest_rotations_xyzw[None], root_m)


def _end_sites(clip: Clip) -> set[int]:
    """Leaves that a reader will make again out of an End Site."""
    skeleton = clip.skeleton
    out: set[int] = set()
    for j, p in enumerate(skeleton.parents.tolist()):
        if p < 0 or skeleton.children[j] or skeleton.names[j] != f"{skeleton.names[p]}_end":
            continue
        alone = len(skeleton.children[p]) == 1 and bool(np.any(skeleton.rest_translations_m[j]))
        turns = float(np.max(quat.angle_between_rad(quat.IDENTITY_XYZW, clip.rotations_xyzw[:, j]), initial=0.0))
        if alone and turns < _STILL_RAD:
            out.add(j)
    return out - _moving(clip)


def _moving(clip: Clip) -> set[int]:
    """The root, and every joint whose translation leaves its rest."""
    root = clip.skeleton.root
    if clip.translations_m is None:
        return {root}
    far = np.abs(clip.translations_m - clip.skeleton.rest_translations_m).max(axis=(0, 2), initial=0.0)
    return {root} | set(np.flatnonzero(far > _MOVED_M).tolist())


def _depth_first(skeleton: Skeleton) -> list[int]:
    stack, out = [skeleton.root], []
    while stack:
        joint = stack.pop()
        out.append(joint)
        stack.extend(reversed(skeleton.children[joint]))
    return out


def _hierarchy(skeleton: Skeleton, ends: set[int], moving: set[int], scale: float, order: str) -> list[str]:
    lines: list[str] = []
    names = _names(skeleton)
    depth = np.zeros(len(skeleton), int)
    opened: list[int] = []

    def close(down_to: int) -> None:
        while opened and depth[opened[-1]] >= down_to:
            lines.append("\t" * int(depth[opened.pop()]) + "}")

    for j in _depth_first(skeleton):
        p = int(skeleton.parents[j])
        depth[j] = 0 if p < 0 else depth[p] + 1
        close(int(depth[j]))
        pad = "\t" * int(depth[j])
        opened.append(j)
        head = "End Site" if j in ends else f"{'ROOT' if p < 0 else 'JOINT'} {names[j]}"
        offset = " ".join(f"{x * scale:.9g}" for x in skeleton.rest_translations_m[j].tolist())
        lines += [pad + head, pad + "{", f"{pad}\tOFFSET {offset}"]
        if j in ends:
            continue
        turns = " ".join(f"{axis}rotation" for axis in order)
        lines.append(
            f"{pad}\tCHANNELS 6 Xposition Yposition Zposition {turns}" if j in moving else f"{pad}\tCHANNELS 3 {turns}"
        )
        if not skeleton.children[j]:
            lines += [f"{pad}\tEnd Site", f"{pad}\t{{", f"{pad}\t\tOFFSET 0 0 0", f"{pad}\t}}"]
    close(0)
    return lines


def _names(skeleton: Skeleton) -> list[str]:
    """Names as single-spaced words: BVH has no quotes, so what would end a name becomes an underscore."""
    out: list[str] = []
    for name in skeleton.names:
        plain = " ".join("".join("_" if c in "{}" or ord(c) < 32 else c for c in name).split()) or "_"
        out.append(plain if plain not in out else f"{plain}_{len(out)}")
    return out


def _values(clip: Clip, sequence: list[int], moving: set[int], scale: float, order: str) -> tuple[FloatArray, IntArray]:
    """Channel values (T, C) in the file's order, and how many decimals each channel has (C,)."""
    degrees = np.rad2deg(euler.continuous(euler.from_quat(clip.rotations_xyzw[:, sequence], order)))
    columns: list[FloatArray] = []
    decimals: list[int] = []
    for i, joint in enumerate(sequence):
        if joint in moving:
            moved = clip.translations_m
            position = clip.root_m if moved is None or joint == clip.skeleton.root else moved[:, joint]
            columns.append(position * scale)
            decimals += [7] * 3
        columns.append(degrees[:, i])
        decimals += [6] * 3
    return np.concatenate(columns, axis=1), np.array(decimals)
