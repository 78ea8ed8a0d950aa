# SPDX-License-Identifier: Apache-2.0
"""Skeletons for tests: a human, a quadruped, a chain. All face +Z, stand on y = 0, and left is +X."""

from __future__ import annotations

from kineograph.motion.skeleton import Skeleton

Row = tuple[str, str | None, tuple[float, float, float]]

_TRUNK: list[Row] = [
    ("Hips", None, (0.0, 0.96, 0.0)),
    ("Spine", "Hips", (0.0, 0.10, 0.0)),
    ("Spine1", "Spine", (0.0, 0.13, -0.005)),
    ("Spine2", "Spine1", (0.0, 0.13, -0.005)),
    ("Neck", "Spine2", (0.0, 0.16, 0.0)),
    ("Head", "Neck", (0.0, 0.10, 0.015)),
    ("HeadTop", "Head", (0.0, 0.18, 0.0)),
]
_HUMAN_SIDE: list[Row] = [
    ("Shoulder", "Spine2", (0.045, 0.10, 0.0)),
    ("Arm", "{s}Shoulder", (0.13, 0.0, 0.0)),
    ("ForeArm", "{s}Arm", (0.28, 0.0, 0.0)),
    ("Hand", "{s}ForeArm", (0.26, 0.0, 0.0)),
    ("HandEnd", "{s}Hand", (0.16, 0.0, 0.0)),
    ("UpLeg", "Hips", (0.09, -0.05, 0.0)),
    ("Leg", "{s}UpLeg", (0.0, -0.42, 0.005)),
    ("Foot", "{s}Leg", (0.0, -0.41, -0.02)),
    ("ToeBase", "{s}Foot", (0.0, -0.06, 0.13)),
    ("ToeEnd", "{s}ToeBase", (0.0, -0.01, 0.07)),
]


def human() -> Skeleton:
    """27 joints in a T-pose, about 1.66 m, named the way most tools name them."""
    return _build(_TRUNK + _both(_HUMAN_SIDE))


_DOG_TRUNK: list[Row] = [
    ("Pelvis", None, (0.0, 0.56, -0.30)),
    ("Back1", "Pelvis", (0.0, 0.02, 0.20)),
    ("Back2", "Back1", (0.0, 0.01, 0.20)),
    ("Withers", "Back2", (0.0, 0.0, 0.18)),
    ("Neck1", "Withers", (0.0, 0.10, 0.10)),
    ("Neck2", "Neck1", (0.0, 0.10, 0.09)),
    ("Skull", "Neck2", (0.0, 0.06, 0.08)),
    ("Muzzle", "Skull", (0.0, -0.03, 0.16)),
    ("Tail1", "Pelvis", (0.0, 0.02, -0.10)),
    ("Tail2", "Tail1", (0.0, -0.04, -0.12)),
    ("Tail3", "Tail2", (0.0, -0.05, -0.12)),
]
_DOG_SIDE: list[Row] = [
    ("Femur", "Pelvis", (0.07, -0.04, 0.02)),
    ("Tibia", "{s}Femur", (0.01, -0.20, 0.07)),
    ("Hock", "{s}Tibia", (0.0, -0.18, -0.13)),
    ("HindPaw", "{s}Hock", (0.0, -0.12, 0.03)),
    ("HindClaw", "{s}HindPaw", (0.0, -0.02, 0.06)),
    ("Scapula", "Withers", (0.06, -0.02, 0.03)),
    ("Humerus", "{s}Scapula", (0.01, -0.13, 0.06)),
    ("Radius", "{s}Humerus", (0.0, -0.17, -0.07)),
    ("Carpus", "{s}Radius", (0.0, -0.19, 0.02)),
    ("ForePaw", "{s}Carpus", (0.0, -0.06, 0.03)),
    ("ForeClaw", "{s}ForePaw", (0.0, -0.02, 0.05)),
]


def quadruped() -> Skeleton:
    """33 joints, a dog of 0.6 m at the withers, with names that no convention for people knows."""
    return _build(_DOG_TRUNK + _both(_DOG_SIDE))


def spider() -> Skeleton:
    """44 joints, eight legs that stand out to the sides, knees above the body."""
    rows: list[Row] = [
        ("Body", None, (0.0, 0.30, 0.0)),
        ("Abdomen", "Body", (0.0, 0.05, -0.25)),
        ("AbdomenEnd", "Abdomen", (0.0, 0.0, -0.25)),
        ("Front", "Body", (0.0, 0.02, 0.20)),
    ]
    legs: list[Row] = []
    for i in range(4):
        z, fan = 0.12 - 0.08 * i, 0.5 - i / 3
        legs += [
            (f"Coxa{i}", "Body", (0.08, 0.0, z)),
            (f"Femur{i}", f"{{s}}Coxa{i}", (0.05, 0.0, 0.03 * fan)),
            (f"Tibia{i}", f"{{s}}Femur{i}", (0.18, 0.16, 0.20 * fan)),
            (f"Tarsus{i}", f"{{s}}Tibia{i}", (0.16, -0.36, 0.22 * fan)),
            (f"Tip{i}", f"{{s}}Tarsus{i}", (0.03, -0.09, 0.03 * fan)),
        ]
    return _build(rows + _both(legs))


def chain(n: int = 8, bone_m: float = 0.2) -> Skeleton:
    """``n`` joints standing on top of each other: a tail, a rope, a desk lamp."""
    rows: list[Row] = [("j0", None, (0.0, 0.0, 0.0))]
    rows += [(f"j{i}", f"j{i - 1}", (0.0, bone_m, 0.0)) for i in range(1, n)]
    return _build(rows)


_SPARSE_SIDE: list[Row] = [
    ("Arm", "Chest", (0.2, 0.05, 0.0)),
    ("ForeArm", "{s}Arm", (0.27, 0.0, 0.0)),
    ("Hand", "{s}ForeArm", (0.25, 0.0, 0.0)),
    ("UpLeg", "Hips", (0.1, -0.03, 0.0)),
    ("Leg", "{s}UpLeg", (0.0, -0.42, 0.01)),
    ("Foot", "{s}Leg", (0.0, -0.40, -0.01)),
]


def sparse() -> Skeleton:
    """A biped of 16 joints: hips under a bone on the floor, one bone for the trunk, no toes."""
    trunk: list[Row] = [
        ("Root", None, (0.0, 0.0, 0.0)),
        ("Hips", "Root", (0.0, 0.9, 0.0)),
        ("Chest", "Hips", (0.0, 0.45, 0.0)),
        ("Head", "Chest", (0.0, 0.25, 0.0)),
    ]
    return _build(trunk + _both(_SPARSE_SIDE))


def single() -> Skeleton:
    """One joint: a ball, a camera."""
    return _build([("Body", None, (0.0, 0.5, 0.0))])


def _both(rows: list[Row]) -> list[Row]:
    out: list[Row] = []
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        for name, parent, (x, y, z) in rows:
            up = None if parent is None else parent.format(s=side)
            out.append((side + name, up, (sign * x, y, z)))
    return out


def _build(rows: list[Row]) -> Skeleton:
    index = {name: i for i, (name, _, _) in enumerate(rows)}
    parents = [-1 if parent is None else index[parent] for _, parent, _ in rows]
    return Skeleton.build([name for name, _, _ in rows], parents, [offset for _, _, offset in rows])
