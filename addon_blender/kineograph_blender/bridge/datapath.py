# SPDX-License-Identifier: GPL-3.0-or-later
"""Data paths of bone channels, read and written: names may hold quotes, backslashes and brackets."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import bpy

_PATH = re.compile(r'pose\.bones\["((?:[^"\\]|\\.)*)"\](?:\.(\w+)|(\[.*\]))$', re.DOTALL)

ROTATION_PROPS = ("rotation_quaternion", "rotation_euler", "rotation_axis_angle")
TRANSFORM_PROPS = ("location", *ROTATION_PROPS, "scale")
AT_REST = {
    "location": (0.0, 0.0, 0.0),
    "rotation_quaternion": (1.0, 0.0, 0.0, 0.0),
    "rotation_euler": (0.0, 0.0, 0.0),
    "rotation_axis_angle": (0.0, 0.0, 1.0, 0.0),
    "scale": (1.0, 1.0, 1.0),
}


class Channel(NamedTuple):
    """A bone and one of its properties; custom properties keep their brackets."""

    bone: str
    prop: str


@lru_cache(16384)
def parse(data_path: str) -> Channel | None:
    """The channel of a curve's data path; None for what is no bone's own property."""
    match = _PATH.match(data_path)
    if match is None:
        return None
    return Channel(bpy.utils.unescape_identifier(match[1]), match[2] or match[3])


def path(bone: str, prop: str) -> str:
    """The data path of a bone's property; custom properties come with their brackets."""
    if prop.startswith("["):
        return f'pose.bones["{bpy.utils.escape_identifier(bone)}"]{prop}'
    return f'pose.bones["{bpy.utils.escape_identifier(bone)}"].{prop}'


def rotation_prop(mode: str) -> tuple[str, int]:
    """The property that a bone's rotation mode reads, and its width."""
    if mode == "QUATERNION":
        return "rotation_quaternion", 4
    if mode == "AXIS_ANGLE":
        return "rotation_axis_angle", 4
    return "rotation_euler", 3
