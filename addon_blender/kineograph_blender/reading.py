# SPDX-License-Identifier: GPL-3.0-or-later
"""How a character's bones are understood, and what a user says about it, in a profile of their own.

A reading is worked out once for a set of bones and kept until a bone is renamed or the profile edited.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import bpy

from kineograph.errors import ErrorCode, KineographError, error
from kineograph.rigs import REQUIRED, RigMap, Role, roles_of
from kineograph.rigs.profiles import Profile, from_map, own_folder, profile_of, read_rig, signature, write

from . import session
from .bridge.bones import Which
from .bridge.rig import tree_of

DOUBTFUL = 0.5
"""Below this a person should look at a match."""
_MOST_KEPT = 16

Bones = tuple[tuple[str, str | None], ...]
Key = tuple[Bones, str, str]


@dataclass(frozen=True, eq=False)
class Reading:
    """``map`` says which bone plays which role; ``profile`` is the name of the one in use, or empty. ``bones`` are
    those that travel, as the daemon sees them, parents first."""

    bones: Bones
    map: RigMap
    profile: str
    failed: str = ""

    @property
    def missing(self) -> list[Role]:
        """Roles that a body needs and no bone plays."""
        return self.map.missing()

    @property
    def doubtful(self) -> list[Role]:
        """Roles that were guessed."""
        return [r for r in REQUIRED if (m := self.map.matches.get(r)) is not None and m.confidence < DOUBTFUL]

    @property
    def understood(self) -> int:
        """How many of the body's roles are known."""
        return len(REQUIRED) - len(self.missing)

    def line(self) -> str:
        """All of it in a line."""
        by = f", by the profile '{self.profile}'" if self.profile else ""
        by = by or (f", as in {self.map.convention_label}" if self.map.convention else "")
        return f"{self.understood} of {len(REQUIRED)} understood{by}"


_kept: dict[Key, Reading] = {}
_tried: set[Key] = set()


def key_of(armature: Any) -> Key:
    """What a reading is about: names, parents, and which of the bones travel."""
    bones = tuple((b.name, b.parent.name if b.parent else None) for b in armature.data.bones)
    return bones, str(armature.kineograph.bones), str(armature.kineograph.root)


def known(armature: Any) -> Reading | None:
    """The reading, where it was worked out; for panels, which do no work."""
    return _kept.get(key_of(armature))


def read(armature: Any) -> Reading:
    """The reading, worked out where it is not known."""
    key = key_of(armature)
    if key not in _kept:
        while len(_kept) >= _MOST_KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[key] = _work_out(travelling(armature))
    return _kept[key]


def soon(armature: Any) -> None:
    """Work the reading out in a moment, for panels, which do no work themselves; in the interface only."""
    key = key_of(armature)
    if bpy.app.background or key in _tried:
        return
    _tried.add(key)
    name = armature.name

    def look() -> None:
        found = bpy.data.objects.get(name)
        if found is not None and found.type == "ARMATURE":
            read(found)
            session.redraw()

    bpy.app.timers.register(look, first_interval=0.0)


def travelling(armature: Any) -> Bones:
    """The bones that are sent, parents first; all of them where they are not one tree."""
    wishes = armature.kineograph
    try:
        tree = tree_of(armature, Which(wishes.bones), wishes.root or None)
    except KineographError:
        tree = {b.name: b.parent.name if b.parent else None for b in armature.data.bones}
    return tuple(tree.items())


def forget() -> None:
    """Profiles changed: everything is read anew."""
    _kept.clear()
    _tried.clear()


def assign(armature: Any, role: Role, bone: str) -> Profile:
    """Say that ``bone`` plays ``role`` (an empty name: that none does), and its mirror where there is one.

    Kept in a profile of the user's own, found by the rig. Raises ``unknown_joint`` for a bone that is not there.
    """
    bones = travelling(armature)
    names = [name for name, _ in bones]
    if bone and bone not in names:
        raise error(ErrorCode.UNKNOWN_JOINT, f"{armature.name!r} has no bone {bone!r}", {"got": bone, "joint": bone})
    profile = _own_profile(armature, bones)
    roles = {r: n for r, n in profile.roles.items() if n != bone and r is not role}
    if bone:
        roles[role] = bone
        other = mirrored(bone)
        if role.mirror is not role and other in names and other not in roles.values():
            roles[role.mirror] = other
    profile = replace(profile, roles=dict(sorted(roles.items())))
    folder = own_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write(profile, folder / f"{profile.match.hash}.toml")
    forget()
    return profile


def mirrored(name: str) -> str:
    """The name of the bone on the other side, as Blender flips it; the name itself where it has no side."""
    return str(bpy.utils.flip_name(name))


def _own_profile(armature: Any, bones: Bones) -> Profile:
    names, parents = _table(bones)
    found = profile_of(names, parents)
    hash_ = signature(names, parents)
    if found is not None and found.match.hash == hash_:
        return found
    profile = from_map(armature.name, read(armature).map, parents)
    return replace(profile, controls=found.controls, limbs=found.limbs) if found is not None else profile


def _work_out(bones: Bones) -> Reading:
    names, parents = _table(bones)
    try:
        found = profile_of(names, parents)
        return Reading(bones, read_rig(names, parents), found.name if found is not None else "")
    except KineographError as e:
        return Reading(bones, roles_of(names, parents), "", e.message)


def _table(bones: Bones) -> tuple[list[str], list[int]]:
    index = {name: i for i, (name, _) in enumerate(bones)}
    return [name for name, _ in bones], [-1 if up is None else index[up] for _, up in bones]
