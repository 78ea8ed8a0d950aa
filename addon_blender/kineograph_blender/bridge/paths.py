# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves as root paths: the evaluated curve, all its splines, by arc length or by its own frame markers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from kineograph.errors import ErrorCode, error

from .. import compat
from .frame import Frame
from .marks import Heading, Timing
from .places import where

FloatArray = NDArray[np.floating[Any]]

_SHORTEST_BU = 1e-4


@dataclass(frozen=True, eq=False)
class Line:
    """A curve's drawn line: world ``points_bu`` (N, 3) and the ``tilt_rad`` (N,) there."""

    points_bu: FloatArray
    tilt_rad: FloatArray


def points_bu(curve: Any) -> FloatArray:
    """The drawn line of a curve object as world points (N, 3); as ``line``."""
    return line(curve).points_bu


def line(curve: Any) -> Line:
    """The drawn line of a curve object: modifiers and every spline included, in order.

    Raises ``schema_validation`` naming the curve when it has no length.
    """
    depsgraph = bpy.context.evaluated_depsgraph_get()
    with _thin(curve) as thin:
        shown = thin.evaluated_get(depsgraph) if thin is curve else thin
        mesh = shown.to_mesh()
        try:
            co = np.empty(len(mesh.vertices) * 3, np.float32)
            mesh.vertices.foreach_get("co", co)
            edges = np.empty(len(mesh.edges) * 2, np.int32)
            mesh.edges.foreach_get("vertices", edges)
        finally:
            shown.to_mesh_clear()
    local = co.reshape(-1, 3).astype(float)
    strands = _strands(len(local), edges.reshape(-1, 2))
    order = np.array([i for strand in strands for i in strand], int)
    tilts = np.concatenate([np.empty(0), *_tilts(curve.data.splines, strands)])
    world = np.array(curve.evaluated_get(depsgraph).matrix_world, float)
    out = local[order] @ world[:3, :3].T + world[:3, 3]
    if len(out) > 1:
        apart = np.concatenate([[True], np.linalg.norm(np.diff(out, axis=0), axis=-1) > 1e-9])
        out, tilts = out[apart], tilts[apart]
    if len(out) < 2 or not np.isfinite(out).all() or _lengths(out)[-1] < _SHORTEST_BU:
        raise error(
            ErrorCode.SCHEMA_VALIDATION,
            f"the path {curve.name!r} has no length",
            {"where": where("path", curve.name, ""), "got": len(out), "errors": []},
        )
    return Line(out, tilts)


def along(points: FloatArray, at: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Places (S, 3) at shares ``at`` (S,) of the arc length, 0 to 1, and the tangents there."""
    done = _lengths(points)
    there = np.asarray(at, float) * done[-1]
    places = np.stack([np.interp(there, done, points[:, i]) for i in range(3)], axis=-1)
    # One tangent per piece, read at the piece's middle and blended between: a polyline's corners would snap.
    middles = 0.5 * (done[1:] + done[:-1])
    pieces = np.diff(points, axis=0) / np.diff(done)[:, None]
    tangents = np.stack([np.interp(there, middles, pieces[:, i]) for i in range(3)], axis=-1)
    return places, tangents


def tilts_rad(drawn: Line, at: FloatArray) -> FloatArray:
    """The curve's tilt at shares ``at`` (S,) of its length."""
    done = _lengths(drawn.points_bu)
    return np.asarray(np.interp(np.asarray(at, float) * done[-1], done, drawn.tilt_rad))


def shares(curve: Any, frames: FloatArray, timing: Timing) -> FloatArray:
    """How far along the curve the character is at scene ``frames`` (S,), as shares (S,) of its length."""
    keyed = evaluation_curve(curve) if timing is Timing.CURVE else None
    if keyed is None:
        return np.linspace(0.0, 1.0, len(frames))
    duration = max(float(curve.data.path_duration), 1.0)
    return np.clip(np.array([keyed.evaluate(float(f)) for f in frames]) / duration, 0.0, 1.0)


def evaluation_curve(curve: Any) -> Any:
    """The F-curve of the curve's evaluation time: its keys are frame markers. None without keys."""
    data = curve.data.animation_data
    found = [] if data is None else compat.curves(data.action, compat.slot_of(data))
    return next((c for c in found if c.data_path == "eval_time" and len(c.keyframe_points)), None)


def headings_rad(frame: Frame, places_bu: FloatArray, tangents_bu: FloatArray) -> FloatArray:
    """Headings (S,) in the request's frame of world directions, without jumps."""
    ahead = frame.points_m(places_bu + tangents_bu) - frame.points_m(places_bu)
    return np.asarray(np.unwrap(np.arctan2(ahead[:, 0], ahead[:, 2])))


def constraint(
    curve: Any, frame: Frame, scene_frames: list[int], first: int, heading: Heading, timing: Timing = Timing.EVEN
) -> dict[str, Any]:
    """An MMCP ``root_path`` over scene frames; ``first`` is the request's frame 0."""
    drawn = line(curve)
    at = shares(curve, np.array(scene_frames, float), timing)
    places, tangents = along(drawn.points_bu, at)
    flat = frame.points_m(places)[:, [0, 2]]
    frames = [f - first for f in scene_frames]
    out: dict[str, Any] = {"type": "root_path", "frames": frames, "positions_xz": flat.tolist()}
    if heading is not Heading.FREE:
        headings = headings_rad(frame, places, tangents)
        if heading is Heading.TILT:
            headings = headings + tilts_rad(drawn, at)
        out["heading_radians"] = headings.tolist()
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


def _strands(count: int, edges: NDArray[np.int32]) -> list[list[int]]:
    """Vertex indices of each spline in order; a closed one comes back to its start."""
    out: list[list[int]] = []
    start = 0
    ends = {(int(a), int(b)) for a, b in edges} | {(int(b), int(a)) for a, b in edges}
    for i in range(count):
        if i + 1 == count or (i, i + 1) not in ends:
            strand = list(range(start, i + 1))
            if i - start > 1 and (i, start) in ends:
                strand.append(start)
            out.append(strand)
            start = i + 1
    return out


def _tilts(splines: Any, strands: list[list[int]]) -> list[FloatArray]:
    """The tilt of each strand's vertices, from the control points of its spline. Zero where modifiers changed them."""
    if len(splines) != len(strands):
        return [np.zeros(len(strand)) for strand in strands]
    out = []
    for spline, strand in zip(splines, strands, strict=True):
        points = spline.bezier_points if spline.type == "BEZIER" else spline.points
        tilts = [p.tilt for p in points]
        if spline.use_cyclic_u:
            tilts.append(tilts[0])
        # Vertices stand evenly between control points: exact for Bezier and poly, near for NURBS.
        out.append(np.interp(np.linspace(0, 1, len(strand)), np.linspace(0, 1, len(tilts)), tilts))
    return out


def _lengths(points: FloatArray) -> FloatArray:
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=-1))])
