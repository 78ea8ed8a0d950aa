# SPDX-License-Identifier: Apache-2.0
"""Processes that work on files: started once, fed one job a line, replaced when one dies under its file."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from kineograph.errors import ErrorCode, InternalError, KineographError, from_envelope

MODULE = "kineograph_daemon.batch"
_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
"""glibc gives a large array's memory back and takes it, emptied, for the next one: in a process that does nothing but
one file after the other that is a third of its time."""
Outcome = dict[str, Any] | KineographError


class Worker:
    """One process; ``do`` gives it a job and waits for the answer."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def do(self, job: Mapping[str, Any]) -> Outcome:
        """The answer, or the error that the file ended with. A process that dies is replaced at the next call."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(dict(job)) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = ""
        if not line:
            code = self._end()
            said = f"the process ended ({code}) while it worked on '{job.get('source')}'"
            return InternalError(ErrorCode.INTERNAL_ERROR, said, {"file": job.get("source"), "got": code})
        answer: dict[str, Any] = json.loads(line)
        return from_envelope(answer) if "error" in answer else answer

    def close(self) -> None:
        """End the process once it has nothing to do."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5.0)
        self._end()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            one = {**dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"), **_MEMORY}
            self._process = subprocess.Popen(
                [sys.executable, "-m", MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                env={**os.environ, **one},
                start_new_session=True,  # Ctrl-C is for the command: it lets the files under way be finished
            )
        return self._process

    def _end(self) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        if process.poll() is None and process.stdin is not None and not process.stdin.closed:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.5)
        if process.poll() is None:
            process.kill()
        code = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        return code


def work(jobs: Sequence[Mapping[str, Any]], processes: int) -> Generator[tuple[int, Outcome], None, None]:
    """Each job's number and outcome, as they end. Leaving the loop early lets what is under way end, and no more."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, Outcome]] = queue.SimpleQueue()
    stop = threading.Event()
    for number in range(len(jobs)):
        waiting.put(number)

    def serve() -> None:
        worker = Worker()
        try:
            while not stop.is_set():
                try:
                    number = waiting.get_nowait()
                except queue.Empty:
                    return
                done.put((number, worker.do(jobs[number])))
        finally:
            worker.close()

    team = [threading.Thread(target=serve) for _ in range(max(1, min(processes, len(jobs))))]
    for thread in team:
        thread.start()
    try:
        for _ in range(len(jobs)):
            yield done.get()
    finally:
        stop.set()
        for thread in team:
            thread.join()
