# SPDX-License-Identifier: Apache-2.0
"""Test files shared out to processes side by side by pytest-xdist, and what becomes of a file whose process dies.

pytest-xdist 3.8 begins such a file anew with the very test that its process died of, and hands files that are done to
the process that takes the dead one's place, which then waits for ever for something to do.
"""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController


class ByFile(LoadFileScheduling):
    """A file is one process's; the rest of one whose process died is another's, without the test that it died of."""

    def schedule(self) -> None:
        """Give work out. Who came later needs two portions too: a process starts its last test when told it is that."""
        is_late = self.collection is not None
        super().schedule()
        for node in self.nodes if is_late else ():
            self._reschedule(node)

    def remove_node(self, node: WorkerController) -> str | None:
        """Take back what an ended process has not run; the test that it died of, if it did."""
        left = {file: tests for file, tests in self.assigned_work.pop(node).items() if not all(tests.values())}
        died = next(((tests, test) for tests in left.values() for test, is_done in tests.items() if not is_done), None)
        if died is None:
            return None
        tests, test = died
        tests[test] = True
        self.workqueue.update({file: tests for file, tests in left.items() if not all(tests.values())})
        for other in self.assigned_work:
            self._reschedule(other)
        return test
