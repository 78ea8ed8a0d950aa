# SPDX-License-Identifier: Apache-2.0
"""Events in order, gaps noticed, snapshots that never set back what is known."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kineograph.client.events import ClientEvent, EventCount, JobEvent, JobPage, Snapshot, Verdict, typed
from kineograph.client.feed import EventFeed
from kineograph.errors import ErrorCode, LinkError
from kineograph.wire.codec import Header, Kind, Message
from kineograph.wire.messages import EventName, JobListReply, JobState, JobStatus, to_body

COLUMNS = [f.name for f in fields(JobStatus)]


def event(seq: int, name: str = EventName.JOB_PROGRESS, epoch: str = "e", **body: Any) -> Message:
    content = body or to_body(JobStatus("j", JobState.RUNNING, attempt=seq))
    return Message(Header(Kind.EVENT, name, epoch=epoch, seq=seq), content)


class Asked:
    """Collects the questions for a snapshot and answers them on request."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[Future[JobListReply]], None]] = []

    def __call__(self, answer: Callable[[Future[JobListReply]], None]) -> None:
        self.waiting.append(answer)

    def answer(self, seq: int) -> None:
        future: Future[JobListReply] = Future()
        future.set_result(JobListReply(COLUMNS, [list(to_body(JobStatus("j", JobState.QUEUED)).values())], 1, seq))
        self.waiting.pop(0)(future)

    def fail(self) -> None:
        future: Future[JobListReply] = Future()
        future.set_exception(LinkError(ErrorCode.CONNECTION_FAILED, "gone"))
        self.waiting.pop(0)(future)


def begun(snapshots: bool = True, seq: int = 0) -> tuple[EventFeed, Asked, list[ClientEvent]]:
    asked, heard = Asked(), []
    feed = EventFeed(asked)
    feed.add(1, heard.append, snapshots)
    feed.begin("e", seq)
    return feed, asked, heard


def numbers(heard: list[ClientEvent]) -> list[Any]:
    return [e.jobs.seq if isinstance(e, Snapshot) else e.seq for e in heard if isinstance(e, (Snapshot, JobEvent))]


def test_a_subscription_starts_with_a_snapshot_and_goes_on_from_it() -> None:
    feed, asked, heard = begun(seq=5)
    feed.take(event(6))
    feed.take(event(7))
    assert heard == []
    asked.answer(6)
    feed.take(event(8))
    assert numbers(heard) == [6, 7, 8]
    assert isinstance(heard[0], Snapshot)
    assert heard[0].jobs[0].job == "j"


def test_a_gap_asks_once_and_tells_nothing_old_afterwards() -> None:
    feed, asked, heard = begun()
    asked.answer(0)
    feed.take(event(1))
    assert feed.take(event(4)) is Verdict.GAP
    assert feed.take(event(9)) is Verdict.GAP
    assert len(asked.waiting) == 1
    asked.answer(4)
    assert feed.take(event(4)) is Verdict.OLD
    assert numbers(heard) == [0, 1, 4, 9]


def test_a_snapshot_newer_than_events_under_way_makes_them_old() -> None:
    feed, asked, heard = begun()
    asked.answer(10)
    assert feed.take(event(9)) is Verdict.OLD
    assert feed.take(event(11)) is Verdict.NEXT
    assert numbers(heard) == [10, 11]


def test_a_failed_snapshot_still_tells_what_was_held() -> None:
    feed, asked, heard = begun()
    feed.take(event(1))
    asked.fail()
    assert numbers(heard) == [1]


def test_a_snapshot_that_did_not_come_is_asked_for_again() -> None:
    feed, asked, heard = begun()
    asked.answer(0)
    feed.take(event(4))  # what came before it is missed
    asked.fail()
    assert asked.waiting == [], "not at once: the line may be bad"
    feed.take(event(5))
    asked.answer(5)
    feed.take(event(6))
    assert asked.waiting == []
    assert numbers(heard) == [0, 4, 5, 6]


def test_more_events_than_are_held_are_made_good_by_another_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kineograph.client.feed._MAX_HELD", 3)
    feed, asked, heard = begun()
    for seq in range(1, 6):
        feed.take(event(seq))
    asked.answer(0)
    feed.take(event(6))
    asked.answer(6)
    assert numbers(heard) == [0, 4, 5, 6], "in order, and the last of them a snapshot"
    assert isinstance(heard[-1], Snapshot)


def test_listeners_without_snapshots_cost_no_question() -> None:
    feed, asked, heard = begun(snapshots=False)
    feed.take(event(1))
    feed.take(event(5))
    assert asked.waiting == []
    assert numbers(heard) == [1, 5]


def test_another_epoch_is_not_told() -> None:
    feed, asked, heard = begun()
    asked.answer(0)
    assert feed.take(event(1, epoch="f")) is Verdict.OTHER_EPOCH
    assert numbers(heard) == [0]


def test_a_snapshot_of_an_ended_subscription_is_dropped() -> None:
    feed, asked, heard = begun()
    feed.end()
    feed.begin("f", 0)
    asked.answer(7)
    assert heard == []
    asked.answer(1)
    assert numbers(heard) == [1]


def test_a_listener_that_fails_does_not_deafen_the_others(caplog: pytest.LogCaptureFixture) -> None:
    asked, heard = Asked(), []
    feed = EventFeed(asked)
    feed.add(1, lambda e: 1 / 0, False)
    feed.add(2, heard.append, False)
    feed.begin("e", 0)
    with caplog.at_level(logging.ERROR):
        feed.take(event(1))
    assert numbers(heard) == [1]
    assert "listener" in caplog.text


@given(st.lists(st.tuples(st.integers(1, 4), st.none() | st.integers(0, 3)), max_size=40))
def test_what_listeners_hear_never_goes_backwards(steps: list[tuple[int, int | None]]) -> None:
    feed, asked, heard = begun()
    sent = 0
    for lost, ahead in steps:
        sent += 1 if lost < 4 else lost
        feed.take(event(sent))
        if asked.waiting and ahead is not None:
            asked.answer(sent + ahead)
    told = numbers(heard)
    assert told == sorted(told)
    assert len({e.seq for e in heard if isinstance(e, JobEvent)}) == sum(isinstance(e, JobEvent) for e in heard)


@pytest.mark.parametrize(
    "message", [event(1, "job.exploded"), event(1, EventName.JOB_QUEUED, job=3), event(1, EventName.MODEL_READY, x=1)]
)
def test_events_of_a_newer_daemon_are_skipped(message: Message) -> None:
    assert typed(message) is None


def test_counting() -> None:
    count = EventCount()
    count.start("e", 3)
    verdicts = [count.take("e", n) for n in (3, 4, 4, 6, 5, 7)] + [count.take("f", 8)]
    assert [v.name for v in verdicts] == ["OLD", "NEXT", "OLD", "GAP", "OLD", "NEXT", "OTHER_EPOCH"]


def test_a_page_reads_rows_when_they_are_looked_at() -> None:
    row = list(to_body(JobStatus("a", JobState.QUEUED)).values())
    page = JobPage(JobListReply(COLUMNS, [row, row[:3], "nonsense"], 3, 1))
    assert (len(page), page.total, page.seq) == (3, 3, 1)
    assert page[0].state is JobState.QUEUED
    assert page[:1] == [page[0]]
    for bad in (1, 2):
        with pytest.raises(LinkError) as caught:
            page[bad]
        assert caught.value.code is ErrorCode.BAD_RESPONSE
    assert "3 of 3" in repr(page)
