# SPDX-License-Identifier: Apache-2.0
"""Five characters of our own under five well-known naming schemes, as different as real files are.

Proportions, rest poses (T and A, arms and legs at various angles), bone axes, spine and neck counts, palms' bones and
twist bones all differ. Everything is in metres, y up, facing +Z, standing on y = 0, the character's left at +X. The
sixth rig, Rigify's human, is made by Blender itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]
Row = tuple[str, str | None, str]
FINGERS = ("thumb", "index", "middle", "ring", "pinky")
_SIDES = (("l", 1.0), ("r", -1.0))


@dataclass(frozen=True)
class Build:
    """Sizes in metres and rest angles in degrees of one character."""

    hips_m: float
    hip_width_m: float
    thigh_m: float
    calf_m: float
    ankle_m: float
    foot_m: float
    trunk_m: tuple[float, ...]  # heights of the spine's joints over the hips; the last one bears the arms
    neck_m: tuple[float, ...]  # heights of neck joints, head and head's top over the last spine joint
    clavicle_m: float
    upper_arm_m: float
    forearm_m: float
    hand_m: float
    arms_down_deg: float = 0.0
    legs_out_deg: float = 0.0
    elbow_deg: float = 0.0
    palm_roll_deg: float = 0.0


def landmarks(b: Build) -> dict[str, FloatArray]:
    """World rest positions by key: ``hips spine0.. neck0.. head top``, and ``PART.l``/``PART.r`` for paired parts."""
    at: dict[str, FloatArray] = {"root": np.zeros(3), "hips": np.array([0.0, b.hips_m, 0.0])}
    for i, y in enumerate(b.trunk_m):
        at[f"spine{i}"] = at["hips"] + (0.0, y, -0.06 * y)
    chest = at[f"spine{len(b.trunk_m) - 1}"]
    for key, y in zip([*(f"neck{i}" for i in range(len(b.neck_m) - 2)), "head", "top"], b.neck_m, strict=True):
        at[key] = chest + np.array([0.0, y, 0.12 * y])
    at["jaw"] = at["head"] + (0.0, 0.01, 0.04)
    for side, s in _SIDES:
        at[f"eye.{side}"] = at["head"] + (0.032 * s, 0.06, 0.09)
        for part, where in {**_leg(b), **_arm(b)}.items():
            base = at["hips"] if part in _LEG else chest
            at[f"{part}.{side}"] = base + where * (s, 1.0, 1.0)
    return at


_LEG = ("hip", "thigh", "thigh_twist", "calf", "calf_twist", "foot", "ball", "toe")


def _leg(b: Build) -> dict[str, FloatArray]:
    out = np.radians(b.legs_out_deg)
    way = np.array([np.sin(out), -np.cos(out), 0.0])
    thigh = np.array([b.hip_width_m, -0.04, 0.01])
    calf = thigh + b.thigh_m * way + (0.0, 0.0, 0.012)
    foot = calf + b.calf_m * way - (0.0, 0.0, 0.03)
    floor = -b.hips_m
    ball = np.array([foot[0] + 0.01, floor + 0.3 * b.ankle_m, foot[2] + 0.68 * b.foot_m])
    return {
        "hip": thigh * 0.2, "thigh": thigh, "thigh_twist": 0.5 * (thigh + calf), "calf": calf,
        "calf_twist": 0.5 * (calf + foot), "foot": foot, "ball": ball,
        "toe": np.array([ball[0], floor + 0.12 * b.ankle_m, ball[2] + 0.4 * b.foot_m]),
    }  # fmt: skip


def _arm(b: Build) -> dict[str, FloatArray]:
    """The left arm hanging ``arms_down_deg`` below a T-pose, its palm down (turned by ``palm_roll_deg``)."""
    clavicle = np.array([0.025, 0.09, 0.01])
    shoulder = clavicle + np.array([b.clavicle_m, 0.0, -0.02])
    down = np.array([0.0, 0.0, 1.0])
    upper = quat.from_axis_angle(-down, np.radians(b.arms_down_deg))
    lower = quat.mul(upper, quat.from_axis_angle(np.array([0.0, -1.0, 0.0]), np.radians(b.elbow_deg)))
    along, along_lower = (quat.rotate(q, np.array([1.0, 0.0, 0.0])) for q in (upper, lower))
    elbow = shoulder + b.upper_arm_m * along
    wrist = elbow + b.forearm_m * along_lower
    palm = quat.mul(lower, quat.from_axis_angle(np.array([1.0, 0.0, 0.0]), np.radians(b.palm_roll_deg)))
    out = {
        "clavicle": clavicle, "upper_arm": shoulder, "upper_arm_twist": 0.5 * (shoulder + elbow), "forearm": elbow,
        "forearm_twist": 0.5 * (elbow + wrist), "hand": wrist,
    }  # fmt: skip
    for place, finger in enumerate(FINGERS):
        sideways = 0.035 - 0.022 * (place - 1)
        for k in range(6):
            reach = (0.28 + 0.14 * k) if finger == "thumb" else (0.12, 0.5, 0.68, 0.82, 0.94, 1.04)[k]
            spread = 0.03 + 0.016 * k if finger == "thumb" else sideways
            local = np.array([reach * b.hand_m, -0.004 * k * k, spread])
            out[f"{finger}{k}"] = wrist + quat.rotate(palm, local)
    return out


Axes = Callable[[FloatArray, str], FloatArray]


def world_axes(along: FloatArray, key: str) -> FloatArray:
    """Every joint's frame is the world's, as in BVH files and VRM 1.0."""
    return np.array([0.0, 0.0, 0.0, 1.0])


def y_along(along: FloatArray, key: str) -> FloatArray:
    """y along the bone, as in Mixamo and Blender."""
    hint = np.array([0.0, 0.0, 1.0]) if abs(along[2]) < 0.8 else np.array([0.0, 1.0, 0.0])
    z = hint - along * (hint @ along)
    z = z / np.linalg.norm(z)
    return quat.from_matrix(np.stack([np.cross(along, z), along, z], axis=-1))


def x_along(along: FloatArray, key: str) -> FloatArray:
    """x along the bone on the left and against it on the right, as in Unreal; the root keeps the world's frame."""
    if key == "root":
        return world_axes(along, key)
    x = -along if key.endswith(".r") else along
    return quat.mul(y_along(x, key), quat.from_axis_angle(np.array([0.0, 0.0, 1.0]), np.pi / 2))


