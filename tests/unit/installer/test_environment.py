# SPDX-License-Identifier: Apache-2.0
"""Environments repair themselves: interrupted, broken and changed ones are made good, ready ones are left alone."""

from __future__ import annotations

import errno
import socket
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "installer"))

from kineograph_installer import libraries
from kineograph_installer.console import SetupError, run_logged
from kineograph_installer.environment import Environment, find_python
from kineograph_installer.main import main


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A package without dependencies, so that nothing is fetched."""
    folder = tmp_path / "project"
    (folder / "tiny_package").mkdir(parents=True)
    (folder / "tiny_package" / "__init__.py").write_text("VALUE = 1\n")
    return folder


def _environment(project: Path) -> Environment:
    marker = project / "wanted.txt"
    marker.write_text("1")
    return Environment(
        folder=project / "env",
        packages=("pip",),  # already there: nothing is fetched
        probe=f"import sys; sys.path.insert(0, {str(project)!r}); import tiny_package",
        python=Path(sys.executable),
        inputs=(marker,),
    )


@pytest.mark.slow
def test_set_up_interrupt_repair_and_change(project: Path) -> None:
    env = _environment(project)
    assert not env.ready()
    env.ensure()
    assert env.ready()
    made = env.executable.stat().st_mtime_ns

    env.ensure()  # nothing to do
    assert env.executable.stat().st_mtime_ns == made

    (env.folder / "kineograph.json").unlink()  # cut off before the stamp
    assert not env.ready()
    env.ensure()
    assert env.ready()

    (project / "wanted.txt").write_text("2")  # something else is wanted
    assert not env.ready()
    env.ensure()
    assert env.ready()

    env.executable.unlink()  # the Python it was made with is gone
    assert not env.ready()
    env.ensure()
    assert env.ready()

    env.script("pip").unlink()  # its Python works, and a file of what was installed is gone
    assert not env.ready()
    _record(env).unlink()  # cut off while pip installed it: pip takes it for whole, and cannot remove it
    assert not env.ready()
    env.ensure()
    assert env.ready()
    assert _record(env).exists()
    assert env.script("pip").exists()


def _record(env: Environment) -> Path:
    """What pip notes that it has installed of itself."""
    return next(env.folder.rglob("pip-*.dist-info")) / "RECORD"


@pytest.mark.slow
def test_an_environment_that_does_not_work_says_so(project: Path) -> None:
    env = replace(_environment(project), probe="import a_module_that_is_not_there")
    with pytest.raises(SetupError, match="a_module_that_is_not_there"):
        env.ensure()
    assert not env.ready()


@pytest.mark.skipif(sys.platform == "win32", reason="a folder's mode stops nobody there")
def test_a_folder_that_cannot_be_written_is_told(project: Path) -> None:
    env = replace(_environment(project), folder=Path("/proc/nowhere/env"))
    with pytest.raises(SetupError, match=r"(?s)cannot be set up in /proc/nowhere.*folder that you can write to"):
        env.ensure()


def test_a_full_disk_is_told_and_not_taken_for_a_missing_package(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = replace(_environment(project), python=_failing(project))
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=3 * 2**20))
    with pytest.raises(SetupError, match=r"(?s)it broke off.*full: 3 MB are free"):
        env.ensure()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(env.folder))

    monkeypatch.setattr("kineograph_installer.environment.run_logged", full)
    with pytest.raises(SetupError, match=r"full: 3 MB are free"):
        env.ensure()


def test_the_package_of_venv_is_named_only_where_it_is_missing(project: Path) -> None:
    broken = _failing(project)
    with pytest.raises(SetupError) as caught:
        replace(_environment(project), python=broken).ensure()
    assert "python3-venv" not in str(caught.value)
    broken.write_text(broken.read_text().replace("exit 0", "exit 1"))
    with pytest.raises(SetupError, match="sudo apt-get install python3-venv"):
        replace(_environment(project), python=broken).ensure()


def _failing(project: Path) -> Path:
    """A Python that cannot make an environment, although it has all that takes."""
    if sys.platform == "win32":
        pytest.skip("the stand-in is a shell script")
    program = project / "python"
    program.write_text('#!/bin/sh\ncase "$1" in -c) exit 0;; esac\necho it broke off\nexit 1\n')
    program.chmod(0o755)
    return program


def test_a_failing_command_shows_its_end_and_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    with pytest.raises(SetupError, match="the reason it failed") as caught:
        run_logged([sys.executable, "-c", "print('the reason it failed'); raise SystemExit(3)"], log, what="The step")
    assert str(log) in str(caught.value)
    assert "exit 3" in str(caught.value)


def test_an_index_that_does_not_answer_is_told_from_a_package_that_is_not_there(tmp_path: Path) -> None:
    """By pip itself, against a port where nobody listens."""
    log = tmp_path / "log.txt"
    log.write_text("ProxyError of an earlier try\n")
    # A port that is taken and does not listen refuses at once, and nobody else gets it meanwhile.
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        index = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        pip = [sys.executable, "-m", "pip", "--isolated", "--no-cache-dir", "download", "--retries=1", "--no-deps"]
        with pytest.raises(SetupError) as offline:
            run_logged([*pip, "--index-url", index, "tiny-package"], log, what="x")
    assert "The package index did not answer" in str(offline.value)
    assert "Retrying" not in str(offline.value)
    with pytest.raises(SetupError) as missing:
        run_logged([*pip, "--no-index", "tiny-package"], log, what="x")
    assert "No matching distribution" in str(missing.value)
    assert "did not answer" not in str(missing.value)


def test_help_shows_how_it_is_typed(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["run"], ["test"]):
        with pytest.raises(SystemExit):
            main([*words, "--help"])
        assert f"python3 installer {words[0] if words else 'run'}" in capsys.readouterr().out.partition("examples:")[2]


def test_missing_libraries_are_named_with_the_line_that_installs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("Linux only")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(SetupError, match=r"libnothere\.so\.9.*\n.*sudo apt-get install .*libnothere9"):
        libraries.ensure({"libnothere.so.9": "libnothere9"}, tmp_path / "log")


def test_present_libraries_ask_for_nothing(tmp_path: Path) -> None:
    if sys.platform.startswith("linux"):
        libraries.ensure({"libc.so.6": "libc6"}, tmp_path / "log")
    assert not (tmp_path / "log").exists()


def test_find_python() -> None:
    assert find_python(sys.version_info[:2]) == Path(sys.executable)
    assert find_python((2, 0)) is None
