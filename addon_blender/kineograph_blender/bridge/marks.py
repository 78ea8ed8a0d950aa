# SPDX-License-Identifier: GPL-3.0-or-later
"""Marks on the user's objects: this curve is a path, this empty a pin or a waypoint, of that character.

A mark is a handful of custom properties. The character is an ID pointer, so that it survives renaming and file load,
follows a duplicated pair, and is empty once the character is gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import bpy

_ROLE = "kineograph_role"
_CHARACTER = "kineograph_character"
_FRAMES = "kineograph_frames"
_HEADING = "kineograph_heading"
_JOINT = "kineograph_joint"
_TURN = "kineograph_turn"
_TIMING = "kineograph_timing"
KEYS = (_ROLE, _CHARACTER, _FRAMES, _HEADING, _JOINT, _TURN, _TIMING)

Span = tuple[int, int]


class Heading(StrEnum):
    """Where a character on a path looks."""

    TANGENT = "tangent"
    FREE = "free"
    TILT = "tilt"
    """Along the tangent, turned by the curve's tilt: to the character's left where it is positive."""


class Timing(StrEnum):
    """When a character is where on a path."""

    EVEN = "even"
    """In equal steps of arc length from end to end."""
    CURVE = "curve"
    """Where the curve's own evaluation time stands, a share of its path duration: keys on it are frame markers."""


class Role(StrEnum):
    """What an object is marked as."""

    PATH = "path"
    PIN = "pin"
    WAYPOINT = "waypoint"


def mark_path(
    curve: Any,
    armature: Any,
    *,
    frames: Span | None = None,
    heading: Heading | str = Heading.TANGENT,
    timing: Timing | str = Timing.EVEN,
) -> None:
    """The character walks this curve from the first to the last of ``frames`` (default: the whole take)."""
    if curve.type != "CURVE":
        raise ValueError(f"{curve.name!r} is no curve")
    _mark(curve, Role.PATH, armature, frames)
    curve[_HEADING] = str(Heading(heading))
    curve[_TIMING] = str(Timing(timing))


def mark_waypoint(empty: Any, armature: Any, frame: int, *, facing: bool = False) -> None:
    """The character is at this place on the floor at ``frame``; with ``facing`` it looks along the object's -Y."""
    _mark(empty, Role.WAYPOINT, armature, (frame, frame))
    empty[_TURN] = facing


def mark_pin(empty: Any, armature: Any, joint: str, *, frames: Span | None = None, turn: bool = False) -> None:
    """A bone of the character is held at this empty; with ``turn`` the bone takes the empty's orientation too."""
    _mark(empty, Role.PIN, armature, frames)
    empty[_JOINT] = joint
    empty[_TURN] = turn


def let_go() -> None:
    """Marks of characters that were deleted point at nobody: a pointer alone would keep one of those in the file."""
    for marked in bpy.data.objects:
        character = marked.get(_CHARACTER)
        if character is None or not marked.is_editable:
            continue
        if not character.users_scene and not character.use_fake_user and character.asset_data is None:
            del marked[_CHARACTER]


def unmark(marked: Any) -> None:
    """The object is no mark any more."""
    for key in KEYS:
        if key in marked:
            del marked[key]


def paths_of(armature: Any, scene: Any) -> Iterator[Any]:
    """This character's curves in the scene."""
    return _marked(armature, scene, Role.PATH)


def pins_of(armature: Any, scene: Any) -> Iterator[Any]:
    """This character's pins in the scene."""
    return _marked(armature, scene, Role.PIN)


def waypoints_of(armature: Any, scene: Any) -> list[Any]:
    """This character's waypoints in the scene, by frame."""
    return sorted(_marked(armature, scene, Role.WAYPOINT), key=lambda w: (waypoint_frame(w), w.name))


def all_of(armature: Any, scene: Any) -> Iterator[tuple[Role, Any]]:
    """Everything of the scene that belongs to this character's direction, in one pass."""
    for candidate in scene.objects:
        role = role_of(candidate)
        if role is not None and candidate.get(_CHARACTER) == armature:
            yield role, candidate


def role_of(candidate: Any) -> Role | None:
    """What an object is marked as."""
    role = candidate.get(_ROLE)
    return Role(role) if role in tuple(Role) else None


def character_of(marked: Any) -> Any:
    """The armature that a mark belongs to; None once it is gone."""
    return marked.get(_CHARACTER)


def waypoint_frame(waypoint: Any) -> int:
    """When the character is there."""
    return (frames_of(waypoint) or (0, 0))[0]


def set_frames(marked: Any, frames: Span | None) -> None:
    """Name other frames, or none."""
    if frames is not None:
        marked[_FRAMES] = [int(frames[0]), int(frames[1])]
    elif _FRAMES in marked:
        del marked[_FRAMES]


def frames_of(marked: Any) -> Span | None:
    """The frames that the mark itself names."""
    span = marked.get(_FRAMES)
    return None if span is None else (int(span[0]), int(span[1]))


def heading_of(curve: Any) -> Heading:
    """Where the character looks on this path."""
    return Heading(curve.get(_HEADING, Heading.TANGENT))


def timing_of(curve: Any) -> Timing:
    """When the character is where on this path."""
    return Timing(curve.get(_TIMING, Timing.EVEN))


def joint_of(pin: Any) -> str:
    """The bone that is pinned."""
    return str(pin.get(_JOINT, ""))


def set_joint(pin: Any, joint: str) -> None:
    """Pin another bone."""
    pin[_JOINT] = joint


def turns(pin: Any) -> bool:
    """Whether a pin holds the bone's orientation too, or a waypoint the character's facing."""
    return bool(pin.get(_TURN, False))


def _mark(marked: Any, role: Role, armature: Any, frames: Span | None) -> None:
    unmark(marked)
    marked[_ROLE] = str(role)
    marked[_CHARACTER] = armature
    set_frames(marked, frames)


def _marked(armature: Any, scene: Any, role: Role) -> Iterator[Any]:
    for candidate in scene.objects:
        if candidate.get(_ROLE) == role and candidate.get(_CHARACTER) == armature:
            yield candidate
