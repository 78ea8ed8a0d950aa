# SPDX-License-Identifier: Apache-2.0
"""Twist bones: the turn of a limb about its own axis, spread along it so that skin does not wring.

A forearm's (calf's) twist bones take shares of the hand's (foot's) twist; an upper arm's (thigh's) take back shares
of the limb's own, as the skin at the shoulder does not turn with it. Angles are unwrapped over the frames, so that a
wrist that passes half a turn does not flip.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.rigs import Role
from kineograph_daemon.retarget import soa
from kineograph_daemon.retarget.plan import Plan

FloatArray = NDArray[np.floating[Any]]

_ENDS = {"forearm": "hand", "calf": "foot"}
_STARTS = {"upper_arm": "forearm", "thigh": "calf"}


def distribute(plan: Plan, rotations_xyzw: FloatArray) -> None:
    """Turn the twist bones that hang from limbs; changes ``rotations_xyzw`` (T, J, 4) in place."""
    rig, skeleton = plan.target_map, plan.target
    driven = plan.source_of
    for side in ("left", "right"):
        for part, below in {**_ENDS, **_STARTS}.items():
            bones = rig.chains.get(Role(f"{side}_{part}_twist"), ())
            limb, end = rig.get(Role(f"{side}_{part}")), rig.get(Role(f"{side}_{below}"))
            if limb is None or end is None or limb not in driven:
                continue
            leaves = [b for b in bones if int(skeleton.parents[b]) == limb and b not in skeleton.chain(end)]
            if not leaves:
                continue
            axis = skeleton.rest_translations_m[end]
            if int(skeleton.parents[end]) != limb or float(np.linalg.norm(axis)) < 1e-9:
                continue
            axis = axis / np.linalg.norm(axis)
            angle = _twist_rad(rotations_xyzw[:, end if part in _ENDS else limb], skeleton, end, limb, part, axis)
            for place, bone in enumerate(leaves, 1):
                share = place / (len(leaves) + 1) if part in _ENDS else place / (len(leaves) + 1) - 1.0
                turn = soa.about(axis[:, None].astype(np.float32), (share * angle).astype(np.float32))
                rest = skeleton.rest_rotations_xyzw[bone].astype(np.float32)[:, None]
                rotations_xyzw[:, bone] = soa.mul(turn, rest).T


def _twist_rad(local_xyzw: FloatArray, skeleton: Any, end: int, limb: int, part: str, axis: FloatArray) -> FloatArray:
    """Twist (T,) about the limb's axis, from rest, unwrapped."""
    rest = skeleton.rest_rotations_xyzw
    # The end's twist is seen in the limb's frame, the limb's own in its own.
    before, after = (local_xyzw, quat.conj(rest[end])) if part in _ENDS else (quat.conj(rest[limb]), local_xyzw)
    turn = quat.mul(before, after)
    half = np.arctan2(turn[..., :3] @ axis, turn[..., 3])
    return np.asarray(np.unwrap(2.0 * half))
