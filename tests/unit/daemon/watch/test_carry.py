# SPDX-License-Identifier: Apache-2.0
"""A file that crashes the library which reads it is refused, and the watcher lives."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kineograph.errors import SceneError
from kineograph_daemon.watch.carry import probe


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_crash_in_another_process_is_an_error_here(tmp_path: Path) -> None:
    path = tmp_path / "bad.usdc"
    path.write_bytes(b"x")
    with pytest.raises(SceneError, match="crashes") as caught:
        probe(path, "import os; os.abort()")
    assert caught.value.details["file"] == str(path)
    probe(path, "raise SystemExit(1)")  # an ordinary error is told by the reader itself
    probe(path, "pass")
