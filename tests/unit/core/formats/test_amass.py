# SPDX-License-Identifier: Apache-2.0
"""AMASS: poses without a body model, and archives that nobody should trust."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kineograph import formats
from kineograph.errors import SceneError
from kineograph.formats import amass
from kineograph.motion import quat
from kineograph.rigs import REQUIRED, roles_of

STAND = np.array([np.pi / 2, 0, 0])  # a body built y up stands in a world with z up


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(("numbers", "joints"), [(66, 22), (72, 24), (156, 52), (165, 55)])
def test_a_standing_body_stands(tmp_path: Path, numbers: int, joints: int) -> None:
    poses = np.zeros((30, numbers))
    poses[:, :3] = STAND
    trans = np.tile([0.0, 0.0, 0.9], (30, 1))
    trans[:, 1] = -np.linspace(0, 1, 30)  # walks toward the viewer of a z-up world: forward
    path = save(tmp_path / "a.npz", poses=poses, trans=trans, mocap_framerate=60.0, betas=np.zeros(16))
    asset = formats.load(path)
    (clip,) = asset.clips
    assert (len(asset.skeleton), clip.fps_hz, asset.source.up) == (joints, 60.0, "z")
    position, _ = clip.world()
    head = asset.skeleton.index["head"]
    assert position[0, head, 1] > 1.2
    assert abs(position[0, head, 0]) < 0.01
    assert position[-1, 0, 2] - position[0, 0, 2] == pytest.approx(1.0)
    assert not roles_of(asset.skeleton.names, asset.skeleton.parents).missing(REQUIRED)
    assert "1.7 m" in asset.source.notes[0]


def test_parts_and_a_missing_rate(tmp_path: Path) -> None:
    poses = np.random.default_rng(1).normal(0, 0.2, (12, 156))
    whole = save(tmp_path / "whole.npz", poses=poses, trans=np.zeros((12, 3)), mocap_framerate=120)
    parts = save(
        tmp_path / "parts.npz", root_orient=poses[:, :3], pose_body=poses[:, 3:66], pose_hand=poses[:, 66:],
        trans=np.zeros((12, 3)),
    )  # fmt: skip
    a, b = formats.load(whole).clips[0], formats.load(parts).clips[0]
    assert quat.angle_between_rad(a.rotations_xyzw, b.rotations_xyzw).max() < 1e-9
    assert b.fps_hz == amass.DEFAULT_FPS_HZ
    assert "frame rate" in formats.load(parts).source.notes[1]


def broken(name: str) -> bytes:
    out = io.BytesIO()
    if name == "pickle":
        np.savez(out, poses=np.array([{"a": 1}], dtype=object))
    elif name == "claims more":
        with zipfile.ZipFile(out, "w") as archive:
            head = io.BytesIO()
            np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 156)})
            archive.writestr("poses.npy", head.getvalue() + b"\0" * 64)
    elif name == "bomb":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("poses.npy", b"\0" * (1 << 20))
        data = bytearray(out.getvalue())
        at = data.rindex(b"PK\x01\x02")
        data[at + 24 : at + 28] = (1 << 31).to_bytes(4, "little")  # the size it says it unpacks to
        return bytes(data)
    elif name == "nan":
        np.savez(out, poses=np.full((3, 156), np.nan), trans=np.zeros((3, 3)))
    elif name == "odd width":
        np.savez(out, poses=np.zeros((3, 100)), trans=np.zeros((3, 3)))
    elif name == "short trans":
        np.savez(out, poses=np.zeros((3, 156)), trans=np.zeros((2, 3)))
    elif name == "no poses":
        np.savez(out, betas=np.zeros(3))
    elif name == "rate":
        np.savez(out, poses=np.zeros((3, 156)), trans=np.zeros((3, 3)), mocap_framerate=-1)
    elif name == "text":
        np.savez(out, poses=np.array(["a"]))
    return out.getvalue()


@pytest.mark.parametrize(
    "name", ["pickle", "claims more", "bomb", "nan", "odd width", "short trans", "no poses", "rate", "text"]
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(broken(name))
    with pytest.raises(SceneError) as caught:
        formats.load(path)
    assert caught.value.code == "file_unreadable"
    assert caught.value.details["json_path"] in ("poses", "trans", "mocap_framerate")


def test_half_a_file_is_incomplete(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", poses=np.zeros((30, 156)), trans=np.zeros((30, 3)))
    for data, code in (
        (path.read_bytes()[:-30], "file_incomplete"),
        (b"", "file_incomplete"),
        (b"x", "file_unreadable"),
    ):
        path.write_bytes(data)
        with pytest.raises(SceneError) as caught:
            formats.load(path)
        assert caught.value.code == code
