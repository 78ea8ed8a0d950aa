# SPDX-License-Identifier: Apache-2.0
"""``python -m kineograph_daemon.watch``: the configuration as one line of JSON in, one line of JSON out for each thing
worth showing. SIGINT or SIGTERM, or nobody who listens, ends it in order. Exit code 0, 7 (something failed), 4 and
others as of every command; the last line of an error is its envelope.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from kineograph import paths
from kineograph.errors import AccessError, KineographError, LinkError, RequestError
from kineograph_daemon.watch.ledger import Ledger
from kineograph_daemon.watch.rules import from_map
from kineograph_daemon.watch.runner import Runner

_FAILED, _REFUSED, _NO_DAEMON, _DENIED = 7, 3, 4, 9


def main() -> int:
    """Watch; the exit code."""
    told = json.loads(sys.stdin.readline() or "{}")
    lock = threading.Lock()
    runner: Runner | None = None

    def say(message: dict[str, Any]) -> None:
        try:
            with lock:
                sys.stdout.write(json.dumps(message, ensure_ascii=True) + "\n")
                sys.stdout.flush()
        except (BrokenPipeError, ValueError):
            if runner is not None:
                runner.stop()

    try:
        word = told.pop("tell", None)
        config = from_map(told, Path.cwd(), paths.data_dir() / "watch")
        if word is not None:
            ledger = Ledger(config.state)
            ledger.tell(word)
            counts: dict[str, int] = {}
            for row in ledger.rows().values():
                counts[str(row.state)] = counts.get(str(row.state), 0) + 1
            ledger.close()
            say({"t": "told", "word": word, "state": str(config.state), "counts": counts})
            return 0
        runner = Runner(config, say)
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, runner.stop)
        return 0 if runner.run() else _FAILED
    except KineographError as e:
        say({"t": "error", **e.to_envelope()})
        match e:
            case AccessError():
                return _DENIED
            case RequestError():
                return _REFUSED
            case LinkError():
                return _NO_DAEMON
            case _:
                return _FAILED


if __name__ == "__main__":
    sys.exit(main())
