# SPDX-License-Identifier: Apache-2.0
"""The job state machine: each race is a list of events."""

from __future__ import annotations

from typing import get_args

import pytest
from tests.unit.daemon.jobs.machine import Desk, refusal

from kineograph.errors import ErrorCode
from kineograph.wire.messages import EventName, JobState, OnBusy, Priority, ResultFormat
from kineograph_daemon.jobs import record, state
from kineograph_daemon.jobs import signals as s
from kineograph_daemon.jobs.state import JobMachine, Rules
from kineograph_daemon.server import desk


def test_a_job_runs_and_succeeds() -> None:
    d = Desk()
    d.running()
    d.progress()
    d.done()
    assert d.events() == [EventName.JOB_QUEUED, EventName.JOB_STARTED, EventName.JOB_SUCCEEDED]
    status = d.machine.status("j")
    assert (status.attempt, status.started_s, status.finished_s, status.progress.fraction) == (1, 1000.0, 1000.0, 1.0)


def test_nothing_is_told_of_a_submit_before_it_is_kept() -> None:
    d = Desk()
    d.worker()
    assert d.submit("j") == [s.Changed("j", EventName.JOB_QUEUED)], "work goes out with the tick, after the commit"
    assert s.Assign("w1", "t1", "m", ("j",)) in d.tick()


def test_the_same_id_and_body_is_the_same_job() -> None:
    d = Desk()
    d.submit("j")
    assert d.submit("j") == [s.Known("j")]
    assert len(d.machine.jobs) == 1


def test_the_same_id_with_another_body_is_a_conflict() -> None:
    d = Desk()
    d.submit("j")
    error = refusal(d.submit("j", digest=b"other"))
    assert error["error"]["code"] == ErrorCode.IDEMPOTENCY_CONFLICT
    assert d.state() is JobState.QUEUED


def test_a_second_done_changes_nothing() -> None:
    d = Desk()
    d.running()
    d.done()
    d.tick(1.0)
    assert d.done() == []
    assert d.failed() == []
    assert d.machine.jobs["j"].finished_s == 1000.0


def test_a_waiting_job_is_cancelled_at_once() -> None:
    d = Desk()
    d.submit("j")
    d.cancel()
    assert (d.state(), d.code()) == (JobState.CANCELLED, ErrorCode.REQUEST_CANCELLED)
    d.worker()
    assert d.assigned() == []


def test_a_running_job_is_cancelled_when_its_worker_says_so() -> None:
    d = Desk()
    d.running()
    assert d.cancel() == [s.StopJob("w1", "j"), s.Changed("j", EventName.JOB_CANCELLING)]
    assert d.cancel() == [], "a second cancel adds nothing"
    d.cancelled(step=12, steps=50)
    assert d.state() is JobState.CANCELLED
    error = d.machine.jobs["j"].error
    assert error is not None
    assert error["error"]["details"] == {"by": "somebody", "step": 12, "steps": 50}


def test_cancel_touches_no_other_job() -> None:
    d = Desk()
    d.running("a")
    d.submit("b")
    d.running("c", "w2", client="other")
    d.cancel("a")
    d.cancelled("a")
    assert d.state("c") is JobState.RUNNING
    assert [i for i in d.out if isinstance(i, s.StopJob)] == [s.StopJob("w1", "a")]
    d.tick()
    assert d.state("b") is JobState.RUNNING


def test_done_after_cancel_is_cancelled_and_its_result_is_dropped() -> None:
    d = Desk()
    d.running()
    d.cancel()
    assert s.DropResult("j", 1) in d.done()
    assert d.state() is JobState.CANCELLED


def test_failed_after_cancel_is_cancelled() -> None:
    d = Desk()
    d.running()
    d.cancel()
    d.failed()
    assert d.state() is JobState.CANCELLED


def test_cancel_after_the_end_changes_nothing() -> None:
    d = Desk()
    d.running()
    d.done()
    assert d.cancel() == []
    assert d.state() is JobState.SUCCEEDED


def test_cancel_of_an_unknown_job_says_so() -> None:
    assert refusal(Desk().cancel("nobody"))["error"]["code"] == ErrorCode.REQUEST_NOT_FOUND


def test_a_worker_that_stops_unasked_fails_the_job() -> None:
    d = Desk()
    d.running()
    d.cancelled()
    assert (d.state(), d.code()) == (JobState.FAILED, ErrorCode.INTERNAL_ERROR)


def test_a_deaf_worker_is_killed_after_the_grace_and_the_job_is_cancelled() -> None:
    d = Desk(cancel_grace_s=5.0)
    d.running()
    d.cancel()
    assert d.tick(4.9) == []
    assert d.tick(0.2) == [s.KillWorker("w1", "it did not stop within 5 s")]
    assert d.tick(1.0) == [], "killed once"
    d.lost()
    assert d.state() is JobState.CANCELLED


