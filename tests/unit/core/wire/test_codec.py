# SPDX-License-Identifier: Apache-2.0
"""Frames: what goes in comes out, and nothing that a peer sends can do more than raise a LinkError."""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kineograph.errors import ErrorCode, LinkError, PayloadTooLarge
from kineograph.wire import codec, version
from kineograph.wire.codec import Header, Kind

SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=20)
)
ARRAYS = st.sampled_from(version.DTYPES).flatmap(
    lambda code: hnp.arrays(np.dtype(code), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
)
VALUES = st.recursive(
    SCALARS | ARRAYS | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
BODIES = st.dictionaries(st.text(max_size=8), VALUES, max_size=5)
HEADERS = st.builds(
    Header,
    kind=st.sampled_from(Kind),
    method=st.text(max_size=30),
    request_id=st.text(max_size=128),
    epoch=st.text(max_size=40),
    seq=st.integers(0, 2**63),
    wire=st.sampled_from(version.SUPPORTED_WIRE_VERSIONS),
)


def bytes_of(frames: list[codec.Buffer]) -> list[bytes]:
    return [bytes(f) for f in frames]


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(v, b[k]) for k, v in a.items())
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@given(HEADERS, BODIES)
def test_what_goes_in_comes_out(header: Header, body: dict[str, Any]) -> None:
    message = codec.decode(bytes_of(codec.encode(header, body)))
    assert message.header == header
    assert same(body, message.body)


def test_who_stores_kinds_of_its_own_says_their_form() -> None:
    def own(value: Any) -> Any:
        return {"!": list(value)} if isinstance(value, tuple) else value

    body = {"deep": [{"pair": (1, (2.5, np.ones(2, np.float32)))}], "one": np.int32(3)}
    packed, array = bytes_of(codec.pack_body(body, own))
    out = codec.decode_body(packed, [array])
    assert same(out, {"deep": [{"pair": {"!": [1, {"!": [2.5, np.ones(2, np.float32)]}]}}], "one": 3})
    with pytest.raises(TypeError, match="object cannot travel"):
        codec.pack_body({"x": object()}, own)


def test_arrays_are_views_of_their_frames_and_cannot_be_written() -> None:
    frames = codec.encode(Header(Kind.REPLY, "x"), {"a": np.arange(6, dtype=np.float32).reshape(2, 3)})
    received = bytes_of(frames)
    array = codec.decode(received).body["a"]
    assert np.shares_memory(array, np.frombuffer(received[2], np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 1


def test_sending_an_array_copies_nothing() -> None:
    array = np.zeros((300, 77, 4), np.float32)
    (_, frame) = codec.pack_body({"a": array})
    assert np.shares_memory(np.frombuffer(frame, np.uint8), array)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=">f4").reshape(3, 4),
        np.arange(24, dtype=np.int64).reshape(4, 6)[::2, ::3],
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array(3.5, np.float32),
        np.zeros((0, 3), np.float32),
    ],
    ids=["big endian", "strided", "fortran", "no dimension", "empty"],
)
def test_any_layout_arrives_with_its_values(array: np.ndarray) -> None:
    out = codec.decode(bytes_of(codec.encode(Header(Kind.REPLY, "x"), {"a": array}))).body["a"]
    assert out.shape == array.shape
    assert np.array_equal(out, array)


@pytest.mark.parametrize("value", [object(), np.zeros(2, np.float16), np.array(["text"]), 2j, np.array([None])])
def test_what_has_no_wire_form_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        codec.pack_body({"a": value})


# --- a peer that means ill --------------------------------------------------------------------------------------------
GOOD = bytes_of(codec.encode(Header(Kind.REQUEST, "generate", "1"), {"a": np.arange(6.0), "b": [1, {"c": "d"}]}))


def refused(frames: list[bytes], code: ErrorCode = ErrorCode.BAD_RESPONSE) -> LinkError:
    with pytest.raises(LinkError) as caught:
        codec.decode(frames)
    assert caught.value.code is code
    assert caught.value.message
    return caught.value


def try_decode(frames: list[bytes]) -> None:
    """Anything may come out but another exception."""
    code = ErrorCode.BAD_RESPONSE
    try:
        codec.decode(frames)
    except LinkError as e:
        code = e.code
    assert code in (ErrorCode.BAD_RESPONSE, ErrorCode.PROTOCOL_MISMATCH)


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=200), max_size=5))
def test_garbage(frames: list[bytes]) -> None:
    try_decode(frames)


@settings(max_examples=300)
@given(st.binary(max_size=200), st.integers(0, 2))
def test_garbage_in_place_of_one_frame(data: bytes, index: int) -> None:
    frames = list(GOOD)
    frames[index] = data
    try_decode(frames)


