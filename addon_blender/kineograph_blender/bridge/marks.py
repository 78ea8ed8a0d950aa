# SPDX-License-Identifier: GPL-3.0-or-later
"""Marks on the user's objects: this curve is a path, this empty is a pin, and both belong to that character.

A mark is a handful of custom properties. The character is an ID pointer, so that it survives renaming and file load,
follows a duplicated pair, and is empty once the character is gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

_ROLE = "kineograph_role"
_CHARACTER = "kineograph_character"
_FRAMES = "kineograph_frames"
_HEADING = "kineograph_heading"
_JOINT = "kineograph_joint"
_TURN = "kineograph_turn"
KEYS = (_ROLE, _CHARACTER, _FRAMES, _HEADING, _JOINT, _TURN)

Span = tuple[int, int]


class Heading(StrEnum):
    """Where a character on a path looks."""

    TANGENT = "tangent"
    FREE = "free"


def mark_path(
    curve: Any, armature: Any, *, frames: Span | None = None, heading: Heading | str = Heading.TANGENT
) -> None:
    """The character walks this curve from the first to the last of ``frames`` (default: the whole take)."""
    if curve.type != "CURVE":
        raise ValueError(f"{curve.name!r} is no curve")
    _mark(curve, "path", armature, frames)
    curve[_HEADING] = str(Heading(heading))


def mark_pin(empty: Any, armature: Any, joint: str, *, frames: Span | None = None, turn: bool = False) -> None:
    """A bone of the character is held at this empty; with ``turn`` the bone takes the empty's orientation too."""
    _mark(empty, "pin", armature, frames)
    empty[_JOINT] = joint
    empty[_TURN] = turn


def unmark(marked: Any) -> None:
    """The object is no mark any more."""
    for key in KEYS:
        if key in marked:
            del marked[key]


def paths_of(armature: Any, scene: Any) -> Iterator[Any]:
    """This character's curves in the scene."""
    return _marked(armature, scene, "path")


def pins_of(armature: Any, scene: Any) -> Iterator[Any]:
    """This character's pins in the scene."""
    return _marked(armature, scene, "pin")


def frames_of(marked: Any) -> Span | None:
    """The frames that the mark itself names."""
    span = marked.get(_FRAMES)
    return None if span is None else (int(span[0]), int(span[1]))


def heading_of(curve: Any) -> Heading:
    """Where the character looks on this path."""
    return Heading(curve.get(_HEADING, Heading.TANGENT))


def joint_of(pin: Any) -> str:
    """The bone that is pinned."""
    return str(pin.get(_JOINT, ""))


def turns(pin: Any) -> bool:
    """Whether the pin holds the bone's orientation too."""
    return bool(pin.get(_TURN, False))


def _mark(marked: Any, role: str, armature: Any, frames: Span | None) -> None:
    unmark(marked)
    marked[_ROLE] = role
    marked[_CHARACTER] = armature
    if frames is not None:
        marked[_FRAMES] = [int(frames[0]), int(frames[1])]


def _marked(armature: Any, scene: Any, role: str) -> Iterator[Any]:
    for candidate in scene.objects:
        if candidate.get(_ROLE) == role and candidate.get(_CHARACTER) == armature:
            yield candidate
