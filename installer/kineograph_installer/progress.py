# SPDX-License-Identifier: Apache-2.0
"""A pytest plugin that notes on disk which test runs: what is known of a process of tests after it died.

It runs in the environment whose tests they are. Where pytest-xdist shares the tests out to workers, its own process
takes the notes; each worker has its own trace, and itself leaves out what is to be left out.
"""

from __future__ import annotations

import faulthandler
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from kineograph_installer import notes


def pytest_configure(config: pytest.Config) -> None:
    """Begin, where the environment says where to."""
    folder = os.environ.get(notes.FOLDER)
    if folder:
        config.pluginmanager.register(_Progress(Path(folder), is_worker=hasattr(config, "workerinput")))


class _Progress:
    def __init__(self, folder: Path, *, is_worker: bool) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        # Descriptors, not file objects: nothing closes them before the process has ended, however that is.
        self._notes = None if is_worker else os.open(folder / notes.NOTES, flags)
        self._is_worker = is_worker
        self._trace = os.open(notes.trace_of(folder, os.getpid()), flags)
        self._leave_out = _node_ids(folder / notes.LEAVE_OUT)
        self._only = _node_ids(folder / notes.ONLY)
        self._ends: dict[str, tuple[str, int]] = {}

    def _note(self, *words: object) -> None:
        if self._notes is not None:
            os.write(self._notes, json.dumps(words).encode() + b"\n")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """pytest has Python write to the error stream, where a trace is soon far from the output's end."""
        faulthandler.enable(self._trace)
        self._note("began", os.getpid())

    def pytest_sessionfinish(self) -> None:
        self._note("finished")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_unconfigure(self) -> Iterator[None]:
        yield  # pytest switches it off here, and an interpreter may still die in its own end
        faulthandler.enable(self._trace)

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        out = [i for i in items if i.nodeid in self._leave_out or (self._only and i.nodeid not in self._only)]
        if out:
            config.hook.pytest_deselected(items=out)
            gone = set(map(id, out))
            items[:] = [i for i in items if id(i) not in gone]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._note("collected", *(item.nodeid for item in session.items))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._note("started", nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._note("failed", report.nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._note("ended", nodeid)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_report_to_serializable(self) -> Iterator[None]:
        """pytest-xdist ends with an internal error over half a character in what a test logged."""
        outcome: Any = yield
        if self._is_worker:
            outcome.force_result(_whole(outcome.get_result()))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """pytest-xdist: who shares the tests out."""
        if config.getvalue("dist") != "loadfile":
            return None
        from kineograph_installer.sharing import ByFile

        return ByFile(config, log)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object | None) -> None:
        """pytest-xdist: a worker is gone; with an error where that was before its time."""
        if error is not None:
            process = node.gateway._io.popen
            with suppress(subprocess.TimeoutExpired):  # its pipe is closed: it has ended, or is about to
                process.wait(30)
            by = "a closed connection" if process.returncode is None else notes.in_words(process.returncode)
            self._ends[node.gateway.id] = (by, process.pid)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: Any) -> None:
        """pytest-xdist, right after: this is the test that the worker ran; another worker goes on with the rest."""
        self._note("died", crashitem, *self._ends[report.node.gateway.id])


def _node_ids(path: Path) -> frozenset[str]:
    return frozenset(json.loads(path.read_text("utf-8")))


def _whole(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode("utf-8")
        case dict():
            return {_whole(key): _whole(item) for key, item in value.items()}
        case list() | tuple():
            return type(value)(map(_whole, value))
        case _:
            return value
