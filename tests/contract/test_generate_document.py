# SPDX-License-Identifier: Apache-2.0
"""What docs/generate.md says is so."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from motionmcp.schemas import Options
from tests.contract.describe import code_blocks
from typer.testing import CliRunner

from kineograph import demo
from kineograph.cli.main import app
from kineograph_daemon.mmcp.schema import parse

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "generate.md").read_text(encoding="utf-8")


def test_its_constraints_are_some() -> None:
    (block,) = code_blocks(TEXT, "json constraints")
    request = demo.request("any") | {"constraints": json.loads(block)}
    told = re.findall(r"^\| `(\w+)` \| .* \| .*`frames?`|^\| `(ground_height)`", TEXT, re.MULTILINE)
    types = {a or b for a, b in told}
    assert {c.type for c in parse(request).constraints or ()} == types
    names = set(demo.character().names)
    assert all(set(c.get("joint_rotations", {c.get("joint", "Hips"): 0})) <= names for c in request["constraints"])


def test_its_options_are_those_of_the_protocol() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (\S+) \| .* \|$", TEXT, re.MULTILINE))
    defaults = {name: field.default for name, field in Options.model_fields.items()}
    words = {None: "none", False: "false", True: "true"}
    told = {n: words[d] if d is None or isinstance(d, bool) else str(d) for n, d in defaults.items()}
    assert rows == told | {"seed": "any"}


def test_its_commands_are_typed_right() -> None:
    (block,) = code_blocks(TEXT, "")
    told = CliRunner().invoke(app, ["generate", "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).output
    known = set(re.findall(r"--[a-z-]+", told))
    for line in block.splitlines():
        used = {word for word in shlex.split(line) if word.startswith("--")}
        assert line.startswith("kineograph generate ")
        assert used <= known
