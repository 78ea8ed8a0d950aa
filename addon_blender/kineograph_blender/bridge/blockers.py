# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps Kineograph from reading or writing an armature, found before anything is touched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from . import datapath
from .places import blocked


@dataclass(frozen=True)
class BoneConstraint:
    """A constraint on a bone: it changes what keys alone would show."""

    bone: str
    name: str
    kind: str


def check_readable(armature: Any) -> None:
    """Raises ``apply_blocked`` when the evaluated pose is not the animation's."""
    name = armature.name
    if armature.data.pose_position == "REST":
        raise blocked(name, "rest_position", f"{name!r} shows its rest position, so its pose cannot be read")
    if armature.mode == "EDIT":
        raise blocked(name, "edit_mode", f"{name!r} is in Edit Mode")


def check_writable(armature: Any) -> None:
    """Raises ``apply_blocked`` for everything that would keep a new action from being what the armature shows."""
    name = armature.name
    check_readable(armature)
    if not armature.is_editable:
        raise blocked(name, "linked", f"{name!r} is linked from another file")
    data = armature.animation_data
    if data is None:
        return
    if data.use_tweak_mode:
        raise blocked(name, "tweak", f"an NLA strip of {name!r} is being tweaked")
    solo = next((t.name for t in data.nla_tracks if t.is_solo), None)
    if solo is not None and data.use_nla:
        message = f"the NLA track {solo!r} of {name!r} is solo, which silences every action"
        raise blocked(name, "solo_nla_track", message, track=solo)
    if data.action_blend_type != "REPLACE" or data.action_influence < 1.0:
        how = f"{data.action_blend_type.lower()}, {data.action_influence:.2f}"
        raise blocked(name, "action_blending", f"the action of {name!r} is blended ({how})")


def check_driven(armature: Any, bones: Iterable[str]) -> None:
    """Raises ``apply_blocked`` when drivers hold transform channels of bones that a take would write."""
    data = armature.animation_data
    wanted = set(bones)
    driven = set()
    for curve in data.drivers if data is not None else ():
        channel = datapath.parse(curve.data_path)
        if channel is None or curve.mute or channel.prop not in datapath.TRANSFORM_PROPS:
            continue
        if channel.bone in wanted:
            driven.add(channel.bone)
    if driven:
        names = sorted(driven)
        message = f"drivers hold {len(names)} bones of {armature.name!r}: {', '.join(names[:6])}"
        raise blocked(armature.name, "driven", message, bones=names)


def check_locked(armature: Any, bones: Iterable[str]) -> None:
    """Raises ``apply_blocked`` naming ``bones``, whose locked channels a take would change."""
    names = list(bones)
    if names:
        message = f"the take would change locked channels of {len(names)} bones: {', '.join(names[:6])}"
        raise blocked(armature.name, "locked", message, bones=names)


def constraints_on(armature: Any, bones: Iterable[str]) -> list[BoneConstraint]:
    """Constraints at work on bones that a take writes: Blender's shown pose will differ from the take."""
    out = []
    for name in bones:
        for constraint in armature.pose.bones[name].constraints:
            if not constraint.mute and constraint.influence > 0.0:
                out.append(BoneConstraint(name, constraint.name, constraint.type))
    return out


def mute(armature: Any, found: Iterable[BoneConstraint]) -> list[BoneConstraint]:
    """Mute these constraints; returns those that were muted, so that they can be turned on again."""
    done = []
    for item in found:
        constraint = armature.pose.bones[item.bone].constraints.get(item.name)
        if constraint is not None and not constraint.mute:
            constraint.mute = True
            done.append(item)
    return done
