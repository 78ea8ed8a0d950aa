# SPDX-License-Identifier: GPL-3.0-or-later
"""From the built zip, in a clean user folder; and beside another extension's older wheels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from tests.blender import package

import kineograph
import kineograph_blender
from kineograph.formats.fbx import bridge
from kineograph_blender import unfit

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "installer"))

from kineograph_installer import extension  # noqa: E402


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip for this computer."""
    try:
        return package.zip_path or package.build(tmp_path_factory.mktemp("zip"))
    except package.Unbuilt as e:
        pytest.skip(str(e))


def test_what_is_tested_is_what_was_asked_for() -> None:
    import msgpack
    import zmq

    if package.why_source:
        pytest.skip(package.why_source)
    if package.zip_path is None:
        assert Path(kineograph_blender.__file__).is_relative_to(ROOT / "addon_blender")
        return
    user = Path(os.environ["BLENDER_USER_RESOURCES"])
    for module in (kineograph_blender, kineograph_blender.registry, kineograph, zmq, msgpack):
        assert Path(str(module.__file__)).is_relative_to(user), module
    assert kineograph_blender.__name__ == kineograph_blender.registry.__package__ == package.EXTENSION
    doubles = [n for n in sys.modules if n.startswith(f"{package.NAME}.") and package.NAME in sys.modules[n].__name__]
    assert not doubles
    assert not [p for p in sys.path if Path(p).resolve() in package.SOURCES]


def test_no_test_switches_the_extension_off_by_the_way() -> None:
    """The factory's settings know no extension: Blender would take its wheels away under the tests that follow."""
    scripts = {"installed.py", "make_rigify.py", "export_rigify.py", Path(__file__).name}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.name not in scripts:
            assert "read_factory_settings" not in path.read_text("utf-8"), path.name


def test_blender_takes_the_zip(built: Path) -> None:
    tool = next(Path(bpy.utils.resource_path("LOCAL")).rglob("bl_pkg/cli/blender_ext.py"))
    extension.validate(built, tool)
    names = zipfile.ZipFile(built).namelist()
    manifest = tomllib.loads(zipfile.ZipFile(built).read("blender_manifest.toml").decode())
    assert {f"./{n}" for n in names if n.endswith(".whl")} == set(manifest["wheels"])
    assert manifest["platforms"] == [extension.platform_here()]
    assert not [n for n in names if "__pycache__" in n]
    assert set(manifest["permissions"]) == {"network", "files"}


def test_the_same_sources_give_the_same_bytes(built: Path, tmp_path: Path) -> None:
    again = package.build(tmp_path)
    assert again.read_bytes() == built.read_bytes()


