# SPDX-License-Identifier: Apache-2.0
"""Names and roles of real rigs, where the reference data lies beside the checkout."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


def _names_folder() -> Path:
    beside = Path(__file__).resolve().parents[4] / ".." / "shared"
    return Path(os.environ.get("KINEOGRAPH_SHARED", beside)) / "names"


def _load(name: str) -> dict[str, Any]:
    path = _names_folder() / name
    if not path.is_file():
        pytest.skip(f"reference data is not here: {path}")
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


@pytest.fixture(scope="session")
def joint_names() -> dict[str, list[str]]:
    """Convention to all its joint names."""
    return _load("joint_names.json")


@pytest.fixture(scope="session")
def joint_roles() -> dict[str, dict[str, str]]:
    """Convention to {our role: joint name}."""
    parts = {
        "Clavicle": "clavicle",
        "UpperArm": "upper_arm",
        "ForeArm": "forearm",
        "Hand": "hand",
        "Thigh": "thigh",
        "Calf": "calf",
        "Foot": "foot",
        "Toe": "toe",
    }

    def ours(label: str) -> str:
        if label in ("Hips", "Head"):
            return label.lower()
        side, part = {"L": "left_", "R": "right_"}[label[0]], label[1:]
        return side + (parts[part] if part in parts else f"{part[:-1].lower()}_{part[-1]}")

    return {c: {ours(k): v for k, v in roles.items()} for c, roles in _load("joint_roles.json").items()}
