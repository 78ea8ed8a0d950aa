# SPDX-License-Identifier: Apache-2.0
"""The command as its users type it: real processes, a real daemon, real files."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pygltflib
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from kineograph import demo, formats
from kineograph.cli import character, generating, jobs
from kineograph.cli.main import app
from kineograph.cli.output import Exit, reports_errors
from kineograph.cli.request import Ask, Built, build
from kineograph.client import Result
from kineograph.errors import SceneError
from kineograph.fixes import resolve
from kineograph.formats import mannequin
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton
from kineograph.wire.messages import JobState, JobStatus

KINEOGRAPH = Path(sys.executable).with_name("kineograph")


class Shell:
    """Runs ``kineograph`` with a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = {**os.environ, "KINEOGRAPH_HOME": str(home), "COLUMNS": "200", "NO_COLOR": "1"}

    def __call__(
        self, *words: str | Path, code: int = Exit.OK, timeout_s: float = 120
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [KINEOGRAPH, *map(str, words)],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            cwd=self.home,
        )
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *words: str | Path, code: int = Exit.OK) -> Any:
        return json.loads(self(*words, "--json", code=code).stdout)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    runs = Shell(tmp_path_factory.mktemp("home"))
    try:
        yield runs
    finally:
        runs("daemon", "stop")


@pytest.fixture
def rig(tmp_path: Path) -> Path:
    skeleton = demo.character()
    path = tmp_path / "hero.glb"
    formats.save(path, skeleton, [])
    return path


def test_help_and_version_need_no_daemon(shell: Shell) -> None:
    assert "generate" in shell("--help").stdout
    assert "Exit codes" in shell("--help").stdout
    assert "0.1.0" in shell("--version").stdout
    for command in ("generate", "demo", "doctor", "errors", "jobs", "daemon", "models", "replay"):
        assert "Usage" in shell(command, "--help").stdout


def test_the_demo_writes_everything_and_meets_its_keys(shell: Shell, tmp_path: Path) -> None:
    answer = shell.json("demo", "--out", tmp_path / "demo")
    names = {Path(f).name for f in answer["files"]}
    assert names == {"demo.glb", "demo.bvh", "demo.json", "demo.png", "demo.kineograph.json"}
    told = [e for group in ("segments", "constraints", "options") for e in answer["report"][group]]
    assert {e["outcome"] for e in told} == {"applied"}, "the first thing that anybody sees asks for what can be done"
    request = demo.request()
    sent = Skeleton.from_mmcp(request["skeleton"])
    keys = [c for c in request["constraints"] if c["type"] == "pose_keyframe"]
    for file in ("demo.glb", "demo.bvh"):
        clip = formats.load(tmp_path / "demo" / file).clips[0]
        assert len(clip) == sum(s["duration_frames"] for s in request["segments"])
        got, _ = clip.world()
        for key in keys:
            pose = np.array([key["joint_rotations"][n] for n in sent.names])[None]
            want, _ = Clip(sent, 30.0, pose, np.array([key["root_position"]])).world()
            order = [clip.skeleton.index[n] for n in sent.names]
            assert np.abs(got[key["frame"], order] - want[0]).max() < 1e-3, (file, key["frame"])


def test_the_saved_request_runs_again_with_the_same_motion(shell: Shell, tmp_path: Path) -> None:
    shell("demo", "--out", tmp_path / "a")
    request = tmp_path / "a" / "demo.kineograph.json"
    shell("generate", "--request", request, "--out", tmp_path / "b.glb", "--sheet", tmp_path / "b.png")
    first, second = (formats.load(p).clips[0] for p in (tmp_path / "a" / "demo.glb", tmp_path / "b.glb"))
    assert np.array_equal(first.rotations_xyzw, second.rotations_xyzw)
    assert (tmp_path / "b.png").stat().st_size > 10_000


