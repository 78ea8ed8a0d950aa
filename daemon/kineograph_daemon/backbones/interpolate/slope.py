# SPDX-License-Identifier: Apache-2.0
"""Bodies on many legs go along with the ground: a dog on a slope is not level, with its fore legs folded."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.solve import blend
from kineograph_daemon.solve.body import Body, read_body
from kineograph_daemon.solve.goals import Goals
from kineograph_daemon.solve.ground import SMOOTH_S, Ground

FloatArray = NDArray[np.floating[Any]]

STEEPEST = 0.8
"""No body is tilted more than this slope (rise over run)."""
ROLL = 0.5
"""How much of a slope across the body it goes along with; legs of two lengths take the rest."""
KEY_S = 0.5
"""Over this long, seconds, a body comes to what its keys say of the root, and leaves it."""


def tilt(goals: Goals, ground: Ground, root_m: FloatArray, root_xyzw: FloatArray) -> None:
    """Turn and raise the root, (T, 3) and (T, 4), in place, to stand along the ground under all feet; not on keys."""
    body = read_body(goals.skeleton)
    if ground.points_m is None or len(body.feet) <= 2:
        return
    root = goals.skeleton.root
    turn = quat.about_y(quat.heading_rad(quat.mul(root_xyzw, quat.conj(goals.skeleton.rest_rotations_xyzw[root]))))
    plane = _plane(body, ground, root_m, turn, round(SMOOTH_S * goals.fps_hz))
    if plane is None:
        return
    height, ahead, aside = plane
    fade = KEY_S * goals.fps_hz
    turned = goals.rotation_keys().get(root)
    weight = blend.away_from([] if turned is None else turned[0].tolist(), len(root_m), fade)
    pitch = quat.from_axis_angle(np.cross([0.0, 1.0, 0.0], body.front), -np.arctan(ahead) * weight)
    roll = quat.from_axis_angle(body.front, np.arctan(ROLL * aside) * weight)
    lean = quat.mul(turn, quat.mul(quat.mul(pitch, roll), quat.conj(turn)))
    root_xyzw[:] = quat.mul(lean, root_xyzw)
    rise = height - ground.smooth_under(root_m[:, [0, 2]], goals.fps_hz)
    root_m[:, 1] += rise * blend.away_from(goals.root_keys(), len(root_m), fade)


def _plane(
    body: Body, ground: Ground, root_m: FloatArray, turn: FloatArray, half: int
) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """The plane through the ground under the feet: its height under the root and its slopes ahead and to the left, (T,)
    each, or None where some foot never has ground under it."""
    rest, left = body.skeleton.rest_positions_m, np.cross([0.0, 1.0, 0.0], body.front)
    away = np.array([(rest[f.limb.end] - rest[body.skeleton.root]) * [1.0, 0.0, 1.0] for f in body.feet])
    at = root_m[:, None] + quat.rotate(turn[:, None], away[None])
    under = ground.under(at[..., [0, 2]])
    t = np.arange(len(root_m))
    known = np.isfinite(under)
    if not known.any(axis=0).all():
        return None
    smooth = [blend.smooth(np.interp(t, t[k], h[k]), half) for h, k in zip(under.T, known.T, strict=True)]
    places = np.stack([np.ones(len(away)), away @ body.front, away @ left], axis=1)
    height, ahead, aside = np.linalg.pinv(places, rcond=1e-3) @ np.array(smooth)
    return height, np.clip(ahead, -STEEPEST, STEEPEST), np.clip(aside, -STEEPEST, STEEPEST)
