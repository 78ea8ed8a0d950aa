# SPDX-License-Identifier: Apache-2.0
"""ZMTP without I/O: messages in any pieces, and everything that a peer may say wrong."""

from __future__ import annotations

import contextlib
import random
import struct
from collections.abc import Iterable

import pytest

from kineograph.wire import zmtp
from kineograph.wire.codec import Buffer
from kineograph.wire.zmtp import GREETING, Broken, Inbound, framed, ready

HELLO = GREETING + ready(b"ROUTER")
MESSAGES = [[b"one"], [b"", b"two", b""], [b"x" * 255, b"y" * 256], [b"head", bytes(range(256)) * 1000, b"tail"]]


def say(inbound: Inbound, stream: bytes, pieces: Iterable[int]) -> list[list[bytes]]:
    """What comes out when ``stream`` comes in pieces of these sizes, and then the rest as fast as there is room."""
    out: list[list[Buffer]] = []
    sizes = iter(pieces)
    while stream:
        room = inbound.room()
        count = min(next(sizes, len(stream)), len(room), len(stream))
        room[:count] = stream[:count]
        stream = stream[count:]
        out += inbound.took(count)
    return [[bytes(part) for part in message] for message in out]


def stream_of(messages: list[list[bytes]]) -> bytes:
    return b"".join(bytes(piece) for message in messages for piece in framed(message))


def met(**options: int | None) -> Inbound:
    inbound = Inbound(b"DEALER", **options)  # type: ignore[arg-type]
    assert say(inbound, HELLO, []) == []
    assert inbound.is_ready
    return inbound


@pytest.mark.parametrize("seed", range(8))
def test_messages_come_out_as_they_went_in_whatever_the_pieces(seed: int) -> None:
    rng = random.Random(seed)
    pieces = [rng.choice((1, 2, 9, 63, 4096, 20_000)) for _ in range(3000)] if seed else [1] * 3000
    inbound = Inbound(b"DEALER", room_bytes=17 * 1024 if seed % 2 else zmtp.ROOM_BYTES)
    assert say(inbound, HELLO + stream_of(MESSAGES * 3), pieces) == MESSAGES * 3


def test_large_parts_are_not_copied_on_their_way_out() -> None:
    large = memoryview(bytes(10**6))
    assert any(piece is large for piece in framed([b"head", large]))
    assert len(framed([b"head", b"body" * 1000])) == 1


def test_large_parts_come_out_as_views_that_nobody_can_write_to() -> None:
    inbound = met()
    stream = stream_of([[bytes(200_000)]])
    while stream:
        room = inbound.room()
        count = min(len(room), len(stream))
        room[:count], stream = stream[:count], stream[count:]
        messages = inbound.took(count)
    assert isinstance(messages[0][0], memoryview)
    assert messages[0][0].readonly


def test_parts_beyond_the_allowed_number_are_taken_in_and_not_kept() -> None:
    assert say(met(most=5), stream_of([[b"x"] * 50, [b"next"]]), []) == [[b"x"] * 5, [b"next"]]
    assert say(met(most=None), stream_of([[b"x"] * 5000]), []) == [[b"x"] * 5000]


def test_a_peer_is_known_by_the_name_it_gives() -> None:
    inbound = Inbound(b"ROUTER")
    say(inbound, GREETING + ready(b"DEALER", b"w1"), [])
    assert inbound.identity == b"w1"


def test_a_ping_is_answered_with_what_it_brought() -> None:
    inbound = met()
    assert say(inbound, bytes((4, 9)) + b"\x04PING\x00\x0aab", [1] * 20) == []
    assert inbound.answers == [bytes((4, 7)) + b"\x04PONGab"]


def test_commands_that_nobody_knows_are_passed_over() -> None:
    assert say(met(), bytes((4, 5)) + b"\x04NEWS" + bytes((4, 0)) + stream_of([[b"a"]]), []) == [[b"a"]]


SPOILT = {
    "a web server": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "ZMTP 1": b"\x05\x00hey",
    "ZMTP 2": b"\xff" + bytes(8) + b"\x7f\x01\x05\x00\x00",
    "an unversioned peer": b"\xff" + bytes(8) + b"\x00" + bytes(54),
    "a key": GREETING.replace(b"NULL" + bytes(16), b"CURVE" + bytes(15)),
    "a message before READY": GREETING + stream_of([[b"early"]]),
    "an error": GREETING + bytes((4, 10)) + b"\x05ERROR\x03bad",
    "nothing in READY": GREETING + bytes((4, 6)) + b"\x05READY",
    "an empty command": GREETING + bytes((4, 0)),
    "a subscriber": GREETING + ready(b"SUB"),
    "a long name": GREETING + ready(b"ROUTER", b"n" * 256),
    "a property cut off": GREETING + bytes((4, 12)) + b"\x05READY\x0bSocke",
    "a property beyond its command": GREETING + bytes((4, 16)) + b"\x05READY\x01A" + struct.pack(">I", 10**6) + b"abcd",
    "a command of a gigabyte": GREETING + struct.pack(">BQ", 6, 10**9),
    "a frame of an exabyte": HELLO + struct.pack(">BQ", 2, 2**60),
    "unknown flags": HELLO + b"\x08\x01x",
    "a command in two": HELLO + b"\x05\x01x",
}


@pytest.mark.parametrize("name", SPOILT)
@pytest.mark.parametrize("pieces", [[], [1] * 400], ids=["at once", "bytewise"])
def test_who_breaks_the_rules_is_told_apart(name: str, pieces: list[int]) -> None:
    with pytest.raises(Broken):
        say(Inbound(b"DEALER"), SPOILT[name], pieces)


def test_a_frame_beyond_the_limit_is_refused_before_there_is_room_for_it() -> None:
    with pytest.raises(Broken, match="2000001 bytes"):
        say(met(most_bytes=2_000_000), struct.pack(">BQ", 2, 2_000_001), [])


def test_a_message_beyond_the_limit_is_refused_while_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zmtp.limits, "MAX_MESSAGE_BYTES", 1_000_000)
    inbound, fits = met(), [[b"x" * 400_000, b"y" * 600_000], [b"z" * 900_000, b""]]
    assert say(inbound, stream_of(fits), []) == fits  # each message is counted for itself
    with pytest.raises(Broken, match="more than 1000000 bytes"):
        say(inbound, stream_of([[b"x" * 400_000, b"y" * 400_000, b"z" * 400_000]]), [])


@pytest.mark.parametrize("seed", range(30))
def test_noise_never_raises_anything_else(seed: int) -> None:
    rng = random.Random(seed)
    stream = bytearray(HELLO + stream_of(MESSAGES))
    for _ in range(rng.randrange(1, 6)):
        stream[rng.randrange(len(stream) if seed % 2 else 200)] = rng.randrange(256)
    inbound = Inbound(b"DEALER", most_bytes=10**6)
    with contextlib.suppress(Broken):
        assert all(say(inbound, bytes(stream), [rng.randrange(1, 5000) for _ in range(1000)]))
