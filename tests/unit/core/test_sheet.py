# SPDX-License-Identifier: Apache-2.0
"""The contact sheet and the few lines beside it tell of every sample."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from kineograph import demo
from kineograph.cli.generating import summary
from kineograph.cli.sheet import Marks, draw
from kineograph.motion.clip import Clip


def _clips(samples: int) -> list[Clip]:
    rig = demo.character()
    still = np.tile(rig.rest_rotations_xyzw, (30, 1, 1))
    way_m = rig.rest_translations_m[rig.root] + np.linspace(0, 1, 30)[:, None] * np.array([0.0, 0.0, 2.0])
    clip = Clip(rig, 30.0, still, way_m)
    return [replace(clip, root_m=way_m * [1, 1, sample]) for sample in range(samples)]


def test_a_contact_sheet_has_a_row_for_each_sample(tmp_path: Path) -> None:
    one, three = _clips(1), _clips(3)
    draw(one, Marks(), tmp_path / "one.png")
    draw(three, Marks(), tmp_path / "three.png")
    with Image.open(tmp_path / "one.png") as first, Image.open(tmp_path / "three.png") as all_of_them:
        row = (all_of_them.height - first.height) // 2
        assert row > 150, "two rows more"
        ink = (np.asarray(all_of_them.convert("L")) < 170).sum(axis=1)
        assert all(ink[56 + n * row : 56 + (n + 1) * row].sum() > 1000 for n in range(3)), "a figure in each"


def test_the_lines_tell_of_the_worst_sample_and_name_the_prompt() -> None:
    report = {
        "segments": [{"index": 1, "type": "text", "start": 90, "stop": 141, "outcome": "ignored", "reason": "why"}],
        "quality": [
            {"slide_mean_cm_s": 1.0, "penetration_cm": 0.5},
            {"slide_mean_cm_s": 4.0, "penetration_cm": 0.1},
        ],
    }
    ignored, feet = summary(report)
    assert ignored == "[yellow]ignored[/]  prompt 2, frames 90 to 140: why"
    assert feet == "feet: slide at most 4.0 cm/s while they stand, at most 0.5 cm into the ground"
