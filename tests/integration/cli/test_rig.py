# SPDX-License-Identifier: Apache-2.0
"""``kineograph rig``: check, profile, diff, doctor, on files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import test_rigs
from typer.testing import CliRunner

from kineograph import formats
from kineograph.cli.main import app
from kineograph.cli.output import Exit


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KINEOGRAPH_HOME", str(tmp_path / "home"))
    path = tmp_path / "hero.glb"
    formats.save(path, test_rigs.mixamo65(), [])
    return path


def call(*args: object) -> tuple[int, Any]:
    done = CliRunner().invoke(app, ["rig", *map(str, args)])
    try:
        return done.exit_code, json.loads(done.stdout)
    except ValueError:
        return done.exit_code, done.stdout


def test_check_says_each_role_how_sure_and_why(rig: Path) -> None:
    code, said = call("check", rig, "--json")
    assert code == Exit.OK
    assert said["missing"] == []
    hand = next(row for row in said["roles"] if row["role"] == "left_hand")
    assert hand["name"] == "mixamorig:LeftHand"
    assert hand["confidence"] == 1.0
    assert "Mixamo" in hand["reason"]


def test_the_list_of_profiles_says_which_were_tested(rig: Path) -> None:
    code, said = call("profile", "--json")
    assert code == Exit.OK
    untested = {row["name"] for row in said["profiles"] if not row["tested"]}
    assert untested == {"Mixamo control rig", "Auto-Rig Pro", "CloudRig", "CloudRig (newer names)"}
    assert len(said["profiles"]) > len(untested), "Rigify's was tried"
    text = CliRunner().invoke(app, ["rig", "profile"]).output
    assert text.count("by nobody yet") == 4
    assert "Blender" in text


def test_a_profile_is_written_edited_checked_and_found_beside_its_rig(rig: Path) -> None:
    out = rig.with_name("hero.toml")
    assert call("profile", rig, "--out", out)[0] == Exit.OK
    assert call("check", out, "--rig", rig)[0] == Exit.OK
    text = out.read_text()
    assert 'bone = "y"' in text
    out.write_text(text.replace('"mixamorig:LeftHand"', '"mixamorig:LefHand"', 1).replace('"hero"', '"My hero"', 1))
    code, said = call("check", out, "--rig", rig, "--json")
    assert code == Exit.REFUSED
    assert "perhaps 'mixamorig:LeftHand'" in said["findings"][0]["text"]
    assert call("check", rig, "--json")[1]["profile"] == "My hero"
    code, lines = call("diff", out, rig)
    assert code == Exit.OK, lines
    printed = call("profile", rig, "--name", "Other")[1]
    assert printed.startswith("kineograph_profile = 1")


def test_diff_of_two_rigs(rig: Path) -> None:
    other = rig.with_name("other.bvh")
    formats.save(other, test_rigs.cmu31(), [])
    code, said = call("diff", rig, other, "--json")
    assert code == Exit.FAILED
    assert any(line.startswith("roles.left_calf: mixamorig:LeftLeg -> LeftLeg") for line in said["differences"])


def test_the_doctor_on_good_and_bad_files(rig: Path) -> None:
    code, said = call("doctor", rig, "--json")
    assert (code, said["level"]) == (Exit.OK, "fine")
    two = rig.with_name("two.bvh")
    two.write_text("HIERARCHY\nROOT A\n{\nOFFSET 0 0 0\n}\nROOT B\n{\nOFFSET 0 0 0\n}\nMOTION\nFrames: 0\n")
    code, said = call("doctor", two, "--json")
    assert code == Exit.REFUSED
    assert next(f for f in said["findings"] if f["what"] == "roots")["joints"] == ["A", "B"]
    cut = rig.with_name("cut.glb")
    cut.write_bytes(rig.read_bytes()[:-20])
    code, said = call("doctor", cut, "--json")
    assert code == Exit.REFUSED
    assert said["findings"][-1]["what"] == "file"


@pytest.mark.parametrize("command", ["check", "profile", "doctor"])
@pytest.mark.parametrize(
    ("name", "data"), [("none.glb", None), ("empty.bvh", b""), ("bad.toml", b"["), ("x.doc", b"x")]
)
def test_bad_files_are_file_trouble(rig: Path, command: str, name: str, data: bytes | None) -> None:
    path = rig.with_name(name)
    if data is not None:
        path.write_bytes(data)
    code, said = call(command, path, "--json")
    assert code == Exit.FILE
    assert name in said["error"]["message"]


def test_a_folder_that_cannot_be_written_is_said(rig: Path) -> None:
    code, said = call("profile", rig, "--out", rig / "hero.toml", "--json")  # a file is no folder
    assert code == Exit.FILE
    assert "cannot be written" in said["error"]["message"]


@pytest.mark.parametrize("command", ["check", "profile", "diff", "doctor"])
def test_help_has_examples(command: str) -> None:
    assert "kineograph rig" in call(command, "--help")[1]


def test_a_profile_that_cannot_be_read_or_written_says_why(rig: Path) -> None:
    broken = rig.with_name("broken.toml")
    for content, why in (
        (b"\xff\xfe", "is no text in UTF-8"),
        (b"a = [", "is no TOML"),
        (b"[roles]\n", "kineograph_profile"),
    ):
        broken.write_bytes(content)
        code, said = call("check", broken, "--json")
        assert code == Exit.FILE
        assert why in said["problem"]["text"]
    code, said = call("profile", rig, "--out", rig / "hero.toml", "--json")
    assert code == Exit.FILE
    assert said["problem"]["text"].startswith(f"Could not write '{rig / 'hero.toml'}': ")
    good = rig.with_name("good.toml")
    assert call("profile", rig, "--out", good)[0] == Exit.OK
    good.write_bytes(b"\xef\xbb\xbf" + good.read_bytes())  # as an editor of Windows saves it
    assert call("check", good, "--rig", rig)[0] == Exit.OK
