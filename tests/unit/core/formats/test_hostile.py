# SPDX-License-Identifier: Apache-2.0
"""What every format has in common when it is given nonsense: an error of the catalogue that names the file, and a disk
left as it was."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fakes import test_rigs as rigs
from tests.fakes import walks

from kineograph import formats
from kineograph.errors import ErrorCode, SceneError
from kineograph.fixes import resolve

CMU = rigs.RIGS["vrm"]()
HERE = [s for s in formats.EXTENSIONS if not s.startswith(".usd") or find_spec("pxr")]
WRITABLE = [s for s in formats.WRITTEN if s in HERE and s != ".fbx"]
ONE_FOLDER = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """One good file of each format that is written here, and an AMASS archive."""
    folder = tmp_path_factory.mktemp("whole")
    out = {}
    for suffix in WRITABLE:
        formats.save(folder / f"a{suffix}", CMU, [])
        out[suffix] = (folder / f"a{suffix}").read_bytes()
    np.savez(folder / "a.npz", poses=np.zeros((3, 66)), trans=np.zeros((3, 3)), mocap_framerate=30.0)
    return {**out, ".npz": (folder / "a.npz").read_bytes()}


def refused(path: Path) -> SceneError:
    """The error a file is refused with; its text names the file."""
    with pytest.raises(SceneError) as caught:
        formats.load(path)
    assert caught.value.code in (ErrorCode.FILE_UNREADABLE, ErrorCode.FILE_INCOMPLETE)
    assert caught.value.details["file"] == str(path)
    assert path.name in resolve(caught.value).text
    return caught.value


@pytest.mark.parametrize("suffix", HERE)
def test_nothing_and_noise(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"file{suffix}"
    refused(path)
    path.mkdir()
    refused(path)
    path.rmdir()
    noise = np.random.default_rng(5).bytes(5000)
    for data in (b"", b"\0", b"\xff\xfe", b"{}", b"[]", b"HIERARCHY", noise, b"{" * 100_000):
        path.write_bytes(data)
        refused(path)


@pytest.mark.parametrize("suffix", HERE)
def test_a_file_under_another_formats_name(tmp_path: Path, suffix: str, whole: dict[str, bytes]) -> None:
    family = {".glb": 1, ".gltf": 1, ".vrm": 1, ".vrma": 1, ".usd": 2, ".usda": 2, ".usdc": 2, ".usdz": 2}
    for other, data in whole.items():
        if family.get(other, other) == family.get(suffix, suffix):
            continue
        path = tmp_path / f"was{other[1:]}{suffix}"
        path.write_bytes(data)
        refused(path)


@pytest.mark.parametrize("suffix", [".npz", ".vrm", ".vrma"])
def test_every_cut_is_an_error(tmp_path: Path, suffix: str, whole: dict[str, bytes]) -> None:
    data = whole[suffix]
    path = tmp_path / f"cut{suffix}"
    for end in np.linspace(0, len(data) - 1, 40).astype(int).tolist():
        path.write_bytes(data[:end])
        refused(path)


@ONE_FOLDER
@given(st.sampled_from([".npz", ".vrm", ".vrma", ".bvh"]), st.floats(0, 1), st.binary(min_size=1, max_size=8))
def test_damage_is_read_or_refused(
    tmp_path: Path, whole: dict[str, bytes], suffix: str, where: float, junk: bytes
) -> None:
    data = whole[suffix]
    at = int(where * (len(data) - 1))
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(data[:at] + junk + data[at + len(junk) :])
    error: SceneError | None = None
    try:
        assert len(formats.load(path).skeleton) > 0
    except SceneError as e:
        error = e
    assert error is None or error.details["file"] == str(path)


FULL = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.fakes import test_rigs as rigs, walks
from kineograph import formats
from kineograph.errors import KineographError
out, suffixes = Path(sys.argv[2]), sys.argv[3:]
clip = walks.walk(rigs.RIGS["cmu"]())
clip = __import__("kineograph_daemon.retarget", fromlist=["retarget"]).retarget(clip, None, rigs.RIGS["vrm"]()).clip
if ".usda" in suffixes:
    from pxr import Usd, UsdSkel  # what is imported writes its own cache files
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
for suffix in suffixes:
    try:
        formats.save(out / f"a{suffix}", clip.skeleton, [clip])
    except KineographError as e:
        print(suffix, e.code, e.details.get("unwritable"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX")
def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    """A process that may write 4 KB a file stands in for a full disk: the same error from the same calls."""
    root = Path(__file__).resolve().parents[4]
    run = [sys.executable, "-c", FULL, str(root), str(tmp_path), *WRITABLE]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert said == {s: f"file_unreadable {tmp_path / f'a{s}'}" for s in WRITABLE}
    assert list(tmp_path.iterdir()) == []


def test_the_walk_is_longer_than_that_disk() -> None:
    assert len(walks.walk(rigs.RIGS["cmu"]())) * 31 * 4 > 4096
