# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's own keys, bone by bone: a key on one bone constrains one bone.

They stand in two places: in the user's own action, and in an applied take where it differs from what the take wrote.
Where both speak about a bone at a frame, the take's edit is the newer word. Marks on the bones override both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import compat
from . import controls, datapath, keymarks, stamps, written
from .bones import ancestors
from .datapath import Channel
from .keyed import Keyed
from .rig import Rig
from .traits import Traits


class KeyMode(StrEnum):
    """What a key constrains."""

    BONES = "bones"
    """Each keyed bone, at its own keys."""
    FRAMES = "frames"
    """The whole pose, at every frame where anything of the armature is keyed."""
    NONE = "none"


class Pick(StrEnum):
    """Which keys count."""

    ALL = "all"
    SELECTED_KEYS = "selected_keys"
    """Those selected in the Dope Sheet or the Graph Editor."""
    SELECTED_BONES = "selected_bones"


@dataclass
class KeyedFrame:
    """What is keyed at one frame of the request. ``at`` is where the user's key stands, whole or not."""

    at: float
    turned: set[str] = field(default_factory=set)
    root_placed: bool = False


@dataclass
class Keys:
    """Keys by whole scene frame. ``own``: their poses are those of the user's own action; ``shown``: of what plays now.

    ``unsent`` names what was keyed and has no word in a request, with the reason. ``edits``: those of ``shown`` that
    are keys on the take, with their values, so that a new take can carry them on.
    """

    own: dict[int, KeyedFrame] = field(default_factory=dict)
    shown: dict[int, KeyedFrame] = field(default_factory=dict)
    unsent: dict[str, str] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    outside: set[float] = field(default_factory=set)
    unmarked: int = 0
    edits: list[written.UserKey] = field(default_factory=list)


@dataclass
class _Stand:
    """What some keys constrain, and when."""

    turned: set[str]
    placed: bool
    times: NDArray[np.float64]


def collect(
    armature: Any,
    traits: Traits,
    own: Keyed,
    rig: Rig,
    span: tuple[int, int],
    mode: KeyMode,
    pick: Pick = Pick.ALL,
    edits: written.Edits | None = None,
) -> Keys:
    """The keys of the user's own action (its curves) and of the take that plays, within the frames of ``span``.

    ``traits``: the armature's, as they were read; ``edits``: what the user changed of that take, where it was looked
    at before."""
    keys = Keys()
    if mode is KeyMode.NONE:
        return keys
    reader = _Reader(armature, traits, rig, span, mode, pick, keys)
    for stand in reader.own(own):
        _add(keys, keys.own, stand, span)
    for stand in (*reader.shown(edits), *reader.marked()):
        _add(keys, keys.shown, stand, span)
    _drop_unmarked(traits, keys, reader.sent, rig.names[0])
    _newer_wins(keys)
    return keys


def keyed_span(curves: Iterable[Any]) -> tuple[float, float] | None:
    """First and last key of some curves; None when nothing is keyed."""
    ends = [p.co[0] for c in curves if len(c.keyframe_points) for p in (c.keyframe_points[0], c.keyframe_points[-1])]
    return (min(ends), max(ends)) if ends else None


