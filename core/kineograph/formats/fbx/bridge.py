# SPDX-License-Identifier: Apache-2.0
"""The child process that has Blender's module: found, started once, asked, ended when it hangs or dies.

What runs in it, ``kineograph_fbx``, imports Blender and is licensed as Blender is. It is a program of its own: found
by name, started as a process, spoken to in lines of JSON, never imported.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from kineograph.errors import SceneError
from kineograph.extras import install_line
from kineograph.formats.failure import unreadable

VARIABLE = "KINEOGRAPH_BPY"
"""Names a Python that has ``bpy``, or Blender's own executable."""
START_S, ANSWER_S = 60.0, 900.0
_MARK = "@kineograph "
_PROGRAM = "kineograph_fbx"


class Crash(Exception):
    """The child ended or hung while it worked."""


class Bridge:
    """One child. Not for several threads at once; ``ask`` holds a lock."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[str] | None = None
        self._user: tempfile.TemporaryDirectory[str] | None = None
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._lock = threading.Lock()

    def ask(self, question: dict[str, Any], wait_s: float = ANSWER_S) -> dict[str, Any]:
        """The child's answer. Raises ``Crash``."""
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            try:
                process.stdin.write(json.dumps(question) + "\n")
                process.stdin.flush()
                line = self._lines.get(timeout=wait_s)
            except (OSError, queue.Empty) as problem:
                self._end()
                raise Crash(f"gave no answer within {wait_s:g} s") from problem
            if line is None:
                self._end()
                raise Crash("ended while it worked on the file")
            answer: dict[str, Any] = json.loads(line)
            return answer

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._end()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._lines = queue.SimpleQueue()
            # Not in the user's own folder: the child works with the factory's settings, which know no extension, and
            # Blender then removes the packages that the user's extensions brought.
            self._user = tempfile.TemporaryDirectory(prefix="kineograph-blender-", ignore_cleanup_errors=True)
            self._process = subprocess.Popen(
                self._command,
                env={**os.environ, "BLENDER_USER_RESOURCES": self._user.name},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # Ctrl-C is for the program that asks
            )
            threading.Thread(target=_listen, args=(self._process, self._lines), daemon=True).start()
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was still to be written has no reader
                    continue
        if self._user is not None:
            self._user.cleanup()


def _listen(process: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith(_MARK):
                lines.put(line.removeprefix(_MARK))
    except ValueError:  # closed under us
        pass
    lines.put(None)


_bridge: Bridge | None = None


def bridge_for(path: Path) -> Bridge:
    """This process's child. Raises ``file_unreadable`` for ``path`` with the line that installs what is missing."""
    global _bridge
    if _bridge is None:
        _bridge = Bridge(command(path))
        atexit.register(_bridge.close)
    return _bridge


def command(path: Path) -> list[str]:
    """How the child is started."""
    named = os.environ.get(VARIABLE, "").strip()
    if named:
        if not os.access(named, os.X_OK) or os.path.isdir(named):
            raise _missing(path, f"{VARIABLE} names '{named}', which is no program")
        if Path(named).stem.lower().startswith("blender"):
            return [named, "--background", "--factory-startup", "--python-exit-code", "1", "--python", _program(path)]
        return [named, _program(path)]
    if importlib.util.find_spec("bpy") is None:
        raise _missing(path, "Blender's module is not installed here")
    return [sys.executable, _program(path)]


def _program(path: Path) -> str:
    """The file that the child runs."""
    found = importlib.util.find_spec(_PROGRAM)
    if found is None or found.origin is None:
        raise unreadable(path, "is FBX, and the part of Kineograph that reads it is not installed here")
    return str(Path(found.origin).with_name("program.py"))


def _missing(path: Path, why: str) -> SceneError:
    install = install_line("fbx")
    said = (
        f"is FBX, and {why}. Install it with: {install}"
        f" - or name a Python that has bpy, or Blender itself, in {VARIABLE}"
    )
    return unreadable(path, said, needs="kineograph[fbx]", install=install, setting=VARIABLE)
