# SPDX-License-Identifier: Apache-2.0
"""A body decoded around one of its values: the same as the whole, or nothing at all."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
import pytest

from kineograph.wire import codec

SKELETON = {"joints": [{"name": "root", "rest_translation": [0.0, 1.0, 0.0]}]}


def around(body: dict[str, Any]) -> codec.Around | None:
    frames = codec.pack_body(body)
    return codec.decode_body_around(frames[0], frames[1:], "request", "skeleton")


def test_what_is_left_out_is_there_packed() -> None:
    body = {"job": "a", "request": {"model": "m", "skeleton": SKELETON, "n": 1}, "deadline_s": 2.0}
    found = around(body)
    assert found is not None
    assert found.body == {"job": "a", "request": {"model": "m", "n": 1}, "deadline_s": 2.0}
    assert msgpack.unpackb(found.inner) == SKELETON
    assert msgpack.unpackb(found.outer) == body["request"]


def test_arrays_beside_it_are_views_as_ever() -> None:
    clip = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = around({"request": {"skeleton": SKELETON, "segments": [{"rotations": clip}]}})
    assert found is not None
    np.testing.assert_array_equal(found.body["request"]["segments"][0]["rotations"], clip)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"request": {}},
        {"request": {"model": "m"}},
        {"request": [SKELETON]},
        {"request": None},
        {"skeleton": SKELETON},
    ],
)
def test_another_form_is_left_to_the_whole(body: dict[str, Any]) -> None:
    assert around(body) is None


GOOD = bytes(codec.pack_body({"request": {"skeleton": SKELETON, "model": "m"}, "job": "a"})[0])


@pytest.mark.parametrize("cut", range(len(GOOD)))
def test_a_body_cut_off_is_left_to_the_whole(cut: int) -> None:
    assert codec.decode_body_around(GOOD[:cut], (), "request", "skeleton") is None


@pytest.mark.parametrize(
    "body",
    [
        GOOD + b"\xc0",
        b"\x82\xa7request\x81\xa8skeleton\xc0\xa7request\x81\xa8skeleton\xc0",
        b"\x81\xa7request\x82\xa8skeleton\xc0\xa8skeleton\xc0",
        b"\x81\xa7request\x82\xa8skeleton\xc0\x01\x02",
        b"\x81\xa7request\x82\xa8skeleton\xc0\xa1a\xc7\x01\x05x",
        b"\xdf\xff\xff\xff\xff",
        b"\x81" * 5000,
        b"\xc1",
        b"",
        bytes(5 * 2**20),
    ],
    ids=["more", "twice", "twice inside", "key", "extension", "many", "deep", "never", "empty", "large"],
)
def test_odd_bodies_are_left_to_the_whole(body: bytes) -> None:
    assert codec.decode_body_around(body, (), "request", "skeleton") is None
