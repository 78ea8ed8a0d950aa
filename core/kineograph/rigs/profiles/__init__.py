# SPDX-License-Identifier: Apache-2.0
"""Rig profiles: what a person knows about a rig, in a TOML file that they can write, share and keep with a project.

A profile says which joint plays which role where names do not, where the travel belongs, and which controls an animator
uses. It is found by the rig's signature, so that nobody has to choose it.
"""

from kineograph.rigs.profiles.aliases import aliases_of, remember_alias
from kineograph.rigs.profiles.check import Finding, check, diff
from kineograph.rigs.profiles.files import dumps, loads, read, write
from kineograph.rigs.profiles.find import built_in, find, fits
from kineograph.rigs.profiles.maps import from_map, to_map
from kineograph.rigs.profiles.model import Limb, Match, Profile
from kineograph.rigs.profiles.signature import signature
from kineograph.rigs.profiles.use import folders, own_file, own_folder, own_profiles, profile_of, read_rig, stamp

__all__ = [
    "Finding",
    "Limb",
    "Match",
    "Profile",
    "aliases_of",
    "built_in",
    "check",
    "diff",
    "dumps",
    "find",
    "fits",
    "folders",
    "from_map",
    "loads",
    "own_file",
    "own_folder",
    "own_profiles",
    "profile_of",
    "read",
    "read_rig",
    "remember_alias",
    "signature",
    "stamp",
    "to_map",
    "write",
]
