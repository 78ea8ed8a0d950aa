# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what the extension brings along is what it gets: all extensions of a repository share their wheels.

Another add-on may bring an older pyzmq, msgpack or core, and Blender installs one of each. Found out before anything
else of this add-on is imported; standard library only.
"""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path
from typing import Any

LEAST = {"zmq": (26, 2), "msgpack": (1, 0, 8)}
"""Modules and the least version that works."""


def troubles() -> list[str]:
    """What is wrong, a sentence each; empty when all fits."""
    found = [_module(name, least) for name, least in LEAST.items()]
    return [said for said in (*found, _core()) if said]


def own_version() -> str:
    """This extension's version."""
    manifest = Path(__file__).with_name("blender_manifest.toml")
    return str(tomllib.loads(manifest.read_text(encoding="utf-8"))["version"])


def _module(name: str, least: tuple[int, ...]) -> str:
    module, why = _imported(name)
    if module is None:
        return f"{name} cannot be loaded: {why}."
    have = str(getattr(module, "__version__", "") or _joined(getattr(module, "version", "")))
    if _numbers(have) < least:
        return f"{name} {have or 'of unknown age'} came with another add-on; {_joined(least)} or later is needed."
    return ""


def _core() -> str:
    core, why = _imported("kineograph")
    if core is None:
        return f"Kineograph's core cannot be loaded: {why}."
    have, wanted = str(getattr(core, "__version__", "")), own_version()
    if have != wanted:
        return f"Kineograph's core is {have or 'of unknown age'}, this extension is {wanted}. Start Blender again."
    return ""


def _imported(name: str) -> tuple[Any, str]:
    try:
        return importlib.import_module(name), ""
    except Exception as e:  # noqa: BLE001 - a foreign build may fail in any way; all of them mean the same here
        return None, f"{type(e).__name__}: {e}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", version)[:3])


def _joined(version: Any) -> str:
    return version if isinstance(version, str) else ".".join(map(str, version))
