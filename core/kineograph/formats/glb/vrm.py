# SPDX-License-Identifier: Apache-2.0
"""VRM 0.x, VRM 1.0 and VRM animations: glTF files that say which node is which part of a body.

Specifications: VRM Consortium, ``VRM`` 0.0, ``VRMC_vrm-1.0`` and ``VRMC_vrm_animation-1.0``. A VRM 0.x character faces
-Z, one of 1.0 faces +Z. A thumb is proximal, intermediate, distal in 0.x and metacarpal, proximal, distal in 1.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.errors import ErrorCode, SceneError
from kineograph.formats.glb.document import Document
from kineograph.formats.glb.nodes import Rig
from kineograph.motion import quat
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import Role, roles_of
from kineograph.rigs.profiles import Profile

FloatArray = NDArray[np.floating[Any]]

LICENCE_URL = "https://vrm.dev/licenses/1.0/"
REQUIRED = (
    "hips", "spine", "head", "leftUpperLeg", "leftLowerLeg", "leftFoot", "rightUpperLeg", "rightLowerLeg", "rightFoot",
    "leftUpperArm", "leftLowerArm", "leftHand", "rightUpperArm", "rightLowerArm", "rightHand",
)  # fmt: skip
_KINDS = {"VRM": "vrm 0", "VRMC_vrm": "vrm 1", "VRMC_vrm_animation": "vrma"}
_SPINE = ("spine", "chest", "upperChest")
_MIDDLE = {"hips": Role.HIPS, "spine": Role.SPINE, "neck": Role.NECK, "head": Role.HEAD, "jaw": Role.JAW}
_PARTS = {
    "Eye": "eye", "Shoulder": "clavicle", "UpperArm": "upper_arm", "LowerArm": "forearm", "Hand": "hand",
    "UpperLeg": "thigh", "LowerLeg": "calf", "Foot": "foot", "Toes": "toe",
    **{f"{f}{p}": f"{'pinky' if f == 'Little' else f.lower()}_{n}"
       for f in ("Index", "Middle", "Ring", "Little")
       for n, p in enumerate(("Proximal", "Intermediate", "Distal"), 1)},
}  # fmt: skip
_THUMBS = {True: ("Metacarpal", "Proximal", "Distal"), False: ("Proximal", "Intermediate", "Distal")}


@dataclass(frozen=True)
class Humanoid:
    """``kind`` is ``vrm 0``, ``vrm 1`` or ``vrma``; ``nodes`` the node of each of the format's bones."""

    kind: str
    nodes: Mapping[str, int]

    @property
    def is_turned(self) -> bool:
        """Whether the file's characters look along -Z."""
        return self.kind == "vrm 0"

    @cached_property
    def turn_xyzw(self) -> FloatArray:
        """From the file's world to one in which the character faces +Z."""
        return quat.about_y(np.pi) if self.is_turned else quat.identity()

    def profile(self, rig: Rig) -> Profile:
        """What the file says as a rig profile; bones whose node is no joint of the character are left out."""
        names = {node: rig.names[j] for j, node in enumerate(rig.joints)}
        have = {bone: names[node] for bone, node in self.nodes.items() if node in names}
        roles = {role: have[bone] for bone, role in bone_roles(self.kind != "vrm 0").items() if bone in have}
        spine = tuple(have[bone] for bone in _SPINE if bone in have)
        if len(spine) > 1:
            roles[Role.CHEST] = spine[-1]
        return Profile(f"{self.kind} humanoid", roles=roles, chains={Role.SPINE: spine} if spine else {})


def find(document: Document, node_count: int) -> Humanoid | None:
    """The humanoid of a file, or None. Raises ``file_unreadable`` with the JSON path for a broken one."""
    extensions = document.map.get("extensions")
    for key, kind in _KINDS.items():
        block = extensions.get(key) if isinstance(extensions, dict) else None
        if block is None:
            continue
        where = f"extensions.{key}.humanoid.humanBones"
        humanoid = block.get("humanoid") if isinstance(block, dict) else None
        bones = humanoid.get("humanBones") if isinstance(humanoid, dict) else None
        if kind == "vrm 0":
            listed = bones if isinstance(bones, list) else None
            bones = None if listed is None else {str(b.get("bone")): b for b in listed if isinstance(b, dict)}
        if not isinstance(bones, dict) or not all(isinstance(b, dict) for b in bones.values()):
            document.fail(where, "must name the bones of the body")
        nodes = {
            bone: document.index(told.get("node"), node_count, f"{where}.{bone}.node") for bone, told in bones.items()
        }
        if len(set(nodes.values())) != len(nodes):
            document.fail(where, "names one node as two bones")
        return Humanoid(kind, nodes)
    return None


def bone_roles(newer: bool = True) -> dict[str, Role]:
    """The role of each of the format's bones; ``newer``: with the thumbs of VRM 1.0."""
    out = dict(_MIDDLE)
    for side in ("left", "right"):
        out |= {f"{side}{bone}": Role(f"{side}_{part}") for bone, part in _PARTS.items()}
        out |= {f"{side}Thumb{name}": Role(f"{side}_thumb_{n}") for n, name in enumerate(_THUMBS[newer], 1)}
    return out


def extension(skeleton: Skeleton, *, animation: bool, name: str) -> dict[str, Any]:
    """The ``extensions`` of a VRM 1.0 or VRM animation file whose nodes are the joints of ``skeleton``.

    Raises ``map_incomplete`` for a rig that lacks a bone which the format demands.
    """
    rig = roles_of(skeleton.names, skeleton.parents, skeleton.rest_positions_m)
    bones = {bone: joint for bone, role in bone_roles().items() if (joint := rig.get(role)) is not None}
    spine = [j for j in rig.chains.get(Role.SPINE, ()) if j != rig.get(Role.HIPS)]
    if len(spine) > len(_SPINE):
        spine = [spine[0], spine[len(spine) // 2], spine[-1]]
    bones |= dict(zip(_SPINE, spine, strict=False))
    missing = [bone for bone in REQUIRED if bone not in bones]
    if missing:
        said = f"a VRM file needs bones that this rig lacks: {', '.join(missing)}"
        raise SceneError(ErrorCode.MAP_INCOMPLETE, said, {"missing": missing})
    told = {"specVersion": "1.0", "humanoid": {"humanBones": {bone: {"node": j} for bone, j in bones.items()}}}
    if animation:
        return {"VRMC_vrm_animation": told}
    meta = {"name": name or "character", "version": "1", "authors": ["unknown"], "licenseUrl": LICENCE_URL}
    return {"VRMC_vrm": {**told, "meta": meta}}
