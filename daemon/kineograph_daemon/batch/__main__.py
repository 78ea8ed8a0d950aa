# SPDX-License-Identifier: Apache-2.0
"""``python -m kineograph_daemon.batch``: one ``FileJob`` a line in (JSON), one answer a line out, until input ends.

A process of a pool: what one file does to it, a crash included, concerns no other file.
"""

from __future__ import annotations

import json
import logging
import os
import sys

# Before numpy is imported: each process has one core to itself.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from kineograph.errors import ErrorCode, InternalError, KineographError  # noqa: E402

_log = logging.getLogger(__name__)


def main() -> None:
    """Answer until standard input ends."""
    from kineograph.formats.plain import plain
    from kineograph_daemon.batch.job import FileJob, run

    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    for line in sys.stdin:
        try:
            answer = run(FileJob.from_map(json.loads(line)))
        except KineographError as e:
            answer = e.to_envelope()
        except MemoryError:
            told = InternalError(ErrorCode.INTERNAL_ERROR, "there is not enough memory for this file")
            answer = told.to_envelope()
        except Exception as e:  # noqa: BLE001 - whatever a file does, the next one is served
            _log.exception("a file failed")
            answer = InternalError(ErrorCode.INTERNAL_ERROR, f"{type(e).__name__}: {e}"[:500]).to_envelope()
        out.write(json.dumps(plain(answer)) + "\n")
        out.flush()


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(0)
