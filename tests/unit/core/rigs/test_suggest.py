# SPDX-License-Identifier: Apache-2.0
"""Suggestions for an unknown joint."""

from __future__ import annotations

import pytest

from kineograph.rigs import suggest


def best(name: str, candidates: list[str]) -> str | None:
    found = suggest(name, candidates)
    return found[0].name if found else None


@pytest.mark.parametrize(
    ("name", "candidates", "wanted"),
    [
        ("LefHand", ["Hips", "RightHand", "LeftHand", "LeftArm"], "LeftHand"),
        ("LefHand", ["hand.R", "hand.L"], "hand.L"),
        ("mixamorig:LeftHand", ["spine", "hand.R", "hand.L", "forearm.L"], "hand.L"),
        ("hand.L", ["mixamorig:RightHand", "mixamorig:LeftHand"], "mixamorig:LeftHand"),
        ("upperarm_l", ["LeftShoulder", "LeftArm", "LeftForeArm", "RightArm"], "LeftArm"),
        ("thigh.L", ["左ひざ", "左足", "右足"], "左足"),
        ("Anke_lR", ["Ankle_L", "Ankle_R"], "Ankle_R"),
        ("DFE-shin.R.002", ["DEF-shin.R", "DEF-shin.R.001", "DEF-shin.R.002"], "DEF-shin.R.002"),
        ("pelvis", ["Hips", "Spine"], "Hips"),
        ("Spne2", ["Spine", "Spine1", "Spine2"], "Spine2"),
    ],
)
def test_the_joint_that_was_meant(name: str, candidates: list[str], wanted: str) -> None:
    assert best(name, candidates) == wanted


@pytest.mark.parametrize("name", ["LeftHand", "left_hand", "hand.L", "lHand", "LftHand", "左手首"])
def test_the_other_side_is_never_suggested(name: str) -> None:
    assert suggest(name, ["RightHand", "hand.R", "hand_r", "rHand", "右手首"]) == []


@pytest.mark.parametrize("name", ["Hand", "hand_", "hand_k", "Hnd"])
def test_a_name_without_a_side_is_no_evidence_for_one(name: str) -> None:
    assert suggest(name, ["LeftHand", "RightHand", "hand_l", "hand_r"]) == []


def test_scores_fall_and_reasons_are_given() -> None:
    found = suggest("LeftHnd", ["LeftHand", "LeftHandThumb1", "LeftArm", "Head"])
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)
    assert all(s.reason and 0 < s.score <= 1 for s in found)


@pytest.mark.parametrize(("name", "candidates"), [("", ["a"]), ("a", []), ("Grab", ["Hips"]), ("x" * 10_000, ["Hips"])])
def test_nothing_close_gives_nothing(name: str, candidates: list[str]) -> None:
    assert suggest(name, candidates) == []


def test_at_most_n() -> None:
    assert len(suggest("Spin", ["Spine", "Spine1", "Spine2", "Spine3"], n=2)) == 2
