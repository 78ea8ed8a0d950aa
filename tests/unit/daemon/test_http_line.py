# SPDX-License-Identifier: Apache-2.0
"""The door's line to a daemon that has much to do."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.daemon import FakeDaemon

from kineograph.client import LinkSettings
from kineograph.wire.messages import Method
from kineograph_daemon.http.line import Line


def test_a_daemon_that_is_slow_to_say_hello_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINEOGRAPH_HOME", str(tmp_path / "home"))
    with FakeDaemon(tmp_path) as daemon:
        usual = daemon._usual(Method.HELLO)
        held = threading.Event()

        def slow(body: dict[str, Any]) -> Any:
            held.wait(LinkSettings.hello_s + 0.5)  # longer than other clients wait
            return usual(body)

        daemon.on(Method.HELLO, slow)
        daemon.announce()
        line = Line("curl")
        try:
            assert asyncio.run(line.ask(Method.DAEMON_STATS, deadline_s=60.0)).epoch == daemon.epoch
        finally:
            held.set()
            line.close()
