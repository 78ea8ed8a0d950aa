# SPDX-License-Identifier: Apache-2.0
"""Run files, locks and folders: what proves a living daemon, and what does not."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.core.client.conftest import until

from kineograph import paths
from kineograph.client import discovery, keys
from kineograph.client.discovery import RunFile, find_daemon
from kineograph.client.finder import LocalFinder
from kineograph.client.link import Found, NotFound
from kineograph.client.lock import DaemonLock
from kineograph.errors import AccessError, ErrorCode, LinkError

RUN = RunFile("ipc:///run/d", "ipc:///run/e", os.getpid(), "epoch", "0.1.0", 1, 12.5)


def test_a_run_file_comes_back_as_it_was_written() -> None:
    path = RUN.write()
    assert path == paths.runtime_dir() / "daemon.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert RunFile.read() == RUN
    tcp = replace(RUN, endpoint="tcp://127.0.0.1:1", server_key="k" * 40)
    tcp.write()
    assert RunFile.read() == tcp
    assert [p.name for p in path.parent.iterdir()] == ["daemon.json"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"endpoint": 3}', '{"endpoint": "a", "events": "b", "pid": "x"}', "\x00\xff"]
)
def test_a_damaged_run_file_is_none(text: str) -> None:
    RunFile.default_path().write_bytes(text.encode("latin-1"))
    assert RunFile.read() is None
    assert find_daemon() is None


def test_only_its_own_run_file_is_removed() -> None:
    RUN.write()
    replace(RUN, epoch="another").remove()
    assert RunFile.read() == RUN
    RUN.remove()
    assert RunFile.read() is None
    RUN.remove()


def test_only_a_held_lock_proves_a_daemon() -> None:
    RUN.write()
    assert find_daemon() is None
    with DaemonLock() as lock:
        assert lock.is_mine
        assert find_daemon() == RUN
    assert find_daemon() is None


def test_a_run_file_of_a_process_that_is_gone_is_stale_even_under_a_lock() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    replace(RUN, pid=gone.pid).write()
    with DaemonLock():
        assert find_daemon() is None


def test_one_holder_at_a_time() -> None:
    first, second = DaemonLock(), DaemonLock()
    assert not first.held()
    assert first.acquire()
    assert first.acquire()
    assert second.held()
    assert not second.acquire(0.05)
    first.release()
    first.release()
    assert second.acquire()
    second.release()
    assert not first.held()


def test_a_lock_on_a_file_that_was_removed_is_not_in_place() -> None:
    with DaemonLock() as lock:
        assert lock.is_in_place
        lock.path.unlink()
        assert not lock.is_in_place
        lock.path.touch()
        assert not lock.is_in_place, "another file by the same name"
    assert not lock.is_in_place


def test_a_killed_holder_frees_the_lock(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import sys, time
        from kineograph.client.lock import DaemonLock
        print(DaemonLock().acquire(), flush=True)
        time.sleep(60)
    """)
    holder = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == "True\n"
        assert DaemonLock().held()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert not DaemonLock().held()


def test_folders_are_private_and_below_one_home(tmp_path: Path) -> None:
    for folder in (paths.runtime_dir(), paths.data_dir(), paths.config_dir(), paths.log_dir()):
        assert folder.parent == tmp_path / "home"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    paths.runtime_dir().chmod(0o755)
    assert stat.S_IMODE(paths.runtime_dir().stat().st_mode) == 0o700


def test_platform_folders_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KINEOGRAPH_HOME")
    for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        (tmp_path / variable).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / variable))
    assert paths.home() is None
    assert paths.data_dir() == tmp_path / "XDG_DATA_HOME/kineograph"
    assert paths.config_dir() == tmp_path / "XDG_CONFIG_HOME/kineograph"
    assert paths.log_dir() == tmp_path / "XDG_STATE_HOME/kineograph"
    assert paths.runtime_dir() == tmp_path / "XDG_RUNTIME_DIR/kineograph"


def test_a_planted_link_in_a_shared_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KINEOGRAPH_HOME")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "planted").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LinkError):
        paths.private(tmp_path / "planted")
    (tmp_path / "file").write_text("")
    with pytest.raises((LinkError, FileExistsError)):
        paths.private(tmp_path / "file")


def test_a_socket_path_too_long_moves_to_a_short_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = paths.ipc_endpoint("d.sock")
    assert len(short) < 110
    monkeypatch.setenv("KINEOGRAPH_HOME", str(tmp_path / ("x" * 120)))
    moved = Path(paths.ipc_endpoint("d.sock").removeprefix("ipc://"))
    assert len(str(moved)) < 100
    assert moved.parent == Path(paths.ipc_endpoint("e.sock").removeprefix("ipc://")).parent
    assert stat.S_IMODE(moved.parent.stat().st_mode) == 0o700
    moved.parent.rmdir()


