# SPDX-License-Identifier: Apache-2.0
"""``convert``, ``info`` and ``retarget`` as their users type them: real processes, real files, no daemon."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.fakes import test_rigs as rigs
from tests.fakes import walks
from tests.integration.cli.test_cli import Shell
from tests.unit.core.formats.samples import miss, shared

from kineograph import formats
from kineograph.cli.output import Exit
from kineograph.formats import mannequin
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import profiles

CMU, MIXAMO = rigs.RIGS["cmu"](), rigs.RIGS["mixamo"]()
WALK = walks.walk(CMU).slice(0, 60)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("home"))


@pytest.fixture
def hero(tmp_path: Path) -> Path:
    """A character with a mesh."""
    path = tmp_path / "hero.glb"
    formats.save(path, MIXAMO, [], mesh=mannequin.build(MIXAMO))
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_convert_and_info(shell: Shell, tmp_path: Path) -> None:
    source = tmp_path / "walk.bvh"
    formats.save(source, CMU, [WALK], up="z", units_per_metre=100.0)
    told = shell.json("convert", source, tmp_path / "walk.usda", "--units", "cm", "--up", "z", "--fps", 30)
    assert [c["frames"] for c in told["clips"]] == [31]
    assert len(told["notes"]) == 2
    info = shell.json("info", tmp_path / "walk.usda")
    assert (info["format"], info["up"], info["metres_per_unit"]) == ("usd", "z", pytest.approx(0.01))
    assert info["clips"][0]["fps_hz"] == 30.0
    assert info["rig"]["roles"]["left_thigh"]["confidence"] > 0.5
    assert info["rig"]["missing"] == []
    assert info["height_m"] == pytest.approx(CMU.height_m, abs=1e-3)
    back = tmp_path / "back.bvh"
    shell("convert", source, back, "--in-units", "cm", "--in-up", "z")
    assert max(miss(WALK, formats.load(back))) < 2e-5
    assert "understood" in shell("info", back).stdout
    same = shell.json("convert", source, source, code=Exit.USAGE)
    assert same["error"]["code"] == "invalid_parameters"


def test_takes_by_name_or_the_longest(shell: Shell, tmp_path: Path) -> None:
    source = tmp_path / "two.glb"
    clips = [
        Clip(CMU, 60.0, WALK.rotations_xyzw[:n], WALK.root_m[:n], name) for n, name in ((1, "Take 001"), (50, "a"))
    ]
    formats.save(source, CMU, clips)
    assert shell.json("convert", source, tmp_path / "a.bvh")["left_out"] == ["Take 001"]
    assert len(formats.load(tmp_path / "a.bvh").clips[0]) == 50
    assert shell.json("convert", source, tmp_path / "b.glb")["left_out"] == []
    error = shell.json("convert", source, tmp_path / "c.bvh", "--take", "Take 01", code=Exit.FILE)["error"]
    assert error["details"]["suggestions"] == ["Take 001"]


def test_one_file_onto_a_character_keeps_its_mesh(shell: Shell, tmp_path: Path, hero: Path) -> None:
    source = tmp_path / "walk.bvh"
    formats.save(source, CMU, [WALK])
    before = digest(source), digest(hero)
    told = shell.json("retarget", source, "--to", hero, "--out", tmp_path / "out.glb", "--report", "--sheet")
    (row,) = told["files"]
    assert row["frames"] == 60
    assert {Path(f).name for f in row["files"]} == {"out.glb", "out.glb.report.json", "out.glb.png"}
    report = json.loads((tmp_path / "out.glb.report.json").read_text())
    assert report["slide_cm_per_s"] < 1.5
    assert report["penetration_cm"] < 0.5
    asset = formats.load(tmp_path / "out.glb")
    assert asset.skeleton.names == MIXAMO.names
    text = (tmp_path / "out.glb").read_bytes()
    assert b"mannequin" in text
    assert (digest(source), digest(hero)) == before
    (row,) = shell.json("retarget", source, "--to", hero, "--out", hero, code=Exit.REFUSED)["files"]
    assert row["error"]["code"] == "invalid_parameters"
    assert digest(hero) == before[1]


def test_a_map_for_a_rig_that_cannot_be_read(shell: Shell, tmp_path: Path, hero: Path) -> None:
    names = [f"bone{i}" for i in range(len(CMU))]
    heap = Skeleton.build(names, CMU.parents, CMU.rest_translations_m * 0.0 + 1e-4)
    source = tmp_path / "odd.bvh"
    formats.save(source, heap, [Clip(heap, 30.0, WALK.rotations_xyzw, WALK.root_m)], units_per_metre=1.0)
    run = ("retarget", source, "--to", hero, "--out", tmp_path / "odd.glb")
    (row,) = shell.json(*run, code=Exit.FILE)["files"]
    assert row["error"]["code"] == "map_incomplete"
    known = profiles.read_rig(CMU.names, CMU.parents.tolist())
    roles = {m.role: names[m.joint] for m in known.matches.values()}
    (tmp_path / "maps").mkdir()
    profiles.write(profiles.Profile("odd", roles=roles), tmp_path / "maps" / "odd.toml")
    (row,) = shell.json(*run, "--map", tmp_path / "maps" / "odd.toml")["files"]
    assert row["frames"] == 60
    assert not [n for n in row["notes"] if "neither rig" in n]


def test_root_policies_and_mirror(shell: Shell, tmp_path: Path, hero: Path) -> None:
    source = tmp_path / "walk.bvh"
    formats.save(source, CMU, [WALK])
    shell("retarget", source, "--to", hero, "--out", tmp_path / "object.glb", "--root", "object", "--feet", "off")
    asset = formats.load(tmp_path / "object.glb")
    assert asset.skeleton.names[0] == "Object"
    shell("retarget", source, "--to", hero, "--out", tmp_path / "mirror.bvh", "--mirror", "--fps", 24)
    assert formats.load(tmp_path / "mirror.bvh").clips[0].fps_hz == 24.0


def test_a_folder_is_done_once_and_bad_files_do_not_stop_it(shell: Shell, tmp_path: Path, hero: Path) -> None:
    folder = tmp_path / "in"
    (folder / "deep" / "er").mkdir(parents=True)
    formats.save(folder / "a.bvh", CMU, [WALK])
    shutil.copy(folder / "a.bvh", folder / "deep" / "er" / "b.bvh")
    formats.save(folder / "a.glb", CMU, [WALK])
    whole = (folder / "a.bvh").read_bytes()
    (folder / "half.bvh").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.glb").write_bytes(b"")
    (folder / "wrong.bvh").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    (folder / ".hidden.bvh").write_bytes(whole)
    (folder / "notes.txt").write_text("not motion")
    out = tmp_path / "out"
    told = shell.json("retarget", folder, "--to", hero, "--out", out, "--jobs", 2, code=Exit.FILE)
    assert (told["done"], told["failed"], told["skipped"]) == (3, 3, 0)
    made = sorted(p.relative_to(out).as_posix() for p in out.rglob("*.glb"))
    assert made == ["a.glb", "a_glb.glb", "deep/er/b.glb"]
    errors = {Path(r["source"]).name: r["error"] for r in told["files"] if "error" in r}
    assert set(errors) == {"half.bvh", "empty.glb", "wrong.bvh"}
    assert errors["half.bvh"]["code"] == errors["empty.glb"]["code"] == "file_incomplete"
    assert all(Path(e["details"]["file"]).name == name for name, e in errors.items())
    times = {p: p.stat().st_mtime_ns for p in out.rglob("*.glb")}
    for name in errors:
        (folder / name).unlink()
    again = shell.json("retarget", folder, "--to", hero, "--out", out)
    assert (again["done"], again["skipped"]) == (0, 3)
    formats.save(folder / "a.bvh", CMU, [WALK.slice(0, 30)])
    third = shell.json("retarget", folder, "--to", hero, "--out", out)
    assert (third["done"], third["skipped"]) == (1, 2)
    assert {p for p in times if p.stat().st_mtime_ns != times[p]} == {out / "a.glb"}
    other = shell.json("retarget", folder, "--to", hero, "--out", out, "--mirror")
    assert (other["done"], other["skipped"]) == (3, 0)


def test_what_is_wrong_with_the_command_is_said_once(shell: Shell, tmp_path: Path, hero: Path) -> None:
    source = tmp_path / "walk.bvh"
    formats.save(source, CMU, [WALK])
    out = tmp_path / "out"
    assert (
        "not there" not in shell("retarget", tmp_path / "nope.bvh", "--to", hero, "--out", out, code=Exit.FILE).stderr
    )
    shell("retarget", source, "--to", tmp_path / "nope.glb", "--out", out, code=Exit.FILE)
    shell("retarget", source, "--to", hero, "--out", out, "--format", "obj", code=Exit.USAGE)
    bad = tmp_path / "map.toml"
    bad.write_text("name = 3")
    shell("retarget", source, "--to", hero, "--out", out, "--map", bad, code=Exit.FILE)
    (tmp_path / "file").write_text("")
    told = shell.json("retarget", source, "--to", hero, "--out", tmp_path / "file" / "a.glb", code=Exit.FILE)
    assert "unwritable" in told["files"][0]["error"]["details"]


def test_the_real_clip_on_the_real_character(shell: Shell, tmp_path: Path) -> None:
    clip, character = shared("cmu_01_01.bvh"), shared("cc0_character.glb")
    out = tmp_path / "out.glb"
    told = shell.json("retarget", clip, "--to", character, "--out", out, "--report", "--sheet", "--fps", 30)
    assert told["done"] == 1
    report = json.loads((tmp_path / "out.glb.report.json").read_text())
    assert report["slide_cm_per_s"] < 1.5
    assert report["penetration_cm"] < 0.5
    assert report["limb_error_deg"]["mean"] < 5.0
    made = formats.load(out)
    assert np.abs(made.skeleton.rest_positions_m - formats.load(character).skeleton.rest_positions_m).max() < 1e-6
