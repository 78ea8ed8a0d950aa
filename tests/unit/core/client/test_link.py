# SPDX-License-Identifier: Apache-2.0
"""The connection's state machine: every race is a list of events."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kineograph.client import link as k
from kineograph.client.link import Link, LinkSettings, LinkState, Target
from kineograph.errors import AccessError, ErrorCode, LinkError
from kineograph.wire.messages import HelloReply, Role

TARGET = Target("ipc:///run/d", "ipc:///run/e")
GONE = LinkError(ErrorCode.CONNECTION_FAILED, "gone")


def hello(epoch: str = "e1", wire: int = 1) -> HelloReply:
    return HelloReply(wire, "0", "1.4", epoch, 1, Role.ADMIN, "ipc:///run/e", 0, {}, [])


def kinds(instructions: list[k.Instruction]) -> list[str]:
    return [type(i).__name__ for i in instructions]


def announced(instructions: list[k.Instruction]) -> k.Announce:
    (out,) = [i for i in instructions if isinstance(i, k.Announce)]
    return out


def failing(instructions: list[k.Instruction]) -> k.FailPending:
    (out,) = [i for i in instructions if isinstance(i, k.FailPending)]
    return out


def made(**settings: Any) -> Link:
    return Link(LinkSettings(jitter=0.0, **settings), Random(1))


def ready(**settings: Any) -> Link:
    link = made(**settings)
    link.handle(k.Begin(), 0.0)
    link.handle(k.Found(TARGET), 0.0)
    link.handle(k.HelloAnswered(hello()), 0.1)
    assert link.state is LinkState.READY
    return link


def test_only_an_answered_hello_makes_it_ready() -> None:
    link = made()
    assert kinds(link.handle(k.Begin(), 0.0)) == ["Announce", "Look"]
    assert kinds(link.handle(k.Found(TARGET), 0.0)) == ["Announce", "Connect", "SayHello"]
    assert kinds(link.handle(k.Reached(), 0.1)) == []
    assert link.state is LinkState.CONNECTING
    assert kinds(link.handle(k.HelloAnswered(hello()), 0.2)) == ["Announce", "SendPending"]
    assert link.state is LinkState.READY
    assert link.epoch == "e1"
    assert link.deadline_s is None


@pytest.mark.parametrize(
    ("reached", "code"), [(True, ErrorCode.HANDSHAKE_TIMEOUT), (False, ErrorCode.DAEMON_UNREACHABLE)]
)
def test_silence_after_connecting_says_whether_anybody_was_there(reached: bool, code: ErrorCode) -> None:
    link = made(hello_s=3.0)
    link.handle(k.Begin(), 0.0)
    link.handle(k.Found(TARGET), 0.0)
    if reached:
        link.handle(k.Reached(), 0.0)
    assert link.deadline_s == 3.0
    assert link.handle(k.Tick(), 2.9) == []
    out = link.handle(k.Tick(), 3.0)
    assert kinds(out) == ["Disconnect", "Announce", "FailPending"]
    assert failing(out).error.code is code
    assert not failing(out).sent_once_only


def test_nothing_found_is_said_at_once_and_looked_for_again() -> None:
    link = made(backoff_s=0.1)
    link.handle(k.Begin(), 0.0)
    out = link.handle(k.NotFound(), 0.0)
    assert announced(out).error is not None
    assert failing(out).error.code is ErrorCode.DAEMON_UNREACHABLE
    assert link.deadline_s == pytest.approx(0.1)
    assert kinds(link.handle(k.Tick(), 0.1)) == ["Announce", "Look"]


def test_back_off_doubles_up_to_its_limit_with_jitter_and_starts_over_after_success() -> None:
    link = Link(LinkSettings(backoff_s=0.1, backoff_max_s=1.0, jitter=0.25), Random(1))
    link.handle(k.Begin(), 0.0)
    waits, now_s = [], 0.0
    for _ in range(8):
        link.handle(k.NotFound(), now_s)
        assert link.deadline_s is not None
        waits.append(link.deadline_s - now_s)
        now_s = link.deadline_s
        link.handle(k.Tick(), now_s)
    for got, nominal in zip(waits, [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0], strict=True):
        assert 0.75 * nominal <= got <= 1.25 * nominal
    assert len(set(waits[4:])) > 1
    link.handle(k.Found(TARGET), now_s)
    link.handle(k.HelloAnswered(hello()), now_s)
    link.handle(k.Dropped(GONE), now_s)
    assert link.deadline_s is not None
    assert link.deadline_s - now_s <= 0.125


def test_it_starts_a_daemon_only_when_it_may() -> None:
    link = made(may_start=True, start_s=5.0, start_poll_s=0.1)
    link.handle(k.Begin(), 0.0)
    assert kinds(link.handle(k.NotFound(), 0.0)) == ["Announce", "Start"]
    assert link.state is LinkState.STARTING
    assert link.deadline_s == pytest.approx(0.1)
    assert kinds(link.handle(k.Tick(), 0.1)) == ["Look"]
    assert link.handle(k.NotFound(), 0.1) == []
    assert link.deadline_s == pytest.approx(0.2), "it looks again a moment later, not at once"
    assert kinds(link.handle(k.Found(TARGET), 0.2)) == ["Announce", "Connect", "SayHello"]


def test_a_daemon_that_does_not_come_up_is_given_up() -> None:
    link = made(may_start=True, start_s=5.0)
    link.handle(k.Begin(), 0.0)
    link.handle(k.NotFound(), 0.0)
    assert failing(link.handle(k.NotFound(), 5.1)).error.code is ErrorCode.DAEMON_UNREACHABLE


def test_a_daemon_that_ends_while_starting_says_why() -> None:
    link = made(may_start=True)
    link.handle(k.Begin(), 0.0)
    link.handle(k.NotFound(), 0.0)
    why = LinkError(ErrorCode.DAEMON_UNREACHABLE, "exit code 3")
    assert failing(link.handle(k.NotFound(why), 0.2)).error is why


def test_a_program_that_cannot_be_started_is_said() -> None:
    link = made(may_start=True)
    link.handle(k.Begin(), 0.0)
    link.handle(k.NotFound(), 0.0)
    why = LinkError(ErrorCode.DAEMON_UNREACHABLE, "no such program")
    assert failing(link.handle(k.StartFailed(why), 0.0)).error is why
    assert link.state is LinkState.LOST


def test_after_a_loss_only_what_must_not_be_repeated_fails() -> None:
    link = ready()
    out = link.handle(k.Dropped(GONE), 1.0)
    assert kinds(out) == ["Disconnect", "Announce", "FailPending"]
    assert failing(out).sent_once_only


def test_another_epoch_is_a_restart_and_the_same_is_not() -> None:
    link = ready()
    for epoch, restarted in (("e1", False), ("e2", True), ("e2", False)):
        link.handle(k.Dropped(GONE), 1.0)
        link.handle(k.Tick(), 9.0)
        link.handle(k.Found(TARGET), 9.0)
        out = link.handle(k.HelloAnswered(hello(epoch)), 9.1)
        assert announced(out).restarted is restarted
        assert kinds(out)[-1] == "SendPending"


def test_another_version_is_final_words() -> None:
    link = made(backoff_max_s=2.0)
    link.handle(k.Begin(), 0.0)
    link.handle(k.Found(TARGET), 0.0)
    out = link.handle(k.HelloAnswered(hello(wire=2)), 0.1)
    assert failing(out).error.code is ErrorCode.PROTOCOL_MISMATCH
    assert link.hello is None
    assert link.deadline_s == pytest.approx(2.1)  # it may be replaced by a newer one; there is no hurry


def test_a_refusal_after_being_ready_fails_everything() -> None:
    link = ready()
    link.handle(k.Dropped(GONE), 1.0)
    link.handle(k.Tick(), 9.0)
    link.handle(k.Found(TARGET), 9.0)
    out = link.handle(k.Refused(AccessError(ErrorCode.UNAUTHORIZED, "no")), 9.0)
    assert not failing(out).sent_once_only


def test_a_silent_daemon_is_asked_whether_it_lives() -> None:
    link = ready(hello_s=3.0)
    assert kinds(link.handle(k.Silent(), 5.0)) == ["Announce", "SayHello"]
    assert kinds(link.handle(k.HelloAnswered(hello()), 5.1)) == ["Announce", "SendPending"]
    link.handle(k.Silent(), 6.0)
    assert failing(link.handle(k.Tick(), 9.0)).error.code is ErrorCode.HANDSHAKE_TIMEOUT


def test_somebody_asking_ends_the_back_off_but_not_faster_than_its_base() -> None:
    link = made(backoff_s=0.1, backoff_max_s=100.0)
    link.handle(k.Begin(), 0.0)
    for now_s in (0.0, 1.0, 2.0, 3.0):
        link.handle(k.NotFound(), now_s)
        assert kinds(link.handle(k.Wanted(), now_s + 0.5)) == ["Announce", "Look"]
    link.handle(k.NotFound(), 3.51)
    assert link.handle(k.Wanted(), 3.55) == []


def test_late_news_changes_nothing() -> None:
    link = ready()
    assert link.handle(k.Found(TARGET), 1.0) == []
    link.handle(k.Dropped(GONE), 1.0)
    assert link.handle(k.HelloAnswered(hello()), 1.0) == []
    assert link.handle(k.Dropped(GONE), 1.0) == []
    assert link.handle(k.Silent(), 1.0) == []
    assert link.handle(k.Refused(GONE), 1.0) == []
    assert link.state is LinkState.LOST


def test_closed_is_the_end() -> None:
    link = ready()
    out = link.handle(k.Close(), 1.0)
    assert kinds(out) == ["FailPending", "Disconnect", "Announce"]
    assert failing(out).error.details["client_closed"]
    for event in (k.Begin(), k.Tick(), k.Found(TARGET), k.Wanted(), k.Close(), k.HelloAnswered(hello())):
        assert link.handle(event, 2.0) == []
    assert link.state is LinkState.CLOSED


EVENTS = st.sampled_from(
    [
        k.Begin(),
        k.Found(TARGET),
        k.NotFound(),
        k.NotFound(GONE),
        k.StartFailed(GONE),
        k.Reached(),
        k.HelloAnswered(hello("e1")),
        k.HelloAnswered(hello("e2")),
        k.HelloAnswered(hello(wire=7)),
        k.Refused(GONE),
        k.Dropped(GONE),
        k.Silent(),
        k.Wanted(),
        k.Tick(),
    ]
)


@given(st.lists(st.tuples(EVENTS, st.floats(0.0, 5.0)), max_size=40), st.booleans())
def test_whatever_happens_it_always_has_a_way_on(events: list[tuple[k.Input, float]], may_start: bool) -> None:
    link = Link(LinkSettings(may_start=may_start), Random(2))
    now_s = 0.0
    looking = False
    for event, later_s in [(k.Begin(), 0.0), *events]:
        now_s += later_s
        out = link.handle(event, now_s)
        if isinstance(event, (k.Found, k.NotFound, k.StartFailed)):
            looking = False
        looking = looking or any(isinstance(i, k.Look) for i in out)
        # Ready, or waiting for a time, or for the answer to a question: never stuck.
        assert link.state is LinkState.READY or link.deadline_s is not None or link.state is LinkState.LOOKING
        assert (link.state is LinkState.READY) <= (link.hello is not None)
        for i in out:
            if isinstance(i, k.Connect):
                assert link.state is LinkState.CONNECTING
            if isinstance(i, k.FailPending):
                assert link.state is LinkState.LOST
