# SPDX-License-Identifier: Apache-2.0
"""Conversations without I/O: each is run on a list of answers and a clock of its own."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from tests.fakes.daemon import arrays_result

from kineograph.client import retry, verbs
from kineograph.client.runners import Done, Narrator, advance
from kineograph.client.verbs import Call, Pause, Step, Tell, Ticket
from kineograph.errors import ErrorCode, JobError, KineographError, LinkError, UnavailableError, error
from kineograph.wire import messages as m
from kineograph.wire.messages import JobState, JobStatus, Method

OUTAGE = LinkError(ErrorCode.CONNECTION_FAILED, "gone")


class Script:
    """Runs a conversation: each ``Call`` gets the next answer, a ``Pause`` moves the clock."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.now_s = 0.0
        self.steps: list[Step] = []

    def clock(self) -> float:
        return self.now_s

    def run(self, conversation: verbs.Conversation[Any]) -> Any:
        step = advance(conversation)
        while not isinstance(step, Done):
            self.steps.append(step)
            assert len(self.steps) < 2000, "it never ends"
            step = self._answer(conversation, step)
        return step.value

    def _answer(self, conversation: verbs.Conversation[Any], step: Step) -> Any:
        if isinstance(step, Pause):
            self.now_s += step.delay_s
        if not isinstance(step, Call):
            return advance(conversation)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer = answer(step) if callable(answer) else answer
        if isinstance(answer, BaseException):
            return advance(conversation, error=answer)
        return advance(conversation, answer)

    def calls(self) -> list[str]:
        return [str(s.method) for s in self.steps if isinstance(s, Call)]

    def pauses(self) -> list[float]:
        return [s.delay_s for s in self.steps if isinstance(s, Pause)]


def status(state: JobState = JobState.RUNNING, **more: Any) -> JobStatus:
    return JobStatus("j", state, **more)


def not_yet(script: Script, after_s: float = 20.0) -> Callable[[Call], Any]:
    """A long poll that holds the question for its time."""

    def answer(call: Call) -> Any:
        script.now_s += min(after_s, call.message.wait_s)
        return m.JobResultReply(status())

    return answer


def test_an_answer_before_its_time_is_no_busy_loop() -> None:
    script = Script(m.JobResultReply(status()))
    with pytest.raises(UnavailableError):
        script.run(verbs.fetch("j", m.ResultFormat.ARRAYS, 10.0, script.clock))
    assert len(script.calls()) <= 52
    assert min(script.pauses()) >= 0.2


def test_a_long_poll_needs_no_pause() -> None:
    script = Script()
    script.answers = [not_yet(script)] * 3 + [m.JobResultReply(status(JobState.SUCCEEDED), {"a": 1})]
    reply = script.run(verbs.fetch("j", m.ResultFormat.ARRAYS, None, script.clock))
    assert reply.result == {"a": 1}
    assert script.pauses() == []
    assert [s.message.wait_s for s in script.steps if isinstance(s, Call)] == [20.0] * 4
    assert all(s.deadline_s > s.message.wait_s for s in script.steps if isinstance(s, Call))


def test_the_last_poll_fits_into_the_time_left() -> None:
    script = Script()
    script.answers = [not_yet(script)]
    with pytest.raises(UnavailableError):
        script.run(verbs.fetch("j", m.ResultFormat.ARRAYS, 50.0, script.clock))
    assert [s.message.wait_s for s in script.steps if isinstance(s, Call)] == [20.0, 20.0, 10.0]


def test_an_outage_is_borne_for_a_minute_and_no_longer() -> None:
    script = Script(status(), OUTAGE)
    with pytest.raises(LinkError):
        script.run(verbs.wait("j", None, script.clock))
    assert verbs.PATIENCE_S <= script.now_s <= verbs.PATIENCE_S + 5


def test_an_outage_begins_where_the_connection_broke_and_is_asked_about_briefly() -> None:
    script = Script()

    def unanswered(step: Call) -> LinkError:
        script.now_s += step.deadline_s
        return LinkError(ErrorCode.DAEMON_UNREACHABLE, "gone", {"away_s": script.now_s - 1.0})

    script.answers = [unanswered]
    with pytest.raises(LinkError):
        script.run(verbs.fetch("j", m.ResultFormat.ARRAYS, None, script.clock, met=True))
    assert script.now_s == verbs.PATIENCE_S + 1.0
    assert [s.message.wait_s for s in script.steps if isinstance(s, Call)] == [20.0, 0.0, 0.0, 0.0, 0.0]


