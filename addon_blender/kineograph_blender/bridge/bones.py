# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bones travel, and in what tree. Works on names and parents alone.

A generated Rigify rig's DEF bones may hang off ORG or MCH bones: their tree is that of their ORG parents. Control
bones between two travelling bones travel too, because an offset of theirs moves everything below.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from itertools import pairwise

from kineograph.errors import ErrorCode, KineographError, error

from .places import where

Parents = Mapping[str, str | None]


class Which(StrEnum):
    """Which bones of an armature are sent."""

    DEFORM = "deform"
    ALL = "all"
    CONTROLS = "controls"
    """The FK controls of a rig whose profile names them."""
    AUTO = "auto"
    """The FK controls where a profile names them, else the deform bones."""


def choose(armature: str, parents: Parents, deform: set[str], which: Which, root: str | None) -> dict[str, str | None]:
    """The tree that travels: bone name to parent's name, parents first, one root (None).

    ``parents`` in the armature's own order. ``root`` keeps only the bones below it, itself included. Raises
    ``invalid_skeleton`` with the roots found and what to do, ``unknown_joint`` for a root that is no bone.
    """
    if root is not None and root not in parents:
        raise error(
            ErrorCode.UNKNOWN_JOINT,
            f"{root!r} is not a bone of {armature!r}",
            {"where": where("root", root, armature), "got": root, "joint": root},
        )
    if not parents:
        raise error(
            ErrorCode.INVALID_SKELETON,
            f"{armature!r} has no bones",
            {"where": where("character", armature, armature), "roots": [], "got": 0},
        )
    wanted = set(parents) if which is Which.ALL or not (deform & set(parents)) else set(deform)
    if root is not None:
        wanted = {name for name in wanted if name == root or root in ancestors(parents, name)} | {root}
    if is_generated_rigify(parents) and which is Which.DEFORM:
        tree = {name: _rigify_parent(parents, wanted, name) for name in parents if name in wanted}
    else:
        wanted |= _between(parents, wanted)
        tree = {name: _nearest(parents, wanted, name) for name in parents if name in wanted}
    return _ordered(_one_root(armature, parents, tree))


def ancestors(parents: Parents, name: str) -> list[str]:
    """From the parent up to the root."""
    out: list[str] = []
    up = parents[name]
    while up is not None:
        out.append(up)
        up = parents[up]
    return out


def under(armature: str, tree: Parents, root: str | None) -> dict[str, str | None]:
    """A tree that is known, parents first, and with ``root`` what hangs below it. Raises ``unknown_joint``."""
    if root is None:
        return _ordered(dict(tree))
    if root not in tree:
        raise error(
            ErrorCode.UNKNOWN_JOINT,
            f"{root!r} is no control of {armature!r} that is sent",
            {"where": where("root", root, armature), "got": root, "joint": root},
        )
    kept = {name: up for name, up in tree.items() if name == root or root in ancestors(tree, name)}
    return _ordered(kept | {root: None})


def is_generated_rigify(parents: Parents) -> bool:
    """Whether the names are those of a rig that Rigify generated."""
    return any(n.startswith("DEF-") for n in parents) and any(n.startswith("ORG-") for n in parents)


def _nearest(parents: Parents, wanted: set[str], name: str) -> str | None:
    up = parents[name]
    while up is not None and up not in wanted:
        up = parents[up]
    return up


def _between(parents: Parents, wanted: set[str]) -> set[str]:
    """Bones outside ``wanted`` that stand between two bones inside it."""
    out: set[str] = set()
    for name in wanted:
        # Up to the nearest wanted bone is enough: from there that one goes on.
        way: list[str] = []
        up = parents[name]
        while up is not None and up not in wanted and up not in out:
            way.append(up)
            up = parents[up]
        if up is not None:
            out.update(way)
    return out


def _rigify_parent(parents: Parents, wanted: set[str], name: str) -> str | None:
    direct = parents[name]
    if direct in wanted:
        return direct
    original = "ORG-" + name.removeprefix("DEF-")
    for above in ancestors(parents, original if original in parents else name):
        stand_in = "DEF-" + above.removeprefix("ORG-")
        if above in wanted:
            return above
        if above.startswith("ORG-") and stand_in in wanted and stand_in != name:
            return stand_in
    # An animal's tail hangs on a tweak control of the spine: what that one carries is the bone of its name.
    for above in ancestors(parents, original if original in parents else name):
        stand_in = "DEF-" + above.removeprefix("tweak_")
        if stand_in in wanted and stand_in != name and name not in ancestors(parents, stand_in):
            return stand_in
    return None


def _one_root(armature: str, parents: Parents, tree: dict[str, str | None]) -> dict[str, str | None]:
    roots = [name for name, parent in tree.items() if parent is None]
    if len(roots) == 1:
        return tree
    joined = _joined_above(parents, tree, roots)
    if joined is not None:
        return joined
    raise _several_roots(armature, parents, tree, roots)


def _joined_above(parents: Parents, tree: dict[str, str | None], roots: list[str]) -> dict[str, str | None] | None:
    """With the nearest bone above all roots as the root, and the bones on the way; None where there is none."""
    lines = [[r, *ancestors(parents, r)] for r in roots]
    common = next((a for a in lines[0] if all(a in line for line in lines[1:])), None)
    if common is None:
        return None
    out = dict(tree)
    for line in lines:
        way = line[: line.index(common) + 1]
        out.update(dict(pairwise(way)))
    out[common] = None
    return out


def _several_roots(armature: str, parents: Parents, tree: dict[str, str | None], roots: list[str]) -> KineographError:
    size = Counter(_top(tree, name) for name in tree)
    largest = max(roots, key=lambda r: size[r])
    return error(
        ErrorCode.INVALID_SKELETON,
        f"the rig {armature!r} has {len(roots)} roots: {', '.join(roots[:6])}",
        {
            "where": where("character", armature, armature),
            "roots": roots,
            "got": len(roots),
            "allowed": 1,
            "suggestions": [largest],
            "bones_below": {r: size[r] for r in roots},
        },
    )


def _top(tree: Parents, name: str) -> str:
    return ([name, *ancestors(tree, name)])[-1]


def _ordered(tree: dict[str, str | None]) -> dict[str, str | None]:
    """By depth, and as they stood within one: parents first."""
    depths: dict[str, int] = {}
    for name in tree:
        way = [name]
        while (up := tree[way[-1]]) is not None and up not in depths:
            way.append(up)
        depth = 0 if up is None else depths[up] + 1
        for n, each in enumerate(reversed(way)):
            depths[each] = depth + n
    return {name: tree[name] for name in sorted(tree, key=depths.__getitem__)}
