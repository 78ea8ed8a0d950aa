# SPDX-License-Identifier: Apache-2.0
"""Files that the rig commands take: rigs in any format, profiles in TOML."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from kineograph import formats
from kineograph.errors import SceneError
from kineograph.formats import Asset
from kineograph.rigs import RigMap, Role, profiles
from kineograph.rigs.doctor import Finding, Level, examine_body, examine_structure, outline, stance, worst
from kineograph.rigs.doctor.outline import of_rows
from kineograph.rigs.profiles import Profile


def is_profile(path: Path) -> bool:
    """Whether a file is meant as a profile."""
    return path.suffix.lower() == ".toml"


def rig_of(path: Path) -> Asset:
    """The rig of a file. Raises ``file_unreadable``, ``file_incomplete``."""
    return formats.load(path)


def profile_for(asset: Asset, path: Path, name: str | None) -> Profile:
    """The profile a rig has, or else one that says what its names, tree and rest pose say."""
    skeleton = asset.skeleton
    parents = skeleton.parents.tolist()
    own = profiles.profile_of(skeleton.names, parents, [path.parent])
    if own is not None and name is None:
        return own
    rig = profiles.read_rig(skeleton.names, parents, skeleton.rest_positions_m, [path.parent])
    unsure = [f"{m.role}" for m in rig.matches.values() if m.confidence < 0.5]
    missing = [str(r) for r in rig.missing()]
    notes = [f"Guessed, please check: {', '.join(unsure)}."] if unsure else []
    notes += [f"Not found, please fill in: {', '.join(missing)}."] if missing else []
    made = profiles.from_map(name or path.stem, rig, parents, " ".join(notes))
    found = stance(rig, skeleton.rest_positions_m)
    if found is not None and found.up.strip("-") != found.front.strip("-"):
        made = replace(made, up=found.up, front=found.front, rest=found.pose)
    axis = bone_axis(asset, rig)
    return made if axis is None else replace(made, bone_axis=axis)


def bone_axis(asset: Asset, rig: RigMap) -> str | None:
    """The axis of its own frame along which the left thigh runs, or None where it is not clear."""
    calf = rig.get(Role.LEFT_CALF)
    if calf is None:
        return None
    way = asset.skeleton.rest_translations_m[calf]
    i = int(np.argmax(np.abs(way)))
    if abs(way[i]) < 0.9 * float(np.linalg.norm(way)):
        return None
    return ("-" if way[i] < 0 else "") + "xyz"[i]


def examine(file: Path) -> list[Finding]:
    """Every finding about a file. Raises the reader's error for a file of which not even joints can be read."""
    seen = outline(file)
    if seen is not None and seen.names:
        structure = examine_structure(seen)
        if worst(structure) is Level.PROBLEM:
            return structure
    try:
        asset = formats.load(file)
    except SceneError as e:
        if seen is None or not seen.names:
            raise
        fix = "Mend that place, or export the file again."
        return [*examine_structure(seen), Finding("file", Level.PROBLEM, e.message, fix)]
    skeleton = asset.skeleton
    parents = skeleton.parents.tolist()
    rig = profiles.read_rig(skeleton.names, parents, skeleton.rest_positions_m, [file.parent])
    structure = examine_structure(of_rows(skeleton.names, parents))
    notes = [Finding("file", Level.WARNING, note, "Check that this is what you meant.") for note in asset.source.notes]
    return [*structure, *notes, *examine_body(skeleton, rig, asset.source.metres_per_unit)]
