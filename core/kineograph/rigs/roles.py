# SPDX-License-Identifier: Apache-2.0
"""What a joint is for: one closed set of roles that every rig is read into.

A *part* is a role without its side (``thigh``); a *role* has one (``left_thigh``). Parts on the middle line have
one role of the same name.
"""

from __future__ import annotations

from enum import StrEnum


class Side(StrEnum):
    """Which side of the body, from the character's own view."""

    LEFT = "left"
    RIGHT = "right"
    MIDDLE = "middle"

    @property
    def other(self) -> Side:
        """The mirrored side; the middle is its own mirror."""
        return {Side.LEFT: Side.RIGHT, Side.RIGHT: Side.LEFT}.get(self, Side.MIDDLE)


class Group(StrEnum):
    """What kind of thing a role is, for lists and dialogs."""

    BODY = "body"
    TWIST = "twist"
    FINGERS = "fingers"
    TOES = "toes"
    HEAD = "head"
    JAW = "jaw"
    PROPS = "props"


class Role(StrEnum):
    """Every role. ``spine``, ``neck``, the twists and ``prop`` may hold several joints (see ``RigMap.chains``)."""

    ROOT = "root"
    HIPS = "hips"
    SPINE = "spine"
    CHEST = "chest"
    NECK = "neck"
    HEAD = "head"
    HEAD_END = "head_end"
    JAW = "jaw"
    PROP = "prop"
    LEFT_EYE = "left_eye"
    LEFT_CLAVICLE = "left_clavicle"
    LEFT_UPPER_ARM = "left_upper_arm"
    LEFT_FOREARM = "left_forearm"
    LEFT_HAND = "left_hand"
    LEFT_THIGH = "left_thigh"
    LEFT_CALF = "left_calf"
    LEFT_FOOT = "left_foot"
    LEFT_TOE = "left_toe"
    LEFT_TOE_END = "left_toe_end"
    LEFT_UPPER_ARM_TWIST = "left_upper_arm_twist"
    LEFT_FOREARM_TWIST = "left_forearm_twist"
    LEFT_THIGH_TWIST = "left_thigh_twist"
    LEFT_CALF_TWIST = "left_calf_twist"
    LEFT_THUMB_1 = "left_thumb_1"
    LEFT_THUMB_2 = "left_thumb_2"
    LEFT_THUMB_3 = "left_thumb_3"
    LEFT_INDEX_1 = "left_index_1"
    LEFT_INDEX_2 = "left_index_2"
    LEFT_INDEX_3 = "left_index_3"
    LEFT_MIDDLE_1 = "left_middle_1"
    LEFT_MIDDLE_2 = "left_middle_2"
    LEFT_MIDDLE_3 = "left_middle_3"
    LEFT_RING_1 = "left_ring_1"
    LEFT_RING_2 = "left_ring_2"
    LEFT_RING_3 = "left_ring_3"
    LEFT_PINKY_1 = "left_pinky_1"
    LEFT_PINKY_2 = "left_pinky_2"
    LEFT_PINKY_3 = "left_pinky_3"
    RIGHT_EYE = "right_eye"
    RIGHT_CLAVICLE = "right_clavicle"
    RIGHT_UPPER_ARM = "right_upper_arm"
    RIGHT_FOREARM = "right_forearm"
    RIGHT_HAND = "right_hand"
    RIGHT_THIGH = "right_thigh"
    RIGHT_CALF = "right_calf"
    RIGHT_FOOT = "right_foot"
    RIGHT_TOE = "right_toe"
    RIGHT_TOE_END = "right_toe_end"
    RIGHT_UPPER_ARM_TWIST = "right_upper_arm_twist"
    RIGHT_FOREARM_TWIST = "right_forearm_twist"
    RIGHT_THIGH_TWIST = "right_thigh_twist"
    RIGHT_CALF_TWIST = "right_calf_twist"
    RIGHT_THUMB_1 = "right_thumb_1"
    RIGHT_THUMB_2 = "right_thumb_2"
    RIGHT_THUMB_3 = "right_thumb_3"
    RIGHT_INDEX_1 = "right_index_1"
    RIGHT_INDEX_2 = "right_index_2"
    RIGHT_INDEX_3 = "right_index_3"
    RIGHT_MIDDLE_1 = "right_middle_1"
    RIGHT_MIDDLE_2 = "right_middle_2"
    RIGHT_MIDDLE_3 = "right_middle_3"
    RIGHT_RING_1 = "right_ring_1"
    RIGHT_RING_2 = "right_ring_2"
    RIGHT_RING_3 = "right_ring_3"
    RIGHT_PINKY_1 = "right_pinky_1"
    RIGHT_PINKY_2 = "right_pinky_2"
    RIGHT_PINKY_3 = "right_pinky_3"

    @property
    def side(self) -> Side:
        """The side the role is on."""
        head = self.value.split("_", 1)[0]
        return Side(head) if head in ("left", "right") else Side.MIDDLE

    @property
    def part(self) -> str:
        """The role without its side: ``thigh``, ``index_2``."""
        return self.value if self.side is Side.MIDDLE else self.value.split("_", 1)[1]

    @property
    def mirror(self) -> Role:
        """The same part on the other side."""
        return role(self.part, self.side.other)

    @property
    def group(self) -> Group:
        """Which kind of thing this is."""
        part = self.part
        if part.endswith("_twist"):
            return Group.TWIST
        if part.split("_")[0] in FINGERS:
            return Group.FINGERS
        return _GROUP_OF.get(part, Group.BODY)


FINGERS = ("thumb", "index", "middle", "ring", "pinky")
TWISTS = ("upper_arm", "forearm", "thigh", "calf")
_GROUP_OF = {
    "toe": Group.TOES,
    "toe_end": Group.TOES,
    "neck": Group.HEAD,
    "head": Group.HEAD,
    "head_end": Group.HEAD,
    "eye": Group.HEAD,
    "jaw": Group.JAW,
    "prop": Group.PROPS,
}

REQUIRED = (
    Role.HIPS,
    Role.HEAD,
    Role.LEFT_UPPER_ARM,
    Role.LEFT_FOREARM,
    Role.LEFT_HAND,
    Role.RIGHT_UPPER_ARM,
    Role.RIGHT_FOREARM,
    Role.RIGHT_HAND,
    Role.LEFT_THIGH,
    Role.LEFT_CALF,
    Role.LEFT_FOOT,
    Role.RIGHT_THIGH,
    Role.RIGHT_CALF,
    Role.RIGHT_FOOT,
)
"""What a body needs before motion can be moved onto it."""


def role(part: str, side: Side) -> Role:
    """The role of a part on a side. Raises ValueError for a part that the side does not have."""
    return Role(part if side is Side.MIDDLE else f"{side.value}_{part}")
