# SPDX-License-Identifier: Apache-2.0
"""The house rules, kept by tools: arrows, types, lint, licence headers, names of what we never mention."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("core", "daemon", "gui", "addon_blender", "installer", "benchmarks", "tests")


def _tracked(*endings: str) -> Iterator[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if name and path.exists() and (not endings or path.suffix in endings):
            yield path


@pytest.mark.parametrize(
    "command",
    [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)],
    ids=["lint", "format", "types"],
)
def test_tool_finds_nothing(command: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_arrows_go_down() -> None:
    script = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([script, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_no_package_beside_the_core_may_import_another() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    beside, core = next(c["layers"] for c in told["contracts"] if c["type"] == "layers")
    assert {*beside.split(" | "), core} == set(told["root_packages"]), "':' would let them import one another"


def test_every_source_file_names_its_licence() -> None:
    wrong = []
    for path in _tracked(".py"):
        place = path.relative_to(ROOT)
        if place.parts[0] not in SOURCES:
            continue
        within_blender = place.parts[0] == "addon_blender" or place.parts[:2] == ("tests", "blender")
        licence = "GPL-3.0-or-later" if within_blender else "Apache-2.0"
        head = path.read_text(encoding="utf-8")[:300]
        if head.strip() and f"SPDX-License-Identifier: {licence}" not in head:
            wrong.append(str(place))
    assert not wrong


def test_no_file_outgrows_its_room() -> None:
    long = {str(p.relative_to(ROOT)): n for p in _tracked(".py") if (n := len(p.read_text("utf-8").splitlines())) > 600}
    assert not long


def test_the_project_speaks_of_itself_alone() -> None:
    parts = {"wo" + "rk", "fa" + "rm"}
    pattern = re.compile(rf"(?<![\w.])/({'|'.join(parts)})/")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _tracked(".py", ".md", ".toml", ".json", "")
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found


def test_versions_agree() -> None:
    import kineograph

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == kineograph.__version__
    manifest = ROOT / "addon_blender" / "kineograph_blender" / "blender_manifest.toml"
    assert tomllib.loads(manifest.read_text(encoding="utf-8"))["version"] == kineograph.__version__


def test_readme_names_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "python3 installer run" in text
    assert "python3 installer test" in text