@settings(max_examples=500)
@given(st.data())
def test_mutated_bytes(data: st.DataObject) -> None:
    frames = [bytearray(f) for f in GOOD]
    for _ in range(data.draw(st.integers(1, 6))):
        frame = frames[data.draw(st.integers(0, len(frames) - 1))]
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    try_decode([bytes(f) for f in frames])


@given(st.integers(0, 2), st.integers(0, 60))
def test_truncated_frames(index: int, keep: int) -> None:
    frames = list(GOOD)
    frames[index] = frames[index][: min(keep, len(frames[index]) - 1)]
    refused(frames)


@pytest.mark.parametrize(
    "frames", [[], GOOD[:1], GOOD[:2], [*GOOD, b""]], ids=["none", "header", "no array", "one more"]
)
def test_frames_missing_or_too_many(frames: list[bytes]) -> None:
    refused(frames)


def with_reference(reference: Any, frame: bytes) -> list[bytes]:
    data = reference if isinstance(reference, bytes) else msgpack.packb(reference)
    body = msgpack.packb({"a": msgpack.ExtType(version.EXT_ARRAY, data)})
    return [msgpack.packb({"v": 1, "k": "reply", "m": "x", "id": "1", "a": 1}), body, frame]


@pytest.mark.parametrize(
    ("reference", "frame"),
    [
        (["<f4", [2_684_354_560], 0], b"1234"),
        (["<f4", [2**40, 2**40], 0], b"1234"),
        (["<f8", [2**63 - 1, 0], 0], b""),
        (["<f4", [0, 2**62, 2**62], 0], b""),
        (["<f4", [-1, -1], 0], b"1234"),
        (["<f4", [1] * 9, 0], b"1234"),
        (["<f4", [True], 0], b"1234"),
        (["<f4", "1", 0], b"1234"),
        (["<f4", [1], 1], b"1234"),
        (["<f4", [1], -1], b"1234"),
        (["<f4", [1], True], b"1234"),
        (["<f4", [2], 0], b"1234"),
        (["|O", [1], 0], b"12345678"),
        (["<f2", [2], 0], b"1234"),
        ([[], [1], 0], b"1234"),
        (["<f4", [1]], b"1234"),
        ({}, b"1234"),
        (b"", b"1234"),
        (b"\xc1", b"1234"),
    ],
)
def test_array_references_that_lie(reference: Any, frame: bytes) -> None:
    try_decode(with_reference(reference, frame))
    if frame:
        refused(with_reference(reference, frame))


@pytest.mark.parametrize("dtype", ["<f4", "|u1"])
def test_an_array_without_numbers_claims_no_more_lists_than_it_may(dtype: str) -> None:
    # It takes no bytes, whatever its shape; who makes lists of it makes one for each entry before the 0.
    for shape in ([0], [0, 77, 4], [version.MAX_EMPTY, 0], [16, 900, 0, 4]):
        assert codec.decode(with_reference([dtype, shape, 0], b"")).body["a"].shape == tuple(shape)
    for shape in ([version.MAX_EMPTY + 1, 0], [2**15, 2**15, 0, 7]):
        assert "without numbers" in refused(with_reference([dtype, shape, 0], b"")).message


def test_a_frame_may_be_referred_to_more_than_once_but_not_without_end() -> None:
    reference = msgpack.ExtType(version.EXT_ARRAY, msgpack.packb(["<f4", [1], 0]))
    header = msgpack.packb({"v": 1, "k": "reply", "m": "x", "id": "1", "a": 1})
    for count, fits in ((version.MAX_REFERENCES, True), (version.MAX_REFERENCES + 1, False)):
        frames = [header, msgpack.packb({"a": [reference] * count}), b"1234"]
        if fits:
            assert len(codec.decode(frames).body["a"]) == count
        else:
            assert "refers" in refused(frames).message


@pytest.mark.parametrize("one", [b"\x90", b"\x80"], ids=["lists", "maps"])
def test_a_large_body_holds_no_more_lists_and_maps_than_it_may(one: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "MAX_CONTAINERS", 1000)
    header = msgpack.packb({"v": 1, "k": "reply", "m": "x", "id": "1", "a": 0})
    for count, fits in ((998, True), (999, False)):  # beside the body itself and the list that holds them
        frames = [
            header,
            b"\x82\xa1a\xdd" + count.to_bytes(4, "big") + one * count + b"\xa1b" + msgpack.packb("x" * 1000),
        ]
        if fits:
            assert len(codec.decode(frames).body["a"]) == count
        else:
            assert "1000 lists and maps" in refused(frames).message


def test_a_claimed_array_of_10_gb_allocates_nothing() -> None:
    frames = with_reference(["<f4", [2_684_354_560], 0], b"1234")
    tracemalloc.start()
    refused(frames)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 2**20


