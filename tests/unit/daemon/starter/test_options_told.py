# SPDX-License-Identifier: Apache-2.0
"""What the report says of the starter's steps and seeds is what they do: ignored ones change nothing."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from tests.fakes import asks

from kineograph_daemon.backbones.starter import figure
from kineograph_daemon.backbones.starter.backbone import MODEL_ID, StarterBackbone
from kineograph_daemon.pipeline import JobResultData

MODEL = StarterBackbone()
SEEDS: dict[str, list[int | None]] = {"none": [None, None], "some": [4, None], "all": [4, 5]}


@functools.cache
def made(own: str, **options: Any) -> JobResultData:
    segments = [{"type": "unconditioned", "duration_frames": 15} for _ in range(2)]
    for segment, seed in zip(segments, SEEDS[own], strict=True):
        segment |= {} if seed is None else {"seed": seed}
    keys = [asks.key(figure.SKELETON, f, {}, [0.0, 0.93, 0.02 * f], full=True) for f in (0, 29)]
    return asks.run(asks.request(figure.SKELETON, 30, keys, segments=segments, model=MODEL_ID, **options), MODEL)


def told(data: JobResultData, name: str) -> str:
    return str(next(o["outcome"] for o in data.report["options"] if o["name"] == name))


def same(a: JobResultData, b: JobResultData) -> bool:
    return bool(np.array_equal(a.rotations_xyzw, b.rotations_xyzw) and np.array_equal(a.root_m, b.root_m))


CASES = [
    ("none", 1, 4), ("none", 1, 40), ("none", 1, 100), ("none", 2, 100),
    ("some", 1, 100), ("all", 1, 40), ("all", 2, 100),
]  # fmt: skip


@pytest.mark.parametrize(("own", "samples", "steps"), CASES)
def test_a_seed_that_is_called_ignored_changes_nothing_and_another_does(own: str, samples: int, steps: int) -> None:
    one, other = (made(own, num_samples=samples, diffusion_steps=steps, seed=seed) for seed in (1, 2))
    assert same(one, other) == (told(one, "seed") == "ignored")


@pytest.mark.parametrize(("own", "samples", "steps"), CASES)
def test_steps_are_told_as_they_are_taken(own: str, samples: int, steps: int) -> None:
    asked = made(own, num_samples=samples, diffusion_steps=steps, seed=1)
    outcome = told(asked, "diffusion_steps")
    if outcome == "ignored":
        assert same(asked, made(own, num_samples=samples, seed=1))
    elif outcome == "changed":
        assert same(asked, made(own, num_samples=samples, diffusion_steps=10, seed=1))
    else:
        assert outcome == "applied"
        assert steps <= 10, "more than ten are not taken"
        assert steps == 1 or not same(asked, made(own, num_samples=samples, seed=1))
