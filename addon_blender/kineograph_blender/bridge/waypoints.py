# SPDX-License-Identifier: GPL-3.0-or-later
"""Waypoints: the character is at a place on the floor at a frame, facing somewhere if wished; the way is free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from . import marks
from .frame import Frame

FloatArray = NDArray[np.floating[Any]]

_FORWARD = np.array([0.0, -1.0, 0.0])
"""Blender's characters are modelled facing -Y, and so is a marker that is not turned."""


@dataclass(frozen=True, eq=False)
class Waypoint:
    """One waypoint as it was read: ``place_bu`` (3,) and ``ahead_bu`` (3,) in world axes, None for a free facing."""

    name: str
    frame: int
    place_bu: FloatArray
    ahead_bu: FloatArray | None


def read(marker: Any) -> Waypoint:
    """A marker as it stands at the current frame."""
    shown = marker.evaluated_get(bpy.context.evaluated_depsgraph_get())
    world = np.array(shown.matrix_world, float)
    ahead = world[:3, :3] @ _FORWARD if marks.turns(marker) else None
    return Waypoint(marker.name, marks.waypoint_frame(marker), world[:3, 3], ahead)


def sift(found: Sequence[Waypoint], span: tuple[int, int]) -> tuple[list[Waypoint], dict[str, str]]:
    """Those that can be sent, by frame, and why others cannot."""
    kept: dict[int, Waypoint] = {}
    out: dict[str, str] = {}
    for point in sorted(found, key=lambda w: w.frame):
        if not span[0] <= point.frame <= span[1]:
            out[point.name] = f"its frame {point.frame} is outside the range {span[0]}-{span[1]}"
        elif point.frame in kept:
            out[point.name] = f"the character is at {kept[point.frame].name!r} at frame {point.frame}"
        elif not np.isfinite(point.place_bu).all():
            out[point.name] = "it has no place"
        else:
            if point.ahead_bu is not None and _is_upright(point.ahead_bu):
                out[f"{point.name}'s facing"] = "the marker looks straight up or down"
                point = Waypoint(point.name, point.frame, point.place_bu, None)
            kept[point.frame] = point
    return list(kept.values()), out


def _is_upright(ahead: FloatArray) -> bool:
    return float(np.linalg.norm(ahead[:2])) <= 1e-5 * float(np.linalg.norm(ahead))


def constraints(points: Sequence[Waypoint], frame: Frame, first: int) -> list[tuple[dict[str, Any], list[str]]]:
    """MMCP ``root_path`` constraints and the names behind them: those without and those with a facing."""
    out = []
    for some in ([p for p in points if p.ahead_bu is None], [p for p in points if p.ahead_bu is not None]):
        if not some:
            continue
        places = np.array([p.place_bu for p in some])
        item: dict[str, Any] = {
            "type": "root_path",
            "frames": [p.frame - first for p in some],
            "positions_xz": frame.points_m(places)[:, [0, 2]].tolist(),
        }
        if some[0].ahead_bu is not None:
            ahead = frame.points_m(places + np.array([p.ahead_bu for p in some])) - frame.points_m(places)
            item["heading_radians"] = np.unwrap(np.arctan2(ahead[:, 0], ahead[:, 2])).tolist()
        out.append((item, [p.name for p in some]))
    return out