def test_after_an_outage_the_questions_are_long_again() -> None:
    script = Script(OUTAGE, m.JobResultReply(status(), None), m.JobResultReply(status(JobState.SUCCEEDED), {"a": 1}))
    script.run(verbs.fetch("j", m.ResultFormat.ARRAYS, None, script.clock, met=True))
    assert [s.message.wait_s for s in script.steps if isinstance(s, Call)] == [20.0, 0.0, 20.0]


def test_an_outage_at_the_first_question_is_not_borne() -> None:
    for conversation in (
        verbs.wait("j", None, lambda: 0.0),
        verbs.fetch("j", m.ResultFormat.ARRAYS, None, lambda: 0.0),
    ):
        script = Script(OUTAGE)
        with pytest.raises(LinkError):
            script.run(conversation)
        assert len(script.calls()) == 1


@pytest.mark.parametrize("code", ["protocol_mismatch", "bad_response"])
def test_what_is_no_outage_ends_a_wait(code: str) -> None:
    script = Script(status(), LinkError(ErrorCode(code), "x"))
    with pytest.raises(LinkError) as caught:
        script.run(verbs.wait("j", None, script.clock))
    assert caught.value.code == code


def test_waiting_asks_less_and_less_often() -> None:
    script = Script(*[status()] * 40, status(JobState.SUCCEEDED))
    assert script.run(verbs.wait("j", None, script.clock)).state is JobState.SUCCEEDED
    pauses = script.pauses()
    assert pauses == sorted(pauses)
    assert pauses[-1] == 2.0


@pytest.mark.parametrize("state", [s for s in JobState if s.is_final])
def test_every_ending_ends_a_wait(state: JobState) -> None:
    assert Script(status(state)).run(verbs.wait("j", None, lambda: 0.0)).state is state


def test_a_refused_question_goes_on_if_the_job_does() -> None:
    busy = error("rate_limited", "wait", retry_after_s=0.5)
    script = Script(busy, status(), m.JobResultReply(status(JobState.SUCCEEDED), {}))
    script.run(verbs.fetch("j", m.ResultFormat.ARRAYS, None, script.clock))
    assert script.calls() == ["job.result", "job.status", "job.result"]
    assert 0.5 in script.pauses()


def test_questions_refused_for_ever_end() -> None:
    busy = error("rate_limited", "wait", retry_after_s=0.0)
    script = Script(lambda call: status() if call.method is Method.JOB_STATUS else busy)
    with pytest.raises(UnavailableError):
        script.run(verbs.fetch("j", m.ResultFormat.ARRAYS, None, script.clock))
    assert script.calls().count("job.result") == retry.MAX_TRIES


def failed(code: str, **details: Any) -> JobStatus:
    return status(JobState.FAILED, error=error(code, "why", details).to_envelope())


def test_a_failed_job_is_explained_by_its_status() -> None:
    own = error("resource_exhausted", "needs 9.1 GB")
    script = Script(own, failed("resource_exhausted", needed_gb=9.1))
    with pytest.raises(UnavailableError) as caught:
        script.run(verbs.fetch("j", m.ResultFormat.ARRAYS, None, script.clock))
    assert caught.value.details == {"needed_gb": 9.1, "job": "j", "job_state": "failed"}


def test_retries_follow_the_catalogue_with_other_ids_until_it_gives_up() -> None:
    script = Script()

    def answer(call: Call) -> Any:
        if call.method is Method.GENERATE:
            return JobStatus(call.message.job, JobState.QUEUED)
        return error("timeout", "x") if call.method is Method.JOB_RESULT else failed("timeout")

    script.answers = [answer]
    message = verbs.submission({"a": 1}, None, {})
    ticket = Ticket(message.job)
    with pytest.raises(UnavailableError):
        script.run(verbs.generate(message, ticket, None, Random(1), script.clock))
    jobs = [s.message.job for s in script.steps if isinstance(s, Call) and s.method is Method.GENERATE]
    assert len(jobs) == len(set(jobs)) == retry.MAX_TRIES
    assert jobs[0] == message.job
    assert ticket.job == jobs[-1]
    retries = [s.delay_s for s in script.steps if isinstance(s, Pause) and s.error is not None]
    assert retries == sorted(retries)
    assert len(retries) == retry.MAX_TRIES - 1