def odd_axes(along: FloatArray, key: str) -> FloatArray:
    """Bones along z with a roll that differs from joint to joint, as rigs built by hand have."""
    roll = quat.from_axis_angle(np.array([0.0, 1.0, 0.0]), 0.35 * (sum(map(ord, key)) % 17))
    turned = quat.mul(y_along(along, key), roll)
    return quat.mul(turned, quat.from_axis_angle(np.array([1.0, 0.0, 0.0]), -np.pi / 2))


def build(rows: list[Row], at: dict[str, FloatArray], axes: Axes) -> Skeleton:
    """A skeleton of rows (name, parent, key of the position)."""
    index = {name: i for i, (name, _, _) in enumerate(rows)}
    parents = [-1 if up is None else index[up] for _, up, _ in rows]
    position = np.array([at[key] for _, _, key in rows])
    world = np.zeros((len(rows), 4))
    for i, (_, _, key) in enumerate(rows):
        below = [j for j, p in enumerate(parents) if p == i and np.linalg.norm(position[j] - position[i]) > 1e-6]
        # The bone points to the child that carries on most nearly on its way.
        up = position[i] - position[parents[i]] if parents[i] >= 0 else np.array([0.0, 1.0, 0.0])
        ways = [position[j] - position[i] for j in below] or [
            up if np.linalg.norm(up) > 1e-6 else np.array([0, 1.0, 0])
        ]
        way = max(ways, key=lambda w: float(w @ up) / float(np.linalg.norm(w)))
        world[i] = axes(way / np.linalg.norm(way), key)
    local_t, local_r = position.copy(), world.copy()
    for i, p in enumerate(parents):
        if p >= 0:
            local_t[i] = quat.rotate(quat.conj(world[p]), position[i] - position[p])
            local_r[i] = quat.mul(quat.conj(world[p]), world[i])
    return Skeleton.build([r[0] for r in rows], parents, local_t, local_r)


def cmu31() -> Skeleton:
    """Named as CMU's BVH files: identity axes, T-pose with legs apart, coincident joints, mittens for hands."""
    size = Build(0.94, 0.085, 0.40, 0.42, 0.075, 0.19, (0.0, 0.115, 0.235), (0.0, 0.10, 0.19, 0.30),
                 0.16, 0.29, 0.20, 0.15, arms_down_deg=3.0, legs_out_deg=14.0)  # fmt: skip
    rows: list[Row] = [("Hips", None, "hips")]
    for s, side in (("Left", "l"), ("Right", "r")):
        rows += [(f"{s[0]}HipJoint", "Hips", "hips"), (f"{s}UpLeg", f"{s[0]}HipJoint", f"thigh.{side}"),
                 (f"{s}Leg", f"{s}UpLeg", f"calf.{side}"), (f"{s}Foot", f"{s}Leg", f"foot.{side}"),
                 (f"{s}ToeBase", f"{s}Foot", f"ball.{side}")]  # fmt: skip
    rows += _chain([("LowerBack", "spine0"), ("Spine", "spine1"), ("Spine1", "spine2")], "Hips")
    rows += _chain([("Neck", "neck0"), ("Neck1", "neck1"), ("Head", "head")], "Spine1")
    for s, side in (("Left", "l"), ("Right", "r")):
        arm = [(f"{s}Shoulder", "clavicle"), (f"{s}Arm", "upper_arm"), (f"{s}ForeArm", "forearm"),
               (f"{s}Hand", "hand"), (f"{s}FingerBase", "middle0"), (f"{s[0]}Fingers", "middle1")]  # fmt: skip
        rows += _chain([(n, f"{k}.{side}") for n, k in arm], "Spine1")
        rows.append((f"{s[0]}Thumb", f"{s}Hand", f"thumb0.{side}"))
    return build(rows, landmarks(size), world_axes)


