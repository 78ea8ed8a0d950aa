# SPDX-License-Identifier: GPL-3.0-or-later
"""How a take is to be written, and the account of how it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from . import blockers, strips, thinned
from .written import UserKey


@dataclass(frozen=True)
class BakeOptions:
    """How a take is written.

    ``mute_constraints`` silences constraints on written bones; locks can be ignored. (Those of a generated rig's mesh
    bones make way in any case: see ``mechanism``.) ``bones``: only these are
    written, all others go on as they are shown. ``in_place`` leaves the way over the floor out. ``blend_in`` and
    ``blend_out``: over so many frames the motion comes out of what is shown now, and goes back into it. ``over``: what
    is shown now stays before and after the take. ``strips``: on a new NLA track, one strip for each (``()``: one for
    all) instead of as the armature's action. ``edits``: keys of the user that the take was made to meet: they
    are written to the last bit. ``thin``: keys only where they matter. ``origin`` is
    remembered with the action: what it was baked from.
    """

    name: str = "Kineograph take"
    mute_constraints: bool = False
    ignore_locks: bool = False
    bones: frozenset[str] | None = None
    in_place: bool = False
    blend_in: int = 0
    blend_out: int = 0
    over: bool = False
    strips: tuple[strips.Part, ...] | None = None
    edits: tuple[UserKey, ...] = ()
    thin: thinned.Wanted | None = None
    origin: str = ""

    def under(self, now: Mapping[str, str]) -> BakeOptions:
        """The same for a rig whose bones are called otherwise now."""
        thin = self.thin
        if thin is not None:
            thin = replace(thin, frames={now.get(n, n): at for n, at in thin.frames.items()})
        edits = tuple(replace(key, bone=now.get(key.bone, key.bone)) for key in self.edits)
        return replace(self, thin=thin, edits=edits)


@dataclass
class BakeReport:
    """What a bake did: the new action's name, counts, and what will look different from the take, with reasons.

    ``renamed``: bones that were called otherwise when the take was asked for, and what they are called now.
    """

    take: str
    action: str = ""
    keys: int = 0
    dense_keys: int = 0
    longest_slice_s: float = 0.0
    constraints: list[blockers.BoneConstraint] = field(default_factory=list)
    muted: list[blockers.BoneConstraint] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    missed_m: dict[str, float] = field(default_factory=dict)
    strips: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