def test_fewer_keys_are_fewer_keys_in_the_file(shell: Shell, rig: Path, tmp_path: Path) -> None:
    line = ("generate", "--rig", rig, "--prompt", "walks", "--seconds", "2")
    shell(*line, "--out", tmp_path / "all.glb")
    shell(*line, "--out", tmp_path / "few.glb", "--option", "keyframe_budget=0.01")
    keys, places = {}, {}
    for name in ("all.glb", "few.glb"):
        data = (tmp_path / name).read_bytes()
        document = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
        inputs = [document["accessors"][s["input"]]["count"] for s in document["animations"][0]["samplers"]]
        keys[name], places[name] = sum(inputs), formats.load(tmp_path / name).clips[0].world()[0]
    assert keys["few.glb"] < 0.6 * keys["all.glb"]
    assert np.abs(places["few.glb"] - places["all.glb"]).max() < 0.011, "within what was asked"


def test_generate_on_a_rig_with_keys_of_a_clip(shell: Shell, rig: Path, tmp_path: Path) -> None:
    shell("demo", "--out", tmp_path / "demo")
    answer = shell.json(
        "generate", "--rig", tmp_path / "demo" / "demo.bvh", "--keys", tmp_path / "demo" / "demo.bvh",
        "--key-frame", "0", "--key-frame", "43", "--seconds", "2", "--samples", "2", "--seed", "3",
        "--out", tmp_path / "out.bvh", "--report", tmp_path / "out.json",
        "--save-request", tmp_path / "r.kineograph.json",
    )  # fmt: skip
    assert [Path(f).name for f in answer["files"]] == ["out.bvh", "out_2.bvh", "out.json"]
    source = formats.load(tmp_path / "demo" / "demo.bvh").clips[0]
    for name in ("out.bvh", "out_2.bvh"):
        clip = formats.load(tmp_path / name).clips[0]
        for frame in (0, 43):
            assert np.abs(clip.world()[0][frame] - source.world()[0][frame]).max() < 1e-3
    assert json.loads((tmp_path / "r.kineograph.json").read_text())["request"]["options"] == {
        "num_samples": 2,
        "seed": 3,
    }


def test_a_character_keeps_its_mesh_and_each_sample_has_a_name(shell: Shell, tmp_path: Path) -> None:
    skeleton = demo.character()
    rig, out = tmp_path / "hero.glb", tmp_path / "takes.glb"
    formats.save(rig, skeleton, [], mannequin.build(skeleton))
    assert formats.has_mesh(rig)
    document = pygltflib.GLTF2().load(str(rig))
    document.meshes[0].name = "the hero's own"
    document.save(str(rig))
    shell("generate", "--rig", rig, "-p", "walks", "-s", 1, "-n", 2, "-m", "kineograph-interpolate", "--out", out)
    assert [mesh.name for mesh in pygltflib.GLTF2().load(str(out)).meshes] == ["the hero's own"]
    assert [clip.name for clip in formats.load(out).clips] == ["walks 1", "walks 2"]


def test_a_model_is_named_without_the_beginning_that_all_have(shell: Shell, rig: Path) -> None:
    shell("generate", "--rig", rig, "--seconds", "1", "--model", "interpolate")
    assert shell.json("jobs", "list", "--limit", "1")[0]["model"] == "kineograph-interpolate"
    refused = shell("generate", "--rig", rig, "--model", "interpolat", code=Exit.REFUSED).stderr
    assert "Did you mean 'kineograph-interpolate'?" in refused


def test_what_is_no_daemon_is_named_and_nobody_is_told_to_start_it_here(shell: Shell) -> None:
    silent = shell("jobs", "list", "--connect", "ipc:///nowhere/d.sock", code=Exit.NO_DAEMON).stderr
    assert "at ipc:///nowhere/d.sock" in silent
    assert "daemon start" not in silent
    assert "'somewhere' is no address" in shell("jobs", "list", "--connect", "somewhere", code=Exit.NO_DAEMON).stderr
    assert "kineograph jobs list" in shell("jobs", "show", "zzz", code=Exit.JOB).stderr


def heroes_mesh(path: Path) -> bool:
    return [mesh.name for mesh in pygltflib.GLTF2().load(str(path)).meshes] == ["the hero's own"]