def test_a_retry_that_does_not_fit_into_the_time_is_not_begun() -> None:
    script = Script()
    script.answers = [
        lambda call: status(JobState.QUEUED),
        error("resource_exhausted", "x", retry_after_s=100.0),
        status(JobState.FAILED, error=error("resource_exhausted", "x", retry_after_s=100.0).to_envelope()),
    ]
    message = verbs.submission({}, None, {})
    with pytest.raises(UnavailableError) as caught:
        script.run(verbs.generate(message, Ticket(message.job), 50.0, Random(1), script.clock))
    assert caught.value.code is ErrorCode.RESOURCE_EXHAUSTED
    assert script.now_s < 50.0


@pytest.mark.parametrize("code", [c for c in ErrorCode if not error(c, "").is_retryable])
def test_only_codes_that_say_so_are_tried_again(code: ErrorCode) -> None:
    assert retry.retry_delay_s(error(code, "x"), 1, Random(1)) is None


@pytest.mark.parametrize("code", [c for c in ErrorCode if error(c, "").is_retryable])
def test_retries_wait_as_long_as_asked_and_longer_each_time(code: ErrorCode) -> None:
    rng = Random(3)
    delays = [retry.retry_delay_s(error(code, "x", retry_after_s=3.0), n, rng) for n in range(1, 6)]
    waits = [d for d in delays if d is not None]
    assert delays[-1] is None
    assert 1 <= len(waits) < retry.MAX_TRIES
    assert all(d >= 3.0 for d in waits)
    spread = {retry.retry_delay_s(error(code, "x"), 1, rng) for _ in range(5)}
    assert len(spread) == 5


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (JobState.CANCELLED, ErrorCode.REQUEST_CANCELLED),
        (JobState.EXPIRED, ErrorCode.RESULT_EXPIRED),
        (JobState.FAILED, ErrorCode.INTERNAL_ERROR),
        (JobState.SUCCEEDED, ErrorCode.BAD_RESPONSE),
    ],
)
def test_endings_without_a_result_have_a_code(state: JobState, code: ErrorCode) -> None:
    with pytest.raises(KineographError) as caught:
        verbs.raise_if_over(status(state))
    assert caught.value.code is code
    assert caught.value.details["job_state"] == state


def test_a_cancelled_job_says_by_whom_and_where() -> None:
    why = error("request_cancelled", "cancelled by panel at step 3 of 9", {"by": "panel", "step": 3, "steps": 9})
    stopped = status(JobState.CANCELLED, error=why.to_envelope(), progress=m.Progress(0.3, 3, 9))
    with pytest.raises(JobError) as caught:
        verbs.raise_if_over(stopped)
    assert caught.value.message == "cancelled by panel at step 3 of 9"
    assert caught.value.details["by"] == "panel"


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.CANCELLING])
def test_a_job_at_work_is_not_over(state: JobState) -> None:
    verbs.raise_if_over(status(state))


def test_a_story_is_told_forwards_and_each_part_once() -> None:
    told: list[JobStatus] = []
    narrator = Narrator(told.append, None)
    queued, half = status(JobState.QUEUED, position=1), status(attempt=1, progress=m.Progress(0.5))
    done = status(JobState.SUCCEEDED, attempt=1, progress=m.Progress(1.0))
    again = status(JobState.QUEUED, attempt=1, note="restarted")
    for job in (queued, queued, half, queued, status(attempt=1), half, done, half, done):
        narrator.show(job)
    assert told == [queued, half, done]
    requeued: list[JobStatus] = []
    narrator = Narrator(requeued.append, None)
    for job in (queued, half, again, status(attempt=2)):
        narrator.show(job)
    assert requeued[-1].attempt == 2


def test_a_result_knows_its_shapes() -> None:
    body = arrays_result(5, 3, 2)
    script = Script(status(JobState.QUEUED), m.JobResultReply(status(JobState.SUCCEEDED), body))
    message = verbs.submission({}, None, {})
    result = script.run(verbs.generate(message, Ticket(message.job), None, Random(1), script.clock))
    assert (result.samples, result.frames) == (2, 5)
    assert [type(s) for s in script.steps] == [Call, Tell, Call, Tell]


