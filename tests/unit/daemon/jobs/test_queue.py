# SPDX-License-Identifier: Apache-2.0
"""The waiting line: order, fairness, moving."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kineograph.wire.messages import Priority
from kineograph_daemon.jobs.queue import WaitingLine

INTERACTIVE, BATCH = Priority.INTERACTIVE, Priority.BATCH


def line(*jobs: tuple[str, str], priority: Priority = INTERACTIVE) -> WaitingLine:
    out = WaitingLine()
    for job, client in jobs:
        out.join(job, client, priority, 0)
    return out


def test_one_client_is_served_in_order() -> None:
    assert list(line(("a1", "a"), ("a2", "a"), ("a3", "a"))) == ["a1", "a2", "a3"]


def test_clients_take_turns() -> None:
    waiting = line(("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("b2", "b"))
    assert list(waiting) == ["a1", "b1", "a2", "b2", "a3"]


def test_a_client_with_one_job_does_not_wait_behind_anothers_thousand() -> None:
    waiting = line(*((f"a{i}", "a") for i in range(1000)))
    for i in range(500):
        waiting.leave(f"a{i}", served=True)
    waiting.join("b1", "b", INTERACTIVE, 0)
    assert waiting.position("b1") <= 2


def test_a_running_job_counts_as_a_turn() -> None:
    waiting = line(("a1", "a"))
    waiting.leave("a1", served=True)
    waiting.join("a2", "a", INTERACTIVE, running=1)
    waiting.join("b1", "b", INTERACTIVE, running=0)
    assert list(waiting) == ["b1", "a2"]


def test_a_client_that_cancelled_everything_is_not_punished() -> None:
    waiting = line(*((f"a{i}", "a") for i in range(100)), *((f"b{i}", "b") for i in range(10)))
    for i in range(100):
        waiting.leave(f"a{i}")
    waiting.join("late", "a", INTERACTIVE, 0)
    assert waiting.position("late") <= 2


def test_interactive_goes_before_batch() -> None:
    waiting = line(("slow", "a"), priority=BATCH)
    waiting.join("fast", "a", INTERACTIVE, 0)
    assert list(waiting) == ["fast", "slow"]
    assert (waiting.position("fast"), waiting.position("slow")) == (1, 2)


def test_moving_to_the_ends_and_before_another() -> None:
    waiting = line(*((name, "a") for name in "abcd"))
    waiting.move("c", to_front=True)
    assert list(waiting) == ["c", "a", "b", "d"]
    waiting.move("a", to_front=False)
    assert list(waiting) == ["c", "b", "d", "a"]
    assert waiting.move_before("a", "b")
    assert list(waiting) == ["c", "a", "b", "d"]
    assert waiting.move_before("a", "a")
    assert list(waiting) == ["c", "a", "b", "d"]


def test_nobody_moves_into_another_priority() -> None:
    waiting = line(("slow", "a"), priority=BATCH)
    waiting.join("fast", "a", INTERACTIVE, 0)
    assert not waiting.move_before("slow", "fast")
    assert list(waiting) == ["fast", "slow"]


def test_there_is_always_room_between_two() -> None:
    waiting = line(("first", "a"), ("last", "a"), *((f"j{i}", "a") for i in range(300)))
    for i in range(300):
        assert waiting.move_before(f"j{i}", "last")
    assert list(waiting) == ["first", *(f"j{i}" for i in range(300)), "last"]


@given(st.lists(st.tuples(st.sampled_from(["join", "serve", "leave", "front", "back", "before"]), st.integers(0, 9))))
def test_positions_agree_with_the_order(steps: list[tuple[str, int]]) -> None:
    waiting, model = WaitingLine(), []
    for number, (what, pick) in enumerate(steps):
        names = list(waiting)
        chosen = names[pick % len(names)] if names else None
        if what == "join":
            waiting.join(f"j{number}", f"c{pick % 3}", INTERACTIVE if pick % 2 else BATCH, 0)
            model.append(f"j{number}")
        elif chosen is not None and what in ("serve", "leave"):
            waiting.leave(names[0] if what == "serve" else chosen, served=what == "serve")
            model.remove(names[0] if what == "serve" else chosen)
        elif chosen is not None and what == "before":
            waiting.move_before(chosen, names[0])
        elif chosen is not None:
            waiting.move(chosen, to_front=what == "front")
        now = list(waiting)
        assert sorted(now) == sorted(model)
        assert [waiting.position(j) for j in now] == list(range(1, len(now) + 1))
