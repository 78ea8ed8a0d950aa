# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at other frames without leaving a trace: frame, subframe, the bound action and unkeyed posing come back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np

from .. import compat
from .datapath import Channel

_POSE_VALUES = (
    ("location", 3),
    ("rotation_quaternion", 4),
    ("rotation_euler", 3),
    ("rotation_axis_angle", 4),
    ("scale", 3),
)


_visits = 0


def visits() -> int:
    """How often another frame was looked at: where that did not happen, nothing has to be put back."""
    return _visits


def go_to(scene: Any, frame: int | float) -> None:
    """Evaluate the scene at a frame, whole or not."""
    global _visits
    _visits += 1
    whole = int(np.floor(frame))
    evaluate(scene, whole, float(frame) - whole)


def evaluate(scene: Any, frame: int, subframe: float) -> None:
    """Blender's own work, all of it, and in one go."""
    scene.frame_set(frame, subframe=subframe)
    bpy.context.view_layer.update()


@contextmanager
def untouched(scene: Any, armature: Any) -> Iterator[None]:
    """Frame and subframe are restored, and what the user posed but did not key is still there afterwards.

    So is the camera: markers that are bound to one switch it with the frame.
    """
    frame, subframe, camera = scene.frame_current, scene.frame_subframe, scene.camera
    posed, before = read_pose(armature), visits()
    try:
        yield
    finally:
        if visits() != before:
            evaluate(scene, frame, subframe)
            _put_back(scene, armature, posed, camera)


def _put_back(scene: Any, armature: Any, posed: Mapping[str, Any], camera: Any) -> None:
    """What going back to the frame did not bring back by itself. Mostly all is there, and nothing has to be evaluated
    once more: that takes as long as the way back."""
    is_posed = all(now.tobytes() == posed[prop].tobytes() for prop, now in read_pose(armature).items())
    if is_posed and scene.camera == camera:
        return
    if not is_posed:
        write_pose(armature, posed)
    if scene.camera != camera:
        scene.camera = camera
    bpy.context.view_layer.update()


@contextmanager
def playing(armature: Any, action: Any, slot: Any) -> Iterator[None]:
    """The armature plays ``action`` for a moment, then what it played before."""
    data = armature.animation_data
    if data is None:
        yield
        return
    before, slot_before = data.action, compat.slot_of(data)
    if before == action and slot_before == slot:
        yield
        return
    compat.bind(data, action, slot)
    try:
        yield
    finally:
        compat.bind(data, before, slot_before)


def pose(armature: Any, values: Mapping[Channel, Sequence[float]]) -> None:
    """Set channels for a moment; ``untouched`` brings them back."""
    for (bone, prop), value in values.items():
        found = armature.pose.bones.get(bone)
        if found is not None:
            setattr(found, prop, value)


def read_pose(armature: Any) -> dict[str, Any]:
    """The pose's own values, keyed or not."""
    bones = armature.pose.bones
    out = {}
    for name, width in _POSE_VALUES:
        values = np.empty(len(bones) * width, np.float32)
        bones.foreach_get(name, values)
        out[name] = values
    return out


def write_pose(armature: Any, values: Mapping[str, Any]) -> None:
    """Put back what ``read_pose`` read."""
    bones = armature.pose.bones
    for name, width in _POSE_VALUES:
        if len(values[name]) == len(bones) * width:
            bones.foreach_set(name, values[name])
    armature.update_tag(refresh={"OBJECT", "DATA"})
