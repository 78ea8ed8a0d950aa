# SPDX-License-Identifier: Apache-2.0
"""What a profile holds. Plain data; files, checks and maps are beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kineograph.rigs.roles import Role

VERSION = 1

AXES = ("x", "-x", "y", "-y", "z", "-z")
ROOT_POLICIES = ("hips", "root", "object")
REST_POSES = ("t", "a", "other")
LIMBS = ("left_arm", "right_arm", "left_leg", "right_leg")


@dataclass(frozen=True)
class Match:
    """Which rigs the profile is for. ``hash`` is an exact ``signature``; ``has`` are joints that must all be there,
    ``lacks`` ones that must not. An empty match fits nothing by itself."""

    hash: str = ""
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limb:
    """Controls of one limb. ``fk`` from the body outwards; ``ik`` the target that is moved, ``pole`` where the hinge
    points; ``master`` the bone that carries ``switch``, the property between IK and FK; ``fk_value`` is its FK end."""

    fk: tuple[str, ...] = ()
    ik: str = ""
    pole: str = ""
    master: str = ""
    switch: str = ""
    fk_value: float = 1.0


@dataclass(frozen=True)
class Profile:
    """One rig, or one family of rigs.

    ``roles`` role to joint name; ``chains`` role to joint names from the hips outwards. ``bone_axis`` is the axis that
    runs along the bones, ``up`` and ``front`` the axes of the rig's own world. ``rest`` is the pose it was built in.
    ``controls`` maps a role to the control that an animator keys in its stead; ``limits_deg`` a joint to its least and
    greatest turn about x, y, z. ``aliases`` maps a name that requests may use to the joint that is meant.

    ``tree`` is the skeleton that the rig's FK controls make: control to the control above it, empty for the root;
    ``places`` names the bone at whose rest a control's joint is, where the control itself stands elsewhere; ``hold``
    are properties by bone, and the values with which each control follows the one above it.

    ``tested`` says with what, and is empty when nobody tried.
    """

    name: str
    match: Match = Match()
    roles: Mapping[Role, str] = field(default_factory=dict)
    chains: Mapping[Role, tuple[str, ...]] = field(default_factory=dict)
    bone_axis: str = "y"
    up: str = "y"
    front: str = "z"
    rest: str = "t"
    root_policy: str = "hips"
    root_bone: str = ""
    controls: Mapping[Role, str] = field(default_factory=dict)
    limbs: Mapping[str, Limb] = field(default_factory=dict)
    limits_deg: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    tree: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    hold: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    tested: str = ""
    notes: str = ""