def test_a_batch_mate_saves_a_deaf_worker() -> None:
    d = Desk(cancel_grace_s=5.0)
    d.submit("a", group="g")
    d.submit("b", group="g")
    d.worker()
    assert d.assigned() == [("a", "b")]
    d.cancel("a")
    assert d.tick(60.0) == [], "killing the worker would touch b"
    d.done("b")
    d.done("a")
    assert (d.state("a"), d.state("b")) == (JobState.CANCELLED, JobState.SUCCEEDED)


def test_a_lost_worker_gives_the_job_one_more_chance() -> None:
    d = Desk()
    d.running()
    d.progress()
    d.submit("later")
    assert d.lost() == [s.DropResult("j", 1), s.Changed("j", EventName.JOB_REQUEUED)]
    status = d.machine.status("j")
    assert (status.state, status.position, status.progress.fraction) == (JobState.QUEUED, 1, 0.0)
    d.worker("w1-2")
    d.lost("w1-2")
    assert (d.state(), d.code()) == (JobState.FAILED, ErrorCode.INTERNAL_ERROR)
    error = d.machine.jobs["j"].error
    assert error is not None
    assert error["error"]["details"]["exit_code"] == -9
    assert d.state("later") is JobState.QUEUED


def test_a_worker_lost_while_cancelling_ends_the_job_as_cancelled() -> None:
    d = Desk()
    d.running()
    d.cancel()
    d.lost()
    assert d.state() is JobState.CANCELLED
    d.worker("w1-2")
    assert len(d.assigned()) == 1


def test_late_words_of_a_lost_worker_count_for_nothing() -> None:
    d = Desk()
    d.running()
    d.lost()
    d.worker("w1-2")
    assert d.done(worker="w1") == []
    assert d.progress(worker="w1") == []
    assert d.cancelled(worker="w1") == []
    assert d.state() is JobState.RUNNING
    d.done(worker="w1-2")
    assert d.state() is JobState.SUCCEEDED


def test_a_batch_that_lost_its_worker_goes_on_one_by_one() -> None:
    d = Desk()
    for job in "abc":
        d.submit(job, group="g")
    d.worker()
    d.done("a")
    d.lost()
    d.worker("w1-2")
    assert d.assigned() == [("a", "b", "c"), ("b",)], "one of them may be what killed it"


def test_a_task_that_ends_without_an_answer_fails_its_job() -> None:
    d = Desk()
    d.running()
    d.do(s.TaskEnd("w1", "t1", d.now_s))
    assert (d.state(), d.code()) == (JobState.FAILED, ErrorCode.INTERNAL_ERROR)
    assert d.do(s.TaskEnd("w1", "t1", d.now_s)) == []


def test_a_deadline_strikes_a_waiting_job() -> None:
    d = Desk()
    d.submit("j", deadline_s=10.0)
    assert d.machine.next_deadline_s() == 1010.0
    d.tick(9.9)
    assert d.state() is JobState.QUEUED
    d.tick(0.1)
    assert (d.state(), d.code()) == (JobState.FAILED, ErrorCode.TIMEOUT)


def test_a_deadline_stops_a_running_job_with_the_step_it_reached() -> None:
    d = Desk()
    d.running(deadline_s=10.0)
    assert d.tick(10.0) == [s.StopJob("w1", "j")]
    assert d.state() is JobState.RUNNING, "nobody cancelled it"
    d.cancelled(step=31, steps=50)
    error = d.machine.jobs["j"].error
    assert error is not None
    assert error["error"]["message"] == "stopped after 10 s at step 31 of 50"
    assert error["error"]["details"]["step"] == 31
    assert error["retry_after_s"] > 0


def test_done_at_the_deadline_is_a_success() -> None:
    d = Desk()
    d.running(deadline_s=10.0)
    d.tick(10.0)
    d.done()
    assert d.state() is JobState.SUCCEEDED


def test_cancel_after_the_deadline_struck_is_cancelled() -> None:
    d = Desk()
    d.running(deadline_s=10.0)
    d.tick(10.0)
    assert d.cancel() == [s.Changed("j", EventName.JOB_CANCELLING)], "the worker has been told already"
    d.cancelled()
    assert d.state() is JobState.CANCELLED


def test_the_deadline_of_an_ended_job_does_nothing() -> None:
    d = Desk()
    d.running(deadline_s=10.0)
    d.done()
    assert d.tick(20.0) == []
    assert d.state() is JobState.SUCCEEDED


def test_a_full_queue_refuses() -> None:
    d = Desk(queue_limit=2)
    d.submit("a")
    d.submit("b")
    error = refusal(d.submit("c"))
    assert error["error"]["code"] == ErrorCode.QUEUE_FULL
    assert error["error"]["details"]["allowed"] == 2
    assert "c" not in d.machine.jobs


