# SPDX-License-Identifier: Apache-2.0
"""What a fix or a menu needs a window for: questions, files, the clipboard, other pages."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTemporaryDir, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QFileDialog, QLineEdit

from kineograph import formats
from kineograph.errors import KineographError, SceneError
from kineograph.motion.skeleton import Skeleton
from kineograph_gui.model import rows
from kineograph_gui.model.desk import log_folder
from kineograph_gui.model.mending import Mending
from kineograph_gui.model.repair import Repair
from kineograph_gui.model.words import say
from kineograph_gui.ui.ask import Choice, Question
from kineograph_gui.ui.joint_dialog import JointDialog, Scope
from kineograph_gui.ui.map_dialog import MapDialog

if TYPE_CHECKING:
    from kineograph_gui.ui.window import MainWindow


def kinds() -> str:
    """What a motion is saved as, here: FBX only where something can write it."""
    from kineograph.formats import fbx  # not on the time of a start

    endings = [".glb", ".bvh", *([".fbx"] if fbx.is_available() else [])]
    return ";;".join(f"{ending[1:].upper()} (*{ending})" for ending in endings)


class Aid(QObject):
    """The main window's helper. Dialogs open without waiting: nothing stands still behind them."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._desk = window.desk
        self._opened: QTemporaryDir | None = None  # what other programs were given to show; goes with the panel

    def carry_out(self, repair: Repair, action: str, args: dict[str, Any]) -> None:
        """An action of a fix that asks for a widget."""
        window = self._window
        match action:
            case "copy_report":
                self.copy(repair.report_text())
            case "save_report":
                self._save_text(repair.report_text(), "kineograph-report.txt")
            case "copy_request":
                self.copy(json.dumps(repair.base_request, default=_plain, indent=1))
            case "open_log":
                self.open_log()
            case "show_load_error":
                window.show_page("models")
                window.bottom.say(str(args.get("reason") or ""))
            case "prompt_tips":
                window.bottom.say(say("problem.prompt_tips"))
            case "show_job":
                window.show_page("queue")
                window.queue.filter.setText(str(args.get("holder") or args.get("job") or ""))
            case "choose_joint":
                self._choose_joint(repair, args)
            case "choose_root":
                self._choose_root(repair, args)
            case "edit_map" | "edit_profile":
                self._edit_map(repair)
            case "setting":
                window.show_page("settings")
                window.settings.form.show_setting(str(args.get("name") or ""))
            case "pause_watcher":
                window.show_page("watch")
                window.bottom.say(say("said.watch_paused", count=window.watch.pause_all()))
            case "choose_file":
                window.show_page("new")
                window.new.ask_rig()
            case _:
                window.edit_as_new()

    # --- questions ----------------------------------------------------------------------------------------------------
    def _choose_joint(self, repair: Repair, args: dict[str, Any]) -> None:
        joint, path = str(args.get("joint") or ""), args.get("path")
        skeleton = (repair.base_request or {}).get("skeleton")
        choices = repair.joint_choices(joint)
        joints = skeleton.get("joints") if isinstance(skeleton, dict) else [{"name": name} for name, _ in choices]
        dialog = JointDialog(joint, joints or (), choices, has_place=bool(path), parent=self._window)
        dialog.accepted.connect(lambda: self._use_joint(repair, joint, path, dialog))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _use_joint(self, repair: Repair, joint: str, path: Any, dialog: JointDialog) -> None:
        if dialog.chosen:
            here = path if dialog.scope is Scope.HERE else None
            repair.rename(joint, dialog.chosen, here, remember=dialog.scope is Scope.PROFILE)

    def _choose_root(self, repair: Repair, args: dict[str, Any]) -> None:
        options = [(str(root), "") for root in args.get("roots") or ()]
        dialog = Choice(self._window, say("problem.choose_root"), options, say("problem.use"))
        dialog.accepted.connect(lambda: self._use_root(repair, dialog.chosen))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _use_root(self, repair: Repair, root: str) -> None:
        if root:
            repair.change({"target": "request", "action": "only_below_root", "args": {"root": root}})

    def _edit_map(self, repair: Repair) -> None:
        window = self._window
        request = repair.base_request or window.focus_model.request
        try:
            rig = Skeleton.from_mmcp((request or {})["skeleton"])
        except (KineographError, KeyError, TypeError, AttributeError) as e:
            window.bottom.say(say("problem.not_fit", why=e))
            return
        status = window.focus_model.status
        dialog = MapDialog(Mending(rig), status.character if status is not None else "", window)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def ask_address(self) -> None:
        """Another daemon."""
        field = QLineEdit(self._desk.link.address or "")
        field.setAccessibleName(say("link.address"))
        dialog = Question(self._window, say("link.ask_address"), say("link.connect"), say("problem.cancel"), [field])
        dialog.accepted.connect(lambda: self._desk.connect_to(field.text()))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    # --- clipboard and files ------------------------------------------------------------------------------------------
    def copy_report(self) -> None:
        """The report of the problem that is shown."""
        window = self._window
        repair = window.trouble if window.trouble.problem is not None else window.repair
        if repair.problem is not None:
            self.copy(repair.report_text())
        else:
            window.bottom.say(say("said.no_problem"))

    def save_report(self) -> None:
        """The same as a file."""
        if self._window.repair.problem is not None:
            self._save_text(self._window.repair.report_text(), "kineograph-report.txt")

    def open_log(self) -> None:
        """The folder with the logs."""
        QDesktopServices.openUrl(QUrl.fromLocalFile(log_folder()))

    def copy(self, text: str) -> None:
        """Into the clipboard."""
        QGuiApplication.clipboard().setText(text)
        self._window.bottom.say(say("said.copied"))

    def copy_command(self) -> None:
        """The selected jobs as command lines."""
        address = ["--connect", self._desk.link.address] if self._desk.link.address else []
        lines = [shlex.join(["kineograph", "replay", job, *address]) for job in self._window.queue.selected]
        self.copy("\n".join(lines))

    def export(self, sample: int) -> None:
        """The motion that is shown, as GLB or BVH."""
        take, status = self._window.focus_model.take, self._window.focus_model.status
        if take is None or status is None:
            return
        path = self._save_name(f"{rows.name_of(status)[:40]}.glb", kinds())
        if path is not None:
            path = path if path.suffix.lower() in formats.WRITTEN else path.with_suffix(".glb")
            self._write(path, lambda: take.save(path, sample))

    def open_result(self) -> None:
        """The motion that is looked at, in the program that this computer opens GLB files with."""
        take, status = self._window.focus_model.take, self._window.focus_model.status
        if take is None or status is None:
            return
        self._opened = self._opened or QTemporaryDir()
        path = Path(self._opened.path()) / f"{_safe(rows.name_of(status)[:40])}-{status.job[:8]}.glb"
        try:
            take.save(path)
        except (OSError, SceneError) as e:
            self._window.bottom.say(e.message if isinstance(e, SceneError) else str(e))
            return
        opened = QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
        self._window.bottom.say(say("said.opened" if opened else "said.no_program", file=path))

    def _save_text(self, text: str, name: str) -> None:
        path = self._save_name(name, "")
        if path is not None:
            self._write(path, lambda: path.write_text(text, "utf-8"))

    def _save_name(self, name: str, kinds: str) -> Path | None:
        memory = self._window.settings_memory
        start = str(Path(memory.last_folder or Path.home()) / _safe(name))
        chosen, _ = QFileDialog.getSaveFileName(self._window, say("do.export"), start, kinds)
        if not chosen:
            return None
        memory.last_folder = str(Path(chosen).parent)
        return Path(chosen)

    def _write(self, path: Path, write: Callable[[], object]) -> None:
        try:
            write()
        except (OSError, SceneError) as e:
            self._window.bottom.say(e.message if isinstance(e, SceneError) else str(e))
        else:
            self._window.bottom.say(say("said.saved", file=path))


def _safe(name: str) -> str:
    """A file's name without anything that a file system may object to."""
    return "".join(c if c.isalnum() or c in " ._-" else "_" for c in name)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
