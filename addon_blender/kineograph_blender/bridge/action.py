# SPDX-License-Identifier: GPL-3.0-or-later
"""The take's own action: what of the user's action it carries on, what it holds still, and bulk writing."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import compat
from . import datapath, stamps

FloatArray = NDArray[np.floating[Any]]

_LINEAR = 1


@dataclass(frozen=True)
class Channels:
    """One property of one bone: ``values`` (T, width) at ``frames`` (T,), or one row held by a single key."""

    bone: str
    prop: str
    frames: NDArray[np.float32]
    values: FloatArray


def start(
    armature: Any,
    take: str,
    name: str,
    written: set[str],
    held: set[str],
    at: float,
    *,
    from_shown: bool = False,
    origin: str = "",
    replaced: Collection[datapath.Channel] = (),
) -> Any:
    """A new, unassigned action that carries on what the user's own action says about everything else.

    Curves of ``written`` bones and ``replaced`` channels are left out; those of ``held`` bones (they move written ones
    from outside) keep their value at frame ``at``. ``from_shown`` carries on what plays now instead, which may be a
    take. All that is there is only read.
    """
    source, source_slot = stamps.own_action(armature)
    base, base_slot = shown(armature) if from_shown else (source, source_slot)
    if _says_more(base, base_slot, written, replaced):
        action = base.copy()
        stamps.clear(action)
        slot = compat.same_slot(action, base_slot)
        compat.drop_other_slots(action, slot)
        _sift(action, slot, written, held, at, replaced)
    else:
        action = bpy.data.actions.new(name)
        slot = compat.new_slot(action, armature)
        compat.ensure_curve_list(action, slot)
    action.name = name
    action.use_fake_user = False
    stamps.stamp(action, take, source, source_slot, origin)
    return action


def shown(armature: Any) -> tuple[Any, Any]:
    """What plays now, and its slot: the user's own action or a take's."""
    data = armature.animation_data
    action = None if data is None else data.action
    return (None, None) if action is None else (action, compat.slot_of(data))


def slot_in(action: Any) -> Any:
    """The one slot of a take's action."""
    return action.slots[0] if compat.HAS_SLOTS else None


def write(action: Any, channels: Channels) -> int:
    """Write one property in bulk, in linear, unselected keys. Returns how many keys were written."""
    slot = slot_in(action)
    target = compat.ensure_curve_list(action, slot)
    path = datapath.path(channels.bone, channels.prop)
    count = len(channels.frames)
    co = np.empty((count, 2), np.float32)
    co[:, 0] = channels.frames
    off = np.zeros(count, bool)
    linear = np.full(count, _LINEAR, np.uint8)
    for index in range(channels.values.shape[1]):
        curve = compat.new_curve(target, action, slot, path, index, channels.bone)
        points = curve.keyframe_points
        points.add(count)
        co[:, 1] = channels.values[:, index]
        points.foreach_set("co", co.ravel())
        points.foreach_set("interpolation", linear)
        for flag in ("select_control_point", "select_left_handle", "select_right_handle"):
            points.foreach_set(flag, off)
        curve.select = False
        curve.update()
    return int(channels.values.size)


def leftovers(armature: Any, written: Iterable[str], moved: set[str], at: float) -> list[Channels]:
    """Single keys that put un-keyed location and scale of written bones back to rest, where anything moved them.

    ``moved`` bones have their location written frame by frame.
    """
    animated = {
        datapath.parse(c.data_path)
        for action, slot in (stamps.own_action(armature), shown(armature))
        for c in compat.curves(action, slot)
    }
    out = []
    frames = np.array([at], np.float32)
    for name in written:
        bone = armature.pose.bones[name]
        for prop in ("location", "scale"):
            default = datapath.AT_REST[prop]
            if prop == "location" and name in moved:
                continue
            off = np.abs(np.array(getattr(bone, prop)) - default).max() > 1e-7
            if off or datapath.Channel(name, prop) in animated:
                out.append(Channels(name, prop, frames, np.array([default])))
    return out


def at_rest(armature: Any, bones: Iterable[str], at: float) -> list[Channels]:
    """Single keys that put the rotation of bones back to rest, where anything turned them."""
    animated = {datapath.parse(c.data_path) for c in compat.curves(*shown(armature))}
    animated |= {datapath.parse(c.data_path) for c in compat.curves(*stamps.own_action(armature))}
    out = []
    for name in bones:
        bone = armature.pose.bones[name]
        prop, _ = datapath.rotation_prop(bone.rotation_mode)
        rest = np.array(datapath.AT_REST[prop])
        turned = np.abs(np.array(getattr(bone, prop)) - rest).max() > 1e-7
        if turned or datapath.Channel(name, prop) in animated:
            out.append(Channels(name, prop, np.array([at], np.float32), rest[None]))
    return out


def channels_of(action: Any, slot: Any) -> set[datapath.Channel]:
    """The bones' transforms that an action moves; none for no action."""
    found = (datapath.parse(c.data_path) for c in compat.curves(action, slot))
    return {c for c in found if c is not None and c.prop in datapath.TRANSFORM_PROPS}


def put_to_rest(armature: Any, channels: Iterable[datapath.Channel]) -> None:
    """Transforms that nothing moves any more do not stay where they were: nobody set that pose."""
    for channel in channels:
        bone = armature.pose.bones.get(channel.bone)
        if bone is not None:
            setattr(bone, channel.prop, datapath.AT_REST[channel.prop])


def _says_more(source: Any, slot: Any, written: set[str], replaced: Collection[datapath.Channel]) -> bool:
    return any(not _is_written(c, written, replaced) for c in compat.curves(source, slot))


def _is_written(curve: Any, written: set[str], replaced: Collection[datapath.Channel]) -> bool:
    channel = datapath.parse(curve.data_path)
    if channel is None:
        return False
    return channel in replaced or (channel.bone in written and channel.prop in datapath.TRANSFORM_PROPS)


def _sift(
    action: Any, slot: Any, written: set[str], held: set[str], at: float, replaced: Collection[datapath.Channel]
) -> None:
    owner = compat.curve_list(action, slot)
    for curve in list(owner):
        channel = datapath.parse(curve.data_path)
        if _is_written(curve, written, replaced):
            owner.remove(curve)
        elif channel is not None and channel.bone in held:
            _hold(curve, at)


def _hold(curve: Any, at: float) -> None:
    value = curve.evaluate(at)
    for modifier in list(curve.modifiers):
        curve.modifiers.remove(modifier)
    curve.keyframe_points.clear()
    curve.keyframe_points.insert(at, value)
    curve.update()