def test_starting_adopts_a_daemon_that_runs() -> None:
    RUN.write()
    with DaemonLock():
        assert discovery.start_daemon(python="/nonexistent") == RUN


def fake_program(tmp_path: Path, body: str) -> str:
    """A Python that runs ``body`` instead of the daemon."""
    script = tmp_path / "python"
    script.write_text(f"#!{sys.executable}\nimport sys\n{textwrap.dedent(body)}")
    script.chmod(0o755)
    return str(script)


def test_starting_waits_for_the_run_file(tmp_path: Path) -> None:
    python = fake_program(
        tmp_path,
        """
        import os, time
        from kineograph.client.discovery import RunFile
        from kineograph.client.lock import DaemonLock
        assert sys.argv[1:] == ["-m", "kineograph_daemon", "run", "--extra"], sys.argv
        lock = DaemonLock()
        lock.acquire()
        time.sleep(0.1)
        RunFile("ipc:///a", "ipc:///b", os.getpid(), "e", "0", 1, 0.0).write()
        time.sleep(30)
        """,
    )
    run = discovery.start_daemon(python, ["--extra"], wait_s=60)
    assert run.epoch == "e"
    assert os.getsid(run.pid) != os.getsid(0)
    os.kill(run.pid, signal.SIGKILL)
    until(lambda: find_daemon() is None)
    until(lambda: not discovery.pid_exists(run.pid))  # reaped: no zombie stays


def test_a_daemon_that_fails_to_start_says_why(tmp_path: Path) -> None:
    python = fake_program(tmp_path, "print('no module named x'); sys.exit(3)")
    with pytest.raises(LinkError) as caught:
        discovery.start_daemon(python, wait_s=60)
    assert caught.value.code is ErrorCode.DAEMON_UNREACHABLE
    assert "no module named x" in caught.value.details["log_tail"]
    assert "3" in caught.value.message


def test_a_program_that_is_not_there_says_so() -> None:
    with pytest.raises(LinkError) as caught:
        discovery.start_daemon("/nonexistent/python", wait_s=1)
    assert "/nonexistent/python" in caught.value.message


def test_the_installers_python_is_preferred(tmp_path: Path) -> None:
    python = fake_program(tmp_path, "sys.exit(7)")
    (paths.config_dir() / "install.json").write_text(f'{{"python": "{python}"}}')
    with pytest.raises(LinkError) as caught:
        discovery.start_daemon(wait_s=5)
    assert caught.value.details["got"] == 7


def test_keys_are_made_once_and_kept_private() -> None:
    first = keys.client_keys()
    assert keys.client_keys() == first != keys.server_keys()
    assert len(first.public) == len(first.secret) == 40
    assert first.secret not in repr(first)
    path = paths.config_dir() / "client_key.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for damage in ("", "{}", '{"public": "short", "secret": "short"}', "[]"):
        path.write_text(damage)
        with pytest.raises(AccessError):
            keys.client_keys()


def test_processes() -> None:
    assert discovery.pid_exists(os.getpid())
    assert not discovery.pid_exists(0)
    assert not discovery.pid_exists(-1)


def test_a_daemon_that_ended_badly_is_told_and_not_tried_over_and_over(tmp_path: Path) -> None:
    counted = tmp_path / "starts"
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho once >> {counted}\necho No module named kineograph_daemon >&2\nexit 1\n")
    program.chmod(0o755)
    finder = LocalFinder(str(program))
    assert finder.look() == NotFound()
    assert finder.start() is None
    found = until(lambda: (seen := finder.look()) != NotFound() and seen)
    for again in (finder.look(), finder.look()):
        assert again == found, "the reason stays"
    refused = finder.start()
    assert refused is not None
    assert "kineograph_daemon" in str(refused.error.details["log_tail"])
    assert counted.read_text().split() == ["once"]


def test_a_daemon_that_came_up_and_was_killed_later_is_started_again(tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    finder = LocalFinder(str(program))
    assert finder.start() is None
    started = finder._process
    assert started is not None
    with DaemonLock():
        RUN.write()
        assert isinstance(finder.look(), Found)
    started.kill()
    until(lambda: started.poll() is not None)
    assert finder.look() == NotFound(), "its start had not failed"
    assert finder.start() is None
    assert finder._process is not None
    finder._process.kill()