def mixamo65() -> Skeleton:
    """Named as Mixamo: y along the bones, a full T-pose, three spine joints, finger ends."""
    size = Build(1.02, 0.092, 0.44, 0.445, 0.10, 0.20, (0.10, 0.21, 0.34), (0.17, 0.26, 0.46),
                 0.13, 0.275, 0.28, 0.18)  # fmt: skip
    rows: list[Row] = [("Hips", None, "hips"), *_chain([(n, f"spine{i}") for i, n in enumerate(_SPINE_M)], "Hips")]
    rows += _chain([("Neck", "neck0"), ("Head", "head"), ("HeadTop_End", "top")], "Spine2")
    for s, side in (("Right", "r"), ("Left", "l")):
        arm = [(f"{s}Shoulder", "clavicle"), (f"{s}Arm", "upper_arm"), (f"{s}ForeArm", "forearm"), (f"{s}Hand", "hand")]
        rows += _chain([(n, f"{k}.{side}") for n, k in arm], "Spine2")
        for finger in FINGERS:
            names = [(f"{s}Hand{finger.title()}{k}", f"{finger}{k - (finger == 'thumb')}.{side}") for k in range(1, 5)]
            rows += _chain(names, f"{s}Hand")
    for s, side in (("Right", "r"), ("Left", "l")):
        leg = [("UpLeg", "thigh"), ("Leg", "calf"), ("Foot", "foot"), ("ToeBase", "ball"), ("Toe_End", "toe")]
        rows += _chain([(f"{s}{n}", f"{k}.{side}") for n, k in leg], "Hips")
    named = [(f"mixamorig:{n}", None if p is None else f"mixamorig:{p}", k) for n, p, k in rows]
    return build(named, landmarks(size), y_along)


_SPINE_M = ("Spine", "Spine1", "Spine2")


def soma77() -> Skeleton:
    """Named as SOMA: palms have bones, fingers ends, the neck two joints, eyes and a jaw; rolls differ all over."""
    size = Build(0.91, 0.08, 0.385, 0.40, 0.085, 0.17, (0.06, 0.15, 0.28), (0.15, 0.21, 0.29, 0.47),
                 0.125, 0.26, 0.235, 0.165, arms_down_deg=1.0, elbow_deg=4.0)  # fmt: skip
    rows: list[Row] = [("Hips", None, "hips")]
    rows += _chain([("Spine1", "spine0"), ("Spine2", "spine1"), ("Chest", "spine2")], "Hips")
    rows += _chain([("Neck1", "neck0"), ("Neck2", "neck1"), ("Head", "head"), ("HeadEnd", "top")], "Chest")
    rows += [("Jaw", "Head", "jaw"), ("LeftEye", "Head", "eye.l"), ("RightEye", "Head", "eye.r")]
    for s, side in (("Left", "l"), ("Right", "r")):
        arm = [("Shoulder", "clavicle"), ("Arm", "upper_arm"), ("ForeArm", "forearm"), ("Hand", "hand")]
        rows += _chain([(f"{s}{n}", f"{k}.{side}") for n, k in arm], "Chest")
        for finger in FINGERS:
            parts = ("1", "2", "3", "End") if finger == "thumb" else ("1", "2", "3", "4", "End")
            names = [(f"{s}Hand{finger.title()}{part}", f"{finger}{k}.{side}") for k, part in enumerate(parts)]
            rows += _chain(names, f"{s}Hand")
    for s, side in (("Left", "l"), ("Right", "r")):
        leg = [("Leg", "thigh"), ("Shin", "calf"), ("Foot", "foot"), ("ToeBase", "ball"), ("ToeEnd", "toe")]
        rows += _chain([(f"{s}{n}", f"{k}.{side}") for n, k in leg], "Hips")
    return build(rows, landmarks(size), odd_axes)


