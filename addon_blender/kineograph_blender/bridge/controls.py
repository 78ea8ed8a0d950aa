# SPDX-License-Identifier: GPL-3.0-or-later
"""A generated rig through its controls: what is sent are its FK controls as a skeleton, and they are what is keyed.

Which controls, and what stands above which, is the profile's word (its ``tree``). In Blender other bones hang between
them: followers that a mechanism places. Each control is traced up to the control that carries it; what could come
between is held at rest, so that the controls alone make the pose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.errors import ErrorCode, error
from kineograph.motion import quat
from kineograph.rigs import Role
from kineograph.rigs.profiles import Profile, profile_of, stamp

from . import tables
from .channels import BoneTable
from .frame import rotation_of
from .places import where
from .rest import Rest

FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Controls:
    """``tree``: FK control to the one above it, None for the root. ``places``: each one's joint is at the rest of this
    bone, mostly its own. ``carried``: controls that go along with one of
    them unchanged (the torso with the hips). ``meant``: controls of which a key means others: an IK target its limb.
    ``hold``: (bone, property) to the value that makes the FK controls be followed."""

    tree: Mapping[str, str | None]
    places: Mapping[str, str]
    carried: Mapping[str, str]
    meant: Mapping[str, frozenset[str]]
    hold: Mapping[tuple[str, str], float]


@dataclass(frozen=True, eq=False)
class Rows:
    """What is written: ``table`` (R rows, parents first); row r goes along with joint ``joints[r]``, turned by
    ``turns_xyzw`` (R, 4) and moved by ``moves_bu`` (R, 3) in its axes. ``still``: bones that are held at rest."""

    table: BoneTable
    joints: NDArray[np.intp]
    turns_xyzw: FloatArray
    moves_bu: FloatArray
    still: tuple[str, ...]

    def of_joints(self, xyzw: FloatArray, places_bu: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Poses (T, R, 4), (T, R, 3) of the rows from those of the joints, in armature space."""
        carriers = xyzw[:, self.joints]
        return quat.mul(carriers, self.turns_xyzw), places_bu[:, self.joints] + quat.rotate(carriers, self.moves_bu)


def find(armature: Any, rest: Rest | None = None) -> Controls | None:
    """What the rig's profile says of its controls; None where no profile says anything. ``rest``: where it was read
    before."""
    rest = Rest.of(armature) if rest is None else rest
    profile = _profile_of(rest, stamp())
    return None if profile is None else _of_profile(profile, armature)


@lru_cache(8)
def _profile_of(rest: Rest, _now: tuple[Any, ...]) -> Profile | None:
    """Kept until the rig is edited, or a profile is."""
    return profile_of(rest.names, rest.ups)


def of_rig(armature: Any, rest: Rest | None = None) -> Controls:
    """The same. Raises ``invalid_skeleton`` where no profile knows the rig's controls."""
    found = find(armature, rest)
    if found is None:
        raise error(
            ErrorCode.INVALID_SKELETON,
            f"no rig profile knows the FK controls of {armature.name!r}",
            {"where": where("character", armature.name, armature.name), "controls": 0},
        )
    return found


def for_names(armature: Any, names: Sequence[str]) -> Controls | None:
    """The rig's controls, if ``names`` are what was sent of them; None for any other set of bones."""
    if any(armature.data.bones[n].use_deform for n in names if n in armature.data.bones):
        return None
    found = find(armature)
    return found if found is not None and found.tree.keys() >= set(names) else None


def _of_profile(profile: Profile, armature: Any) -> Controls | None:
    bones = armature.pose.bones
    tree: dict[str, str | None] = {}
    for name in profile.tree:
        if name in bones:
            up = profile.tree[name]
            while up and up not in bones:
                up = profile.tree[up]
            tree[name] = up or None
    if sum(up is None for up in tree.values()) != 1:
        return None
    root = next(name for name, up in tree.items() if up is None)
    # What an animator takes the whole body by; other controls above several joints are held at rest.
    body = profile.controls.get(Role.HIPS, "")
    carried = {body: root} if body in bones and body not in tree else {}
    hold: dict[tuple[str, str], float] = {}
    meant: dict[str, frozenset[str]] = {}
    for limb in profile.limbs.values():
        if limb.master in bones and limb.switch in bones[limb.master]:
            hold[limb.master, limb.switch] = limb.fk_value
        joints = frozenset(n for n in limb.fk if n in tree)
        meant |= {n: joints for n in (limb.ik, limb.pole) if n in bones and joints}
    for bone, values in profile.hold.items():
        hold |= {(bone, prop): v for prop, v in values.items() if bone in bones and prop in bones[bone]}
    places = {n: place if (place := profile.places.get(n, n)) in bones else n for n in tree}
    return Controls(tree, places, carried, meant, hold)


