# SPDX-License-Identifier: Apache-2.0
"""What the model is trained on: split by recording, the same batch for the same number, files read whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kineograph.motion import quat
from kineograph_daemon.backbones.starter import figure
from training import amc, data, tasks

ASF = """:version 1.10
:units
  length 0.45
:root
:bonedata
  begin
     name femur
     direction 0 -1 0
     length 6
     axis 0 90 0 XYZ
     dof rx rz
  end
  begin
     name tibia
     direction 0 -1 0
     length 7
     axis 0 0 0 XYZ
     dof rx
  end
:hierarchy
  begin
    root femur
    femur tibia
  end
"""
AMC = "1\nroot 0 17.7165354 0 0 90 0\nfemur 90 0\ntibia 0\n2\nroot 0 17.7165354 1 0 90 0\nfemur 0 0\ntibia 45\n"


def piece(name: str, frames: int = 80, seed: int = 0) -> data.Piece:
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, frames)[:, None, None]
    a, b = rng.normal(scale=0.4, size=(2, 1, figure.JOINTS, 3))
    rotations = quat.from_rotvec(a * (1 - t) + b * t).astype(np.float32)
    root = (np.array([0.0, 0.95, 0.0]) + t[..., 0] * [0.2, 0.0, 1.0]).astype(np.float32)
    return data.Piece(name, "a person walks", "made up", rotations, root)


def test_pieces_and_twins_are_one_recording() -> None:
    assert data.recording_of("cmu_01_02_p1") == "cmu_01_02"
    assert data.recording_of("cmu_c2s_train_walking_27_p0") == "cmu_16_15"
    assert data.recording_of("cmu_07_01") == "cmu_07_01"


def test_twins_of_what_is_held_back_are_held_back() -> None:
    for twin, name in data.TWINS.items():
        assert data.is_held(twin) == data.is_held(name)
        assert data.is_reported(twin) == data.is_reported(name)


def test_a_split_shares_no_recording() -> None:
    pieces = [piece(f"cmu_{a:02d}_{b:02d}_p{c}", 10) for a in (7, 16, 35) for b in range(12) for c in range(2)]
    taught, held = data.split(pieces)
    sides = [{data.recording_of(p.name) for p in side} for side in (taught, held)]
    assert not sides[0] & sides[1]
    assert not any(p.name.startswith("cmu_16") for p in taught)
    assert not any(data.is_reported(p.name) for p in [*taught, *held])


def test_a_batch_is_a_function_of_seed_and_number() -> None:
    source = tasks.Source([piece("a"), piece("b", 200, 1)])
    for step in range(6):
        one, two = tasks.batch(source, 3, step, 512), tasks.batch(source, 3, step, 512)
        for name, value in vars(one).items():
            np.testing.assert_array_equal(value, getattr(two, name))
        assert np.isfinite(one.inputs).all()
        assert one.inputs.shape[1] % 2 == 0
        assert not one.truth[~one.free].any() or np.abs(one.truth[~one.free]).max() < 1e-3


@pytest.mark.parametrize("kind", list(tasks.SHARES))
def test_every_task_leaves_something_to_find(kind: str) -> None:
    window = tasks.Source([piece("a", 120)]).draw(np.random.default_rng(1), 16, 60)
    ask = tasks.ask_of(window, kind, np.random.default_rng(2))
    assert (~ask.key).any(axis=1).all()
    assert ask.on_path.any() == (kind == "path")


def test_copies_are_mirrored_and_paced() -> None:
    made = data.copies([piece("a", 60)])
    assert len(made) == 2 * len(data.PACES)
    assert {round(len(m) / 60, 1) for m in made} == {1.0, 1.1, 0.9}
    np.testing.assert_allclose(made[1].root_m[:, 0], -made[0].root_m[:, 0])


def test_acclaim_files(tmp_path: Path) -> None:
    (tmp_path / "01.asf").write_text(ASF)
    (tmp_path / "01_01.amc").write_text(AMC)
    acclaim = amc.read_asf(tmp_path / "01.asf")
    clip = amc.read_amc(tmp_path / "01_01.amc", acclaim)
    inch = 0.0254 / 0.45
    assert len(clip) == 2
    np.testing.assert_allclose(clip.root_m[0], [0, 17.7165354 * inch, 0])
    at, _ = clip.world()
    # The thigh swings 90 degrees about the bone's own x, which its axis turned to lie along -z.
    np.testing.assert_allclose(np.linalg.norm(at[0, 2] - at[0, 1]), 6 * inch, atol=1e-6)
    assert at[0, 2, 1] == pytest.approx(at[0, 1, 1], abs=1e-6)
    assert at[1, 2, 1] == pytest.approx(at[1, 1, 1] - 6 * inch, abs=1e-6)


@pytest.mark.parametrize("content", ["", "nothing", ":bonedata\nbegin\n", ASF.replace("femur tibia", "femur gone")])
def test_a_broken_skeleton_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "02.asf"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"02\.asf"):
        amc.read_asf(path)


@pytest.mark.parametrize(
    "content", ["1\nroot 1 2\n", "1\nroot a b c d e f\n", "1\nfemur 0 0\n", "1\nroot 0 0 0 0 0 0\n"]
)
def test_a_broken_motion_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "01.asf").write_text(ASF)
    path = tmp_path / "01_02.amc"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"01_02\.amc"):
        amc.read_amc(path, amc.read_asf(tmp_path / "01.asf"))
