# SPDX-License-Identifier: Apache-2.0
"""How a rig's joints are read, and how a person mends it: roles with their joints, both sides at once, kept as a
profile that is found again by the rig itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kineograph.errors import ErrorCode, SceneError
from kineograph.fixes import timeline
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import RigMap, profiles
from kineograph.rigs.mapping import Match
from kineograph.rigs.roles import REQUIRED, Group, Role, Side, role
from kineograph_gui.model.words import say

SURE = 0.75


def profile_folder() -> Path:
    """Where this user's rig profiles are."""
    return profiles.own_folder()


def read_rig(rig: Skeleton) -> RigMap:
    """The map of a rig: by this user's or a built-in profile that fits, else by its names and tree."""
    return profiles.read_rig(rig.names, rig.parents.tolist(), rig.rest_positions_m)


def remember_name(request: Mapping[str, Any] | None, alias: str, joint: str, character: str = "") -> Path:
    """Keep in this user's profile of a request's rig that ``alias`` means ``joint``; the profile's file.

    Raises ``unknown_joint``, and ``file_unreadable`` when it cannot be written.
    """
    names, parents = _tree(request)
    return profiles.remember_alias(names, parents, alias, joint, character)


def known_names(request: Mapping[str, Any] | None) -> Mapping[str, str]:
    """What this user's profile of a request's rig says of names that it does not have."""
    names, parents = _tree(request)
    return profiles.aliases_of(names, parents) if names else {}


def _tree(request: Mapping[str, Any] | None) -> tuple[list[str], list[int]]:
    joints = timeline.joints(request)
    names = [str(j.get("name")) for j in joints]
    place = {name: i for i, name in enumerate(names)}
    return names, [place.get(str(j.get("parent")), -1) for j in joints]


@dataclass(frozen=True)
class RoleLine:
    """One role as it is listed. ``tone``: "" sure, "off" guessed or missing."""

    role: Role
    name: str
    joint: str
    reason: str
    tone: str


class Mending:
    """The map of one rig while it is mended."""

    def __init__(self, rig: Skeleton, known: RigMap | None = None) -> None:
        self.rig = rig
        self.map = known or read_rig(rig)
        self.is_changed = False

    @property
    def lines(self) -> list[RoleLine]:
        """What is missing first, then what is guessed, then what is sure; all in the order of the body."""
        listed = [r for r in Role if r in REQUIRED or r in self.map.matches or _is_body(r)]
        out = [self._line(r) for r in listed]
        return sorted(out, key=lambda line: (bool(line.joint), line.tone == ""))

    def _line(self, wanted: Role) -> RoleLine:
        match = self.map.matches.get(wanted)
        if match is None:
            needed = wanted in REQUIRED
            return RoleLine(wanted, words(wanted), "", say("map.missing" if needed else "map.none"), "off" * needed)
        return RoleLine(wanted, words(wanted), match.name, match.reason, "" if match.confidence >= SURE else "off")

    @property
    def missing(self) -> list[str]:
        """Roles that a body needs and this rig does not show."""
        return [words(r) for r in self.map.missing()]

    def set(self, wanted: Role, joint: str, *, both_sides: bool = True) -> list[str]:
        """Give a role a joint (empty: none); with its mirror where the rig has one. What was set, in words."""
        said = [self._set_one(wanted, joint)]
        if both_sides and wanted.side is not Side.MIDDLE:
            other = mirrored(joint, self.rig.names) if joint else ""
            if other is not None:
                said.append(self._set_one(role(wanted.part, wanted.side.other), other))
        return said

    def _set_one(self, wanted: Role, joint: str) -> str:
        matches = {r: m for r, m in self.map.matches.items() if r is not wanted and m.name != joint}
        if joint:
            index = self.rig.index[joint]
            matches[wanted] = Match(wanted, index, joint, 1.0, say("map.yours"))
        self.map = replace(self.map, matches=matches)
        self.is_changed = True
        return say("map.set", role=words(wanted), joint=joint or say("map.none"))

    def save(self, name: str, file: Path | None = None) -> Path:
        """Keep it as a profile, the user's own or in ``file``. Raises ``file_unreadable`` when it cannot be written.

        What the rig's own profile says beside the map (controls, limits, other names) stays in it.
        """
        safe = re.sub(r"[^\w-]+", "_", name).strip("_") or "rig"
        names, parents = self.rig.names, self.rig.parents.tolist()
        made = profiles.from_map(name or safe, self.map, parents)
        known = profiles.profile_of(names, parents)
        if known is not None:
            made = replace(known, name=made.name, match=made.match, roles=made.roles, chains=made.chains)
        path = profiles.own_file(names, parents, f"{safe}.toml") if file is None else file
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            profiles.write(made, path)
        except OSError as e:
            raise SceneError(
                ErrorCode.FILE_UNREADABLE, f"'{path}' cannot be written: {e.strerror or e}", {"file": str(path)}
            ) from None
        return path


def words(wanted: Role) -> str:
    """A role in words."""
    return str(wanted).replace("_", " ")


def mirrored(joint: str, names: tuple[str, ...]) -> str | None:
    """The joint of the other side, by its name; None when the rig has none."""
    swaps = (("Left", "Right"), ("left", "right"), ("LEFT", "RIGHT"), (".L", ".R"), (".l", ".r"), ("_L", "_R"),
             ("_l", "_r"), ("L_", "R_"), ("l_", "r_"), ("L", "R"))  # fmt: skip
    for a, b in swaps:
        for old, new in ((a, b), (b, a)):
            if old in joint and joint.replace(old, new, 1) in names:
                return joint.replace(old, new, 1)
    return None


def _is_body(wanted: Role) -> bool:
    return wanted.group is Group.BODY
