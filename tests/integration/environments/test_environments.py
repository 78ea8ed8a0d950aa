# SPDX-License-Identifier: Apache-2.0
"""A model in an environment of its own, for real: made from a recipe, interrupted, repaired, hosted by a daemon."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.fakes.backbones import request_map
from tests.integration.daemon.conftest import House, wait_until

from kineograph.client import Client
from kineograph.errors import KineographError
from kineograph_daemon.backbones.environments import make, ready, recipes

MODULE = """
import sys
from motionmcp import Backbone, ModelSpec
from tests.fakes.backbones import FPS_HZ, motion, skeleton

class Own(Backbone):
    def capabilities(self):
        return ModelSpec(id="own-model", fps=FPS_HZ, canonical_skeleton=skeleton())
    def generate(self, request):
        made = motion(request)
        made.notes = [{"code": "python", "severity": "note", "message": sys.prefix}]
        return made
"""


def wheel(folder: Path, name: str = "own_model", source: str = MODULE) -> Path:
    """A wheel made by hand, so that nothing has to be fetched or built."""
    file = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    parts = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},"
        f"{len(text.encode())}\n"
        for path, text in parts.items()
    )
    with zipfile.ZipFile(file, "w") as out:
        for path, text in {**parts, f"{info}/RECORD": record + f"{info}/RECORD,,\n"}.items():
            out.writestr(path, text)
    return file


def recipe(home: Path, *packages: str, name: str = "own", **changes: object) -> str:
    """A recipe in the user's own folder; its name."""
    told = {
        "title": "Own",
        "about": "A test's model.",
        "backbones": ["own_model:Own"],
        "packages": [list(packages)],
        "size_gb": 0.1,
        "inherits": True,
        **changes,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in told.items()]
    lines += ["[[licences]]", 'what = "it"', 'name = "CC0"', 'url = "https://licences.example"']
    place = home / "config" / "recipes"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.toml").write_text("\n".join(lines), "utf-8")
    return name


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and the command's way to it."""
    place = tmp_path / "h0"
    place.mkdir()
    monkeypatch.setenv("KINEOGRAPH_HOME", str(place))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[3]))
    return place


def command(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """The command that ``kineograph models`` calls."""
    program = [sys.executable, "-m", "kineograph_daemon.backbones.environments", *words]
    return subprocess.run(program, input=text, capture_output=True, text=True, timeout=120, check=False)


class Plain(House):
    """A daemon that hosts what is installed too."""

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "kineograph_daemon", "run"]


def prefix_of(client: Client) -> str:
    """The environment that a job of the model ran in."""
    made = client.generate(request_map("own-model", 5), timeout_s=60)
    return str(next(n["message"] for n in made.notes if n["code"] == "python"))


def workers_of(house: House, name: str) -> set[int]:
    """The processes that run an environment's Python."""
    place = str(ready.folder() / name)
    return {w.pid for w in house.workers() if w.cmdline()[:1] and w.cmdline()[0].startswith(place)}


def test_from_recipe_to_motion(home: Path, tmp_path: Path) -> None:
    name = recipe(home, str(wheel(tmp_path)))
    before = command("check", name)
    assert (before.returncode, "not installed" in before.stdout) == (1, True)
    unasked = command("install", name)
    assert unasked.returncode == 6
    assert "CC0, https://licences.example" in unasked.stdout
    assert "0.1 GB" in unasked.stdout
    assert not (home / "data" / "environments").exists()

    done = command("install", name, "--yes")
    assert done.returncode == 0, done.stderr
    assert "100%  ready" in done.stderr
    assert command("check", name).stdout.strip() == "it works"
    assert "works" in command("install", name, "--yes").stdout  # nothing to do

    house = Plain(home)
    house.start()
    try:
        house.wait_for_workers(2)
        client = house.client()
        assert Path(prefix_of(client)) == home / "data" / "environments" / name / "env"
        assert "kineograph-interpolate" in client.capabilities().models
    finally:
        house.end()

    Path(ready.python_of(name)).unlink()
    broken = command("check", name, "--json")
    assert json.loads(broken.stdout)["works"] is False
    assert command("install", name, "--yes", "--repair").returncode == 0
    assert command("check", name).returncode == 0
    assert command("remove", name).stdout.strip() == "removed"
    assert ready.installed() == []


