# SPDX-License-Identifier: Apache-2.0
"""Motion files of any form become training data; copies of what is there are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.fakes.steps import walk

from kineograph import formats
from kineograph.motion.clip import Clip
from kineograph_daemon.backbones.starter import figure
from training import data, files


@pytest.fixture
def like(tmp_path: Path) -> Path:
    """A file in the training form with one walk."""
    piece = walk()
    path = tmp_path / "like.npz"
    np.savez_compressed(
        path,
        root=piece.root_m,
        quat=np.round(piece.rotations_xyzw * 32767).astype(np.int16),
        starts=np.array([0, len(piece)]),
        joints=np.array(figure.NAMES),
        parents=np.array(figure.PARENTS),
        offsets=np.asarray(figure.OFFSETS_M, np.float32),
        fps=np.array(30),
        names=np.array(["walk_1"]),
        captions=np.array(["a person walks"]),
        source=np.array(["made up"]),
        licence=np.array(["CC0"]),
    )
    return path


def table(folder: Path, *lines: str) -> Path:
    path = folder / "clips.csv"
    path.write_text("\n".join([",".join(files.COLUMNS), *lines]) + "\n", encoding="utf-8")
    return path


def save(path: Path, piece: data.Piece) -> None:
    clip = Clip(figure.SKELETON, 30.0, piece.rotations_xyzw.astype(float), piece.root_m.astype(float), "w")
    formats.save(path, figure.SKELETON, [clip])


def test_a_file_becomes_a_recording_and_its_copy_is_told(
    tmp_path: Path, like: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "copy.bvh", walk())
    rows = table(tmp_path, "copy.bvh,walk_2,a walk,mine,CC0")
    out = tmp_path / "out.npz"
    files.main(["--like", str(like), "--table", str(rows), "--out", str(out)])
    (made,) = data.load([out])
    assert (made.name, made.caption, made.source) == ("walk_2", "a walk", "mine")
    before = walk()
    n = min(len(made), len(before))
    assert n >= len(before) - 1
    off = made.world_m[:n] - made.root_m[:n, None] - (before.world_m[:n] - before.root_m[:n, None])
    assert np.linalg.norm(off, axis=-1).mean() < 0.02
    with np.load(out) as d:
        assert d["licence"].tolist() == ["CC0"]
    told = capsys.readouterr().out
    assert "walk_1" in told
    assert "MOST LIKELY THE SAME" in told


def test_what_is_missing_is_named(tmp_path: Path, like: Path) -> None:
    out = tmp_path / "out.npz"
    for line, named in (
        ("gone.bvh,a,b,c,d", "gone.bvh"),
        ("short.bvh,a", "line 2"),
        ("lone_1.amc,a,b,c,d", "asf"),
    ):
        rows = table(tmp_path, line)
        with pytest.raises(SystemExit, match=named):
            files.main(["--like", str(like), "--table", str(rows), "--out", str(out)])
    with pytest.raises(SystemExit, match="no file"):
        files.main(["--like", str(like), "--table", str(table(tmp_path)), "--out", str(out)])
    assert not out.exists()
