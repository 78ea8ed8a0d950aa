# SPDX-License-Identifier: Apache-2.0
"""Pins with a direction, over a span, along points: as constraints and back, moved and turned whole."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from kineograph import demo
from kineograph.motion import quat
from kineograph_gui.model.composer import Composer
from kineograph_gui.model.draft import Draft
from kineograph_gui.model.pins import Pin, angles_of, rotation_of

HALF = float(np.sqrt(0.5))


def target(frames: list[int], positions: list[list[float]], **more: Any) -> dict[str, Any]:
    """An effector_target."""
    return {"type": "effector_target", "joint": "LeftHand", "frames": frames, "positions": positions, **more}


HERE, THERE = [0.4, 1.2, 0.3], [0.5, 1.2, 0.4]
TURNED, OTHER = [0.0, HALF, 0.0, HALF], [0.0, 0.0, HALF, HALF]
CASES = {
    "one frame": target([3], [HERE]),
    "a direction": target([3], [HERE], rotations=[TURNED]),
    "a span": target([3, 4, 5], [HERE] * 3),
    "a span with a direction": target([3, 4, 5], [HERE] * 3, rotations=[TURNED] * 3),
    "points": target([3, 9, 10], [HERE, THERE, HERE]),
    "points with directions": target([3, 9], [HERE, THERE], rotations=[TURNED, OTHER]),
    "frames with a gap": target([3, 9], [HERE, HERE]),
    "a turn in place": target([3, 4], [HERE, HERE], rotations=[TURNED, OTHER]),
}


@pytest.mark.parametrize("constraint", CASES.values(), ids=CASES.keys())
def test_a_constraint_comes_back_as_it_was(constraint: dict[str, Any]) -> None:
    pin = Pin.of(constraint)
    assert pin is not None
    assert pin.constraint() == constraint
    assert pin.last == constraint["frames"][-1]
    arrays = {k: np.asarray(v) if isinstance(v, list) else v for k, v in constraint.items()}
    assert Pin.of(arrays) == pin


@pytest.mark.parametrize(
    "odd",
    [
        target([], []), target([5, 3], [HERE, HERE]), target([3, 3], [HERE, HERE]), target([3], [HERE], weight=2),
        target([3], [HERE], rotations=[[0, 0, 0, 0]]), target([3], [HERE], rotations=[[float("nan"), 0, 0, 1]]),
        target([3], [HERE], rotations=None),
    ],
)  # fmt: skip
def test_what_a_pin_cannot_say_is_carried_along(odd: dict[str, Any]) -> None:
    request = {"skeleton": demo.character().to_mmcp(), "constraints": [odd]}
    draft = Draft.of(request)
    assert not draft.pins
    assert draft.request()["constraints"] == [odd]


@pytest.mark.parametrize("bad", [target([3], [HERE, HERE]), target([3], [[1.0]]), target([3], [HERE], rotations=[[1]])])
def test_what_is_malformed_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Pin.of(bad)


def test_a_pin_is_moved_held_and_turned_whole() -> None:
    pin = Pin.of(CASES["points with directions"])
    assert pin is not None
    moved = pin.at_frame(10).at_place([1.4, 1.2, 0.3])
    assert moved.constraint()["frames"] == [10, 16]
    assert moved.constraint()["positions"] == [[1.4, 1.2, 0.3], [1.5, 1.2, 0.4]]
    assert moved.until(90) == moved, "it goes along its points"
    free = moved.directed(None)
    assert "rotations" not in free.constraint()
    turned = moved.directed(OTHER)
    between = [quat.angle_between_rad(*map(np.asarray, (a, b))) for a, b in [_two(pin), _two(turned)]]
    assert between[0] == pytest.approx(between[1]), "its points turn together"
    still = Pin(3, "LeftHand", (0.4, 1.2, 0.3)).until(6)
    assert still.constraint()["frames"] == [3, 4, 5, 6]
    assert still.until(1).constraint()["frames"] == [3]


def _two(pin: Pin) -> tuple[Any, Any]:
    a, b = pin.constraint()["rotations"]
    return a, b


@pytest.mark.parametrize("angles", [*itertools.product((-170, 0, 60), (-80, 0, 35), (-120, 0, 45)), (30, 90, 0)])
def test_angles_say_a_direction_and_back(angles: tuple[float, float, float]) -> None:
    rest = quat.normalize(np.array([0.1, -0.4, 0.3, 0.8]))
    assert angles_of(rotation_of(angles, rest), rest) == pytest.approx(angles, abs=2e-3)


def test_the_rest_pose_is_no_turn() -> None:
    rest = quat.normalize(np.array([0.1, -0.4, 0.3, 0.8]))
    assert angles_of(rest, rest) == (0.0, 0.0, 0.0)
    assert rotation_of((90.0, 0.0, 0.0), quat.identity()) == pytest.approx((0.0, HALF, 0.0, HALF))


def test_a_pin_takes_the_direction_that_its_joint_has() -> None:
    composer = Composer(lambda model: {})
    composer.use_demo()
    rig = composer.draft.rig
    assert rig is not None
    hand = rig.index["LeftHand"]
    composer.turn_joint(rig.index["LeftUpperArm"], np.array([0.0, 1.0, 0.0]), np.deg2rad(30))
    composer.end_move()
    composer.add_pin(hand)
    composer.set_pin(0, directed=True)
    assert composer.angles_of(composer.draft.pins[0]) == pytest.approx((30.0, 0.0, 0.0), abs=0.01)
    composer.set_pin(0, angles_deg=(10.0, 20.0, 0.0))
    assert composer.angles_of(composer.draft.pins[0]) == pytest.approx((10.0, 20.0, 0.0), abs=0.01)
    composer.stretch("pin", 0, 12)
    assert composer.draft.pins[0].last == 12
    assert len(composer.draft.request()["constraints"][-1]["rotations"]) == 13
    composer.undo()
    composer.undo()
    composer.undo()
    assert composer.draft.pins[0].rotation_xyzw is None
