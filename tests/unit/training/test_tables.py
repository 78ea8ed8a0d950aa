# SPDX-License-Identifier: Apache-2.0
"""The tables of poses that go into the weights: jumps and strides found in motion, and their means."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kineograph.motion import kinematics, quat
from kineograph_daemon.backbones.starter import figure
from training import data, leaps, strides

SIDES = (figure.INDEX["l_ankle"], figure.INDEX["r_ankle"])


def jump(frames: int = 90, off: int = 40, touch: int = 52) -> data.Piece:
    """A stiff body that sinks, flies and cushions."""
    rotations = np.broadcast_to(figure.standing(), (frames, figure.JOINTS, 4)).astype(np.float32).copy()
    height = np.full(frames, 0.992)
    height[off - 10 : off] -= 0.2 * np.sin(np.linspace(0, np.pi, 10))
    height[touch : touch + 10] -= 0.15 * np.sin(np.linspace(0, np.pi, 10))
    t = (np.arange(off, touch) - off + 1) / 30
    height[off:touch] += 0.08 + 4.9 * t * (t[-1] + 1 / 30 - t)
    root = np.stack([np.zeros(frames), height, np.zeros(frames)], axis=1).astype(np.float32)
    return data.Piece("j", "a person jumps", "made up", rotations, root)


def walk(style: str, speed_mps: float, hz: float, frames: int = 120) -> data.Piece:
    """Legs that swing, on a way."""
    t = np.arange(frames) / 30
    rotations = np.broadcast_to(figure.standing(), (frames, figure.JOINTS, 4)).copy()
    for sign, hip in ((-1, "l_hip"), (1, "r_hip")):
        swing = 0.45 * sign * np.cos(2 * np.pi * hz * t)
        rotations[:, figure.INDEX[hip]] = quat.from_axis_angle(np.array([1.0, 0, 0]), swing)
    root = np.stack([0 * t, 0.95 + 0 * t, speed_mps * t], axis=1)
    return data.Piece(style, f"a person {style}s", "made up", rotations.astype(np.float32), root.astype(np.float32))


def test_a_jump_is_found_and_timed() -> None:
    poses, facts = leaps.table([jump()])
    assert poses.shape == (5, figure.JOINTS, 4)
    assert facts["recordings"] == 1
    crouch, off, top, touch, cushion = facts["frames"]
    assert off == 0
    assert -9 <= crouch <= -3
    assert 4 <= top <= 8
    assert 11 <= touch <= 13
    assert touch < cushion <= touch + 9


def test_hanging_and_running_are_no_jumps() -> None:
    long = jump(touch=80, frames=130)
    with pytest.raises(SystemExit, match="no jumps"):
        leaps.table([long, walk("walk", 1.2, 0.9)])


@pytest.fixture(scope="module")
def tables() -> tuple[Any, Any]:
    return strides.tables([walk("walk", 1.2, 0.9), walk("run", 2.8, 1.3)])


def test_strides_are_found_by_class(tables: tuple[Any, Any]) -> None:
    poses, facts = tables
    assert poses.shape == (2, strides.PHASES, figure.JOINTS, 4)
    assert list(facts) == ["walk", "run"]
    assert facts["walk"]["stride_hz"] == pytest.approx(0.9, abs=0.03)
    assert facts["run"]["mps"] == pytest.approx(2.8, abs=0.01)
    assert facts["run"]["height_m"] == pytest.approx([0.95] * strides.PHASES, abs=1e-3)


def test_a_table_begins_with_the_left_foot_foremost_and_is_even_on_both_sides(tables: tuple[Any, Any]) -> None:
    for poses in tables[0]:
        at = kinematics.forward(figure.SKELETON, poses, np.zeros((strides.PHASES, 3)))[0]
        lead = at[:, SIDES[0], 2] - at[:, SIDES[1], 2]
        assert lead.argmax() in (0, 1, strides.PHASES - 1)
        half = strides.PHASES // 2
        np.testing.assert_allclose(lead, -np.roll(lead, half), atol=0.03)


def test_nobody_runs_on_the_spot() -> None:
    with pytest.raises(SystemExit, match="run"):
        strides.tables([walk("walk", 1.2, 0.9), walk("run", 0.1, 1.3)])
