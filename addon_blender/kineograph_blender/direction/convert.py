# SPDX-License-Identifier: GPL-3.0-or-later
"""A path as waypoints, and waypoints as a path: the same places at the same frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from kineograph.errors import ErrorCode, KineographError, error

from .. import compat
from ..bridge import marks, paths, waypoints
from ..bridge.marks import Heading, Timing
from ..bridge.places import where

FloatArray = NDArray[np.floating[Any]]

_AHEAD_RAD = 0.05
"""Waypoints that look along the way between them to about three degrees make a path without tilt."""


def add_waypoint(
    armature: Any, scene: Any, place_bu: Sequence[float], frame: int, ahead_bu: Sequence[float] | None = None
) -> Any:
    """A new marker on the floor; ``ahead_bu`` is where the character looks, None leaves that free."""
    marker = bpy.data.objects.new(f"{armature.name} {frame}", None)
    marker.empty_display_type = "SINGLE_ARROW" if ahead_bu is None else "ARROWS"
    marker.empty_display_size = 0.3
    marker.location = place_bu
    if ahead_bu is not None:
        # A marker looks along its -Y, as characters are modelled.
        marker.rotation_euler = (0.0, 0.0, float(np.arctan2(ahead_bu[0], -ahead_bu[1])))
    scene.collection.objects.link(marker)
    marks.mark_waypoint(marker, armature, frame, facing=ahead_bu is not None)
    return marker


def to_waypoints(curve: Any, scene: Any, frames: Sequence[int]) -> list[Any]:
    """Waypoints where the character of a path is at ``frames``; the curve stays and is no path any more."""
    armature = marks.character_of(curve)
    if armature is None:
        raise _nobodys(curve)
    span = marks.frames_of(curve) or (min(frames), max(frames))
    every = np.arange(span[0], span[1] + 1)
    drawn = paths.line(curve)
    at = np.interp(np.array(frames, float), every, paths.shares(curve, every.astype(float), marks.timing_of(curve)))
    places, ahead = paths.along(drawn.points_bu, at)
    heading = marks.heading_of(curve)
    if heading is Heading.TILT:
        ahead = np.stack(_turned(ahead, paths.tilts_rad(drawn, at)), axis=-1)
    made = [
        add_waypoint(armature, scene, place, int(frame), None if heading is Heading.FREE else way)
        for frame, place, way in zip(frames, places, ahead, strict=True)
    ]
    marks.unmark(curve)
    return made


def to_path(armature: Any, scene: Any) -> Any:
    """A curve through a character's waypoints, with their frames as keys of its evaluation time.

    Where all of them have a facing it becomes the curve's tilt, unless all look along the way. The markers stay and are
    waypoints no more. Raises ``schema_validation`` for fewer than two.
    """
    markers = marks.waypoints_of(armature, scene)
    points, _ = waypoints.sift([waypoints.read(m) for m in markers], (-(2**30), 2**30))
    if len(points) < 2:
        raise error(
            ErrorCode.SCHEMA_VALIDATION,
            f"{armature.name!r} has {len(points)} waypoints; a path needs two",
            {"where": where("character", armature.name, armature.name), "got": len(points), "errors": []},
        )
    curve = _curve(armature, scene, [p.place_bu for p in points])
    frames = [p.frame for p in points]
    shares = _shares_at(curve, [p.place_bu for p in points])
    _time(curve, frames, shares)
    facings = [p.ahead_bu for p in points if p.ahead_bu is not None]
    heading = Heading.FREE if len(facings) < len(points) else _tilt(curve, shares, np.array(facings))
    marks.mark_path(curve, armature, frames=(frames[0], frames[-1]), heading=heading, timing=Timing.CURVE)
    for marker in markers:
        marks.unmark(marker)
    return curve


def _curve(armature: Any, scene: Any, places: Sequence[Any]) -> Any:
    data = bpy.data.curves.new(f"{armature.name} path", "CURVE")
    data.dimensions = "3D"
    spline = data.splines.new("BEZIER")
    spline.bezier_points.add(len(places) - 1)
    for point, place in zip(spline.bezier_points, places, strict=True):
        point.co = Vector(place)
        point.handle_left_type = point.handle_right_type = "AUTO"
    curve = bpy.data.objects.new(data.name, data)
    scene.collection.objects.link(curve)
    bpy.context.view_layer.update()
    return curve


def _tilt(curve: Any, shares: Sequence[float], facings: FloatArray) -> Heading:
    """Turn the curve's points so that the character looks along ``facings`` (N, 3) there, if that is not ahead."""
    _, ahead = paths.along(paths.points_bu(curve), np.array(shares))
    off = np.arctan2(facings[:, 1], facings[:, 0]) - np.arctan2(ahead[:, 1], ahead[:, 0])
    # From point to point the shorter way round, beginning within half a turn.
    tilts = np.unwrap(np.concatenate([[0.0], off]))[1:]
    if np.abs(tilts).max() < _AHEAD_RAD:
        return Heading.TANGENT
    for point, tilt in zip(curve.data.splines[0].bezier_points, tilts, strict=True):
        point.tilt = float(tilt)
    return Heading.TILT


def _turned(ahead: FloatArray, angles_rad: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Directions (N, 3) turned about the vertical, as components."""
    c, s = np.cos(angles_rad), np.sin(angles_rad)
    return c * ahead[:, 0] - s * ahead[:, 1], s * ahead[:, 0] + c * ahead[:, 1], ahead[:, 2]


def _shares_at(curve: Any, places: Sequence[Any]) -> list[float]:
    """How far along the curve its control points are."""
    line = paths.points_bu(curve)
    done = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=-1))])
    out, at = [], 0
    for place in places:
        # In order: a way that crosses itself passes a place twice.
        at += int(np.argmin(np.linalg.norm(line[at:] - np.asarray(place), axis=-1)))
        out.append(float(done[at] / done[-1]))
    return out


def _time(curve: Any, frames: Sequence[int], shares: Sequence[float]) -> None:
    data = curve.data
    data.path_duration = max(frames[-1] - frames[0], 1)
    owner = data.animation_data_create()
    action = bpy.data.actions.new(f"{curve.name} timing")
    slot = action.slots.new(id_type="CURVE", name=data.name) if compat.HAS_SLOTS else None
    compat.bind(owner, action, slot)
    made = compat.new_curve(compat.ensure_curve_list(action, slot), action, slot, "eval_time", 0, "Timing")
    for frame, share in zip(frames, shares, strict=True):
        made.keyframe_points.insert(frame, share * data.path_duration).interpolation = "LINEAR"
    made.update()


def _nobodys(curve: Any) -> KineographError:
    return error(
        ErrorCode.SCHEMA_VALIDATION,
        f"{curve.name!r} is no character's path",
        {"where": where("path", curve.name, ""), "got": None, "errors": []},
    )
