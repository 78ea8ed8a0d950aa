# SPDX-License-Identifier: Apache-2.0
"""What of a constraint others override, by the rules of ``goals``: keys over all, else what stands later."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from kineograph_daemon.solve import correct, targets
from kineograph_daemon.solve.body import Body
from kineograph_daemon.solve.goals import EffectorTrack, Goals, KeyPose, RootPath


class Lost(NamedTuple):
    """``frames`` on which something is overridden, whether that is all there is (``whole``), and ``by`` what."""

    frames: frozenset[int]
    whole: bool
    by: str


def lost(goals: Goals, body: Body, where: int) -> Lost:
    """What is lost of the key, path or target that stands at ``where`` in the request."""
    for key in goals.keys:
        if key.where == where:
            return _of_key(goals, key)
    for path in goals.paths:
        if path.where == where:
            return _of_path(goals, path)
    return _of_target(goals, body, next(e for e in goals.effectors if e.where == where))


def _of_key(goals: Goals, key: KeyPose) -> Lost:
    later = [k for k in goals.keys if k.frame == key.frame and k.where > key.where]
    own, taken = set(key.joints.tolist()), {j for k in later for j in k.joints.tolist()}
    placed = key.root_m is not None
    moved = placed and any(k.root_m is not None for k in later)
    hit = bool(own & taken) or moved
    by = f"a later pose key fixes {'the same joints' if own & taken else 'the root'}"
    return Lost(frozenset([key.frame] if hit else []), own <= taken and moved == placed, by)


def _of_path(goals: Goals, path: RootPath) -> Lost:
    later = [p for p in goals.paths if p.where > path.where]
    placed = {f for p in later for f in p.frames.tolist()}
    faced = {f for p in later if p.heading_rad is not None for f in p.frames.tolist()}
    own, asks_facing = path.frames.tolist(), path.heading_rad is not None
    turned = set(correct.keyed_frames(goals, [goals.skeleton.root])) if asks_facing else set()
    keyed = turned | goals.root_keys().keys()
    hit = frozenset(f for f in own if f in keyed or f in placed)
    # A path that keys override at every point still tells which way to face between them.
    whole = placed.issuperset(own) and (not asks_facing or faced.issuperset(own))
    by_key = bool(hit & keyed)
    return Lost(hit, whole, "a pose key fixes the root" if by_key else "a later path leads the root elsewhere")


def _of_target(goals: Goals, body: Body, track: EffectorTrack) -> Lost:
    still = targets.still_frames(body, goals, track.joint)
    turned: Collection[int] = correct.keyed_frames(goals, [track.joint]) if track.rotations_xyzw is not None else ()
    hit = frozenset(f for f in track.frames.tolist() if f in still or f in turned)
    held = targets.held_between(track, goals, body.size_m).frames.tolist()
    by = "a pose key fixes the same limb"
    if targets.only_root_above(body, track.joint):
        by = f"a {'pose key' if hit & (goals.root_keys().keys() | set(turned)) else 'path'} fixes the root"
    elif not hit & set(still):
        by = "a pose key turns the same joint"
    return Lost(hit, set(still).issuperset(held), by)
