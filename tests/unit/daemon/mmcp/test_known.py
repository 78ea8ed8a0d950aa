# SPDX-License-Identifier: Apache-2.0
"""A skeleton that passed is not read again; everything else about a request is."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from motionmcp.schemas import Skeleton
from tests.fakes.backbones import request_map

from kineograph.errors import ErrorCode, KineographError
from kineograph.wire import codec
from kineograph_daemon.mmcp import fingerprint
from kineograph_daemon.mmcp.known import KnownSkeletons, SentSkeleton, read_body
from kineograph_daemon.mmcp.schema import parse


def sent(request: dict[str, Any]) -> list[codec.Buffer]:
    return codec.pack_body({"job": "j", "request": request})


def fresh() -> dict[str, Any]:
    """A request whose skeleton no other test has sent."""
    request = copy.deepcopy(request_map("plain"))
    request["skeleton"]["joints"][0]["rest_translation"] = [float(x) for x in np.random.default_rng().normal(size=3)]
    return request


def test_the_second_time_it_is_the_same_object_and_the_same_request() -> None:
    request = fresh()
    first = parse(read_body(sent(request)).fields["request"])
    again = read_body(sent({**request, "segments": [{"type": "unconditioned", "duration_frames": 7}]}))
    assert isinstance(again.fields["request"]["skeleton"], Skeleton)
    second = parse(again.fields["request"])
    assert second.skeleton is first.skeleton
    assert second.total_frames == 7
    assert second.model_dump()["skeleton"] == parse(request).model_dump()["skeleton"]


def test_a_request_that_is_refused_teaches_nothing() -> None:
    request = fresh()
    request["skeleton"]["joints"][0]["rest_translation"][1] = float("nan")
    for _ in range(2):
        body = read_body(sent(request)).fields["request"]
        assert isinstance(body["skeleton"], SentSkeleton)
        with pytest.raises(KineographError) as caught:
            parse(body)
        assert caught.value.code is ErrorCode.SCHEMA_VALIDATION


def test_other_faults_are_found_beside_a_known_skeleton() -> None:
    request = fresh()
    parse(read_body(sent(request)).fields["request"])
    with pytest.raises(KineographError) as caught:
        parse(read_body(sent({**request, "segments": "walk"})).fields["request"])
    assert caught.value.details["where"]["path"] == ["segments"]


def test_the_oldest_goes_first() -> None:
    known = KnownSkeletons(most=2)
    typed = parse(fresh()).skeleton
    for name in (b"a", b"b"):
        one = SentSkeleton()
        one.packed = name
        known.remember(one, typed)
    assert known.recall(b"a") is typed
    one = SentSkeleton()
    one.packed = b"c"
    known.remember(one, typed)
    assert known.recall(b"b") is None
    assert known.recall(b"a") is typed


def test_a_skeleton_with_arrays_is_read_as_ever() -> None:
    request = fresh()
    request["skeleton"]["joints"][0]["rest_translation"] = np.zeros(3, np.float32)
    body = read_body(sent(request))
    assert body.request_packed is None
    assert isinstance(body.fields["request"]["skeleton"]["joints"][0]["rest_translation"], np.ndarray)


def test_the_hash_is_the_same_with_and_without_packing_again() -> None:
    request = fresh()
    frames = sent(request)
    assert fingerprint.of_body(read_body(frames)) == fingerprint.of_payload(request)
    request["segments"] = [{"rotations": np.arange(4, dtype=np.float32)}]
    frames = sent(request)
    assert fingerprint.of_body(read_body(frames)) == fingerprint.of_payload(request)


def test_where_a_known_skeleton_lies_in_its_body() -> None:
    known = KnownSkeletons(most=1)
    request = fresh()
    first = read_body(sent(request), known).fields["request"]
    assert isinstance(first["skeleton"], SentSkeleton)
    skeleton = parse(request).skeleton
    known.remember(first["skeleton"], skeleton)
    body = bytes(sent(request)[0])
    place = known.place_in(body, skeleton)
    assert place is not None
    assert body[place] == first["skeleton"].packed
    decoy = bytes(sent({"skeleton": "skeleton", "label": "skeleton", **request})[0])
    place = known.place_in(decoy, skeleton)
    assert place is not None
    assert decoy[place] == first["skeleton"].packed
    hostile = codec.pack_body({"a": ["skeleton"] * 100_000, "request": request})
    assert known.place_in(bytes(hostile[0]), skeleton) is None, "it is not looked for without end"
    assert known.place_in(b"", skeleton) is None
    assert known.place_in(body, parse(fresh()).skeleton) is None
    other = SentSkeleton()
    other.packed = b"other"
    known.remember(other, parse(fresh()).skeleton)
    assert known.place_in(body, skeleton) is None, "forgotten"
