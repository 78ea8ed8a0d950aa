# SPDX-License-Identifier: Apache-2.0
"""Watched folders: a real watcher before a real daemon, its outcomes, a map that is mended, and broken words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from tests.gui import scenes
from tests.gui.conftest import MakePanel

from kineograph import demo, formats
from kineograph.client import discovery
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs.roles import Role
from kineograph_gui.app import Panel
from kineograph_gui.model.settings import PanelSettings
from kineograph_gui.model.watching import FileRow, Folder, Watcher
from kineograph_gui.model.words import say
from kineograph_gui.ui.map_dialog import MapDialog
from kineograph_gui.ui.watch_dialog import WatchDialog

WAIT_MS = 60_000


def _clip(rig: Skeleton) -> Clip:
    rest = rig.rest_rotations_xyzw[None].repeat(8, axis=0)
    return Clip(rig, 30.0, rest, rig.rest_positions_m[rig.root][None].repeat(8, axis=0))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A clip that is understood, and one whose hands have names that nobody knows."""
    source = tmp_path / "mocap"
    source.mkdir()
    rig = demo.character()
    odd = replace(rig, names=tuple({"LeftHand": "zorg_L", "RightHand": "zorg_R"}.get(n, n) for n in rig.names))
    formats.save(tmp_path / "hero.bvh", rig, [_clip(rig)])
    formats.save(source / "walk.bvh", rig, [_clip(rig)])
    formats.save(source / "odd.bvh", odd, [_clip(odd)])
    (source / "broken.bvh").write_text("HIERARCHY\nnothing of use\n")
    return Folder(str(source), str(tmp_path / "done"), (str(tmp_path / "hero.bvh"),))


@pytest.mark.slow
def test_a_folder_is_watched_and_a_map_mended(
    make_panel: MakePanel, qtbot: QtBot, folder: Folder, settings: PanelSettings
) -> None:
    panel = make_panel(ready=False)
    page = panel.window.watch
    try:
        watcher = page.watch(folder)
        qtbot.waitUntil(lambda: watcher.counts.get("done", 0) == 1, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: len(watcher.to_look_at) == 2, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: page.files.topLevelItemCount() == 2)
        assert (Path(folder.out) / "walk.bvh").exists()
        states = {row.source: row.state for row in watcher.to_look_at}
        assert states == {"odd.bvh": "needs_map", "broken.bvh": "failed"}
        panel.window.show_page("watch")
        assert not page.grab().isNull()
        page.files.setCurrentItem(page.files.topLevelItem(0))
        page.mend.click()
        dialog = next(d for d in page.findChildren(MapDialog) if d.isVisible())
        dialog.choose(Role.LEFT_HAND, "zorg_L")
        dialog.use.click()
        dialog.save.click()
        dialog.accept()
        qtbot.waitUntil(lambda: watcher.counts.get("done", 0) == 2, timeout=WAIT_MS)
        page.pause.click()
        qtbot.waitUntil(lambda: watcher.paused, timeout=WAIT_MS)
        assert [Folder.of(told) for told in settings.watched] == [folder]
        page.remove.click()
        assert not settings.watched
        assert not watcher.is_running
    finally:
        page.close_all()
        scenes.end_daemon(discovery.find_daemon())


def test_what_a_watcher_says_is_shown(panel: Panel, folder: Folder) -> None:
    watcher = Watcher(folder, panel.window)
    for told in (
        {"t": "task", "state": "failed", "source": "a.bvh", "out": "a.glb", "text": "no motion"},
        {"t": "task", "state": "done", "source": "b.bvh", "out": "b.glb"},
        {"t": "status", "counts": {"done": 1, "failed": 1, "odd": "x"}, "paused": True, "daemon": False},
        {"t": "?"},
        {},
    ):
        watcher.take(told)
    assert watcher.to_look_at == [FileRow("failed", "a.bvh", "a.glb", "no motion")]
    assert watcher.count_words == "1 done, 1 failed"
    assert watcher.state_words == say("watch.no_daemon")
    watcher.take({"t": "away", "reason": "unmounted"})
    assert "unmounted" in watcher.state_words
    watcher.take({"t": "error", "error": {"code": "file_unreadable", "message": "x", "details": {"file": "hero.glb"}}})
    assert "hero.glb" in watcher.state_words
    watcher.deleteLater()


def test_the_summary_of_the_last_time_is_read(panel: Panel, folder: Folder) -> None:
    out = Path(folder.out)
    out.mkdir()
    (out / "_watch.csv").write_text("state,source,target,out,reason\nneeds_map,x.bvh,h,x.glb,left hand\nbroken\n")
    watcher = Watcher(folder, panel.window)
    assert watcher.to_look_at[0].text == "left hand"
    (out / "_watch.csv").write_bytes(b"\xff\xfe\x00")
    assert Watcher(folder, panel.window).rows == {}


def test_the_dialog_says_what_is_missing(panel: Panel, tmp_path: Path) -> None:
    dialog = WatchDialog(panel.window)
    assert not dialog.yes.isEnabled()
    assert dialog.problem == say("watch.needs")
    dialog.source.setText(str(tmp_path))
    dialog.out.setText(str(tmp_path))
    dialog.to.setText("hero.glb")
    assert dialog.problem == say("watch.same")
    dialog.out.setText(str(tmp_path / "done"))
    dialog.rules.setPlainText("*_anna.bvh")
    assert "*_anna.bvh" in dialog.problem
    dialog.rules.setPlainText("*_anna.bvh = anna.toml\n")
    assert dialog.yes.isEnabled()
    assert dialog.folder.told()["rule"][0]["glob"] == "*_anna.bvh"
    assert Folder.of({**vars(dialog.folder)}) == dialog.folder
    dialog.deleteLater()


def test_folders_that_cannot_be_understood_do_not_hide_the_others(
    settings: PanelSettings, make_panel: MakePanel, folder: Folder
) -> None:
    settings.watched = [{"nonsense": 1}, {**vars(folder), "on": False}, {"source": 1, "out": 2, "to": 3}]
    panel = make_panel(ready=False)
    page = panel.window.watch
    assert [w.folder.source for w in page.watchers] == [folder.source]
    page.resume()
    assert not page.watchers[0].is_running, "it was switched off"
    item = page.list.topLevelItem(0)
    assert item is not None
    assert item.text(2) == say("watch.off")
    assert item.data(0, Qt.ItemDataRole.DisplayRole) == folder.source
