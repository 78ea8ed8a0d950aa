# SPDX-License-Identifier: Apache-2.0
"""Is it a tree: one root, no circle, names that are unique. Works on what no reader would take."""

from __future__ import annotations

from collections import Counter

from kineograph.rigs.doctor.finding import Finding, Level, some
from kineograph.rigs.doctor.outline import Outline

DEEPEST = 256


def examine_structure(rig: Outline) -> list[Finding]:
    """Findings about joints, roots, circles, doubles and depth."""
    if not rig.names:
        fix = "Export the armature itself, with its bones."
        return [Finding("joints", Level.PROBLEM, "there are no joints in it", fix)]
    circle = _circle(rig)
    out = [Finding("joints", Level.FINE, f"{len(rig.names)} joints"), _roots(rig), _circles(rig, circle), _names(rig)]
    several = [rig.names[j] for j, p in enumerate(rig.parents) if len(p) > 1]
    if several:
        fix = "Give each bone one parent and export again."
        out.append(Finding("parents", Level.PROBLEM, f"more than one parent: {some(several)}", fix, tuple(several)))
    if not circle:
        deep = _depth(rig)
        if deep > DEEPEST:
            fix = "Cut chains of helper bones before export."
            out.append(Finding("depth", Level.WARNING, f"bones are nested {deep} deep", fix))
    return out


def _roots(rig: Outline) -> Finding:
    roots = [rig.names[j] for j, p in enumerate(rig.parents) if not p]
    match len(roots):
        case 1:
            return Finding("roots", Level.FINE, f"one root, '{roots[0]}'")
        case 0:
            fix = "Clear the parent of the bone that everything hangs from."
            return Finding("roots", Level.PROBLEM, "no root: every joint has a parent", fix)
    below = Counter(_top(rig, j) for j in range(len(rig.names)))
    main = rig.names[below.most_common(1)[0][0]]
    fix = f"Use only what hangs from '{main}', or parent the others to it."
    return Finding("roots", Level.PROBLEM, f"{len(roots)} roots: {some(roots)}", fix, tuple(roots))


def _circles(rig: Outline, circle: list[int]) -> Finding:
    if not circle:
        return Finding("circles", Level.FINE, "no joint is its own ancestor")
    names = tuple(rig.names[j] for j in circle)
    fix = f"Clear the parent of '{names[0]}'."
    return Finding("circles", Level.PROBLEM, f"a circle of parents: {some(names)}", fix, names)


def _names(rig: Outline) -> Finding:
    double = tuple(n for n, count in Counter(rig.names).items() if count > 1)
    if double:
        fix = f"Rename all but one of each: {some(double)}."
        return Finding("names", Level.PROBLEM, f"used more than once: {some(double)}", fix, double)
    empty = [n for n in rig.names if not n.strip()]
    if empty:
        return Finding("names", Level.PROBLEM, f"{len(empty)} joints have no name", "Name every bone.")
    return Finding("names", Level.FINE, "every name is unique")


def _circle(rig: Outline) -> list[int]:
    """Joints of one circle, in order of ancestry; empty when there is none."""
    state = [0] * len(rig.names)
    for start in range(len(rig.names)):
        way: list[int] = []
        at = start
        while at >= 0 and state[at] == 0:
            state[at] = 1
            way.append(at)
            at = rig.parents[at][0] if rig.parents[at] else -1
        if at >= 0 and state[at] == 1:
            return way[way.index(at) :]
        for joint in way:
            state[joint] = 2
    return []


def _top(rig: Outline, joint: int) -> int:
    seen = set()
    while rig.parents[joint] and joint not in seen:
        seen.add(joint)
        joint = rig.parents[joint][0]
    return joint


def _depth(rig: Outline) -> int:
    depth = [0] * len(rig.names)
    for j in range(len(rig.names)):
        at, steps = j, 0
        while rig.parents[at] and steps <= DEEPEST + 1:
            at, steps = rig.parents[at][0], steps + 1
        depth[j] = steps
    return max(depth)