def unreal68() -> Skeleton:
    """Named as Unreal's mannequin: a root on the floor, an A-pose, x along the bones, twist bones, IK helpers."""
    size = Build(1.0, 0.095, 0.43, 0.42, 0.11, 0.21, (0.11, 0.24, 0.37), (0.16, 0.25, 0.45),
                 0.15, 0.30, 0.27, 0.19, arms_down_deg=48.0, legs_out_deg=5.0, elbow_deg=8.0)  # fmt: skip
    rows: list[Row] = [("root", None, "root"), ("pelvis", "root", "hips")]
    rows += _chain([(f"spine_0{i + 1}", f"spine{i}") for i in range(3)], "pelvis")
    rows += _chain([("neck_01", "neck0"), ("head", "head")], "spine_03")
    for s, _ in _SIDES:
        arm = [("clavicle", "clavicle"), ("upperarm", "upper_arm"), ("lowerarm", "forearm"), ("hand", "hand")]
        rows += _chain([(f"{n}_{s}", f"{k}.{s}") for n, k in arm], "spine_03")
        rows += [(f"{n}_twist_01_{s}", f"{n}_{s}", f"{k}_twist.{s}") for n, k in arm[1:3]]
        for finger in FINGERS:
            names = [(f"{finger}_0{k}_{s}", f"{finger}{k - (finger == 'thumb')}.{s}") for k in range(1, 4)]
            rows += _chain(names, f"hand_{s}")
        leg = [("thigh", "thigh"), ("calf", "calf"), ("foot", "foot"), ("ball", "ball")]
        rows += _chain([(f"{n}_{s}", f"{k}.{s}") for n, k in leg], "pelvis")
        rows += [(f"{n}_twist_01_{s}", f"{n}_{s}", f"{k}_twist.{s}") for n, k in leg[:2]]
    rows += [("ik_foot_root", "root", "root"), ("ik_foot_l", "ik_foot_root", "foot.l"),
             ("ik_foot_r", "ik_foot_root", "foot.r"), ("ik_hand_root", "root", "root"),
             ("ik_hand_gun", "ik_hand_root", "hand.r"), ("ik_hand_l", "ik_hand_gun", "hand.l"),
             ("ik_hand_r", "ik_hand_gun", "hand.r")]  # fmt: skip
    return build(rows, landmarks(size), x_along)


def vrm55() -> Skeleton:
    """Named as VRM 1.0: identity axes, a small figure with short legs and a long trunk, palms turned a little."""
    size = Build(0.70, 0.07, 0.29, 0.29, 0.075, 0.14, (0.05, 0.14, 0.25), (0.12, 0.19, 0.45),
                 0.10, 0.21, 0.19, 0.13, arms_down_deg=-2.0, palm_roll_deg=-12.0)  # fmt: skip
    rows: list[Row] = [("hips", None, "hips")]
    rows += _chain([("spine", "spine0"), ("chest", "spine1"), ("upperChest", "spine2")], "hips")
    rows += _chain([("neck", "neck0"), ("head", "head")], "upperChest")
    rows += [("leftEye", "head", "eye.l"), ("rightEye", "head", "eye.r"), ("jaw", "head", "jaw")]
    for s, side in (("left", "l"), ("right", "r")):
        arm = [("Shoulder", "clavicle"), ("UpperArm", "upper_arm"), ("LowerArm", "forearm"), ("Hand", "hand")]
        rows += _chain([(f"{s}{n}", f"{k}.{side}") for n, k in arm], "upperChest")
        for finger in FINGERS:
            called = "Little" if finger == "pinky" else finger.title()
            parts = ("Metacarpal", "Proximal", "Distal") if finger == "thumb" else _PHALANGES
            first = 0 if finger == "thumb" else 1
            names = [(f"{s}{called}{part}", f"{finger}{first + k}.{side}") for k, part in enumerate(parts)]
            rows += _chain(names, f"{s}Hand")
        leg = [("UpperLeg", "thigh"), ("LowerLeg", "calf"), ("Foot", "foot"), ("Toes", "ball")]
        rows += _chain([(f"{s}{n}", f"{k}.{side}") for n, k in leg], "hips")
    return build(rows, landmarks(size), world_axes)


_PHALANGES = ("Proximal", "Intermediate", "Distal")
RIGS: dict[str, Callable[[], Skeleton]] = {
    "cmu": cmu31, "mixamo": mixamo65, "soma": soma77, "unreal": unreal68, "vrm": vrm55,
}  # fmt: skip


def _chain(joints: list[tuple[str, str]], parent: str) -> list[Row]:
    def rows() -> Iterator[Row]:
        up = parent
        for name, key in joints:
            yield name, up, key
            up = name

    return list(rows())