@pytest.mark.parametrize(
    "body",
    [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x91" * 100_000 + b"\xc0",
        b"\x81\xa1a" * 100_000 + b"\xc0",
        b"\x81\x01\x01",
        b"\x90",
        b"\xc0\xc0",
        b"\x81\xa1a\xd6\x05\x00\x00\x00\x00",
        b"\x81\xa1\xff\xc0",
    ],
    ids=["list", "map", "binary", "deep list", "deep map", "number key", "list", "two", "extension", "not utf-8"],
)
def test_bodies_that_claim_too_much_or_are_none(body: bytes) -> None:
    refused([msgpack.packb({"v": 1, "k": "reply", "m": "x", "id": "1", "a": 0}), body])


def test_nesting_has_the_documented_limit() -> None:
    header = msgpack.packb({"v": 1, "k": "reply", "m": "x", "id": "1", "a": 0})
    for depth, fits in ((version.MAX_DEPTH, True), (version.MAX_DEPTH + 1, False)):
        body = b"\x81\xa1a" + b"\x91" * (depth - 1) + b"\xc0"
        if fits:
            assert codec.decode([header, body]).body["a"]
        else:
            assert "deeper than 1024" in refused([header, body]).message


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ({"v": 2, "k": "request", "m": "hello", "id": "7", "a": 0}, ("hello", "7")),
        ({"v": 1, "k": "request", "m": "hello", "id": "7", "a": 3}, ("hello", "7")),
        ({"v": 1, "k": "gossip", "m": 3, "id": "7"}, ("", "7")),
        ({"v": 1, "k": "request", "m": "x" * 200, "id": "i" * 129}, ("x" * 80, "")),
        ({"v": 2, "m": None, "id": 7}, ("", "")),
        ({"v": 2, "m": "x" * version.MAX_HEADER_BYTES, "id": "7"}, ("", "")),
        ([1], ("", "")),
    ],
)
def test_a_refused_message_is_named_as_far_as_it_can_be_read(header: Any, named: tuple[str, str]) -> None:
    packed = msgpack.packb(header)
    with pytest.raises(LinkError):
        codec.decode_header([packed, b"\x80"])
    assert codec.named([packed, b"\x80"]) == named
    assert codec.named([b"\xc1"]) == codec.named([]) == ("", "")


@pytest.mark.parametrize("wire", [0, 2, 99, -1, "1", 1.0, True, None, [1], {"a": 1}])
def test_another_wire_version_is_a_mismatch_that_names_both(wire: Any) -> None:
    header = msgpack.packb({"v": wire, "k": "reply", "m": "x", "id": "1", "a": 0})
    error = refused([header, b"\x80"], ErrorCode.PROTOCOL_MISMATCH)
    assert error.details["allowed"] == list(version.SUPPORTED_WIRE_VERSIONS)
    assert "got" in error.details


@pytest.mark.parametrize(
    "change",
    [
        {"k": "gossip"},
        {"k": None},
        {"k": ["reply"]},
        {"m": 3},
        {"m": None},
        {"id": 3},
        {"id": "x" * 129},
        {"e": 1},
        {"s": "1"},
        {"s": True},
        {"a": -1},
        {"a": 1025},
        {"a": 1.0},
        {"a": True},
        {"a": 1},
        {"m": "x" * version.MAX_HEADER_BYTES},
    ],
    ids=str,
)
def test_headers_that_do_not_fit(change: dict[str, Any]) -> None:
    header = {"v": 1, "k": "reply", "m": "x", "id": "1", "a": 0} | change
    refused([msgpack.packb(header), b"\x80"])


def test_a_body_over_the_limit_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "MAX_BODY_BYTES", 10)
    error = refused(
        [msgpack.packb({"v": 1, "k": "reply", "m": "x", "id": "1", "a": 0}), msgpack.packb({"a": "x" * 20})]
    )
    assert "limit 10" in error.message


@pytest.mark.parametrize(
    ("limit", "body"),
    [
        ("MAX_BODY_BYTES", {"a": "x" * 20}),
        ("MAX_ARRAY_BYTES", {"a": np.zeros(20)}),
        ("MAX_MESSAGE_BYTES", {"a": np.zeros(1), "b": np.zeros(1)}),
        ("MAX_ARRAYS", {str(i): np.zeros(1) for i in range(11)}),
    ],
)
def test_what_a_peer_would_refuse_is_refused_before_it_is_sent(
    limit: str, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(version, limit, 10)
    with pytest.raises(PayloadTooLarge) as caught:
        codec.check_size(codec.pack_body(body))
    assert caught.value.details["allowed"] == 10
    assert caught.value.details["got"] > 10
