# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves as root paths: the evaluated curve, all its splines, in equal steps of arc length."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from kineograph.errors import ErrorCode, error

from .frame import Frame
from .marks import Heading
from .places import where

FloatArray = NDArray[np.floating[Any]]

_SHORTEST_BU = 1e-4


def points_bu(curve: Any) -> FloatArray:
    """The drawn line of a curve object as world points (N, 3): modifiers and every spline included, in order.

    Raises ``schema_validation`` naming the curve when it has no length.
    """
    depsgraph = bpy.context.evaluated_depsgraph_get()
    with _thin(curve) as line:
        shown = line.evaluated_get(depsgraph) if line is curve else line
        mesh = shown.to_mesh()
        try:
            co = np.empty(len(mesh.vertices) * 3, np.float32)
            mesh.vertices.foreach_get("co", co)
            edges = np.empty(len(mesh.edges) * 2, np.int32)
            mesh.edges.foreach_get("vertices", edges)
        finally:
            shown.to_mesh_clear()
    local = _walk(co.reshape(-1, 3).astype(float), edges.reshape(-1, 2))
    world = np.array(curve.evaluated_get(depsgraph).matrix_world, float)
    out = local @ world[:3, :3].T + world[:3, 3]
    if len(out) < 2 or not np.isfinite(out).all() or _lengths(out)[-1] < _SHORTEST_BU:
        raise error(
            ErrorCode.SCHEMA_VALIDATION,
            f"the path {curve.name!r} has no length",
            {"where": where("path", curve.name, ""), "got": len(out), "errors": []},
        )
    return np.asarray(out)


def along(points: FloatArray, steps: int) -> tuple[FloatArray, FloatArray]:
    """``steps`` places (steps, 3) at equal arc length from end to end, and the unit tangents there."""
    done = _lengths(points)
    at = np.linspace(0.0, done[-1], steps)
    places = np.stack([np.interp(at, done, points[:, i]) for i in range(3)], axis=-1)
    # One tangent per piece, read at the piece's middle and blended between: a polyline's corners would snap.
    middles = 0.5 * (done[1:] + done[:-1])
    pieces = np.diff(points, axis=0) / np.diff(done)[:, None]
    tangents = np.stack([np.interp(at, middles, pieces[:, i]) for i in range(3)], axis=-1)
    return places, tangents


def constraint(curve: Any, frame: Frame, frames: list[int], heading: Heading) -> dict[str, Any]:
    """An MMCP ``root_path`` over ``frames`` of the request."""
    places, tangents = along(points_bu(curve), len(frames))
    flat = frame.points_m(places)[:, [0, 2]]
    out: dict[str, Any] = {"type": "root_path", "frames": frames, "positions_xz": flat.tolist()}
    if heading is Heading.TANGENT:
        ahead = frame.points_m(places + tangents) - frame.points_m(places)
        out["heading_radians"] = np.unwrap(np.arctan2(ahead[:, 0], ahead[:, 2])).tolist()
    return out


class _thin:
    """The curve without bevel and extrusion, which would turn its line into a tube.

    A plain curve is used as it is. Otherwise a stand-in outside every scene is measured and removed again, so that
    the user's curve is never written; it shows no modifiers.
    """

    def __init__(self, curve: Any) -> None:
        self._curve = curve
        self._made: Any = None

    def __enter__(self) -> Any:
        data = self._curve.data
        if data.bevel_depth == 0.0 and data.extrude == 0.0 and data.bevel_object is None:
            return self._curve
        self._made = self._curve.copy()
        self._made.data = data.copy()
        self._made.data.bevel_depth = self._made.data.extrude = 0.0
        self._made.data.bevel_object = None
        return self._made

    def __exit__(self, *_: object) -> None:
        if self._made is not None:
            data = self._made.data
            bpy.data.objects.remove(self._made)
            bpy.data.curves.remove(data)


def _walk(co: FloatArray, edges: NDArray[np.int32]) -> FloatArray:
    """Vertices in order; a closed spline comes back to its start. Doubled places are dropped."""
    order: list[int] = []
    start = 0
    ends = {(int(a), int(b)) for a, b in edges} | {(int(b), int(a)) for a, b in edges}
    for i in range(len(co)):
        order.append(i)
        if i + 1 == len(co) or (i, i + 1) not in ends:
            if i - start > 1 and (i, start) in ends:
                order.append(start)
            start = i + 1
    line = co[order]
    if len(line) < 2:
        return line
    step = np.linalg.norm(np.diff(line, axis=0), axis=-1)
    kept: FloatArray = line[np.concatenate([[True], step > 1e-9])]
    return kept


def _lengths(points: FloatArray) -> FloatArray:
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=-1))])