def test_a_running_daemon_hosts_what_is_installed_and_lets_go_of_what_is_removed(home: Path, tmp_path: Path) -> None:
    name = recipe(home, str(wheel(tmp_path)))
    house = Plain(home)
    house.start()
    try:
        house.wait_for_workers(1)
        client = house.client()
        assert "own-model" not in client.capabilities().models
        done = command("install", name, "--yes")
        assert (done.returncode, "hosts it in a moment" in done.stderr) == (0, True)
        wait_until(lambda: "own-model" in client.capabilities().models)
        prefix_of(client)
        first = workers_of(house, name)

        assert command("install", name, "--yes", "--repair").returncode == 0
        wait_until(lambda: bool(workers_of(house, name) - first))
        wait_until(lambda: "own-model" in client.capabilities().models)
        prefix_of(client)
        assert not first & workers_of(house, name)

        assert command("remove", name).returncode == 0
        wait_until(lambda: "own-model" not in client.capabilities().models)
        wait_until(lambda: not workers_of(house, name))
        with pytest.raises(KineographError) as caught:
            client.submit(request_map("own-model", 5))
        assert caught.value.code == "unknown_model"
        assert client.generate(request_map("kineograph-interpolate", 5), timeout_s=60).root_m.shape[1] == 5
    finally:
        house.end()


def test_an_interrupted_installation_goes_on(home: Path, tmp_path: Path) -> None:
    name = recipe(home, str(tmp_path / "own_model-1.0-py3-none-any.whl"))
    failed = command("install", name, "--yes")
    assert failed.returncode == 1
    assert "install.log" in failed.stderr
    assert "not finished" in command("check", name).stdout
    wheel(tmp_path)
    python = ready.python_of(name)
    stamp = python.lstat().st_mtime_ns
    assert command("install", name, "--yes").returncode == 0
    assert python.lstat().st_mtime_ns == stamp  # what was done is not done again
    log = (home / "data" / "environments" / name / "install.log").read_text()
    assert log.count("--- making the environment") == 1


def test_a_package_that_brings_no_model_is_told(home: Path, tmp_path: Path) -> None:
    name = recipe(home, str(wheel(tmp_path, source="class Own:\n    pass\n")))
    failed = command("install", name, "--yes")
    assert failed.returncode == 1
    assert "trying it failed" in failed.stderr
    assert ready.installed() == []


def test_what_cannot_work_is_refused_before_anything_is_made(home: Path) -> None:
    cases: list[tuple[dict[str, object], str]] = [
        ({"tools": ["no-such-tool-9"]}, "no-such-tool-9"),
        ({"size_gb": 1e9}, "are free"),
        ({"python": ">=4.0", "inherits": False}, "Python >=4.0"),
    ]
    for changes, word in cases:
        with pytest.raises(KineographError) as caught:
            make.install(recipes.load(recipe(home, **changes)), lambda fraction, words: None)
        assert word in caught.value.message
        assert not (home / "data" / "environments" / "own").exists()


def test_a_recipe_that_is_none(home: Path) -> None:
    assert "kimodo" in recipes.names()
    assert recipes.load("kimodo").licences[0].name == "Apache-2.0"
    for name in ("../kimodo", "none", "", "A B"):
        with pytest.raises(KineographError):
            recipes.load(name)
    for changes in ({"packages": [["--index-url=x"]]}, {"backbones": ["import os; x"]}, {"size_gb": "much"}):
        with pytest.raises(KineographError) as caught:
            recipes.load(recipe(home, **changes))
        assert caught.value.code == "invalid_parameters"


def test_a_broken_note_hosts_nothing(home: Path) -> None:
    place = home / "data" / "environments"
    for name, content in (("a", "{"), ("b", "[]"), ("c", json.dumps({"name": "c"}))):
        (place / name).mkdir(parents=True)
        (place / name / "ready.json").write_text(content)
    gone = {"name": "d", "python": "/nonexistent", "backbones": ["x:Y"], "recipe_sha256": "", "version": ""}
    (place / "d").mkdir()
    (place / "d" / "ready.json").write_text(json.dumps(gone))
    assert ready.installed() == []


def test_the_terminal_says_the_same(home: Path) -> None:
    code = "from kineograph.cli.main import run; run()"
    done = subprocess.run(
        [sys.executable, "-c", code, "models", "check", "kimodo"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "kineograph models install kimodo" in done.stdout) == (1, True)
