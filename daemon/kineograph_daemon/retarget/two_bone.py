# SPDX-License-Identifier: Apache-2.0
"""Two-bone inverse kinematics in closed form, all frames at once, as structures of arrays.

The hinge opens or closes about the axis it bends about now (law of cosines), then the whole limb swings onto its
target by the shortest arc. So a knee keeps its axis and its side; the end keeps its world rotation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph_daemon.retarget import soa

FloatArray = NDArray[np.floating[Any]]

STRAIGHT = 0.9995
"""A limb never opens beyond this share of its reach: past it a knee pops."""
_SURE_SIN = float(np.sin(np.radians(10.0)))


@dataclass(frozen=True, eq=False)
class Bones:
    """World state of a limb at N frames: positions (3, N) of top, hinge and end, world rotations (4, N)."""

    top_m: FloatArray
    hinge_m: FloatArray
    end_m: FloatArray
    top_xyzw: FloatArray
    hinge_xyzw: FloatArray
    end_xyzw: FloatArray
    above_top: FloatArray
    above_hinge: FloatArray
    above_end: FloatArray


def solve(bones: Bones, target_m: FloatArray, natural: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Local rotations (4, N) of top, hinge and end that bring the end to ``target_m`` (3, N).

    ``natural`` (3,) is the hinge's axis in the top joint's frame, which decides while the limb is straight.
    """
    upper, lower = bones.hinge_m - bones.top_m, bones.end_m - bones.hinge_m
    to = target_m - bones.top_m
    fold, bent = _fold(upper, lower, soa.length(to), bones.top_xyzw, natural)
    swing = soa.arc(upper + bent, to)
    turned = soa.mul(swing, fold)
    top = soa.mul(soa.conj(bones.above_top), soa.mul(swing, bones.top_xyzw))
    hinge = soa.mul(soa.conj(bones.above_hinge), soa.mul(fold, bones.hinge_xyzw))
    end = soa.mul(soa.conj(soa.mul(turned, bones.above_end)), bones.end_xyzw)
    return top, hinge, end


def _fold(
    upper: FloatArray, lower: FloatArray, distance: FloatArray, top_xyzw: FloatArray, natural: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The turn (4, N) of the lower bone about the hinge, and the lower bone (3, N) after it."""
    la, lb = np.maximum(soa.length(upper), 1e-9), np.maximum(soa.length(lower), 1e-9)
    distance = np.clip(distance, np.abs(la - lb) + 1e-3 * (la + lb), STRAIGHT * (la + lb))
    cosine = np.clip((distance**2 - la**2 - lb**2) / (2 * la * lb), -1.0, 1.0)
    sine = np.sqrt(1.0 - cosine * cosine)
    along = upper / la
    seen = soa.cross(along, lower / lb)
    doubt = np.maximum(0.0, _SURE_SIN - soa.length(seen))
    axis = seen + doubt * soa.rotate(top_xyzw, natural[:, None].astype(upper.dtype))
    axis = soa.unit(axis - along * soa.dot(axis, along))
    wanted = lb * (cosine * along + sine * soa.cross(axis, along))
    return soa.arc(lower, wanted), wanted


def natural_axis(top_xyzw: FloatArray, upper: FloatArray, lower: FloatArray, fallback: FloatArray) -> FloatArray:
    """The hinge's axis (3,) in the top joint's frame: the mean of what the motion shows, weighted by its bend."""
    local = soa.rotate(soa.conj(top_xyzw), soa.cross(upper, lower))
    total = local.astype(np.float64).sum(axis=1)
    size = float(np.linalg.norm(total))
    weight = float(np.linalg.norm(local.astype(np.float64), axis=0).sum())
    # A limb that bends both ways, or hardly at all, says nothing: then the rest pose does.
    if size < 0.5 * weight or weight < 1e-6 * local.shape[1]:
        return fallback
    return np.asarray(total / size)
