# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on comes and goes without a trace, and runs in Blender's own Python."""

from __future__ import annotations

import gc
import importlib
import os
import pkgutil
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from tests.blender import package

import kineograph
import kineograph_blender

ROOT = Path(__file__).resolve().parents[2]
ADDON = Path(kineograph_blender.__file__).parent
LEAN = ("errors", "paths", "advise", "fixes", "wire", "client", "motion", "rigs", "formats")


def handlers() -> dict[str, int]:
    """How many handlers hang on each of Blender's lists."""
    lists = {n: getattr(bpy.app.handlers, n) for n in dir(bpy.app.handlers)}
    return {n: len(found) for n, found in lists.items() if isinstance(found, list)}


def standing() -> dict[str, Any]:
    """All that the add-on hangs on Blender and on this process."""
    gc.collect()
    bases = [bpy.types.Operator, bpy.types.Panel, bpy.types.UIList, bpy.types.AddonPreferences]
    if bpy.app.version >= (4, 5):  # Blender 4.2 itself keeps every property group that was ever registered
        bases.append(bpy.types.PropertyGroup)
    name = kineograph_blender.__name__
    return {
        "handlers": handlers(),
        "threads": own_threads(),
        "registered": [n for n in dir(bpy.types) if n.startswith("KINEOGRAPH")],
        "classes": sum(c.__module__.startswith(name) for base in bases for c in base.__subclasses__()),
        "owners": [hasattr(t, "kineograph") for t in (bpy.types.Scene, bpy.types.Object)],
        "keys": sum(len(k.keymap_items) for k in _keymaps()),
    }


def own_threads() -> list[str]:
    """All but the one that waits for a daemon to end which this process started."""
    names = [t.name for t in threading.enumerate() if t.name.startswith("kineograph")]
    return sorted(n for n in names if "reaper" not in n)


def _keymaps() -> list[Any]:
    found = bpy.context.window_manager.keyconfigs.addon
    return [] if found is None else list(found.keymaps)


def timers() -> list[bool]:
    """Whether any of the add-on's timers is set."""
    module = sys.modules
    name = kineograph_blender.__name__
    return [
        bpy.app.timers.is_registered(module[f"{name}.session.pump"].tick),
        bpy.app.timers.is_registered(module[f"{name}.link"].look),
    ]


@pytest.mark.parametrize("reload", [False, True], ids=["switched", "reloaded"])
def test_twenty_times_on_and_off(scene: Any, reload: bool, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time with a connection sought, a shelf read and a timer set, so that there is something to leak."""
    monkeypatch.setenv("KINEOGRAPH_HOME", str(home / "nobody"))
    with kept_modules():
        before = None
        for turn in range(20):
            if reload:
                importlib.reload(kineograph_blender)
            kineograph_blender.register()
            module = sys.modules[f"{kineograph_blender.__name__}.session"]
            module.current().connect()
            module.current().shelf.rows("somebody")
            bpy.app.timers.register(module.pump.tick, first_interval=60.0, persistent=True)
            assert own_threads()
            kineograph_blender.unregister()
            assert timers() == [False, False]
            assert not own_threads()
            if turn in (3, 19):  # to look for leaked classes takes a while
                left = standing()
                before = before or left
                assert left == before
        assert before is not None
        assert not before["registered"]
        assert before["owners"] == [False, False]


@contextmanager
def kept_modules() -> Iterator[None]:
    """Other tests hold what was imported before a reload: it comes back."""
    name = kineograph_blender.__name__
    kept = {n: m for n, m in sys.modules.items() if n == name or n.startswith(f"{name}.")}
    try:
        yield
    finally:
        for one in [n for n in sys.modules if n.startswith(f"{name}.")]:
            del sys.modules[one]
            vars(kineograph_blender).pop(one.removeprefix(f"{name}."), None)
        sys.modules.update(kept)
        for one, module in kept.items():
            above, _, last = one.rpartition(".")
            if above:
                setattr(sys.modules[above], last, module)


def test_the_core_runs_in_blenders_python() -> None:
    names = [
        m.name
        for part in LEAN
        for m in pkgutil.walk_packages(
            getattr(importlib.import_module(f"kineograph.{part}"), "__path__", []), f"kineograph.{part}."
        )
    ]
    assert len(names) > 30
    for name in names:
        importlib.import_module(name)
    print(f"\n{len(names)} modules of the core with numpy {np.__version__} in {sys.version.split()[0]}")


def test_the_core_brings_nothing_else_into_blender() -> None:
    code = "import sys; import kineograph_blender.api; print(*sys.modules)"
    code = f"import bpy\n{code}\nimport os; sys.stdout.flush(); os._exit(0)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=_env(), check=True).stdout
    loaded = {name.split(".")[0] for name in out.split()}
    assert not loaded & {"torch", "pydantic", "motionmcp", "sqlite3", "typer", "rich", "PIL", "PySide6"}


@pytest.mark.parametrize(
    ("chosen", "code"), [("test_this_is_a_supported_blender", 0), ("no_such_test", 5)], ids=["passes", "finds none"]
)
def test_a_test_process_ends_by_itself_with_the_right_code(chosen: str, code: int) -> None:
    folder = Path(__file__).parent
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder), "-k", chosen]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=_env(), check=False)
    assert done.returncode == code, done.stdout + done.stderr


def test_the_manifest_is_valid() -> None:
    tool = next(Path(bpy.utils.resource_path("LOCAL")).rglob("bl_pkg/cli/blender_ext.py"))
    done = subprocess.run(
        [sys.executable, str(tool), "validate", str(ADDON)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_documents_trap_table_names_tests_that_exist() -> None:
    text = (ROOT / "docs" / "blender.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) .*\| (.+) \|$", text, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 33))
    for number, tests in rows:
        named = re.findall(r"`(test_\w+\.py)::(\w+)`", tests)
        assert named or "open: with" in tests, number
        for file, name in named:
            assert f"def {name}(" in (Path(__file__).parent / file).read_text("utf-8"), (file, name)
    tree = text[text.index("```\nkineograph_blender/") :].split("```")[1]
    modules = re.findall(r"(\w+\.py)\b", tree)
    ours = {p.name for p in ADDON.rglob("*.py")}
    assert set(modules) == ours, set(modules) ^ ours


def test_the_bridge_knows_no_socket() -> None:
    for path in sorted((ADDON / "bridge").glob("*.py")):
        text = path.read_text("utf-8")
        assert "zmq" not in text, path
        assert "kineograph.client" not in text, path


def test_no_file_names_bpy_outside_the_addon() -> None:
    for path in sorted(Path(kineograph.__file__).parent.rglob("*.py")):
        assert "import bpy" not in path.read_text("utf-8"), path


def _env() -> dict[str, str]:
    """Of a process beside this one: it runs from the sources."""
    folders = os.pathsep.join(map(str, (*package.SOURCES, ROOT)))
    return {**os.environ, "PYTHONPATH": folders, package.SWITCH: "source"}