@pytest.mark.daemon
def test_installed_into_a_clean_user_folder(built: Path, running_daemon: Any, home: Path, tmp_path: Path) -> None:
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    env |= {"BLENDER_USER_RESOURCES": str(tmp_path / "user"), "KINEOGRAPH_HOME": str(home)}
    script = Path(__file__).with_name("installed.py")
    done = subprocess.run(
        [sys.executable, str(script), str(built), "20"],
        capture_output=True, text=True, env=env, timeout=180, cwd=tmp_path, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stdout[-2000:] + done.stderr[-4000:]
    said = json.loads(lines[-1].removeprefix("RESULT "))
    assert said["core"].startswith(said["user"]), "the core comes from the extension's own wheel"
    assert said["done"], said["error"]
    assert said["error"] == "None"
    assert said["action"].startswith("Hero")
    assert said["address"] == ""
    assert "KINEOGRAPH_PT_takes" in said["on"]
    assert said["clean"], said
    assert "Traceback" not in done.stderr, done.stderr[-4000:]


def test_the_child_that_reads_fbx_leaves_the_users_extensions_alone(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blender with the factory's settings removes what extensions brought; the child must not do so in their folder."""
    monkeypatch.setenv("BLENDER_USER_RESOURCES", str(tmp_path / "user"))
    code = "import bpy, os, sys; bpy.ops.extensions.package_install_files("
    code += "filepath=sys.argv[1], repo='user_default', enable_on_install=True); sys.stdout.flush(); os._exit(0)"
    subprocess.run([sys.executable, "-c", code, str(built)], check=True, capture_output=True)
    wheels = next((tmp_path / "user").rglob("site-packages"))
    brought = sorted(p.name for p in wheels.iterdir())
    assert {"kineograph", "zmq", "msgpack"} <= set(brought)
    child = bridge.Bridge(bridge.command(tmp_path / "no.fbx"))
    child.ask({"do": "read", "path": str(tmp_path / "no.fbx"), "out": str(tmp_path / "no.npz")})
    child.close()
    assert sorted(p.name for p in wheels.iterdir()) == brought


def dummy(folder: Path) -> Path:
    """Another extension's zip, with wheels of a pyzmq, a msgpack and a core that are too old."""
    old = {
        "msgpack-0.5.6": ("msgpack", "version = (0, 5, 6)"),
        "pyzmq-19.0.2": ("zmq", "__version__ = '19.0.2'"),
        "kineograph_core-0.0.1": ("kineograph", "__version__ = '0.0.1'"),
    }
    wheels = []
    for name, (module, text) in old.items():
        wheels.append(folder / f"{name}-py3-none-any.whl")
        info = f"{name}.dist-info"
        dist, _, version = name.rpartition("-")
        with zipfile.ZipFile(wheels[-1], "w") as made:
            made.writestr(f"{module}/__init__.py", text)
            made.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {dist}\nVersion: {version}\n")
            made.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            made.writestr(f"{info}/RECORD", f"{module}/__init__.py,,\n")
    listed = ", ".join(f'"./wheels/{w.name}"' for w in wheels)
    facts = {"schema_version": "1.0.0", "id": "dummy", "version": "1.0.0", "name": "Dummy", "tagline": "Older wheels"}
    facts |= {"maintainer": "Nobody", "type": "add-on", "blender_version_min": "4.2.0"}
    rows = [f'{key} = "{value}"' for key, value in facts.items()]
    rows += ['license = ["SPDX:GPL-3.0-or-later"]', f"wheels = [{listed}]"]
    path = folder / "dummy.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("blender_manifest.toml", "\n".join(rows))
        made.writestr("__init__.py", "def register():\n    import msgpack, zmq\n\ndef unregister():\n    pass\n")
        for wheel in wheels:
            made.write(wheel, f"wheels/{wheel.name}")
    return path


BESIDE = """
import bpy, os, sys
import addon_utils
dummy, ours = (f"bl_ext.user_default.{name}" for name in ("dummy", "kineograph"))
bpy.ops.wm.read_factory_settings(use_empty=True)
if len(sys.argv) > 1:
    for path in sys.argv[1:]:
        bpy.ops.extensions.package_install_files(filepath=path, repo="user_default", enable_on_install=True)
    bpy.ops.wm.save_userpref()
else:
    addon_utils.enable(dummy, default_set=True)  # it alone: Blender brings its wheels, and it loads them
    addon_utils.enable(ours, default_set=True)
    unfit = getattr(bpy.types, "KINEOGRAPH_PT_unfit", None)
    print("SAID", *(unfit.troubles if unfit else ()))
    print("ON", hasattr(bpy.types, "KINEOGRAPH_PT_takes"), sys.modules[dummy].__addon_enabled__)
    addon_utils.disable(ours)
    print("LEFT", [n for n in dir(bpy.types) if n.startswith("KINEOGRAPH")])
sys.stdout.flush()
os._exit(0)
"""


def test_beside_a_real_extension_that_brings_older_wheels(built: Path, tmp_path: Path) -> None:
    """The other one was there first and has loaded them: ours says so, breaks nothing, and goes without a trace."""
    script = tmp_path / "beside.py"
    script.write_text(BESIDE)
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    env |= {"BLENDER_USER_RESOURCES": str(tmp_path / "user"), "KINEOGRAPH_HOME": str(tmp_path / "home")}

    def run(*paths: Path) -> str:
        command = [sys.executable, str(script), *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=tmp_path, timeout=120, check=True)
        assert "Traceback" not in done.stderr, done.stderr[-4000:]
        return done.stdout

    run(dummy(tmp_path), built)
    said = run()
    assert "msgpack 0.5.6 came with another add-on" in said
    assert "zmq 19.0.2 came with another add-on" in said
    assert "ON False True" in said
    assert "LEFT []" in said


def test_what_is_wrong_with_wheels_is_read_in_whole_words(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "zmq 19.0.2 came with another add-on; 26.2 or later is needed."
    labels: list[str] = []
    column = SimpleNamespace(label=lambda text, icon="NONE": labels.append(text))
    panel = SimpleNamespace(layout=SimpleNamespace(column=lambda align: column), troubles=[said])
    unfit.KINEOGRAPH_PT_unfit.draw(panel, None)
    assert " ".join(labels).startswith(said)
    assert max(map(len, labels)) <= 31


@pytest.mark.parametrize(
    ("module", "text", "said"),
    [
        ("msgpack", "version = (0, 5, 6)", "msgpack 0.5.6 came with another add-on"),
        ("zmq", "__version__ = '19.0.2'", "zmq 19.0.2 came with another add-on"),
        ("zmq", "raise ImportError('built for another Python')", "zmq cannot be loaded"),
        ("kineograph", "__version__ = '0.0.1'", "core is 0.0.1"),
        ("kineograph", "", "core is of unknown age"),
    ],
)
def test_beside_an_older_wheel_it_says_so(tmp_path: Path, module: str, text: str, said: str) -> None:
    (tmp_path / module).mkdir()
    (tmp_path / module / "__init__.py").write_text(text)
    code = (
        "import bpy, os, sys, kineograph_blender as k; k.register(); p = bpy.types.KINEOGRAPH_PT_unfit;"
        "print(*p.troubles); k.unregister(); k.register(); k.unregister();"
        "print('LEFT', hasattr(bpy.types, 'KINEOGRAPH_PT_unfit')); sys.stdout.flush(); os._exit(0)"
    )
    paths = [str(tmp_path), str(ROOT / "core"), str(ROOT / "addon_blender")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert said in done.stdout
    assert "LEFT False" in done.stdout