def seen_on(armature: Any, controls: Controls) -> dict[str, str]:
    """For each control the bone on which its pose is seen: what copies it at full, and follows IK as well."""
    seen = {name: name for name in controls.tree}
    for bone in armature.pose.bones:
        copied = _copied(bone)
        if copied is not None and seen.get(copied) == copied:
            seen[copied] = bone.name
    return seen


def rows_of(armature: Any, names: Sequence[str], controls: Controls) -> Rows:
    """The controls as Blender will compose them, each below the control that carries it."""
    wanted = {*names, *(c for c, joint in controls.carried.items() if joint in names)}
    ups: dict[str, str | None] = {}
    passed: set[str] = set()
    for name in wanted:
        ups[name] = _carrier(armature, name, wanted, passed)
    order = _parents_first(ups)
    still = tuple(sorted(n for n in passed - wanted if _may_be_posed(armature.pose.bones[n])))
    bones = [armature.data.bones[n] for n in order]
    plain = tables.of_bones(armature, tuple(order))
    row = {name: i for i, name in enumerate(order)}
    parents = np.array([-1 if ups[n] is None else row[str(ups[n])] for n in order], np.int32)
    inside = parents >= 0
    rest_xyzw, rest_bu = plain.rest_xyzw, plain.rest_bu
    loose = plain.outside.copy()
    loose[inside] = -1
    # A bone that hangs on the scene by nothing but the armature keeps its Blender parent, outside the take.
    kept = tuple(dict.fromkeys(plain.outside_names[i] for i in loose if i >= 0))
    renumbered = {plain.outside_names.index(n): k for k, n in enumerate(kept)}
    table = BoneTable(
        names=plain.names,
        modes=plain.modes,
        parents=parents,
        outside=np.array([renumbered[int(i)] if i >= 0 else -1 for i in loose], np.int32),
        outside_names=kept,
        rest_xyzw=rest_xyzw,
        rest_bu=rest_bu,
        up_rest_xyzw=np.where(inside[:, None], rest_xyzw[parents], plain.up_rest_xyzw),
        up_rest_bu=np.where(inside[:, None], rest_bu[parents], plain.up_rest_bu),
        inherits_rotation=plain.inherits_rotation,
        local_location=plain.local_location,
        connected=np.array([b.use_connect and b.parent is not None for b in bones]),
    )
    joint = {name: i for i, name in enumerate(names)}
    joints = np.array([joint[controls.carried.get(n, n)] for n in order])
    places = [armature.data.bones[controls.places[n]].matrix_local for n in names]
    joint_rest = np.array(places, float)[joints]
    back = quat.conj(rotation_of(joint_rest))
    moves = quat.rotate(back, rest_bu - joint_rest[:, :3, 3])
    return Rows(table, joints, quat.mul(back, rest_xyzw), moves, still)


def _carrier(armature: Any, name: str, wanted: set[str], passed: set[str]) -> str | None:
    """The nearest of ``wanted`` that moves a bone rigidly; None where none does. ``passed``: what stands between."""
    bones = armature.pose.bones
    at = bones[name].parent
    seen: set[str] = set()
    while at is not None and at.name not in seen:
        seen.add(at.name)
        if at.name in wanted:
            passed |= seen | {t for n in seen for t in _targets(armature, bones[n])}
            return str(at.name)
        copied = _copied(at)
        at = bones[copied] if copied is not None and copied in bones else at.parent
    return None


def _copied(bone: Any) -> str | None:
    """The bone that another one copies at full, by its first constraint: what comes after is a switch."""
    first = next((c for c in bone.constraints if not c.mute), None)
    if first is None or first.type != "COPY_TRANSFORMS" or first.influence < 1.0 or first.target != bone.id_data:
        return None
    return str(first.subtarget) if first.target_space == "WORLD" and first.owner_space == "WORLD" else None


def _targets(armature: Any, bone: Any) -> Iterable[str]:
    for constraint in bone.constraints:
        target, name = getattr(constraint, "target", None), getattr(constraint, "subtarget", "")
        if target == armature and name and constraint.type not in ("COPY_SCALE", "LIMIT_DISTANCE"):
            yield str(name)


def _may_be_posed(bone: Any) -> bool:
    return not all((*bone.lock_location, *bone.lock_rotation))


def _parents_first(ups: Mapping[str, str | None]) -> list[str]:
    depth: dict[str, int] = {}

    def of(name: str) -> int:
        if name not in depth:
            depth[name] = 0 if (up := ups[name]) is None else of(up) + 1
        return depth[name]

    return sorted(ups, key=lambda n: (of(n), n))