def test_a_job_that_is_fetched_or_run_again_is_on_the_character_it_was_sent_for(shell: Shell, tmp_path: Path) -> None:
    skeleton, rig, out = demo.character(), tmp_path / "hero.glb", tmp_path / "again.glb"
    formats.save(rig, skeleton, [], mesh=mannequin.build(skeleton))
    document = pygltflib.GLTF2().load(str(rig))
    document.meshes[0].name = "the hero's own"
    document.save(str(rig))
    job = shell.json("generate", "--rig", rig, "--seconds", "1", "--out", tmp_path / "first.glb")["job"]
    shell("jobs", "wait", job, "--out", out)
    assert out.read_bytes() == (tmp_path / "first.glb").read_bytes()
    replayed = shell.json("jobs", "replay", job, "--out", out)["job"]["job"]
    assert heroes_mesh(out)
    shell("jobs", "wait", replayed, "--out", out)
    assert heroes_mesh(out)

    moved = rig.rename(tmp_path / "moved.glb")
    assert "hero.glb' is gone" in shell("jobs", "wait", job, "--out", out).stderr
    assert not heroes_mesh(out)
    shell("jobs", "wait", job, "--out", out, "--rig", moved)
    assert heroes_mesh(out)
    rig.write_bytes(moved.read_bytes() + b"    ")
    assert "has changed" in shell("jobs", "wait", job, "--out", out).stderr

    formats.save(rig, Skeleton.build(["a", "b"], [-1, 0], [[0, 0, 0], [0, 1, 0]]), [])
    assert "another character" in shell("jobs", "replay", job, "--out", out, "--rig", rig, code=Exit.USAGE).stderr
    formats.save(rig, replace(skeleton, rest_translations_m=skeleton.rest_translations_m * 1.1), [])
    refused = shell("jobs", "wait", job, "--out", out, "--rig", rig, code=Exit.USAGE)
    assert "kineograph retarget" in " ".join(refused.stderr.split())


