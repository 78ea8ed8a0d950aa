# SPDX-License-Identifier: Apache-2.0
"""Which clip of a file is meant: the one named, else the longest.

Files exported from character libraries often begin with an empty take; the longest is the one a person means.
"""

from __future__ import annotations

from difflib import get_close_matches

from kineograph.formats.asset import Asset
from kineograph.formats.failure import unreadable
from kineograph.motion.clip import Clip


def choose(asset: Asset, name: str | None = None) -> Clip:
    """The clip called ``name`` (case does not count), or the longest. Raises ``file_unreadable`` naming those there."""
    names = [clip.name for clip in asset.clips]
    if not names:
        raise unreadable(asset.source.path, "holds no motion, only a rig", got="no clip")
    if name is None:
        return max(asset.clips, key=lambda clip: clip.duration_s)
    exact = [clip for clip in asset.clips if clip.name == name]
    found = exact or [clip for clip in asset.clips if clip.name.casefold() == name.casefold()]
    if found:
        return max(found, key=lambda clip: clip.duration_s)
    near = get_close_matches(name, names, 3, 0.5)
    hint = f"; did you mean '{near[0]}'?" if near else f"; it has {', '.join(names[:6])}"
    said = f"has no take '{name}'{hint}"
    raise unreadable(asset.source.path, said, got=name, allowed=names[:100], suggestions=near)
