# SPDX-License-Identifier: Apache-2.0
"""Names that requests may use for a rig's joints: 'LefHand' is 'LeftHand', for everybody who moves this rig."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kineograph.errors import ErrorCode, SceneError, error
from kineograph.rigs.profiles.files import write
from kineograph.rigs.profiles.model import Match, Profile
from kineograph.rigs.profiles.signature import signature
from kineograph.rigs.profiles.use import own_file, profile_of


def aliases_of(names: Sequence[str], parents: Sequence[int]) -> Mapping[str, str]:
    """What a rig's profile says of names that the rig does not have, each with the joint that is meant."""
    profile = profile_of(names, parents)
    if profile is None:
        return {}
    have = set(names)
    return {alias: joint for alias, joint in profile.aliases.items() if alias not in have and joint in have}


def remember_alias(names: Sequence[str], parents: Sequence[int], alias: str, joint: str, name: str = "") -> Path:
    """Keep in this user's own profile of the rig that ``alias`` means ``joint``; the profile's file.

    A rig without one gets one, named ``name``; what another profile that fits it says is kept in it. Raises
    ``unknown_joint`` for a joint that the rig does not have and ``file_unreadable`` when nothing can be written.
    """
    if joint not in names:
        raise error(ErrorCode.UNKNOWN_JOINT, f"the rig has no joint '{joint}'", {"joint": joint, "got": joint})
    hash_ = signature(names, parents)
    path, found = own_file(names, parents), profile_of(names, parents)
    base = replace(found, match=Match(hash=hash_)) if found is not None else Profile(name or "rig", Match(hash=hash_))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write(replace(base, aliases={**base.aliases, alias: joint}), path)
    except OSError as e:
        why = f"'{path}' cannot be written: {e.strerror or e}"
        raise SceneError(ErrorCode.FILE_UNREADABLE, why, {"file": str(path)}) from None
    return path
