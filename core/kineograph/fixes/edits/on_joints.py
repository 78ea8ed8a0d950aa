# SPDX-License-Identifier: Apache-2.0
"""Edits of joints: names, roots, order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kineograph.fixes import wording
from kineograph.fixes.edits.base import NotApplicable, Request, at, drop, group, joints


def rename_joint_here(request: Request, path: Sequence[Any], joint: str, to: str) -> str:
    """Another joint in the one constraint or clip that ``path`` is in."""
    if len(path) < 2 or path[0] not in ("constraints", "segments"):
        raise NotApplicable("the place is no constraint and no prompt")
    if not _rename_in(at(request, path[0], path[1]), {joint: to}):
        raise NotApplicable(f"'{joint}' does not stand there")
    return f"{wording.capital(wording.place(path, None, request) or 'it')} now points at '{to}'."


def rename_joint_everywhere(request: Request, joint: str, to: str) -> str:
    """Another joint in every constraint and clip."""
    count = _rename_outside(request, {joint: to})
    if not count:
        raise NotApplicable(f"'{joint}' does not stand in this request")
    return f"'{joint}' is now '{to}' in {wording.count(count, 'place')}."


def rename_joints(request: Request, pairs: Sequence[Sequence[str]]) -> str:
    """Other names in the skeleton and everywhere else; ``pairs`` of [name now, new name]."""
    names = {str(old): str(new) for old, new in pairs}
    for joint in joints(request):
        joint["name"] = names.get(joint.get("name", ""), joint.get("name"))
        if joint.get("parent") is not None:
            joint["parent"] = names.get(joint["parent"], joint["parent"])
    _rename_outside(request, names)
    shown = wording.names([f"'{old}' is '{new}'" for old, new in pairs], 3)
    return f"{wording.count(len(pairs), 'bone is', 'bones are')} sent under the model's names: {shown}."


def order_joints(request: Request, order: Sequence[str]) -> str:
    """The skeleton's joints in the order of ``order``."""
    found = joints(request)
    by_name = {j.get("name"): j for j in found}
    if set(order) != set(by_name) or len(order) != len(found):
        raise NotApplicable("the bones are not the same")
    _put_in_order(request, [by_name[name] for name in order])
    return "The bones are sent in the model's order."


def sort_joints(request: Request, unsorted: Any = None) -> str:
    """Parents before children, otherwise as they were."""
    found = joints(request)
    waiting, done, out = list(found), {None}, []
    while waiting:
        ready = [j for j in waiting if j.get("parent") in done]
        if not ready:
            raise NotApplicable("bones hang from each other in a circle, or from one that is not there")
        out.append(ready[0])
        done.add(ready[0].get("name"))
        waiting = [j for j in waiting if j is not ready[0]]
    _put_in_order(request, out)
    return "The bones are sorted, parents first."


def only_below_root(request: Request, root: str) -> str:
    """One tree: the joint ``root``, everything below it, and only constraints on those."""
    found = joints(request)
    kept = {root}
    while True:
        more = {j.get("name") for j in found if j.get("parent") in kept} - kept
        if not more:
            break
        kept |= {n for n in more if isinstance(n, str)}
    left = [j for j in found if j.get("name") in kept]
    if not any(j.get("name") == root for j in left):
        raise NotApplicable(f"the rig has no bone '{root}'")
    for joint in left:
        if joint.get("name") == root:
            joint["parent"] = None
    gone = {str(j.get("name")) for j in found} - kept
    request["skeleton"]["joints"] = left
    dropped = _forget(request, gone)
    said = f"{wording.count(len(left), 'bone')} below '{root}' are sent, {wording.count(len(gone), 'other')} left out"
    return said + (f", with {wording.count(dropped, 'pin or key', 'pins and keys')} on them." if dropped else ".")


def number_duplicates(request: Request, names: Sequence[str]) -> str:
    """The second bone of a name gets .001, and so on; children stay with the first one."""
    taken = {str(j.get("name")) for j in joints(request)}
    seen: set[str] = set()
    changed = 0
    for joint in joints(request):
        name = str(joint.get("name"))
        if name in seen:
            number = next(n for n in range(1, 10_000) if f"{name}.{n:03d}" not in taken)
            joint["name"] = name = f"{name}.{number:03d}"
            taken.add(name)
            changed += 1
        seen.add(name)
    if not changed:
        raise NotApplicable("no two bones share a name")
    return f"{wording.count(changed, 'bone has', 'bones have')} a number now: {wording.names(list(names), 3)}."


def _put_in_order(request: Request, ordered: list[dict[str, Any]]) -> None:
    seen: set[Any] = {None}
    for joint in ordered:
        if joint.get("parent") not in seen:
            raise NotApplicable("a bone would stand before its parent")
        seen.add(joint.get("name"))
    request["skeleton"]["joints"] = ordered


def _rename_outside(request: Request, names: Mapping[str, str]) -> int:
    """Rename in constraints, and in clips that use the request's own skeleton; how many of them changed."""
    count = sum(_rename_in(c, names) for c in group(request, "constraints") if isinstance(c, dict))
    clips = (s for s in group(request, "segments") if isinstance(s, dict) and s.get("skeleton") is None)
    return count + sum(_rename_in(s, names) for s in clips)


def _rename_in(item: dict[str, Any], names: Mapping[str, str]) -> bool:
    changed = False
    if item.get("joint") in names:
        item["joint"] = names[item["joint"]]
        changed = True
    rotations = item.get("joint_rotations")
    if isinstance(rotations, dict) and names.keys() & rotations.keys():
        kept = {j: q for j, q in rotations.items() if j not in names}
        # A key that already has the right joint keeps that one's rotation.
        item["joint_rotations"] = {names[j]: q for j, q in rotations.items() if j in names} | kept
        changed = True
    tracks = item.get("joint_names")
    if isinstance(tracks, list) and names.keys() & set(tracks):
        item["joint_names"] = [names.get(j, j) for j in tracks]
        changed = True
    return changed


def _forget(request: Request, gone: set[str]) -> int:
    """Leave joints out of constraints and clips; how many constraints went with them."""
    empty = []
    for i, constraint in enumerate(group(request, "constraints")):
        if constraint.get("joint") in gone:
            empty.append(i)
        rotations = constraint.get("joint_rotations")
        if isinstance(rotations, dict):
            constraint["joint_rotations"] = {j: q for j, q in rotations.items() if j not in gone}
            if not constraint["joint_rotations"]:
                empty.append(i)
    for segment in group(request, "segments"):
        tracks = segment.get("joint_names")
        if isinstance(tracks, list) and segment.get("skeleton") is None and gone & set(tracks):
            keep = [i for i, name in enumerate(tracks) if name not in gone]
            segment["joint_names"] = [tracks[i] for i in keep]
            segment["rotations"] = _columns(segment.get("rotations", []), keep)
    if empty:
        drop(request, "constraints", empty)
    return len(empty)


def _columns(rotations: Any, keep: list[int]) -> Any:
    if isinstance(rotations, np.ndarray):
        return rotations[:, keep]
    return [[frame[i] for i in keep] for frame in rotations]
