# SPDX-License-Identifier: Apache-2.0
"""The Blender extension as zips: the add-on, the core as a wheel, and pyzmq and msgpack for every platform and Python.

Blender 4.2 to 5.0 run Python 3.11, 5.1 and later 3.13; one zip may carry wheels for both, and Blender installs those
that fit. Wheels are fetched once into a cache. A build of the same sources gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from platform import machine

from kineograph_installer.console import SetupError, step

ROOT = Path(__file__).resolve().parents[2]
ADDON = ROOT / "addon_blender" / "kineograph_blender"
CORE = ROOT / "core" / "kineograph"
PINNED = ("pyzmq==27.3.0", "msgpack==1.2.4")
"""Exactly these, so that every copy of one version of the extension carries the same wheels."""
PLATFORMS: Mapping[str, tuple[str, ...]] = {
    "linux-x64": ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64"),
    "macos-arm64": ("macosx_11_0_arm64",),
    "macos-x64": ("macosx_11_0_x86_64",),
    "windows-arm64": ("win_arm64",),
    "windows-x64": ("win_amd64",),
}
"""Blender's name of a platform to the tags of wheels that run there."""
PYTHONS: Mapping[str, tuple[str, ...]] = {"3.11": ("cp311", "abi3"), "3.13": ("cp313", "abi3")}
_LEFT_OUT = ("cli", "demo")
"""Of the core: what the add-on never imports."""
_WHEN = (2020, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Built:
    """One zip. ``platform`` is None for the one that fits all."""

    path: Path
    platform: str | None
    wheels: tuple[str, ...]


def build(
    out: Path, *, split: bool = False, cache: Path | None = None, platforms: Sequence[str] = tuple(PLATFORMS)
) -> list[Built]:
    """Write the zip for all ``platforms`` or, with ``split``, one each. Raises SetupError."""
    out.mkdir(parents=True, exist_ok=True)
    cache = cache or ROOT / ".cache" / "extension-wheels"
    core = write_core_wheel(cache)
    found = {platform: _wheels_of(platform, cache) for platform in platforms}
    if split:
        return [_write(out, core, found[p], [p]) for p in platforms]
    every = sorted({wheel for wheels in found.values() for wheel in wheels})
    return [_write(out, core, every, list(platforms))]


def platform_here() -> str:
    """Blender's name of this computer's platform. Raises SetupError for one that it has no build for."""
    system = {"linux": "linux", "darwin": "macos", "win32": "windows"}.get(sys.platform, sys.platform)
    name = f"{system}-{'arm64' if machine().lower() in ('arm64', 'aarch64') else 'x64'}"
    if name not in PLATFORMS:
        raise SetupError(f"Blender has no extensions for {name}.")
    return name


def version() -> str:
    """The extension's version, as its manifest says."""
    return str(_manifest()["version"])


def write_core_wheel(folder: Path) -> Path:
    """The core alone as a wheel: the daemon's part of the distribution has no business inside Blender."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"kineograph_core-{version()}.dist-info"
    files = {f"kineograph/{p.relative_to(CORE).as_posix()}": p.read_bytes() for p in _sources(CORE, _LEFT_OUT)}
    files[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: kineograph-core\nVersion: {version()}\nLicense: Apache-2.0\n"
    ).encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: kineograph\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/licenses/LICENSE"] = (ROOT / "LICENSE").read_bytes()
    record = "".join(f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in sorted(files.items()))
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    path = folder / f"kineograph_core-{version()}-py3-none-any.whl"
    _zip(path, files)
    return path


def fetch_command(platform: str, python: str, folder: Path) -> list[str]:
    """The pip command that fetches the wheels of one platform and one Python."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", python, "--dest", str(folder)]
    for abi in PYTHONS[python]:
        command += ["--abi", abi]
    for tag in PLATFORMS[platform]:
        command += ["--platform", tag]
    return [*command, *PINNED]


