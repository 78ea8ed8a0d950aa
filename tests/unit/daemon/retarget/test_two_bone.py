# SPDX-License-Identifier: Apache-2.0
"""Two bones and a hinge: the end gets where it should, the hinge keeps its axis and side, the end its direction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kineograph_daemon.retarget import soa, two_bone
from kineograph_daemon.retarget.two_bone import Bones

UPPER, LOWER = 0.43, 0.41
NATURAL = np.array([1.0, 0.0, 0.0])


def turn(axis: Any, angle: Any) -> Any:
    angle = np.atleast_1d(np.asarray(angle, float))
    axis = np.asarray(axis, float)[:, None] / np.linalg.norm(axis)
    return soa.about(axis, angle)


def limb(bend_rad: Any, hip_xyzw: Any = None) -> Bones:
    """A leg hanging from y = 1 whose knee bends about x by ``bend_rad`` (N,): the calf goes back (-z)."""
    bend = np.atleast_1d(np.asarray(bend_rad, float))
    n = len(bend)
    hip = np.repeat(np.array([[0.0], [0], [0], [1]]), n, 1) if hip_xyzw is None else hip_xyzw
    knee = soa.mul(hip, turn(NATURAL, bend))
    top = np.repeat(np.array([[0.1], [1.0], [0.0]]), n, 1)
    hinge = top + soa.rotate(hip, np.repeat(np.array([[0.0], [-UPPER], [0]]), n, 1))
    end = hinge + soa.rotate(knee, np.repeat(np.array([[0.0], [-LOWER], [0]]), n, 1))
    ident = np.repeat(np.array([[0.0], [0], [0], [1]]), n, 1)
    foot = soa.mul(knee, turn((0.3, 0.5, 0.1), np.full(n, 0.4)))
    return Bones(top, hinge, end, hip, knee, foot, ident, hip, knee)


def solved(bones: Bones, target: Any) -> dict[str, Any]:
    a, b, e = two_bone.solve(bones, target, NATURAL)
    top = soa.mul(bones.above_top, a)
    hinge = soa.mul(top, b)
    end = soa.mul(hinge, e)
    knee = bones.top_m + soa.rotate(top, np.repeat(np.array([[0.0], [-UPPER], [0]]), a.shape[1], 1))
    foot = knee + soa.rotate(hinge, np.repeat(np.array([[0.0], [-LOWER], [0]]), a.shape[1], 1))
    return {"top": top, "hinge": hinge, "end": end, "knee": knee, "foot": foot, "local": b}


def axis_of(b: Any) -> Any:
    sign = np.where(b[3] < 0, -1.0, 1.0)
    return soa.unit(b[:3] * sign)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.02, 2.4),
    st.floats(-1.2, 1.2),
    st.floats(0.2, 0.83),
    st.tuples(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6)),
)
def test_the_hinge_keeps_its_axis_and_side(bend: float, swing: float, reach: float, aside: tuple[float, float]) -> None:
    bones = limb([bend], turn((0.2, 0.1, 1.0), [swing]))
    way = np.array([[aside[0]], [-1.0], [aside[1]]])
    target = bones.top_m + reach * way / np.linalg.norm(way)
    out = solved(bones, target)
    np.testing.assert_allclose(out["foot"], target, atol=1e-3 + 0.02 * max(0.0, reach - 0.835))
    angle = np.degrees(np.arccos(np.clip(soa.dot(axis_of(out["local"]), NATURAL[:, None]), -1, 1)))
    assert angle[0] < 0.5, "about the same axis, to the same side"
    np.testing.assert_allclose(np.abs(np.sum(out["end"] * bones.end_xyzw, axis=0)), 1.0, atol=1e-9)


def test_out_of_reach_points_there_and_stays_bent_the_right_way() -> None:
    bones = limb([0.5])
    out = solved(bones, bones.top_m + np.array([[0.3], [-2.0], [0.4]]))
    reach = float(soa.length(out["foot"] - bones.top_m)[0])
    assert reach == pytest.approx(two_bone.STRAIGHT * (UPPER + LOWER), rel=1e-4)
    assert axis_of(out["local"])[0, 0] > 0.99


@pytest.mark.parametrize("bend", [0.0, 1e-6, 0.01])
def test_a_straight_leg_bends_the_natural_way(bend: float) -> None:
    out = solved(limb([bend]), np.array([[0.1], [0.4], [0.0]]))
    assert axis_of(out["local"])[0, 0] > 0.999
    assert out["knee"][2, 0] > 0.0, "a knee goes to the front"


def test_a_target_on_the_hip_is_no_catastrophe() -> None:
    bones = limb([0.7])
    out = solved(bones, bones.top_m.copy())
    assert all(np.isfinite(v).all() for v in out.values())


def test_a_goal_that_passes_the_reach_does_not_pop_the_knee() -> None:
    """A target that goes out of reach and back: the knee never moves more than 25 degrees from frame to frame."""
    t = np.linspace(0, 1, 60)
    bones = limb(np.full(60, 0.3))
    down = 1.0 - 0.9 + 0.12 * np.sin(np.pi * t)
    target = np.stack([np.full(60, 0.1), 1.0 - (0.74 + down), np.zeros(60)])
    out = solved(bones, target)
    bend = 2 * np.degrees(np.arccos(np.clip(np.abs(out["local"][3]), 0, 1)))
    assert np.abs(np.diff(bend)).max() < 25.0
