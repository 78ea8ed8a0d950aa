# SPDX-License-Identifier: Apache-2.0
"""The watcher as a process, with a real daemon: bursts, kills, broken files, maps, rules, pause and drain."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fakes import test_rigs as rigs
from tests.fakes import walks
from tests.integration.daemon.conftest import House, wait_until

from kineograph import formats
from kineograph.errors import KineographError
from kineograph.formats import mannequin
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import profiles

FILES = int(os.environ.get("KINEOGRAPH_WATCH_FILES", "48"))
"""Files of the burst; 500 for a thorough run."""
CMU, MIXAMO = rigs.RIGS["cmu"](), rigs.RIGS["mixamo"]()
WALK = walks.walk(CMU)


class Watcher:
    """A watcher process; what it says is kept."""

    def __init__(self, house: House, **told: Any) -> None:
        self.said: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kineograph_daemon.watch"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=house.env, cwd=house.home,
        )  # fmt: skip
        assert self.process.stdin is not None
        values = {"scan_s": 0.4, "patience_s": 3.0, "start": False, **told}
        self.process.stdin.write(
            json.dumps({k: str(v) if isinstance(v, Path) else v for k, v in values.items()}) + "\n"
        )
        self.process.stdin.close()
        self._reader = threading.Thread(target=self._listen)
        self._reader.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(json.loads(line))

    def wait(self, timeout_s: float = 120.0) -> int:
        code = self.process.wait(timeout_s)
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def kill(self) -> None:
        self.process.kill()
        self.wait()

    def drain(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.wait()


@pytest.fixture
def start(make_house: Callable[..., House]) -> Iterator[Callable[..., Watcher]]:
    """Watchers against one daemon; none is left running."""
    house = make_house()
    begun: list[Watcher] = []

    def begin(**told: Any) -> Watcher:
        begun.append(Watcher(house, **told))
        return begun[-1]

    begin.house = house  # type: ignore[attr-defined]
    yield begin
    for watcher in begun:
        if watcher.process.poll() is None:
            watcher.kill()


@pytest.fixture
def hero(tmp_path: Path) -> Path:
    path = tmp_path / "hero.glb"
    formats.save(path, MIXAMO, [], mesh=mannequin.build(MIXAMO))
    return path


def motion(number: int) -> Clip:
    """A short clip unlike any other."""
    clip = WALK.slice(number % 40, number % 40 + 12)
    aside = np.array([0.001 * number, 0.0, 0.0])
    return Clip(CMU, clip.fps_hz, clip.rotations_xyzw, clip.root_m + aside, f"take {number}")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def contents(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): digest(p) for p in folder.rglob("*") if p.is_file()}


def results(out: Path) -> list[Path]:
    return [p for p in out.rglob("*.glb") if not p.name.startswith(".")]


def prepare(folder: Path) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Good and bad files by relative path."""
    folder.mkdir()
    good: dict[str, bytes] = {}
    bad: dict[str, bytes] = {}
    for n in range(FILES):
        place = f"{('', 'fresh/', 'fresh/deep/er/')[n % 3]}take_{n:03d}{('.bvh', '.glb')[n % 2]}"
        path = folder / f"x{Path(place).suffix}"
        formats.save(path, CMU, [motion(n)])
        data = path.read_bytes()
        if n % 10 == 7:
            bad[place] = (data[: len(data) // 2], b"", b"\x00" * 64, data[:-3])[n // 10 % 4]
        else:
            good[place] = data
    return good, bad


def drop(source: Path, files: dict[str, bytes]) -> None:
    """The burst: most at once, some slowly, some under a name that changes while they are being read."""
    slow: list[threading.Thread] = []
    for n, (place, data) in enumerate(files.items()):
        path = source / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if n % 9 == 4:
            slow.append(threading.Thread(target=_slowly, args=(path, data)))
            slow[-1].start()
        elif n % 11 == 6:
            path.with_stem(f"old_{path.stem}").write_bytes(data)
            slow.append(threading.Thread(target=_rename, args=(path, random.Random(n).uniform(0.2, 3.0))))
            slow[-1].start()
        else:
            path.write_bytes(data)
    for thread in slow:
        thread.join()


def _slowly(path: Path, data: bytes) -> None:
    with open(path, "wb") as file:
        for part in range(6):
            file.write(data[part * len(data) // 6 : (part + 1) * len(data) // 6])
            file.flush()
            time.sleep(0.25)


def _rename(path: Path, after_s: float) -> None:
    time.sleep(after_s)
    path.with_stem(f"old_{path.stem}").rename(path)


@pytest.mark.timeout(900)
def test_a_burst_with_two_deaths_of_each_side(tmp_path: Path, hero: Path, start: Any) -> None:
    house: House = start.house
    good, bad = prepare(tmp_path / "made")
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    told = {"in": source, "out": out, "to": str(hero), "state": tmp_path / "ledger.sqlite"}
    watcher = start(**told)
    ended = threading.Event()
    broken: list[str] = []

    def look() -> None:
        """Whatever has a result's name is a whole result, at any moment."""
        seen: set[Path] = set()
        while not ended.is_set():
            for path in set(results(out)) - seen:
                seen.add(path)
                try:
                    formats.load(path)
                except KineographError as e:
                    broken.append(str(e))
            time.sleep(0.05)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        dropping = threading.Thread(target=drop, args=(source, {**good, **bad}))
        dropping.start()
        wait_until(lambda: len(results(out)) >= 0.1 * len(good), 300)
        watcher.kill()
        watcher = start(**told)
        wait_until(lambda: len(results(out)) >= 0.3 * len(good), 300)
        house.kill()
        house.start()
        wait_until(lambda: len(results(out)) >= 0.5 * len(good), 300)
        watcher.kill()
        watcher = start(**told)
        wait_until(lambda: len(results(out)) >= 0.7 * len(good), 300)
        house.kill()
        house.start()
        dropping.join()
        wait_until(lambda: len(results(out)) >= len(good), 300)
        assert watcher.drain() in (0, 7)
        assert start(**told, once=True).wait(300) == 7
    finally:
        ended.set()
        looking.join()
    assert broken == []
    made = [json.loads(p.read_text())["sha256"] for p in out.rglob("*.report.json")]
    assert sorted(made) == sorted(hashlib.sha256(data).hexdigest() for data in good.values())
    assert len(results(out)) == len(good)
    assert all(len(formats.load(p).clips[0]) == 12 for p in results(out))
    failures = {p.relative_to(out / "_failed").as_posix(): json.loads(p.read_text())
                for p in (out / "_failed").rglob("*.json")}  # fmt: skip
    assert set(failures) == {f"{place}.hero.error.json" for place in bad}
    for failure in failures.values():
        assert failure["error"]["code"] in ("file_incomplete", "file_unreadable")
        assert Path(failure["source"]).name in failure["problem"]["text"]
    assert contents(source) == {place: hashlib.sha256(data).hexdigest() for place, data in {**good, **bad}.items()}
    assert list(out.rglob(".*")) == []
    rows = list(csv.DictReader((out / "_watch.csv").read_text().splitlines()))
    assert sum(row["state"] == "done" for row in rows) == len(good)
    assert sum(row["state"] == "failed" for row in rows) == len(bad)
    times = {p: p.stat().st_mtime_ns for p in results(out)}
    assert start(**told, once=True).wait(120) == 7
    assert {p: p.stat().st_mtime_ns for p in results(out)} == times


def test_rules_maps_and_what_opens_them_again(tmp_path: Path, hero: Path, start: Any) -> None:
    """Two targets, a profile by glob, a rig that nobody knows until its map is filled in; results inside IN."""
    source = tmp_path / "in"
    source.mkdir()
    formats.save(source / "plain.bvh", CMU, [motion(1)])
    names = [f"bone{i}" for i in range(len(CMU))]
    # No name says anything, and the rest pose is a heap: neither names nor positions can be read.
    heap = Skeleton.build(names, CMU.parents, CMU.rest_translations_m * 0.0 + 1e-4)
    odd = Clip(heap, 30.0, motion(2).rotations_xyzw, motion(2).root_m)
    formats.save(source / "odd.bvh", heap, [odd])
    other = tmp_path / "other.bvh"
    formats.save(other, rigs.RIGS["vrm"](), [])
    told = {"in": source, "out": source / "out", "state": tmp_path / "l.sqlite", "rule": [
        {"glob": "plain*", "to": [str(hero), str(other)], "options": {"root": "object"}},
        {"glob": "*.bvh", "to": str(hero)},
    ]}  # fmt: skip
    watcher = start(**told)
    out = source / "out"
    wait_until(lambda: len(list(out.rglob("*.report.json"))) == 2, 60)
    wait_until(lambda: list((out / "needs_map").glob("*.toml")), 60)
    assert {p.relative_to(out).as_posix() for p in [*results(out), *out.rglob("*.bvh")]} == {
        "hero/plain.glb", "other/plain.bvh",
    }  # fmt: skip
    assert formats.load(out / "hero" / "plain.glb").skeleton.names[0] == "Object"
    (asked,) = (out / "needs_map").glob("*.toml")
    assert "left_thigh" in asked.read_text()
    assert not profiles.read(asked).roles
    assert watcher.process.poll() is None
    known = profiles.read_rig(CMU.names, CMU.parents.tolist())
    roles = {m.role: names[m.joint] for m in known.matches.values()}
    signature = profiles.signature(names, CMU.parents.tolist())
    profiles.write(profiles.Profile("odd", match=profiles.Match(hash=signature), roles=roles), asked)
    wait_until(lambda: any(m.get("source") == "odd.bvh" and m["state"] == "done" for m in watcher.said), 60)
    assert (out / "hero" / "odd.glb").exists()
    assert not list((out / "needs_map").glob("*.error.json"))
    before = (out / "hero" / "odd.glb").stat().st_mtime_ns
    formats.save(hero, rigs.RIGS["unreal"](), [])  # another rig under the same name: everything on it is made again
    wait_until(lambda: (out / "hero" / "odd.glb").stat().st_mtime_ns != before, 60)
    assert watcher.drain() == 0


def test_pause_drain_and_a_second_watcher(tmp_path: Path, hero: Path, start: Any) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    told = {"in": source, "out": out, "to": str(hero), "state": tmp_path / "l.sqlite"}
    watcher = start(**told, network=True)
    wait_until(lambda: any(m["t"] == "status" for m in watcher.said), 60)
    assert start(**told).wait(120) == 7
    assert start(**told, tell="pause").wait(120) == 0
    wait_until(lambda: any(m.get("paused") for m in watcher.said), 60)
    formats.save(source / "a.glb", CMU, [motion(1)])
    time.sleep(2.0)
    assert results(out) == []
    assert start(**told, tell="run").wait(120) == 0
    wait_until(lambda: results(out), 60)
    assert start(**told, tell="drain").wait(120) == 0
    assert watcher.wait(120) == 0
    assert watcher.said[-1]["counts"]["done"] == 1


def _hear_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_the_command_with_a_summary_and_its_exit_code(tmp_path: Path, hero: Path, start: Any) -> None:
    house: House = start.house
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    formats.save(source / "a.bvh", CMU, [motion(1)])
    program = Path(sys.executable).with_name("kineograph")
    first = [str(program), "watch", str(source), "--to", str(hero), "--out", str(out), "--once", "--no-start", "--json"]

    def run(command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=house.env, capture_output=True, text=True, timeout=120, check=False)

    done = run(first)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["counts"]["done"] == 1
    assert "a.bvh" in (out / "_watch.html").read_text()
    # The same content again under another name and in another ledger is the daemon's same job, or a new one.
    (source / "a.bvh").rename(source / "again.bvh")
    command = [w for w in first if w != "--once"] + ["--state", str(tmp_path / "other.sqlite")]
    going = subprocess.Popen(
        command,
        env=house.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # A test run that itself runs in the background ignores Ctrl-C, and so would what it starts.
        preexec_fn=_hear_ctrl_c,
    )
    try:
        wait_until(lambda: (out / "again.glb.report.json").exists(), 120)
        going.send_signal(signal.SIGINT)
        said, _ = going.communicate(timeout=120)
    finally:
        if going.poll() is None:
            going.kill()
            going.communicate()
    assert going.returncode == 0
    assert json.loads(said)["counts"]["done"] == 1
    (source / "again.bvh").rename(source / "a.bvh")
    (source / "b.glb").write_text("no glTF")
    rules = tmp_path / "studio.toml"
    rules.write_text('in = "in"\nout = "out2"\nto = "hero.glb"\n[[rule]]\nglob = "a*"\nformat = "bvh"\n')
    by_file = [str(program), "watch", "--rules", str(rules), "--once", "--no-start"]
    second = run(by_file)
    assert second.returncode == 7, second.stderr
    assert "b.glb" in second.stderr
    assert formats.load(tmp_path / "out2" / "a.bvh").clips[0].fps_hz == pytest.approx(WALK.fps_hz)
    rules.write_text('in = "in"\nout = "out2"\nto = "hero.glb"\nspeed = 3\n')
    wrong = run([*by_file, "--json"])
    assert wrong.returncode == 3
    assert json.loads(wrong.stdout)["error"]["details"]["where"]["path"] == ["speed"]
