# SPDX-License-Identifier: Apache-2.0
"""A list's row says what the job's status says."""

from __future__ import annotations

from kineograph.wire.messages import JobState, Priority, Progress, ResultFormat, to_body
from kineograph_daemon.jobs.record import Job, JobFacts, to_status
from kineograph_daemon.server.status import COLUMNS, job_row, status_map, status_row

FACTS = JobFacts(
    *("j", "m", "c", Priority.BATCH, "generate", "label", "who", "walk", 30, 24.0, 2, 9.0),
    *((ResultFormat.ARRAYS,), True, "g", b"d"),
)
JOB = Job(
    *(FACTS, 1.0, JobState.RUNNING, 2.0, 3.0, 4, 1, 0.5, 0.25, 77, Progress(0.5, 1, 2, "s")),
    *({"error": {"code": "x"}}, "note", "w1", "t1", 8.0, "me"),
)


def test_every_way_of_telling_a_job_says_the_same() -> None:
    status = to_status(JOB, 3, 1.5)
    assert job_row(JOB, 3, 1.5) == status_row(status) == [to_body(status)[name] for name in COLUMNS]
    assert status_map(status) == to_body(status)
