# SPDX-License-Identifier: Apache-2.0
"""A disk that is really full, and a folder that really may not be written: an error by name, nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import test_rigs as rigs
from tests.fakes import walks

from kineograph import formats
from kineograph.cli.output import Exit
from kineograph.errors import ErrorCode, SceneError

PROGRAM = Path(sys.executable).with_name("kineograph")
FULL = "No space left on device"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A walk of 400 frames, three times, and a rig."""
    folder = tmp_path_factory.mktemp("files")
    clip = walks.walk(rigs.cmu31(), 400)
    (folder / "in").mkdir()
    for name in "abc":
        formats.save(folder / "in" / f"{name}.bvh", clip.skeleton, [clip])
    formats.save(folder / "rig.glb", rigs.mixamo65(), [])
    return folder


def on_a_full_disk(files: Path, home: Path, command: str) -> tuple[int, Any, list[str]]:
    """Exit code, JSON and what lies on a disk of 64 KB after a command; the disk is gone with its namespace."""
    own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    disk, listed = home / "disk", home / "listed"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=64k none {disk}"
    if shutil.which("unshare") is None or subprocess.run([*own, "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("no disk of its own can be made here")
    run = f"{PROGRAM} {command.format(files=files, disk=disk)} --json; code=$?"
    script = f"{mount} && {run}; ls -A {disk} > {listed}; exit $code"
    env = {**os.environ, "KINEOGRAPH_HOME": str(home)}
    done = subprocess.run([*own, "sh", "-c", script], capture_output=True, text=True, env=env, timeout=200, check=False)
    return done.returncode, json.loads(done.stdout), listed.read_text().split()


@pytest.mark.parametrize("suffix", [".bvh", ".glb", ".gltf", ".vrma"])
def test_a_full_disk_is_said_and_nothing_is_left(files: Path, tmp_path: Path, suffix: str) -> None:
    code, said, left = on_a_full_disk(files, tmp_path, f"convert {{files}}/in/a.bvh {{disk}}/out{suffix}")
    assert code == Exit.FILE
    assert said["error"]["code"] == ErrorCode.FILE_UNREADABLE
    assert FULL in said["error"]["message"]
    assert f"out{suffix}" in said["error"]["message"]
    assert left == []


def test_a_folder_of_files_onto_a_full_disk_fails_file_by_file(files: Path, tmp_path: Path) -> None:
    code, said, left = on_a_full_disk(files, tmp_path, "retarget {files}/in --to {files}/rig.glb --out {disk}")
    assert code == Exit.FILE
    assert (said["done"], said["failed"]) == (0, 3)
    for row in said["files"]:
        assert FULL in row["error"]["message"]
        assert Path(row["out"]).name in row["error"]["message"]
    assert [name for name in left if name.endswith(".glb")] == []


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A folder that may be looked into and not written, by whom this test runs as: never the superuser."""
    if os.name != "posix":
        pytest.skip("permissions of POSIX")
    for suffix in (".bvh", ".glb", ".vrma"):  # whatever is imported late: the other user may not see this Python
        formats.save(tmp_path / f"first{suffix}", rigs.vrm55(), [])
        formats.load(tmp_path / f"first{suffix}")
    was = os.geteuid()
    with tempfile.TemporaryDirectory(prefix="kineograph-locked-") as name:  # pytest's own folders are open to one user
        folder = Path(name)
        (folder / "secret.bvh").write_text("HIERARCHY\n")
        (folder / "secret.bvh").chmod(0)
        folder.chmod(0o555)
        try:
            if was == 0:
                os.seteuid(65534)
            yield folder
        finally:
            os.seteuid(was)
            folder.chmod(0o755)


@pytest.mark.parametrize("suffix", [".bvh", ".glb", ".vrma"])
def test_a_folder_that_may_not_be_written_is_named(locked: Path, suffix: str) -> None:
    path = locked / f"out{suffix}"
    with pytest.raises(SceneError, match="Permission denied") as caught:
        formats.save(path, rigs.vrm55(), [])
    assert caught.value.code is ErrorCode.FILE_UNREADABLE
    assert caught.value.details["unwritable"] == str(path)
    assert [p.name for p in locked.iterdir()] == ["secret.bvh"]


def test_a_file_that_may_not_be_read_is_named(locked: Path) -> None:
    with pytest.raises(SceneError, match="Permission denied") as caught:
        formats.load(locked / "secret.bvh")
    assert caught.value.code is ErrorCode.FILE_UNREADABLE
    assert caught.value.details["file"] == str(locked / "secret.bvh")