class _Reader:
    """Reads keyed channels as what they constrain; notes what has no word."""

    def __init__(
        self, armature: Any, traits: Traits, rig: Rig, span: tuple[int, int], mode: KeyMode, pick: Pick, keys: Keys
    ) -> None:
        self.armature, self.traits, self.rig, self.keys = armature, traits, rig, keys
        self.span, self.mode, self.pick = span, mode, pick
        self.sent = frozenset(rig.names)
        self.above_root = set(ancestors(traits.rest.above, rig.names[0])) - self.sent
        found = controls.find(armature, traits.rest) if rig.seen_on else None
        self.meant = {} if found is None else {n: joints & self.sent for n, joints in found.meant.items()}
        self._meanings: dict[Channel, tuple[frozenset[str], bool, str]] = {}

    def own(self, said: Keyed) -> Iterator[_Stand]:
        """Keys of the user's own action."""
        if self.pick is Pick.SELECTED_KEYS:
            yield from self._stands((k.channel, k.frames[k.chosen]) for k in said.curves if k.chosen is not None)
        else:
            yield from self._stands((run[0].channel, run[0].frames) for run in said.runs)

    def shown(self, edits: written.Edits | None = None) -> Iterator[_Stand]:
        """Keys of an applied take that differ from what it wrote."""
        data = self.armature.animation_data
        take = None if data is None else data.action
        if take is None or stamps.take_of(take) is None:
            return
        slot = compat.slot_of(data)
        found = edits or written.edits(take, slot, self.armature)
        if not found.is_known:
            self.keys.told["keys set on the take"] = "it has no readable record of what was written, so nobody can tell"
            return
        frames = found.keys
        self._keep(take, slot, frames)
        if self.pick is Pick.SELECTED_KEYS:
            chosen: dict[Channel, set[float]] = {}
            for curve in compat.curves(take, slot):
                channel = datapath.parse(curve.data_path)
                if channel in frames:
                    chosen.setdefault(channel, set()).update(self._times(curve).tolist())
            frames = {c: at & chosen.get(c, set()) for c, at in frames.items()}
        yield from self._stands((c, np.array(sorted(at))) for c, at in frames.items() if at)

    def _keep(self, take: Any, slot: Any, edits: Mapping[Channel, set[float]]) -> None:
        curves = written.by_path(take, slot) if edits else {}
        for channel, frames in edits.items():
            bone = self.armature.pose.bones.get(channel.bone)
            if bone is None or channel.bone not in self.sent or not _says_something(bone, channel, self.rig):
                continue
            off = keymarks.unmarked(bone)
            for frame in sorted(frames):
                if self.span[0] <= _whole(frame) <= self.span[1] and _whole(frame) not in off:
                    values = written.values_in(curves, channel, frame, getattr(bone, channel.prop))
                    self.keys.edits.append(written.UserKey(channel.bone, channel.prop, frame, values))

    def marked(self) -> Iterator[_Stand]:
        """Frames that the user marked as key poses, bone by bone."""
        if self.pick is Pick.SELECTED_KEYS:
            return
        for name, frames in self.traits.marked.items():
            if name in self.sent and self._counts(name):
                turned = self.sent if self.mode is KeyMode.FRAMES else frozenset({name})
                yield _Stand(set(turned), name == self.rig.names[0], np.array(sorted(frames), float))

    def _stands(self, found: Iterable[tuple[Channel, NDArray[np.float64]]]) -> Iterator[_Stand]:
        # The channels of one bone mostly share their keys: they are merged before anything is looked at one by one.
        stands: dict[tuple[frozenset[str], bool], list[NDArray[np.float64]]] = {}
        bones, meanings = self.traits.rest.above, self._meanings
        for channel, times in found:
            if channel.bone not in bones:
                self.keys.unsent[channel.bone] = "no bone has this name"
                continue
            if not self._counts(channel.bone) or not len(times):
                continue
            meaning = meanings.get(channel)
            if meaning is None:
                meaning = meanings[channel] = self._meaning(channel)
            turned, placed, why = meaning
            if why:
                self.keys.unsent[f"{channel.bone}.{channel.prop}"] = why
            if turned or placed:
                stands.setdefault((turned, placed), []).append(times)
        # Bones that are keyed together, too: a whole pose is then one stand and not one a bone.
        together: dict[bytes, _Stand] = {}
        stops_of: dict[int, bytes] = {}
        for (turned, placed), parts in stands.items():
            every = parts[0]
            if len(parts) > 1 and any(part is not every for part in parts):
                every = np.unique(np.concatenate(list({id(part): part for part in parts}.values())))
                stops = every.tobytes()
            else:
                stops = stops_of.get(id(every)) or stops_of.setdefault(id(every), every.tobytes())
            known = together.get(stops)
            if known is None:
                together[stops] = _Stand(set(turned), placed, every)
            else:
                known.turned |= turned
                known.placed |= placed
        yield from (_Stand(stand.turned, stand.placed, np.unique(stand.times)) for stand in together.values())

    def _counts(self, bone: str) -> bool:
        return self.pick is not Pick.SELECTED_BONES or self.traits.selected[self.traits.row[bone]]

    def _times(self, curve: Any) -> NDArray[np.float64]:
        count = len(curve.keyframe_points)
        co = np.empty(count * 2, np.float32)
        curve.keyframe_points.foreach_get("co", co)
        # Rounded where float32 ends: a key set at 10.4 is at 10.4.
        times = co[::2].astype(np.float64).round(4)
        if self.pick is not Pick.SELECTED_KEYS:
            return times
        chosen = np.empty(count, bool)
        curve.keyframe_points.foreach_get("select_control_point", chosen)
        return times[chosen]

    def _meaning(self, channel: Channel) -> tuple[frozenset[str], bool, str]:
        """Which joints a keyed channel turns, whether it places the root, and why it cannot be sent."""
        bone, prop = channel
        if self.mode is KeyMode.FRAMES:
            return self.sent, True, ""
        if bone in self.above_root and prop in datapath.TRANSFORM_PROPS:
            return frozenset({self.rig.names[0]}), True, "" if prop != "scale" else "a scale has no word in a request"
        if bone in self.meant:
            return self.meant[bone], False, ""
        if bone not in self.sent:
            return frozenset(), False, "this bone is not sent; what it drives is not known"
        if prop in datapath.ROTATION_PROPS:
            # A curve of another rotation mode than the bone's own moves nothing.
            at_work = datapath.rotation_prop(self.traits.mode(bone))[0]
            return (frozenset({bone}) if prop == at_work else frozenset()), False, ""
        if prop == "location":
            if bone == self.rig.names[0]:
                return frozenset(), True, ""
            rest = self.traits.rest
            connected = rest.flags["use_connect"][rest.index[bone]]
            return frozenset(), False, "" if connected else "a moved bone below the root has no word in a request"
        return frozenset(), False, "a scale has no word in a request" if prop == "scale" else ""


