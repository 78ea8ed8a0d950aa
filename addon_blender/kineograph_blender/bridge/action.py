# SPDX-License-Identifier: GPL-3.0-or-later
"""The take's own action: what of the user's action it carries on, what it holds still, and bulk writing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import compat
from . import datapath, guard, identity, stamps
from .datapath import Channel

FloatArray = NDArray[np.floating[Any]]

_LINEAR = 1
_SHORT = 600
"""So many keys on a curve take a quarter of a millisecond."""


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
    replaced: Collection[Channel] = (),
) -> Any:
    """A new, unassigned action that carries on what the user's own action says about everything else.

    Curves of ``written`` bones and ``replaced`` channels are left out; those of ``held`` bones (they move written ones
    from outside) keep their value at frame ``at``. ``from_shown`` carries on what plays now instead, which may be a
    take. All that is there is only read.
    """
    source, source_slot = stamps.own_action(armature)
    base, base_slot = shown(armature) if from_shown else (source, source_slot)
    # What stands aside names bones as they were called when it was put there.
    now = identity.renamed_in(armature, base, base_slot)
    if _says_more(base, base_slot, written | {old for old, new in now.items() if new in written}, replaced):
        action = base.copy()
        stamps.clear(action)
        slot = compat.same_slot(action, base_slot)
        compat.drop_other_slots(action, slot)
        identity.bring_up(action, slot, now)
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


def laid(armature: Any) -> list[Any]:
    """Actions of takes that play as strips, from below."""
    data = armature.animation_data
    found = (s.action for t in (data.nla_tracks if data is not None else ()) if not t.mute for s in t.strips)
    return list(dict.fromkeys(a for a in found if stamps.take_of(a) is not None))


def slot_in(action: Any) -> Any:
    """The one slot of a take's action."""
    return action.slots[0] if compat.HAS_SLOTS else None


def write(action: Any, channels: Channels) -> int:
    """Write one property in bulk, in linear, unselected keys. Returns how many keys were written."""
    return sum(writing(lambda: action, channels))


def writing(action: Callable[[], Any], channels: Channels) -> Iterator[int]:
    """``write`` in pieces, a curve at a time where curves are long: how many keys each wrote. ``action`` finds the
    action anew: nothing of it is held in between."""
    count, width = len(channels.frames), channels.values.shape[1]
    step = width if count <= _SHORT else 1
    for first in range(0, width, step):
        made = action()
        slot = slot_in(made)
        target = compat.ensure_curve_list(made, slot)
        for index in range(first, min(first + step, width)):
            _write_curve(target, made, slot, channels, index)
        yield count * step


def _write_curve(target: Any, action: Any, slot: Any, channels: Channels, index: int) -> None:
    count = len(channels.frames)
    path = datapath.path(channels.bone, channels.prop)
    curve = compat.new_curve(target, action, slot, path, index, channels.bone)
    points = curve.keyframe_points
    points.add(count)
    points.foreach_set("co", np.stack([channels.frames, channels.values[:, index]], axis=1, dtype=np.float32).ravel())
    points.foreach_set("interpolation", np.full(count, _LINEAR, np.uint8))
    off = np.zeros(count, bool)
    for flag in ("select_control_point", "select_left_handle", "select_right_handle"):
        points.foreach_set(flag, off)
    curve.select = False
    curve.update()


def leftovers(armature: Any, written: Iterable[str], moved: set[str], at: float) -> list[Channels]:
    """Single keys that put un-keyed location and scale of written bones back to rest, where anything moved them.

    ``moved`` bones have their location written frame by frame.
    """
    names = list(written)
    wanted = [Channel(n, "location") for n in names if n not in moved] + [Channel(n, "scale") for n in names]
    return _back_to_rest(armature, wanted, at)


def at_rest(armature: Any, bones: Iterable[str], at: float) -> list[Channels]:
    """Single keys that put the rotation of bones back to rest, where anything turned them."""
    modes = {name: armature.pose.bones[name].rotation_mode for name in bones}
    return _back_to_rest(armature, [Channel(n, datapath.rotation_prop(mode)[0]) for n, mode in modes.items()], at)


def _back_to_rest(armature: Any, wanted: list[Channel], at: float) -> list[Channels]:
    if not wanted:
        return []
    own, playing = stamps.own_action(armature), shown(armature)
    pairs = [own] if own == playing else [own, playing]
    pairs += [(action, slot_in(action)) for action in laid(armature)]
    animated = {datapath.parse(c.data_path) for pair in pairs for c in compat.curves(*pair)}
    posed = guard.read_pose(armature)  # all bones at once: one by one takes ten times as long
    row = {name: i for i, name in enumerate(armature.pose.bones.keys())}
    off = {}
    for prop in {channel.prop for channel in wanted}:
        rest = np.array(datapath.AT_REST[prop])
        off[prop] = (np.abs(posed[prop].reshape(len(row), -1) - rest) > 1e-7).any(axis=1)
    frames = np.array([at], np.float32)
    return [
        Channels(*channel, frames, np.array([datapath.AT_REST[channel.prop]]))
        for channel in wanted
        if off[channel.prop][row[channel.bone]] or channel in animated
    ]


def channels_of(action: Any, slot: Any) -> set[Channel]:
    """The bones' transforms that an action moves; none for no action."""
    found = (datapath.parse(c.data_path) for c in compat.curves(action, slot))
    return {c for c in found if c is not None and c.prop in datapath.TRANSFORM_PROPS}


def put_to_rest(armature: Any, channels: Iterable[Channel]) -> None:
    """Transforms that nothing moves any more do not stay where they were: nobody set that pose."""
    for channel in channels:
        bone = armature.pose.bones.get(channel.bone)
        if bone is not None:
            setattr(bone, channel.prop, datapath.AT_REST[channel.prop])


def _says_more(source: Any, slot: Any, written: set[str], replaced: Collection[Channel]) -> bool:
    return any(not _is_written(c, written, replaced) for c in compat.curves(source, slot))


def _is_written(curve: Any, written: set[str], replaced: Collection[Channel]) -> bool:
    channel = datapath.parse(curve.data_path)
    if channel is None:
        return False
    return channel in replaced or (channel.bone in written and channel.prop in datapath.TRANSFORM_PROPS)


def _sift(action: Any, slot: Any, written: set[str], held: set[str], at: float, replaced: Collection[Channel]) -> None:
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
