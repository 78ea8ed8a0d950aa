# SPDX-License-Identifier: Apache-2.0
"""Nothing that tests start outlives them, not even where they are killed.

Daemons leave their starter's session, as the product wants it. A process of tests marks its environment, which all that
it starts inherits, and a program beside it ends whatever carries the mark once the tests are gone: it learns that from
a pipe that closes with them. Linux only: elsewhere nobody tells another process's environment without further means.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

MARK = "KINEOGRAPH_TESTED_BY"
_ROUNDS, _PAUSE_S = 3, 0.05


def watch_over() -> None:
    """Mark this process's children, and have them ended after it."""
    if sys.platform != "linux":
        return
    os.environ[MARK] = mark = uuid.uuid4().hex
    # By its path: the program needs nothing of what is tested. In a session of its own no Ctrl-C reaches it.
    program = [sys.executable, "-I", str(Path(__file__)), mark]
    reaper = subprocess.Popen(program, stdin=subprocess.PIPE, start_new_session=True, close_fds=True)
    atexit.register(_end, reaper, os.getpid())


def _end(reaper: subprocess.Popen[bytes], owner: int) -> None:
    if os.getpid() == owner and reaper.stdin is not None:  # not in a fork, which may run what was registered too
        reaper.stdin.close()
        reaper.wait()


def marked(mark: str) -> list[int]:
    """The processes that were started with this mark, but for this one."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with contextlib.suppress(OSError):  # another user's, or gone meanwhile
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
    return found


def main() -> None:
    """Wait for the end of who started this, then end what is left.

    Who is killed may have started another just before, and for a moment a new program shows no environment: what was
    not found has to be looked for again.
    """
    sys.stdin.buffer.read()
    rounds_without = 0
    while rounds_without < _ROUNDS:
        left = marked(sys.argv[1])
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        rounds_without = 0 if left else rounds_without + 1
        time.sleep(_PAUSE_S)


if __name__ == "__main__":
    main()
