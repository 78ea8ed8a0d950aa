# SPDX-License-Identifier: Apache-2.0
"""Numbers that are finite and still no place in any scene: whose fault a failure is, once there is one.

MMCP sets no limit, and most models take a target a thousand kilometres away in their stride. Where the arithmetic
breaks on one that is further, the artist is told of the number and not that the model failed. Looked for after a
failure only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from motionmcp.schemas import GenerateRequest

from kineograph.errors import ErrorCode, KineographError, RequestError

FARTHEST = 1e6
"""Metres, or a quaternion's length: up to here nothing is called too large."""

Place = tuple[str | int, ...]
_HELD = frozenset(
    {"skeleton", "joints", "rest_translation", "rest_rotation", "segments", "rotations", "root_positions"}
    | {"constraints", "positions_xz", "heading_radians", "positions", "joint_rotations", "root_position", "points"}
)
"""Fields that hold places and turns, or what does."""


def explained(request: GenerateRequest, e: Exception) -> KineographError | None:
    """``e`` as what it is when a number of the request lies beyond ``FARTHEST``, else None."""
    if isinstance(e, KineographError) and e.code is not ErrorCode.INTERNAL_ERROR:
        return None
    found = next(_beyond(request.model_dump(), ()), None)
    if found is None:
        return None
    place, number = found
    text = f"{'.'.join(map(str, place))} is {number:g}: too far away to be worked with"
    details = {"where": {"path": list(place)}, "got": number, "allowed": [-FARTHEST, FARTHEST]}
    return RequestError(ErrorCode.SCHEMA_VALIDATION, text, details)


def _beyond(value: Any, place: Place) -> Iterator[tuple[Place, float]]:
    if isinstance(value, dict):
        named = not place or place[-1] != "joint_rotations"
        for key, item in value.items():
            if not named or not isinstance(key, str) or key in _HELD:
                yield from _beyond(item, (*place, key))
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from _beyond(item, (*place, i))
    elif isinstance(value, (int, float)) and not abs(value) <= FARTHEST:
        yield place, float(value)
