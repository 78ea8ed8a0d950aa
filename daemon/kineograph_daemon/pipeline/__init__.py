# SPDX-License-Identifier: Apache-2.0
"""One job's way: from a request to a motion on the request's own skeleton."""

from kineograph_daemon.pipeline.run import run_many, run_one
from kineograph_daemon.pipeline.types import JobHooks, JobResultData, Stopped
from kineograph_daemon.pipeline.widen import widen

__all__ = ["JobHooks", "JobResultData", "Stopped", "run_many", "run_one", "widen"]
