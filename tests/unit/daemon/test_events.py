# SPDX-License-Identifier: Apache-2.0
"""Every event takes the next number, heard or not: by the numbers a subscriber knows that it missed something."""

from __future__ import annotations

from kineograph.wire import codec
from kineograph.wire.codec import Buffer
from kineograph.wire.messages import EventName
from kineograph_daemon.server.events import Publisher


def test_numbers_go_on_while_nobody_listens_and_have_no_gap_for_who_does() -> None:
    sent: list[list[Buffer]] = []
    heard = True
    events = Publisher("e1", sent.append, lambda: heard)

    def happen(count: int) -> None:
        for _ in range(count):
            events.publish(EventName.DAEMON_HEARTBEAT, {"seq": events.seq})
        events.flush()

    happen(2)
    heard = False
    happen(3)
    heard = True
    happen(1)
    headers = [codec.decode(frames[1:]).header for frames in sent]
    assert [h.seq for h in headers] == [1, 2, 6]
    assert {h.epoch for h in headers} == {"e1"}
    assert events.seq == 6
    assert [bytes(frames[0]) for frames in sent] == [b"daemon.heartbeat"] * 3


def test_nothing_leaves_before_it_is_on_disk() -> None:
    sent: list[list[Buffer]] = []
    events = Publisher("e1", sent.append)
    events.publish(EventName.DAEMON_HEARTBEAT, {})
    assert events.is_holding
    assert not sent
    events.flush()
    events.flush()
    assert len(sent) == 1
    assert not events.is_holding