def ordered(script: Script, timeout_s: float | None = None) -> Any:
    message = verbs.submission({}, "j", {})
    ticket = Ticket(message.job)
    return script.run(verbs.generate(message, ticket, timeout_s, Random(1), script.clock, watched=False))


def test_who_only_waits_asks_once() -> None:
    script = Script(m.JobResultReply(status(JobState.SUCCEEDED), arrays_result(5, 3, 2)))
    assert ordered(script).samples == 2
    assert script.calls() == ["generate.wait"]
    (call,) = [s for s in script.steps if isinstance(s, Call)]
    assert call.deadline_s > call.message.wait_s == verbs.LONG_POLL_S


def test_a_long_job_is_waited_for_further_by_its_id() -> None:
    done = m.JobResultReply(status(JobState.SUCCEEDED), arrays_result(5, 3, 2))
    script = Script()
    script.answers = [not_yet(script), not_yet(script), done]
    ordered(script)
    assert script.calls() == ["generate.wait", "job.result", "job.result"]


def test_the_one_question_fits_into_the_time_given() -> None:
    script = Script()
    script.answers = [not_yet(script)]
    with pytest.raises(UnavailableError):
        ordered(script, 5.0)
    assert script.now_s <= 6.0


def test_an_outage_after_the_whole_wait_leaves_it_to_the_daemon_whether_there_is_a_job() -> None:
    script = Script()

    def lost(call: Call) -> Any:
        script.now_s += call.deadline_s
        return OUTAGE

    script.answers = [lost, m.JobResultReply(status(JobState.SUCCEEDED), arrays_result(5, 3, 2))]
    ordered(script)
    assert script.calls() == ["generate.wait", "job.result"]


def test_a_daemon_that_was_never_met_is_told_at_once() -> None:
    script = Script(OUTAGE)
    with pytest.raises(LinkError):
        ordered(script)
    assert script.calls() == ["generate.wait"]


def test_a_job_that_failed_in_the_one_question_raises_and_runs_again_if_it_may() -> None:
    own = failed("resource_exhausted")
    script = Script(m.JobResultReply(own), m.JobResultReply(status(JobState.SUCCEEDED), arrays_result(5, 3, 2)))
    ordered(script)
    first, second = (s.message.job for s in script.steps if isinstance(s, Call))
    assert second == verbs.next_job_id(first)


@pytest.mark.parametrize(
    ("batch", "items"),
    [(None, 0), (5, 0), ({}, 0), ({"requests": None}, 0), ({"requests": 3}, 0), ({"requests": [{}, {}]}, 2)],
)
def test_any_batch_body_can_be_sent_for_the_daemon_to_judge(batch: Any, items: int) -> None:
    message = verbs.batch_submission(batch, None, {})
    assert message.batch == batch
    assert len(set(message.jobs)) == len(message.jobs) == items


def test_a_success_whose_form_is_still_being_written_is_waited_for() -> None:
    done = status(JobState.SUCCEEDED)
    script = Script(*[m.JobResultReply(done)] * 3, m.JobResultReply(done, {"a": 1}))
    assert script.run(verbs.fetch("j", m.ResultFormat.GLB, None, script.clock)).result == {"a": 1}
    assert len(script.calls()) == 4
    failed = status(JobState.FAILED, error={"error": {"code": "internal_error", "message": "it broke", "details": {}}})
    script = Script(m.JobResultReply(failed))
    with pytest.raises(KineographError, match="it broke"):
        script.run(verbs.fetch("j", m.ResultFormat.ARRAYS, None, script.clock))
    assert len(script.calls()) == 1


def test_a_job_that_the_daemon_does_not_know_is_not_asked_after() -> None:
    script = Script(error(ErrorCode.REQUEST_NOT_FOUND, "no such job"))
    with pytest.raises(KineographError) as caught:
        script.run(verbs.fetch("j", m.ResultFormat.ARRAYS, None, script.clock))
    assert caught.value.code is ErrorCode.REQUEST_NOT_FOUND
    assert script.calls() == [str(Method.JOB_RESULT)]