def test_only_so_many_characters_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rig: Path) -> None:
    monkeypatch.setenv("KINEOGRAPH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(character, "MOST", 2)
    for job in ("one", "two", "three"):
        character.remember(job, rig)
        os.utime(character._folder() / f"{job}.json", ns=(0, len(list(character._folder().iterdir()))))
    assert character.recall("one") is None
    assert character.recall("three") == (rig, True)
    for damage in ("", "[]", "{}", '{"rig": 3, "sha256": ""}', '{"rig": "nowhere", "sha256": ""'):
        (character._folder() / "three.json").write_text(damage)
        assert character.recall("three") is None


def test_jobs_are_listed_shown_waited_for_and_replayed(shell: Shell, rig: Path, tmp_path: Path) -> None:
    answer = shell.json("generate", "--rig", rig, "--prompt", "stands", "--seconds", "1")
    job = answer["job"]
    assert job in {j["job"] for j in shell.json("jobs", "list")}
    shown = shell.json("jobs", "show", job[:8])
    assert shown["state"] == "succeeded"
    assert shown["report"] == answer["report"]
    assert "ignored" in shell("jobs", "show", job[:8]).stdout, "words that the model does not know"
    assert job[:8] in shell("jobs", "list").stdout
    assert shell.json("jobs", "wait", job, "--out", tmp_path / "waited.glb")["state"] == "succeeded"
    shell.json("replay", job[:8], "--out", tmp_path / "replayed.glb")
    first, second = (formats.load(tmp_path / n).clips[0] for n in ("waited.glb", "replayed.glb"))
    assert np.array_equal(first.rotations_xyzw, second.rotations_xyzw)
    assert shell.json("jobs", "retry", job)["job"]["job"] != job


def test_a_refused_request_is_an_instruction(shell: Shell, rig: Path, tmp_path: Path) -> None:
    pins = tmp_path / "pins.json"
    pins.write_text(
        json.dumps([{"type": "effector_target", "joint": "LefHand", "frames": [3], "positions": [[0.2, 1.0, 0.3]]}])
    )
    words: Sequence[str | Path] = ("generate", "--rig", rig, "--seconds", "1", "--constraints", pins)
    said = shell(*words, code=Exit.REFUSED).stderr
    assert "LefHand" in said
    assert "LeftHand" in said
    answer = shell.json(*words, code=Exit.REFUSED)
    assert answer["error"]["code"] == "unknown_joint"
    assert answer["problem"]["fixes"]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("empty.bvh", b"", "empty.bvh"),
        ("lies.bvh", b"HIERARCHY\nROOT a\n{\n OFFSET 0 0\n", "line"),
        ("short.glb", b"glTF\x02\x00\x00\x00\xff\xff\x00\x00", "short.glb"),
        ("notes.txt", b"hello", ".txt"),
    ],
)
def test_a_broken_rig_file_names_the_file_and_the_place(
    shell: Shell, tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert expected in shell("generate", "--rig", path, code=Exit.FILE).stderr


def test_wrong_command_lines(shell: Shell, rig: Path, tmp_path: Path) -> None:
    shell("daemon", "start")
    assert "--rig FILE" in shell("generate", code=Exit.USAGE).stderr
    shell("generate", "--rig", rig, "--out", tmp_path / "motion.mov", code=Exit.USAGE)
    shell("generate", "--rig", rig, "-p", "a", "-p", "b", "-s", "1", "-s", "2", "-s", "3", code=Exit.USAGE)
    shell("generate", "--rig", tmp_path / "nowhere.glb", code=Exit.FILE)
    shell("generate", "--rig", rig, "--option", "loop", code=Exit.USAGE)
    shell("errors", "no_such_code", code=Exit.USAGE)
    shell("jobs", "show", "ffff", code=Exit.JOB)
    shell("models", "load", "nothing", code=Exit.REFUSED)
    assert "--seed" in shell("generate", "--rig", rig, "--seed", 10**25, code=Exit.USAGE).stderr
    assert "--keys FILE" in shell("generate", "--rig", rig, "--key-frame", 3, code=Exit.USAGE).stderr
    saved = tmp_path / "saved.json"
    saved.write_text(json.dumps({"request": demo.request()}))
    said = shell("generate", "--request", saved, "--prompt", "runs", "--fps", 24, code=Exit.USAGE).stderr
    assert "leave out --prompt, --fps" in said


def test_a_file_is_not_converted_onto_itself_and_no_name_is_no_job(shell: Shell, rig: Path) -> None:
    for line, says in ((["convert", str(rig), str(rig)], "source itself"), (["jobs", "cancel", ""], "named by its id")):
        done = CliRunner().invoke(app, line, env={**shell.env, "COLUMNS": "400"})
        assert done.exit_code == Exit.USAGE
        assert says in done.output


@pytest.mark.parametrize("value", ["inf", "nan", "-inf", "-1"])
def test_numbers_that_are_no_lengths_rates_or_waits(value: str) -> None:
    lines = [("generate", option) for option in ("--fps", "--seconds", "--timeout")]
    for command, option in [*lines, ("convert", "--fps"), ("retarget", "--fps"), ("watch", "--fps")]:
        done = CliRunner().invoke(app, [command, "a", "b", f"{option}={value}"], env={"COLUMNS": "200"})
        assert done.exit_code == Exit.USAGE
        assert f"Invalid value for '{option}'" in done.output


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"type": "root_path"}', "it holds no list of constraints"),
        (b"[\n{bad", "line 2: it is no JSON there"),
        (b"\xff\xfe[]", "byte 0: it is no text in UTF-8"),
        (b"[" * 200_000, "nested too deeply"),
        (b"[" + b"9" * 5000 + b"]", "4300"),
    ],
)
def test_a_broken_list_of_constraints_is_told_with_its_place_and_reason(
    rig: Path, tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(content)
    with pytest.raises(SceneError) as caught:
        build(Ask(rig=rig, constraints=path))
    assert says in resolve(caught.value).text


@pytest.mark.parametrize("content", ["[1]", '{"request": "x"}'])
def test_a_file_without_a_request_is_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "request.json"
    path.write_text(content)
    with pytest.raises(SceneError) as caught:
        build(Ask(request=path))
    assert "holds no request" in resolve(caught.value).text


def test_keys_of_a_clip_of_another_rate_are_met_at_their_time(tmp_path: Path) -> None:
    skeleton = demo.character()
    count = 121
    still = np.tile(skeleton.rest_rotations_xyzw, (count, 1, 1))
    root = np.stack([np.zeros(count), np.full(count, 0.9), np.arange(count) / 120], axis=1)
    formats.save(tmp_path / "fast.bvh", skeleton, [Clip(skeleton, 120.0, still, root)])
    formats.save(tmp_path / "rig.glb", skeleton, [])
    ask = Ask(rig=tmp_path / "rig.glb", keys=tmp_path / "fast.bvh", key_frames=(0, 60, 120), fps_hz=24.0, seconds=(2,))
    keys = build(ask).request["constraints"]
    assert [(k["frame"], round(k["root_position"][2], 3)) for k in keys] == [(0, 0.0), (12, 0.5), (24, 1.0)]


def test_an_output_that_cannot_be_written_names_the_file(shell: Shell, rig: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "a_file"
    blocked.write_text("in the way")
    said = shell("generate", "--rig", rig, "--seconds", "1", "--out", blocked / "x.glb", code=Exit.FILE).stderr
    unfolded = "".join(said.split())
    assert "Couldnotwrite" in unfolded
    assert str(blocked / "x.glb") in unfolded


def test_a_place_that_takes_no_file_is_told_before_the_work(rig: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder.glb"
    folder.mkdir()
    line = ["generate", "--rig", str(rig), "--no-start", "--out", str(folder), "--json"]
    told = CliRunner().invoke(app, line, env={"KINEOGRAPH_HOME": str(tmp_path / "home")})
    assert told.exit_code == Exit.FILE, "no daemon was asked for"
    said = f"Could not write '{folder}': it is a folder; name a file in it."
    assert json.loads(told.stdout)["problem"]["text"] == said
    for files in (
        generating.Files(report=folder),
        generating.Files(request=folder),
        generating.Files(sheet=rig / "a.png"),
    ):
        with pytest.raises(SceneError):
            files.check()
    with pytest.raises(typer.BadParameter, match=r"a contact sheet is a \.png"):
        generating.Files(sheet=tmp_path / "a.jpg").check()


def test_a_motion_that_could_not_be_written_is_fetched_by_the_job_that_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = demo.request("any")
    names = [joint["name"] for joint in request["skeleton"]["joints"]]
    body = {"fps_hz": 30.0, "joint_names": names, "rotations_xyzw": np.ones((1, 1, len(names), 4)) / 2,
            "root_m": np.zeros((1, 1, 3))}  # fmt: skip
    result = Result.from_body(JobStatus("7f3a7f3a-0000", JobState.SUCCEEDED), body)
    place = tmp_path / "gone"
    place.write_text("a file where the folder was")
    with pytest.raises(SceneError):
        generating.write(result, Built(request), generating.Files(place / "walk.glb"))
    assert "kineograph jobs wait 7f3a7f3a --out FILE.glb" in capsys.readouterr().err


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_a_list_of_jobs_never_cuts_an_id_nor_folds_a_line(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [
        JobStatus(f"0000000{n}-0000", JobState.FAILED, model="a-model", client="cli:me", prompt="walks " * 9,
                  error={"error": {"code": "internal_error"}})
        for n in range(3)
    ]  # fmt: skip
    paper = io.StringIO()
    monkeypatch.setattr(jobs, "page", Console(file=paper, width=width))
    jobs._table(listed)
    lines = paper.getvalue().splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["00000000", "00000001", "00000002"]
    assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--seconds", "1e300"], "a whole number of more than 64 bits"),
        (["--fps", "1e9"], "'fps' is 1e+09, it takes at most 100000"),
        (["--option", "num_samples=null"], "'num_samples' is nothing, it takes a whole number"),
        (["--constraints", "empty.json"], "at constraint 1: 'type' is missing"),
    ],
)
def test_an_absurd_value_is_named(shell: Shell, rig: Path, options: list[str], says: str) -> None:
    (shell.home / "empty.json").write_bytes(b"\xef\xbb\xbf[{}]")  # as an editor of Windows writes it
    line = ["generate", "--rig", str(rig), "--json", *options]
    with contextlib.chdir(shell.home):
        told = CliRunner().invoke(app, line, env=shell.env)
    assert told.exit_code == Exit.REFUSED
    assert says in json.loads(told.stdout)["problem"]["text"]


def test_errors_explains_every_code(shell: Shell) -> None:
    rows = shell.json("errors")
    assert {"unknown_joint", "daemon_unreachable", "path_too_fast"} <= {r["code"] for r in rows}
    assert all(r["title"] and r["cause"] for r in rows)
    assert "Rename the bone to '...'" in shell("errors", "unknown_joint").stdout, "no names of our own"


def test_models_doctor_and_status(shell: Shell) -> None:
    models = shell.json("models", "list")
    assert models["default_model"] in models["models"]
    assert "kineograph-interpolate" in shell("models", "list").stdout
    assert shell.json("models", "load", "kineograph-interpolate")["state"] in ("ready", "loading")
    assert all(f["fine"] for f in shell.json("doctor"))
    assert shell.json("daemon", "status")["pid"] > 0


def test_a_models_card_is_printed_and_a_missing_one_named(shell: Shell) -> None:
    card = shell("models", "card", "starter").stdout
    assert card == shell("models", "card", "kineograph-starter").stdout
    assert "The database was created with funding from NSF EIA-0196217." in card
    assert shell.json("models", "card", "starter")["card"].strip() == card.strip()
    assert "kineograph-starter" in shell("models", "card", "nobody", code=Exit.USAGE).stderr


def test_start_adopts_and_stop_stops(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    assert shell.json("daemon", "stop") == {"stopped": False}
    shell("daemon", "status", code=Exit.NO_DAEMON)
    first = shell.json("daemon", "start")
    second = shell.json("daemon", "start")
    try:
        assert not first["adopted"]
        assert second["adopted"]
        assert first["pid"] == second["pid"]
    finally:
        assert shell.json("daemon", "stop") == {"stopped": True}
    shell("daemon", "status", code=Exit.NO_DAEMON)


def test_a_home_that_cannot_be_made_is_told_by_every_command(tmp_path: Path) -> None:
    blocker = tmp_path / "blocker"
    blocker.write_text("a file where a folder is needed")
    env = {**os.environ, "KINEOGRAPH_HOME": str(blocker / "home"), "COLUMNS": "400", "NO_COLOR": "1"}

    def run(*words: str) -> tuple[int, str]:
        done = subprocess.run([*words], env=env, capture_output=True, text=True, timeout=60, check=False)
        assert "Traceback" not in done.stdout + done.stderr
        return done.returncode, done.stdout + done.stderr

    code, said = run(str(KINEOGRAPH), "doctor")
    assert code == Exit.FAILED
    assert "set KINEOGRAPH_HOME to another folder" in said
    for words in (("daemon", "start"), ("models", "list")):
        code, said = run(str(KINEOGRAPH), *words)
        assert code == Exit.NO_DAEMON
        assert "Not a directory" in said
    for own in ("run", "start", "status", "settings"):
        code, said = run(sys.executable, "-m", "kineograph_daemon", own)
        assert code in (1, 3), own
        assert "Not a directory" in said or code == 3


def test_trouble_of_the_system_is_a_problem_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    @reports_errors
    def command(*, as_json: bool) -> None:
        raise PermissionError(13, "Permission denied", "/some/folder")

    with pytest.raises(typer.Exit) as ended:
        command(as_json=True)
    assert ended.value.exit_code == Exit.FILE
    assert json.loads(capsys.readouterr().out)["problem"]["text"].startswith("Could not write '/some/folder': Perm")

    @reports_errors
    def gone() -> None:
        raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        gone()
