# SPDX-License-Identifier: Apache-2.0
"""Messages part by part over real sockets: whole, none, too many, large."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from kineograph.wire import parts
from kineograph.wire.version import MAX_ARRAYS

Pair = tuple[Any, Any]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with zmq.Context() as context, context.socket(zmq.PAIR) as here, context.socket(zmq.PAIR) as there:
        here.bind("inproc://parts")
        there.connect("inproc://parts")
        yield here, there


def test_a_message_arrives_in_its_parts(pair: Pair) -> None:
    here, there = pair
    large = bytes(range(256)) * 256
    assert len(large) > parts.COPY_BYTES
    for sent in ([b"one"], [b"", b"two", b""], [b"head", large, memoryview(b"tail")]):
        parts.send(here, sent)
        assert parts.is_readable(there)
        assert [bytes(part) for part in parts.receive(there)] == [bytes(part) for part in sent]
        assert not parts.is_readable(there)


def test_nothing_waits(pair: Pair) -> None:
    with pytest.raises(zmq.Again):
        parts.receive(pair[1])


def test_too_many_parts_are_taken_off_and_known_by_one_more_than_allowed(pair: Pair) -> None:
    here, there = pair
    parts.send(here, [b"x"] * (MAX_ARRAYS + 50))
    parts.send(here, [b"next"])
    assert len(parts.receive(there)) == MAX_ARRAYS + 3
    assert parts.receive(there) == [b"next"]
    parts.send(here, [b"x"] * 20)
    assert len(parts.receive(there, most=5)) == 5
    parts.send(here, [b"x"] * (MAX_ARRAYS + 50))
    assert len(parts.receive(there, most=None)) == MAX_ARRAYS + 50


def test_a_message_that_nobody_takes_is_refused_whole() -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as alone, pytest.raises(zmq.Again):
        parts.send(alone, [b"a", b"b"])
