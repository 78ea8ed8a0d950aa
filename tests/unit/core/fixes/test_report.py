# SPDX-License-Identifier: Apache-2.0
"""Reports without names or paths."""

from __future__ import annotations

import numpy as np

from kineograph.errors import error
from kineograph.fixes import report

from .requests import clip, hero, joint, pin, text

SECRETS = ("Grab", "LefHand", "LeftHand", "BigBossArm", "secret dance", "hero.blend", "ann", "studio", "ProjectX")


def secret_report() -> str:
    request = hero(
        pin("BigBossArm", 3, 9),
        segments=[text("secret dance of ProjectX", 90), clip("BigBossArm")],
        options={"seed": 7},
    )
    request["skeleton"]["joints"].append(joint("BigBossArm", "Hips"))
    details = {
        "where": {"path": ["constraints", 0, "joint"], "ref": {"name": "Grab", "file": "/home/ann/studio/hero.blend"}},
        "got": "LefHand",
        "allowed": ["LeftHand", "BigBossArm"],
        "frame": 151,
        "array": np.zeros((3, 4)),
        "bad": float("nan"),
    }
    message = "joint 'LefHand' of BigBossArm in /home/ann/studio/hero.blend, C:\\studio\\hero.blend, ann@studio.com"
    versions = {"kineograph": "0.1.0", "blender": "5.0.1", "python": "/home/ann/venv/bin/python 3.11"}
    return report(error("unknown_joint", message, details, request_id="r-77"), request, versions)


def test_no_name_and_no_path_is_in_it() -> None:
    text_ = secret_report()
    assert [secret for secret in SECRETS if secret in text_] == []


def test_names_without_quotes_are_found_in_the_details_and_by_the_caller() -> None:
    bones = [f"Boss{n:02d}" for n in range(40)]
    message = (
        f"drivers hold 40 bones of 'Boss': {', '.join(bones[:6])}; the shot is grandma, prompts: waves {'at ' * 90}x"
    )
    details = {"bones": bones, "bones_below": {"Gun": 3}, "where": {"ref": {"object": "Boss"}}}
    request = hero(segments=[text(f"waves {'at ' * 90}x", 90)])
    said = report(error("apply_blocked", message, details), request, None, ["grandma", "bone", "Boss00"])
    for secret in ("Boss", "Gun", "grandma", "waves", "at at"):
        assert secret not in said
    assert "drivers hold 40 bones of 'name-" in said, "what is no name stays"
    assert "code: apply_blocked" in said


def test_what_helps_is_in_it() -> None:
    text_ = secret_report()
    for wanted in (
        "code: unknown_joint",
        "request id: r-77",
        "kineograph: 0.1.0",
        "151",
        "5 joints",
        "seed",
        "frames 3 to 9",
    ):
        assert wanted in text_
    assert "effector_target" in text_
    assert "motion_reference" in text_


def test_the_same_name_has_the_same_placeholder() -> None:
    lines = secret_report().splitlines()
    pinned = next(line for line in lines if "effector_target" in line)
    assert "bone-05" in pinned
    assert "bone-05" in next(line for line in lines if line.startswith("message"))
    assert "bone-05" in next(line for line in lines if line.startswith("details"))


def test_anything_can_be_reported() -> None:
    assert "code: service_unavailable" in report(502)
    assert "code: internal_error" in report(
        ValueError("x"), {"skeleton": 3, "constraints": [None], "options": {"a": "b"}}
    )
    assert "code: bad_response" in report(None, {}, {})
