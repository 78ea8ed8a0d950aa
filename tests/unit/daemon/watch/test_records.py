# SPDX-License-Identifier: Apache-2.0
"""What a killed watcher leaves: a failure that the ledger knows has its reason in the folder."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from kineograph.client import Client
from kineograph_daemon.watch.carry import FAILED, Carrier, failure_of
from kineograph_daemon.watch.ledger import Ledger
from kineograph_daemon.watch.rules import Config
from kineograph_daemon.watch.runner import Runner
from kineograph_daemon.watch.state import Record, Row, TaskState


class Killed(BaseException):
    """The watcher's process ended here."""


class Dying(Ledger):
    """A ledger whose watcher is killed as it begins to write."""

    def keep(self, row: Row) -> None:
        raise Killed


def test_a_failure_s_reason_is_on_disk_before_the_ledger_knows_of_it(tmp_path: Path) -> None:
    """Killed between the two, the file is tried again; the other way round it failed without a reason for ever."""
    out, source, state = tmp_path / "out", tmp_path / "in", tmp_path / "state.sqlite"
    runner = Runner(Config(source, out, (), state), lambda told: None)
    error = {"error": {"code": "file_unreadable", "message": "'a.glb' is no glTF", "details": {"file": "a.glb"}}}
    row = Row("k", "a.glb", "digest", "hero.glb", "a.glb", TaskState.FAILED, error)
    with closing(Client("ipc://nobody")) as client, ThreadPoolExecutor(1) as pool:
        carrier = Carrier(client, source, out, {})
        with pytest.raises(Killed):
            runner._carry_out(Record(row), Dying(state), carrier, pool)
    assert failure_of(out / FAILED, row).exists()
    assert Ledger(state).rows() == {}
