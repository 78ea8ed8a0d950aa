# SPDX-License-Identifier: Apache-2.0
"""Which joint plays which role in a file's rig: as a person says, else as the file says, else as it can be read."""

from __future__ import annotations

from collections.abc import Sequence

from kineograph.formats.asset import Asset
from kineograph.rigs import RigMap, profiles
from kineograph.rigs.profiles import Profile


def map_of(asset: Asset, told: Profile | None = None) -> RigMap:
    """The map of an asset's skeleton. Profiles beside the file are a project's own.

    Raises ``map_incomplete`` when ``told`` names a joint that the rig does not have.
    """
    skeleton = asset.skeleton
    parents = skeleton.parents.tolist()
    if told is not None:
        return profiles.to_map(told, skeleton.names, parents, skeleton.rest_positions_m)
    if asset.profile is not None:
        return profiles.to_map(asset.profile, skeleton.names, parents, skeleton.rest_positions_m, insist=False)
    return profiles.read_rig(skeleton.names, parents, skeleton.rest_positions_m, [asset.source.path.parent])


def meant_for(asset: Asset, told: Sequence[Profile]) -> Profile | None:
    """The profile of ``told`` that is for this rig: by its signature, or because the rig has every joint it names."""
    names, parents = asset.skeleton.names, asset.skeleton.parents.tolist()
    for profile in told:
        if profiles.fits(profile, names, parents):
            return profile
    have = set(names)
    for profile in told:
        if profile.roles and have.issuperset(profile.roles.values()):
            return profile
    return None
