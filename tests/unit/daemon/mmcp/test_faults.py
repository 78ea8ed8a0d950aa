# SPDX-License-Identifier: Apache-2.0
"""Envelopes that can travel, references that find their place, names that are spelled alike."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from kineograph.errors import ErrorCode
from kineograph_daemon.mmcp.faults import fault, name_place, nearest, plain


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (2**63, "9.223372e+18"),
        (10**400, "a huge integer"),
        (0.5, 0.5),
        (float("nan"), "nan"),
        (-float("inf"), "-inf"),
        ("x" * 999, "x" * 300),
        (np.float32(0.5), 0.5),
        (np.zeros((3, 2), np.float32), "array of shape [3, 2] and type float32"),
        ([1, [float("inf")]], [1, ["inf"]]),
        (list(range(99)), "list of 99"),
        ({"a": {"b": {"c": {"d": 1}}}}, {"a": {"b": {"c": "dict of 1"}}}),
        (object(), "object"),
    ],
)
def test_plain_values_are_short_and_strict_json(value: Any, told: Any) -> None:
    assert plain(value) == told
    json.dumps(plain(value), allow_nan=False)


@pytest.mark.parametrize(
    ("refs", "path", "ref"),
    [
        ({"constraints": ["Key", "Grab"]}, ["constraints", 1, "positions", 0], "Grab"),
        ({"constraints": ["Key"]}, ["constraints", 1], None),
        ({"constraints": ["Key"]}, ["constraints"], None),
        ({"constraints": [{"object": "Empty"}]}, ["constraints", 0, "joint"], {"object": "Empty"}),
        ({"skeleton": "Hero"}, ["skeleton", "joints"], "Hero"),
        ({"skeleton": {"joints": ["hip"]}}, ["skeleton", "joints", 0, "name"], "hip"),
        ({"constraints/1": "Grab", "constraints": ["Key", "other"]}, ["constraints", 1, "joint"], "Grab"),
        ({"constraints.1": "Grab"}, ["constraints", 1], "Grab"),
        ({"constraints[1]": "Grab"}, ["constraints", 1], "Grab"),
        ({"constraints/1/joint": "its joint", "constraints/1": "Grab"}, ["constraints", 1, "joint"], "its joint"),
        ({"segments": ["a"]}, ["options"], None),
        (None, ["options"], None),
        ({}, [], None),
    ],
)
def test_the_clients_reference_is_found(refs: Any, path: list[Any], ref: Any) -> None:
    error = name_place(fault(ErrorCode.UNKNOWN_JOINT, "x", path), refs)
    assert error.details["where"] == {"path": path, "ref": ref}


def test_a_refusal_holds_the_official_keys_and_what_a_fix_needs() -> None:
    error = fault(
        ErrorCode.UNKNOWN_MODEL,
        "no such model",
        ["model"],
        official={"available_models": ["a"]},
        got="b",
        allowed=["a"],
        suggestions=("a",),
        more=1,
        nothing=None,
    )
    assert error.details == {
        "available_models": ["a"],
        "where": {"path": ["model"], "ref": None},
        "got": "b",
        "allowed": ["a"],
        "suggestions": ["a"],
        "more": 1,
    }


def test_names_spelled_alike_are_found_whatever_their_case() -> None:
    assert nearest("Kimodo-X", ["kimodo", "kimodo-x", "other"]) == ["kimodo-x", "kimodo"]
    assert nearest("zzz", ["kimodo"]) == []
