# SPDX-License-Identifier: Apache-2.0
"""What is told to somebody who looks elsewhere: jobs that ended, gathered so that a folder of clips is one line."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, QTimer, Signal

from kineograph.wire.messages import JobState, JobStatus
from kineograph_gui.model import rows
from kineograph_gui.model.desk import ACTIVE, Desk
from kineograph_gui.model.words import say

GATHER_MS = 1500


class Notices(QObject):
    """``told`` carries a title, a sentence and the job to look at (empty: several)."""

    told = Signal(str, str, str)

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._going: set[str] = set()
        self._ended: dict[str, JobStatus] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(GATHER_MS)
        self._timer.timeout.connect(self.tell)
        desk.jobs.changed.connect(self._changed)

    def _changed(self, jobs: Sequence[JobStatus]) -> None:
        """Only what was seen going can end: old jobs of a list that comes anew are no news."""
        for job in jobs:
            if job.state in ACTIVE:
                self._going.add(job.job)
            elif job.job in self._going:
                self._going.discard(job.job)
                if job.state in (JobState.SUCCEEDED, JobState.FAILED):
                    self._ended[job.job] = job
        if self._ended and not self._timer.isActive():
            self._timer.start()

    def tell(self) -> None:
        """Say what has ended since."""
        ended, self._ended = list(self._ended.values()), {}
        failed = [job for job in ended if job.state is JobState.FAILED]
        if not self._desk.settings.notify or not ended:
            return
        if len(ended) == 1:
            (job,) = ended
            text = rows.problem_of(job).text if failed else rows.state_words(job)
            self.told.emit(rows.name_of(job), text, job.job)
            return
        done = len(ended) - len(failed)
        parts = [say("notice.done", count=done)] if done else []
        parts += [say("notice.failed", count=len(failed))] if failed else []
        self.told.emit(say("app"), ", ".join(parts), failed[0].job if failed else "")
