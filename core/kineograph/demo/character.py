# SPDX-License-Identifier: Apache-2.0
"""The demo's character: 26 joints in a T-pose, 1.72 m tall, facing +Z, left is +X."""

from __future__ import annotations

from kineograph.motion.skeleton import Skeleton

_TRUNK = [
    ("Hips", None, (0.0, 0.93, 0.0)),
    ("Spine", "Hips", (0.0, 0.11, -0.01)),
    ("Chest", "Spine", (0.0, 0.15, -0.005)),
    ("Neck", "Chest", (0.0, 0.25, -0.01)),
    ("Head", "Neck", (0.0, 0.10, 0.02)),
    ("HeadTop", "Head", (0.0, 0.18, 0.0)),
]
_SIDE = [
    ("Shoulder", "Chest", (0.04, 0.19, 0.0)),
    ("UpperArm", "{side}Shoulder", (0.13, 0.0, -0.01)),
    ("LowerArm", "{side}UpperArm", (0.28, 0.0, 0.0)),
    ("Hand", "{side}LowerArm", (0.25, 0.0, 0.0)),
    ("HandTip", "{side}Hand", (0.17, 0.0, 0.0)),
    ("UpperLeg", "Hips", (0.095, -0.05, 0.0)),
    ("LowerLeg", "{side}UpperLeg", (0.0, -0.40, 0.005)),
    ("Foot", "{side}LowerLeg", (0.0, -0.395, -0.02)),
    ("Toes", "{side}Foot", (0.0, -0.065, 0.13)),
    ("ToesTip", "{side}Toes", (0.0, -0.005, 0.07)),
]


def character() -> Skeleton:
    """The skeleton, with identity rest rotations."""
    joints: list[tuple[str, str | None, tuple[float, float, float]]] = list(_TRUNK)
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        joints += [(side + n, p.format(side=side), (sign * x, y, z)) for n, p, (x, y, z) in _SIDE]
    index = {name: i for i, (name, _, _) in enumerate(joints)}
    return Skeleton.build(
        [name for name, _, _ in joints],
        [-1 if parent is None else index[parent] for _, parent, _ in joints],
        [offset for _, _, offset in joints],
    )
