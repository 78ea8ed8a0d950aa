# SPDX-License-Identifier: Apache-2.0
"""Files onto rigs without a daemon: one file after the other, in as many processes as there are cores."""

from kineograph_daemon.batch.job import FileJob, run

__all__ = ["FileJob", "run"]
