# SPDX-License-Identifier: Apache-2.0
"""Cancels, deadlines and progress without a process."""

from __future__ import annotations

import math
import threading
import time

import pytest

from kineograph_daemon.pipeline import Stopped
from kineograph_daemon.workers.hooks import Cancels, GroupHooks, Hooks, Why
from kineograph_daemon.workers.link import TaskProgress


def hooks(sent: list[TaskProgress], job: str = "j", deadline_at_s: float = math.inf) -> tuple[Hooks, threading.Event]:
    cancelled = threading.Event()
    return Hooks(job, cancelled, threading.Event(), sent.append, deadline_at_s), cancelled


def test_progress_is_thinned_and_the_last_is_kept_for_the_end() -> None:
    sent: list[TaskProgress] = []
    mine, _ = hooks(sent)
    for step in range(1000):
        mine.progress(step / 1000, step, 1000)
    assert [p.step for p in sent][:1] == [0]
    assert len(sent) < 20
    mine.flush()
    mine.flush()
    assert [p.step for p in sent][-1] == 999
    assert len({p.step for p in sent}) == len(sent)


@pytest.mark.parametrize(("told", "expected"), [(-1, 0.0), (2, 1.0), (math.nan, 0.0), (0.25, 0.25)])
def test_progress_is_a_fraction_whatever_a_model_tells(told: float, expected: float) -> None:
    sent: list[TaskProgress] = []
    hooks(sent)[0].progress(told)
    assert sent[0].fraction == expected


def test_why_prefers_what_a_person_asked_for() -> None:
    mine, cancelled = hooks([], deadline_at_s=time.monotonic() - 1)
    assert mine.why() is Why.DEADLINE
    cancelled.set()
    assert mine.why() is Why.CANCELLED
    assert mine.should_stop()
    with pytest.raises(Stopped) as stopped:
        mine.progress(0.5, 5, 10)
    assert (stopped.value.step, stopped.value.steps) == (5, 10)


def test_a_cancel_before_the_start_holds_once() -> None:
    cancels = Cancels()
    cancels.cancel("a")
    assert cancels.begin("a").is_set()
    cancels.end("a")
    cancels.cancel("a")  # too late: it must not hit a later run of the same id
    assert not cancels.begin("a").is_set()
    assert not cancels.begin("b").is_set()


def test_a_cancel_sets_the_running_event_of_that_job_only() -> None:
    cancels = Cancels()
    a, b = cancels.begin("a"), cancels.begin("b")
    cancels.cancel("a")
    assert a.is_set()
    assert not b.is_set()


def test_a_group_answers_each_stopped_job_at_once_and_ends_with_the_last() -> None:
    sent: list[TaskProgress] = []
    (a, cancel_a), (b, cancel_b) = hooks(sent, "a"), hooks(sent, "b")
    stopped: list[tuple[str, Why]] = []
    group = GroupHooks([a, b], lambda h, why: stopped.append((h.job, why)))
    group.progress(0.1, 1, 10)
    assert [p.job for p in sent] == ["a", "b"]
    cancel_a.set()
    assert not group.should_stop()
    assert stopped == [("a", Why.CANCELLED)]
    group.progress(0.2, 2, 10)
    assert a.step == 1
    assert b.step == 2
    cancel_b.set()
    with pytest.raises(Stopped):
        group.progress(0.3, 3, 10)
    assert stopped == [("a", Why.CANCELLED), ("b", Why.CANCELLED)]