def test_a_client_at_its_limit_waits_or_is_refused_as_it_asked() -> None:
    d = Desk(client_limit=1)
    d.running("a")
    d.worker("w2")
    d.submit("b")
    d.tick()
    assert d.state("b") is JobState.QUEUED, "w2 is idle, but the client has its share"
    error = refusal(d.submit("c", on_busy=OnBusy.REFUSE))
    assert error["error"]["code"] == ErrorCode.RATE_LIMITED
    assert error["error"]["details"]["active_requests"] == 2
    assert error["error"]["details"]["concurrency_limit"] == 1
    assert error["retry_after_s"] > 0
    d.submit("other", client="another")
    d.tick()
    assert d.state("other") is JobState.RUNNING
    d.done("a")
    d.tick()
    assert d.state("b") is JobState.RUNNING


def test_a_batch_of_one_client_is_one_task_and_one_slot() -> None:
    d = Desk(client_limit=1, batch_limit=3)
    for n in range(5):
        d.submit(f"j{n}", group="g")
    d.submit("alone")
    d.worker()
    assert d.assigned() == [("j0", "j1", "j2")]


def test_a_batch_goes_to_each_model_apart() -> None:
    d = Desk()
    d.submit("a", group="g")
    d.submit("b", group="g", model="n")
    d.submit("c", group="g")
    d.worker("w1", "m", "n")
    d.worker("w2", "m", "n")
    assert d.assigned() == [("a", "c"), ("b",)]


def test_a_job_goes_only_to_a_worker_that_hosts_its_model() -> None:
    d = Desk()
    d.submit("j", model="n")
    d.worker("w1", "m")
    assert d.state() is JobState.QUEUED
    d.worker("w2", "m", "n")
    assert d.machine.jobs["j"].worker == "w2"


def test_jobs_for_models_that_are_gone_fail() -> None:
    d = Desk()
    d.submit("a", model="gone")
    d.submit("b")
    d.do(s.ModelsSettled(frozenset({"m"}), d.now_s))
    assert (d.state("a"), d.code("a")) == (JobState.FAILED, ErrorCode.UNKNOWN_MODEL)
    assert d.state("b") is JobState.QUEUED


def test_draining_starts_nothing_and_ends_what_runs() -> None:
    d = Desk()
    d.running("a")
    d.do(s.Drain(True, d.now_s))
    d.submit("b")
    d.done("a")
    d.tick()
    assert (d.state("a"), d.state("b")) == (JobState.SUCCEEDED, JobState.QUEUED)
    d.do(s.Drain(False, d.now_s))
    d.tick()
    assert d.state("b") is JobState.RUNNING


def test_position_counts_from_one_among_the_waiting() -> None:
    d = Desk()
    d.submit("slow", priority=Priority.BATCH)
    d.submit("a")
    d.submit("b")
    assert [d.machine.status(j).position for j in ("a", "b", "slow")] == [1, 2, 3]
    assert d.machine.waiting() == ["a", "b", "slow"]


def test_the_eta_learns_from_the_jobs_before() -> None:
    d = Desk()
    d.running("a")
    d.submit("b")
    assert d.machine.status("b").eta_s is None, "nothing is known yet"
    d.done("a", elapsed_s=4.0)
    d.tick()
    d.submit("c")
    d.progress("b", step=5, steps=10)
    assert d.machine.status("b").eta_s == pytest.approx(2.0)
    assert d.machine.status("c").eta_s == pytest.approx(8.0)


@pytest.mark.parametrize("to", ["front", "back"])
def test_a_waiting_job_moves(to: str) -> None:
    d = Desk()
    for job in "abc":
        d.submit(job)
    assert d.do(s.Move("b", to, None, d.now_s)) == [s.Changed("b", EventName.JOB_MOVED)]
    assert d.machine.waiting() == (["b", "a", "c"] if to == "front" else ["a", "c", "b"])


@pytest.mark.parametrize(
    ("move", "code"),
    [
        (s.Move("nobody", "front", None, 0.0), ErrorCode.REQUEST_NOT_FOUND),
        (s.Move("run", "front", None, 0.0), ErrorCode.INVALID_PARAMETERS),
        (s.Move("a", "sideways", None, 0.0), ErrorCode.INVALID_PARAMETERS),
        (s.Move("a", "front", "run", 0.0), ErrorCode.INVALID_PARAMETERS),
        (s.Move("a", "front", "batch", 0.0), ErrorCode.INVALID_PARAMETERS),
    ],
)
def test_a_move_that_makes_no_sense_is_refused(move: s.Move, code: ErrorCode) -> None:
    d = Desk()
    d.running("run")
    d.submit("a")
    d.submit("batch", priority=Priority.BATCH)
    assert refusal(d.do(move))["error"]["code"] == code
    assert d.machine.waiting() == ["a", "batch"]


