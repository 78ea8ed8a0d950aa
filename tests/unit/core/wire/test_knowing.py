# SPDX-License-Identifier: Apache-2.0
"""A body decoded with one of its values known: the same as the whole, and never that value in another's place."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
import pytest

from kineograph.wire import codec

SKELETON = {"joints": [{"name": "root", "rest_translation": [0.0, 1.0, 0.0]}]}
PACKED = msgpack.packb(SKELETON)
KEY = b"\xa8skeleton"


class Typed:
    """What the skeleton is known as."""


KNOWN = Typed()


def body_of(body: dict[str, Any]) -> tuple[bytes, list[codec.Buffer]]:
    whole, *arrays = codec.pack_body(body)
    return bytes(whole), arrays


def place_in(body: bytes, nth: int = 0) -> slice:
    at = -1
    for _ in range(nth + 1):
        at = body.index(KEY + PACKED, at + 1)
    return slice(at + len(KEY), at + len(KEY + PACKED))


def test_the_value_stands_where_its_bytes_lay() -> None:
    clip = np.arange(6, dtype=np.float32).reshape(2, 3)
    body, arrays = body_of({"job": "a", "request": {"model": "m", "skeleton": SKELETON, "clip": clip}, "n": 1})
    found = codec.decode_body_knowing(body, arrays, place_in(body), KNOWN)
    assert found is not None
    assert found["request"]["skeleton"] is KNOWN
    np.testing.assert_array_equal(found["request"].pop("clip"), clip)
    assert (found["job"], found["n"], found["request"]["model"]) == ("a", 1, "m")


@pytest.mark.parametrize(
    "label",
    ["skeleton" + PACKED.decode("latin-1"), (KEY + PACKED).decode("latin-1")],
)
def test_bytes_inside_of_a_text_are_never_the_value(label: str) -> None:
    body = msgpack.packb({"label": label.encode("latin-1"), "request": {"skeleton": {"joints": []}}})
    at = body.find(PACKED)
    found = codec.decode_body_knowing(body, (), slice(at, at + len(PACKED)), KNOWN)
    assert found is None or found["request"]["skeleton"] is not KNOWN


def test_the_same_bytes_elsewhere_are_not_the_requests_own() -> None:
    body, _ = body_of({"skeleton": SKELETON, "request": {"skeleton": SKELETON}})
    found = codec.decode_body_knowing(body, (), place_in(body), KNOWN)
    assert found is not None
    assert found["skeleton"] is KNOWN
    assert found["request"]["skeleton"] == SKELETON


GOOD = body_of({"request": {"skeleton": SKELETON, "model": "m"}, "job": "a"})[0]


@pytest.mark.parametrize("cut", range(place_in(GOOD).stop, len(GOOD)))
def test_a_body_cut_off_is_left_to_the_whole(cut: int) -> None:
    assert codec.decode_body_knowing(GOOD[:cut], (), place_in(GOOD), KNOWN) is None


def test_nobody_else_can_send_what_stands_in() -> None:
    body = msgpack.packb({"request": {"skeleton": SKELETON, "other": msgpack.ExtType(127, b"12345678")}})
    assert codec.decode_body_knowing(body, (), place_in(body), KNOWN) is None


@pytest.mark.parametrize(
    "body",
    [
        {"job": "a", "request": {"model": "m", "skeleton": SKELETON}, "deadline_s": 2.0},
        {"request": {"skeleton": SKELETON, "label": "request"}, "label": "request"},
        {"label": "request", "request": {"request": 1, "skeleton": SKELETON}},
    ],
)
def test_the_value_around_it_is_cut_out_whole(body: dict[str, Any]) -> None:
    whole, _ = body_of(body)
    packed = codec.packed_value(whole, place_in(whole), "request")
    assert packed is None or msgpack.unpackb(packed) == body["request"]
    if "request" not in body["request"]:
        assert packed == msgpack.packb(body["request"])


def test_a_value_of_another_key_is_not_taken_for_it() -> None:
    whole, _ = body_of({"other": {"request": {"skeleton": SKELETON}}, "request": {"skeleton": SKELETON}})
    assert codec.packed_value(whole, place_in(whole), "request") is None
    assert codec.packed_value(whole, place_in(whole, 1), "request") == msgpack.packb({"skeleton": SKELETON})