def _says_something(bone: Any, channel: Channel, rig: Rig) -> bool:
    if channel.prop == "location":
        return channel.bone == rig.names[0]
    return channel.prop == datapath.rotation_prop(bone.rotation_mode)[0]


def _add(keys: Keys, into: dict[int, KeyedFrame], stand: _Stand, span: tuple[int, int]) -> None:
    for at in stand.times.tolist():
        whole = _whole(at)
        if not span[0] <= whole <= span[1]:
            keys.outside.add(at)
            continue
        frame = into.setdefault(whole, KeyedFrame(at))
        if abs(at - whole) < abs(frame.at - whole):
            frame.at = at
        frame.turned |= stand.turned
        frame.root_placed |= stand.placed


def _drop_unmarked(traits: Traits, keys: Keys, sent: frozenset[str], root: str) -> None:
    unmarked = {name: frames for name, frames in traits.unmarked.items() if name in sent}
    nobodys = set.intersection(*unmarked.values()) if unmarked and len(unmarked) == len(sent) else set()
    keys.outside = {at for at in keys.outside if _whole(at) not in nobodys}
    for name, frames in unmarked.items():
        for frame in frames:
            for layer in (keys.own, keys.shown):
                if (key := layer.get(frame)) is not None:
                    keys.unmarked += _drop(key, name, name == root)


def _drop(key: KeyedFrame, bone: str, is_root: bool) -> int:
    counted = bone in key.turned or (is_root and key.root_placed)
    key.turned.discard(bone)
    key.root_placed &= not is_root
    return int(counted)


def _newer_wins(keys: Keys) -> None:
    for frame, key in keys.shown.items():
        old = keys.own.get(frame)
        if old is None:
            continue
        old.turned -= key.turned
        old.root_placed &= not key.root_placed
    for layer in (keys.own, keys.shown):
        for frame in [f for f, k in layer.items() if not (k.turned or k.root_placed)]:
            del layer[frame]


def _whole(at: float) -> int:
    return math.floor(at + 0.5)