def test_an_expired_result_is_never_unknown() -> None:
    d = Desk()
    d.running()
    d.done()
    assert d.do(s.Expire("j", d.now_s)) == [s.DropResult("j", 1), s.Changed("j", EventName.JOB_EXPIRED)]
    assert d.state() is JobState.EXPIRED
    assert d.do(s.Expire("j", d.now_s)) == []


def test_only_an_ended_job_is_forgotten() -> None:
    d = Desk()
    d.running()
    assert refusal(d.do(s.Forget("j", d.now_s)))["error"]["code"] == ErrorCode.INVALID_PARAMETERS
    d.done()
    last = d.machine.status("j")
    assert d.do(s.Forget("j", d.now_s)) == [s.Forgotten("j", 1, last)]
    assert refusal(d.do(s.Forget("j", d.now_s)))["error"]["code"] == ErrorCode.REQUEST_NOT_FOUND
    assert sum(d.machine.counts.values()) == 0


def encode(job: str = "j", form: ResultFormat = ResultFormat.GLB) -> s.Encode:
    return s.Encode(job, form, 1000.0)


def test_another_form_is_written_by_an_idle_worker_before_new_work() -> None:
    d = Desk()
    d.running()
    d.done()
    d.submit("next")
    d.do(encode())
    d.do(encode())
    assert d.tick() == [s.StartEncode("w1", "j", ResultFormat.GLB)]
    assert d.state("next") is JobState.QUEUED
    assert d.do(s.Encoded("w1", "j", ResultFormat.GLB, None, d.now_s, 50)) == [
        s.EncodeEnded("j", ResultFormat.GLB, None)
    ]
    assert d.machine.jobs["j"].size_bytes == 150
    d.tick()
    assert d.state("next") is JobState.RUNNING


def test_a_worker_lost_while_it_writes_a_form_says_so() -> None:
    d = Desk()
    d.running()
    d.done()
    d.do(encode())
    d.tick()
    (ended,) = d.lost()
    assert isinstance(ended, s.EncodeEnded)
    assert ended.error is not None
    assert d.state() is JobState.SUCCEEDED


def test_a_form_of_a_forgotten_job_is_not_waited_for() -> None:
    d = Desk()
    d.running()
    d.done()
    d.running("busy")
    d.do(encode())
    out = d.do(s.Forget("j", d.now_s))
    assert isinstance(out[0], s.EncodeEnded)
    d.done("busy")
    assert d.tick() == []


def restarted(d: Desk, **rules: int) -> tuple[JobMachine, list[s.Instruction]]:
    """Another machine with what the store would have kept of the first one's jobs."""
    other = JobMachine(Rules(**rules))
    kept = [record.from_map(record.to_map(job)) for job in d.machine.jobs.values()]
    return other, other.restore(kept, d.now_s + 5.0)


def test_a_restart_keeps_the_order_and_runs_the_interrupted_first() -> None:
    d = Desk()
    d.running("r", client="z")
    d.submit("a", client="x")
    d.submit("b", client="x")
    d.submit("c", client="y")
    d.do(s.Move("b", "front", None, d.now_s))
    assert d.machine.waiting() == ["b", "a", "c"]
    other, out = restarted(d)
    assert other.waiting() == ["r", "b", "a", "c"]
    assert s.Changed("r", EventName.JOB_REQUEUED) in out
    assert other.jobs["r"].losses == 0, "a restart is not the job's fault"


def test_a_restart_ends_what_was_being_cancelled() -> None:
    d = Desk()
    d.running()
    d.cancel()
    other, out = restarted(d)
    assert other.jobs["j"].state is JobState.CANCELLED
    assert out == [s.Changed("j", EventName.JOB_CANCELLED)]


def test_a_restart_keeps_deadlines_and_ended_jobs() -> None:
    d = Desk()
    d.running("done")
    d.done("done")
    d.do(s.Drain(True, d.now_s))
    d.submit("late", deadline_s=3.0)
    other, _ = restarted(d)
    other.handle(s.Tick(d.now_s + 5.0))
    assert other.jobs["late"].state is JobState.FAILED
    assert other.jobs["done"].state is JobState.SUCCEEDED
    assert other.jobs["done"] == record.from_map(record.to_map(d.machine.jobs["done"]))


def test_a_job_that_runs_whenever_the_daemon_dies_fails_in_the_end() -> None:
    d = Desk()
    d.running()
    other, _ = restarted(d, max_attempts=1)
    assert other.jobs["j"].state is JobState.FAILED


def test_every_event_is_dealt_with_and_every_instruction_carried_out() -> None:
    assert set(state._HANDLERS) == set(get_args(s.Event))
    assert set(desk._CARRY_OUT) == set(get_args(s.Instruction))