def validate(path: Path, tool: Path) -> None:
    """Ask Blender's own checker (``blender_ext.py``). Raises SetupError with what it says."""
    done = subprocess.run([sys.executable, str(tool), "validate", str(path)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SetupError(f"Blender does not take {path.name}:\n{done.stdout}{done.stderr}")


def find_validator() -> Path | None:
    """Blender's checker, where one of the test environments or an installed Blender holds it."""
    places = [ROOT / f".venv-blender-{v}" for v in ("5.0", "5.2", "4.5", "4.2")]
    named = os.environ.get("KINEOGRAPH_BLENDER")
    for place in [Path(named)] if named else places:
        found = next(iter(place.rglob("bl_pkg/cli/blender_ext.py")), None) if place.exists() else None
        if found is not None:
            return found
    return None


def _wheels_of(platform: str, cache: Path) -> list[Path]:
    found = []
    for python in PYTHONS:
        folder = cache / platform / python
        if len(list(folder.glob("*.whl"))) != len(PINNED) or not _is_pinned(folder):
            with step(f"Fetching wheels for {platform}, Python {python}"):
                _fetch(platform, python, folder)
        found += sorted(folder.glob("*.whl"))
    return sorted({p.name: p for p in found}.values())


def _fetch(platform: str, python: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.whl"):
        old.unlink()
    done = subprocess.run(fetch_command(platform, python, folder), capture_output=True, text=True)
    if done.returncode != 0:
        tail = "\n".join(done.stderr.strip().splitlines()[-6:])
        raise SetupError(f"Wheels for {platform}, Python {python} cannot be had:\n{tail}")


def _is_pinned(folder: Path) -> bool:
    have = {"-".join(p.name.split("-")[:2]) for p in folder.glob("*.whl")}
    return have == {pin.replace("==", "-") for pin in PINNED}


def _write(out: Path, core: Path, wheels: Sequence[Path], platforms: list[str]) -> Built:
    one = platforms[0] if len(platforms) == 1 else None
    path = out / (f"kineograph-{version()}" + (f"-{one}" if one else "") + ".zip")
    names = {w.name: w for w in (core, *wheels)}
    files = {p.relative_to(ADDON).as_posix(): p.read_bytes() for p in _sources(ADDON)}
    files["blender_manifest.toml"] = manifest_with(sorted(names), platforms).encode()
    files["LICENSE"] = (ROOT / "addon_blender" / "LICENSE").read_bytes()
    files |= {f"wheels/{name}": p.read_bytes() for name, p in names.items()}
    _zip(path, files)
    return Built(path, one, tuple(sorted(names)))


def manifest_with(wheels: Iterable[str], platforms: Iterable[str]) -> str:
    """The manifest with wheels and platforms, before its first table."""
    text = (ADDON / "blender_manifest.toml").read_text(encoding="utf-8")
    lines = [f"platforms = {json.dumps(list(platforms))}", "wheels = ["]
    lines += [*(f'  "./wheels/{name}",' for name in wheels), "]", ""]
    at = re.search(r"^\[", text, re.MULTILINE)
    assert at is not None
    return text[: at.start()] + "\n".join(lines) + "\n" + text[at.start() :]


def _manifest() -> Mapping[str, object]:
    return tomllib.loads((ADDON / "blender_manifest.toml").read_text(encoding="utf-8"))


def _sources(folder: Path, left_out: Sequence[str] = ()) -> list[Path]:
    found = []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and "__pycache__" not in parts and parts[0] not in left_out and path.suffix != ".pyc":
            found.append(path)
    return found


def _zip(path: Path, files: Mapping[str, bytes]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in sorted(files):
                entry = zipfile.ZipInfo(name, _WHEN)
                entry.external_attr = 0o644 << 16
                # A wheel is a zip already.
                entry.compress_type = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
                archive.writestr(entry, files[name])
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
