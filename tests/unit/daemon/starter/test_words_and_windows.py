# SPDX-License-Identifier: Apache-2.0
"""What prompts are read as, and how long motions are cut into windows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.fakes import asks

from kineograph_daemon.backbones.starter import figure, scene, stitch, words
from kineograph_daemon.backbones.starter.features import STYLES
from kineograph_daemon.solve.goals import read_goals
from kineograph_daemon.solve.ground import read_ground

SKELETON = figure.SKELETON


def scene_of(frames: int, constraints: Any = (), segments: Any = None, **options: Any) -> scene.Scene:
    request = asks.request(SKELETON, frames, constraints, segments=segments, **options)
    goals = read_goals(request, figure.FPS_HZ)
    return scene.read(request, goals, read_ground(goals), (0.5, 0.3))


def text(prompt: str, frames: int, **more: Any) -> dict[str, Any]:
    return {"type": "text", "prompt": prompt, "duration_frames": frames, **more}


@pytest.mark.parametrize(
    ("prompt", "name", "pace"),
    [
        ("A person walks slowly.", "walk", 0.65),
        ("she WALKS", "walk", 1.0),
        ("marching briskly", "walk", 1.3),
        ("a person jumps", "jump", 1.0),
        ("a person runs slowly", "run", 0.65),
        ("Hopping on the spot!", "jump", 1.0),
    ],
)
def test_known_words(prompt: str, name: str, pace: float) -> None:
    reading = words.read(prompt)
    assert (reading.name, reading.pace, reading.understood) == (name, pace, True)


@pytest.mark.parametrize(
    "prompt", ["juggles flaming torches", "歩く", "🚶", "x" * 5000, "walkway runner-up", "she dances", "jumpsuit"]
)
def test_unknown_words_are_not_understood(prompt: str) -> None:
    reading = words.read(prompt)
    assert not reading.understood or not prompt.isascii()
    assert reading.style == 0


def test_an_empty_prompt_asks_for_nothing() -> None:
    assert words.read("").understood
    assert words.read("   ").style == 0


def test_every_word_belongs_to_a_class() -> None:
    assert set(words._VERBS) < set(STYLES)
    assert all(words.read(p).understood for p in words.PHRASES)


@pytest.mark.parametrize("frames", [1, 2, 40, 196, 197, 400, 1000])
def test_windows_cover_every_frame_once(frames: int) -> None:
    made = scene_of(frames, [asks.key(SKELETON, 0), asks.key(SKELETON, frames - 1)] if frames > 1 else [])
    cut = stitch.windows(made)
    assert [f for w in cut for f in range(w.start, w.stop)] == list(range(frames))
    for window in cut:
        assert window.see - window.look <= figure.WINDOW_FRAMES
        assert window.look <= window.start < window.stop <= window.see <= frames
        assert window.start == 0 or window.start - window.look == min(stitch.PAST, window.start)


def test_windows_end_on_keys_where_they_can() -> None:
    made = scene_of(400, [asks.key(SKELETON, f) for f in range(0, 400, 50)])
    assert all(made.key[w.stop - 1] for w in stitch.windows(made)[:-1])


def test_a_window_looks_ahead_to_the_next_key() -> None:
    keys = [asks.key(SKELETON, f) for f in (0, 90)]
    made = scene_of(91, keys, [text("walks", 60), text("jumps", 31)])
    first, second = stitch.windows(made)
    assert (first.stop, first.see, second.start) == (60, 91, 60)
    assert first.style != second.style


def test_segments_of_one_class_are_one_window_unless_they_bring_seeds() -> None:
    both = [text("walks", 30), text("walking on", 30)]
    assert len(stitch.windows(scene_of(60, (), both))) == 1
    seeded = [text("walks", 30), text("walks", 30, seed=4)]
    assert [w.seed for w in stitch.windows(scene_of(60, (), seeded))] == [None, 4]


def test_walking_without_a_path_goes_on_at_a_walk() -> None:
    made = scene_of(90, (), [text("a person walks", 90)])
    travelled = np.linalg.norm(np.diff(made.root_m[:, [0, 2]], axis=0), axis=-1).sum()
    assert travelled == pytest.approx(words.SPEED_MPS["walk"] * 3, rel=0.08)
    assert made.on_path.all()


def test_walking_left_turns_left() -> None:
    made = scene_of(90, (), [text("walks to the left", 90)])
    assert made.heading_rad[-1] == pytest.approx(np.pi / 2, abs=0.1)
    assert made.root_m[-1, 0] > 0.8


def test_steps_come_at_the_rate_of_the_speed() -> None:
    frames = list(range(0, 121, 10))
    made = scene_of(121, [asks.path(frames, [[0, f / 30 * 1.2] for f in frames])])
    phase, walks = made.steps()
    rate = np.diff(phase)[30:-30].mean() * 30 / (2 * np.pi)
    assert walks[5:-5].all()
    assert rate == pytest.approx(0.5 + 0.3 * 1.2, rel=0.02)


def test_nobody_steps_where_the_path_stands_still() -> None:
    made = scene_of(61, [asks.path([0, 60], [[0, 0], [0, 0.05]])])
    assert not made.steps()[1].any()


def test_a_pose_in_mid_step_sets_the_phase() -> None:
    stride = {"l_hip": asks.about_x(-30), "r_hip": asks.about_x(30)}
    frames = list(range(0, 91, 10))
    keys = [asks.key(SKELETON, 30, stride, [0, 0.95, 1.2])]
    made = scene_of(91, [asks.path(frames, [[0, f / 25] for f in frames]), *keys])
    phase, _ = made.steps()
    assert np.cos(phase[30]) == pytest.approx(1.0, abs=1e-6)
