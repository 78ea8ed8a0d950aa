# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps Kineograph from reading or writing an armature, found before anything is touched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kineograph.errors import ErrorCode, KineographError, error

from . import datapath


@dataclass(frozen=True)
class BoneConstraint:
    """A constraint on a bone: it changes what keys alone would show."""

    bone: str
    name: str
    kind: str


def blocked(
    armature: str, reason: str, message: str, fix: tuple[str, str] | None = None, **details: Any
) -> KineographError:
    """``apply_blocked`` that names the blocker."""
    fixes = [] if fix is None else [{"id": fix[0], "label": fix[1], "patch": {"object": armature, **details}}]
    return error(
        ErrorCode.APPLY_BLOCKED,
        message,
        {"where": {"object": armature}, "reason": reason, "got": reason, "fixes": fixes, **details},
    )


def check_readable(armature: Any) -> None:
    """Raises ``apply_blocked`` when the evaluated pose is not the animation's."""
    name = armature.name
    if armature.data.pose_position == "REST":
        raise blocked(
            name,
            "rest_position",
            f"{name!r} shows its rest position, so its pose cannot be read",
            ("use_pose_position", "Show the pose position"),
        )
    if armature.mode == "EDIT":
        raise blocked(name, "edit_mode", f"{name!r} is in Edit Mode", ("leave_edit_mode", "Leave Edit Mode"))


def check_writable(armature: Any) -> None:
    """Raises ``apply_blocked`` for everything that would keep a new action from being what the armature shows."""
    name = armature.name
    check_readable(armature)
    if not armature.is_editable:
        raise blocked(
            name, "linked", f"{name!r} is linked from another file", ("make_override", "Make a library override")
        )
    data = armature.animation_data
    if data is None:
        return
    if data.use_tweak_mode:
        raise blocked(
            name,
            "nla_tweak_mode",
            f"an NLA strip of {name!r} is being tweaked",
            ("leave_tweak_mode", "Leave tweak mode"),
        )
    solo = next((t.name for t in data.nla_tracks if t.is_solo), None)
    if solo is not None and data.use_nla:
        raise blocked(
            name,
            "nla_solo",
            f"the NLA track {solo!r} of {name!r} is solo, which silences every action",
            ("unsolo", "Turn solo off"),
            track=solo,
        )
    if data.action_blend_type != "REPLACE" or data.action_influence < 1.0:
        raise blocked(
            name,
            "action_blending",
            f"the action of {name!r} is blended ({data.action_blend_type.lower()}, {data.action_influence:.2f})",
            ("replace_blending", "Set it to Replace at full influence"),
        )


def check_driven(armature: Any, bones: Iterable[str]) -> None:
    """Raises ``apply_blocked`` when drivers hold transform channels of bones that a take would write."""
    data = armature.animation_data
    wanted = set(bones)
    driven = set()
    for curve in data.drivers if data is not None else ():
        channel = datapath.parse(curve.data_path)
        if (
            channel is not None
            and channel.bone in wanted
            and channel.prop in datapath.TRANSFORM_PROPS
            and not curve.mute
        ):
            driven.add(channel.bone)
    if driven:
        names = sorted(driven)
        raise blocked(
            armature.name,
            "driven",
            f"drivers hold {len(names)} bones of {armature.name!r}: {', '.join(names[:6])}",
            ("mute_drivers", "Mute these drivers"),
            bones=names,
        )


def check_locked(armature: Any, bones: Iterable[str]) -> None:
    """Raises ``apply_blocked`` naming ``bones``, whose locked channels a take would change."""
    names = list(bones)
    if names:
        raise blocked(
            armature.name,
            "locked",
            f"{len(names)} bones of {armature.name!r} have locked channels that the take would change: "
            f"{', '.join(names[:6])}",
            ("unlock", "Unlock these channels"),
            bones=names,
        )


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
