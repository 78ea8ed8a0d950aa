# SPDX-License-Identifier: Apache-2.0
"""Broken and hostile BVH files: one clear error with the line, never a hang, never a flood of memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.core.formats.samples import SMALL_BVH

from kineograph.errors import SceneError
from kineograph.formats import bvh


def refused(folder: Path, data: str | bytes) -> SceneError:
    path = folder / "broken.bvh"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(SceneError) as caught:
        bvh.read(path)
    assert "broken.bvh" in caught.value.message
    assert caught.value.details["file"] == str(path)
    return caught.value


CASES = [
    # what is changed, the code, the line, a word of the message
    (("HIERARCHY", "SKELETON"), "file_unreadable", 1, "no BVH"),
    (("OFFSET 0 1 0", "OFFSET 0 one 0"), "file_unreadable", 4, "'one'"),
    (("OFFSET 0 1 0", "OFFSET 0 nan 0"), "file_unreadable", 4, "finite"),
    (("OFFSET 0 1 0", "OFFSET 0 1"), "file_unreadable", 5, "CHANNELS"),
    (("CHANNELS 6", "CHANNELS 7"), "file_unreadable", 5, "'7'"),
    (("CHANNELS 6", "CHANNELS \u00b3"), "file_unreadable", 5, "'\u00b3'"),
    (("CHANNELS 6", "CHANNELS " + "0" * 5000), "file_unreadable", 5, "0 to 6"),
    (("Frames: 2", "Frames: \u00b2"), "file_unreadable", 17, "no number of frames"),
    (("CHANNELS 6", "CHANNELS six"), "file_unreadable", 5, "'six'"),
    (("Xrotation Yrotation\n", "Xrotation Wrotation\n"), "file_unreadable", 5, "Wrotation"),
    (("Yposition", "Xposition"), "file_unreadable", 5, "twice"),
    (("JOINT Spine", "JOINT Hips"), "file_unreadable", 6, "Hips"),
    (("JOINT Spine", "ROOT Spine"), "file_unreadable", 6, "several roots"),
    (("JOINT Spine", "JOINT"), "file_unreadable", 6, "no name"),
    (("JOINT Spine", "JUNCTION Spine"), "file_unreadable", 6, "JUNCTION"),
    (("  }\n}\nMOTION", "  }\n}\n}\nMOTION"), "file_unreadable", 16, "closes nothing"),
    (("  }\n}\nMOTION", "  }\nMOTION"), "file_incomplete", 14, "Hips"),
    (("}\nMOTION", "}\nROOT Prop\n{\nOFFSET 0 0 0\nCHANNELS 0\n}\nMOTION"), "file_unreadable", 16, "'Prop'"),
    (("MOTION\n", "MOTIONS\n"), "file_unreadable", 16, "MOTIONS"),
    (("Frames: 2", "Frames: 3"), "file_incomplete", 20, "2 of 3"),
    (("Frames: 2", "Frames: 1"), "file_unreadable", 20, "1 frames"),
    (("Frames: 2", "Frames: -2"), "file_unreadable", 17, "'-2'"),
    (("Frames: 2", "Frames: 2.5"), "file_unreadable", 17, "'2.5'"),
    (("Frames: 2", "Frames: 1000000000"), "file_incomplete", 20, "1000000000"),
    (("Frames: 2", "Frames: 99999999999999999999999"), "file_unreadable", 17, "number of frames"),
    (("Frames: 2\n", ""), "file_unreadable", 16, "Frames"),
    (("0.0333333", "0"), "file_unreadable", 18, "'0'"),
    (("0.0333333", "-0.1"), "file_unreadable", 18, "'-0.1'"),
    (("0.0333333", "NaN"), "file_unreadable", 18, "'NaN'"),
    (("0.0333333", "quick"), "file_unreadable", 18, "'quick'"),
    (("0.0333333", "1e-300"), "file_unreadable", 18, "frame time"),
    (("10 20 30", "10 20 nan"), "file_unreadable", 20, "'nan'"),
    (("10 20 30", "10 inf 30"), "file_unreadable", 20, "column 8"),
    (("10 20 30", "10 2o 30"), "file_unreadable", 20, "'2o'"),
    (("10 20 30", "10,5 20 30"), "file_unreadable", 20, "'10,5'"),
    (("10 20 30\n", "10 20"), "file_incomplete", 20, "middle"),
    (("0 1 0 0 0 0 0 0 0\n", "0 1 0 0 0 0 0 0\n"), "file_unreadable", 19, "8 numbers"),
]


@pytest.mark.parametrize(("change", "code", "line", "said"), CASES, ids=[f"{c[0][1][:24]!r}" for c in CASES])
def test_the_error_names_the_line(tmp_path: Path, change: tuple[str, str], code: str, line: int, said: str) -> None:
    assert change[0] in SMALL_BVH
    problem = refused(tmp_path, SMALL_BVH.replace(*change, 1))
    assert problem.code == code
    assert problem.details["line"] == line
    assert said in problem.message
    assert f"line {line}" in problem.message


def test_a_file_cut_anywhere_is_an_error(tmp_path: Path) -> None:
    whole = SMALL_BVH.rstrip("\n")
    for end in range(1, len(whole) - 2):
        problem = refused(tmp_path, whole[:end])
        assert problem.code in ("file_incomplete", "file_unreadable")
        assert problem.details.get("line", 0) >= 1


def test_cuts_between_words_are_incomplete(tmp_path: Path) -> None:
    for end in [m for m, c in enumerate(SMALL_BVH) if c == "\n" and 10 < m < len(SMALL_BVH) - 1]:
        if SMALL_BVH[:end].endswith("Frames: 2"):
            continue
        assert refused(tmp_path, SMALL_BVH[:end]).code == "file_incomplete"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "file_incomplete"),
        (b"\n\n", "file_incomplete"),
        (b"\0" * 100, "file_unreadable"),
        (b"glTF\2\0\0\0", "file_unreadable"),
    ],
)
def test_what_is_no_text_at_all(tmp_path: Path, data: bytes, code: str) -> None:
    assert refused(tmp_path, data).code == code


def test_a_tower_of_joints_is_refused_not_a_crash(tmp_path: Path) -> None:
    tower = "".join(f"JOINT j{i} {{ OFFSET 0 1 0 CHANNELS 0 " for i in range(10_000))
    text = f"HIERARCHY\nROOT r {{ OFFSET 0 0 0 CHANNELS 0\n{tower}{'}' * 10_001}\nMOTION\nFrames: 0\nFrame Time: 0.1\n"
    assert "4096" in refused(tmp_path, text).message


def test_a_thousand_nested_joints_are_fine(tmp_path: Path) -> None:
    tower = "".join(f"JOINT j{i} {{ OFFSET 0 0.001 0 CHANNELS 0 " for i in range(1000))
    text = f"HIERARCHY\nROOT r {{ OFFSET 0 0 0 CHANNELS 0\n{tower}{'}' * 1001}\nMOTION\nFrames: 0\nFrame Time: 0.1\n"
    path = tmp_path / "deep.bvh"
    path.write_text(text)
    assert len(bvh.read(path).skeleton) == 1001


def test_a_claim_of_a_billion_frames_takes_no_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    refused(tmp_path, SMALL_BVH.replace("Frames: 2", "Frames: 1000000000"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_frames_without_channels_are_refused(tmp_path: Path) -> None:
    text = "HIERARCHY\nROOT r\n{\nOFFSET 0 0 0\nCHANNELS 0\n}\nMOTION\nFrames: 1000000000\nFrame Time: 0.1\n"
    assert refused(tmp_path, text).code == "file_unreadable"


@pytest.mark.parametrize("name", ["missing.bvh", "."])
def test_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(SceneError) as caught:
        bvh.read(tmp_path / name)
    assert caught.value.code == "file_unreadable"


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(SMALL_BVH) - 1), st.binary(max_size=6), st.integers(0, 8))
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, at: int, junk: bytes, cut: int) -> None:
    data = SMALL_BVH.encode()
    path = tmp_path / "fuzz.bvh"
    path.write_bytes(data[:at] + junk + data[at + cut :])
    try:
        joints = len(bvh.read(path).skeleton)
    except SceneError as problem:
        joints = 1 if problem.code in ("file_unreadable", "file_incomplete") else 0
    assert joints >= 1
