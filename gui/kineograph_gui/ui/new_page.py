# SPDX-License-Identifier: Apache-2.0
"""A new job: a rig, what it does on a timeline, poses, path and pins by hand; what will be sent beside the button."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QInputDialog, QSplitter, QVBoxLayout, QWidget

from kineograph import formats
from kineograph.errors import KineographError
from kineograph_gui.model.composer import Composer
from kineograph_gui.model.desk import Desk
from kineograph_gui.model.draft import Draft, rig_kinds
from kineograph_gui.model.kept import KeptDraft
from kineograph_gui.model.settings import PanelSettings
from kineograph_gui.model.words import say
from kineograph_gui.ui.item_editor import ItemEditor
from kineograph_gui.ui.lanes import Kind, Lanes
from kineograph_gui.ui.map_dialog import MapDialog
from kineograph_gui.ui.new_side import NewSide
from kineograph_gui.ui.parts import button, label, toggle
from kineograph_gui.ui.stage import Stage, Tool

NOTES_MS = 250
KEEP_MS = 2000


class NewPage(QWidget):
    """Shows a ``Composer``; what the hand does goes through it."""

    sent = Signal(str)
    failed = Signal(object)  # KineographError
    said = Signal(str)

    def __init__(self, desk: Desk, settings: PanelSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._settings = settings
        self.composer = Composer(desk.spec_of, self)
        self.last_sent: tuple[dict[str, Any], dict[str, Any]] | None = None
        self.side = NewSide(desk, self.composer, settings)
        self.stage = Stage()
        self.lanes = Lanes()
        self.editor = ItemEditor(self.composer)
        self.tools = {tool: toggle(say(f"stage.{tool}"), tip=say(f"stage.{tool}_tip")) for tool in Tool}
        self.adders = {
            "prompt": button(say("new.add_prompt"), lambda: self._add("prompt", self.composer.frame)),
            "key": button(say("new.add_pose"), lambda: self._add("key", self.composer.frame)),
            "clip": button(say("new.add_key"), self.ask_clip_frame),
            "way": button(say("new.add_way"), lambda: self._add("way", self.composer.frame)),
            "pin": button(say("new.add_pin"), lambda: self._add("pin", self.composer.frame)),
        }
        self.frame_words = label(quiet=True, wrap=False)
        self.summary = label()
        self.save_button = button(say("new.save"), self.ask_save)
        self.send_button = button(say("new.send"), self.send, primary=True)
        self._lay_out()
        self._wire()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(NOTES_MS)
        self._later.timeout.connect(lambda: self.side.show_notes(self.composer.notes))
        self._kept: KeptDraft | None = None
        self._keep_later = QTimer(self)
        self._keep_later.setSingleShot(True)
        self._keep_later.setInterval(KEEP_MS)
        self._keep_later.timeout.connect(self.keep)
        self.choose_tool(Tool.LOOK)
        self.refresh()

    @property
    def draft(self) -> Draft:
        """What is being written."""
        return self.composer.draft

    def _lay_out(self) -> None:
        work = QWidget()
        column = QVBoxLayout(work)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        above, below, last = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        for tool in self.tools.values():
            above.addWidget(tool)
        above.addStretch(1)
        above.addWidget(self.frame_words)
        for adder in self.adders.values():
            below.addWidget(adder)
        below.addStretch(1)
        last.addWidget(self.summary, 1)
        last.addWidget(button(say("new.open"), self.ask_open))
        last.addWidget(self.save_button)
        last.addWidget(self.send_button)
        column.addLayout(above)
        column.addWidget(self.stage, 1)
        column.addLayout(below)
        column.addWidget(self.lanes)
        column.addWidget(self.editor)
        column.addLayout(last)
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.addWidget(self.side)
        self.split.addWidget(work)
        self.split.setSizes([336, 900])
        self.split.setStretchFactor(1, 1)
        self.split.setChildrenCollapsible(False)
        self.split.setHandleWidth(8)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 6, 12, 6)
        layout.addWidget(self.split)

    def _wire(self) -> None:
        composer, stage, lanes = self.composer, self.stage, self.lanes
        composer.changed.connect(self.refresh)
        composer.said.connect(self.said)
        for tool, part in self.tools.items():
            part.clicked.connect(lambda on, t=tool: self.choose_tool(t))
        stage.way_added.connect(self._way_drawn)
        stage.way_moved.connect(lambda i, x, z: self._moving(lambda: composer.set_way(i, x_m=x, z_m=z)))
        stage.way_turned.connect(lambda i, h: self._moving(lambda: composer.set_way(i, heading_rad=h)))
        stage.pin_added.connect(self._pin_placed)
        stage.pin_moved.connect(lambda i, at: self._moving(lambda: composer.set_pin(i, position_m=at)))
        stage.joint_turned.connect(lambda j, axis, a: self._moving(lambda: composer.turn_joint(j, axis, a)))
        stage.released.connect(self._moved)
        lanes.scrubbed.connect(composer.seek)
        lanes.chosen_changed.connect(lambda: self._choice_changed())
        lanes.asked_new.connect(self._add)
        lanes.asked_edit.connect(self.editor.focus_first)
        lanes.moved.connect(composer.move)
        lanes.stretched.connect(composer.stretch)
        lanes.removed.connect(composer.remove)
        self.side.asked_rig.connect(self.ask_rig)
        self.side.asked_demo.connect(self.use_demo)
        self.side.asked_map.connect(self.open_map)
        self.side.asked_clip.connect(self.ask_clip)
        self._desk.models_changed.connect(self.refresh)
        self._desk.link_changed.connect(self.refresh)
        undo = QShortcut(QKeySequence.StandardKey.Undo, self)
        undo.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        undo.activated.connect(composer.undo)
        self._in_move = False

    # --- what is shown ------------------------------------------------------------------------------------------------
    def refresh(self) -> None:
        """Everything as the draft is now."""
        composer, draft = self.composer, self.draft
        ready, rig = self._desk.is_ready, draft.rig is not None
        self.lanes.show_draft(draft, composer.frame)
        self._show_choice()
        self.stage.show_draft(composer.shown, draft.waypoints, draft.pins)
        self.side.refresh()
        time = {"seconds": f"{draft.frames / draft.fps_hz:.1f}", "fps": f"{draft.fps_hz:g}"}
        self.frame_words.setText(say("new.frame", frame=composer.frame, last=max(draft.frames - 1, 0), **time))
        self.summary.setText(draft.summary() if ready else say("new.not_connected"))
        for name in ("key", "way", "pin"):
            self.adders[name].setEnabled(rig)
        self.adders["clip"].setEnabled(rig and draft.clip is not None)
        self.adders["clip"].setToolTip("" if draft.clip is not None else say("new.no_clip"))
        self.save_button.setEnabled(rig)
        self.send_button.setEnabled(rig and ready and bool(draft.model))
        self.send_button.setToolTip("" if rig else say("new.no_rig"))
        self._later.start()
        if self._kept is not None and not self._keep_later.isActive():
            self._keep_later.start()

    @property
    def is_busy(self) -> bool:
        """Whether notes are still to come."""
        return self._later.isActive()

    def _show_choice(self) -> None:
        chosen = self.lanes.chosen
        self.editor.show_item(chosen)
        self.stage.chosen = ("", -1) if chosen is None else (str(chosen[0]), chosen[1])

    def _choice_changed(self) -> None:
        self._show_choice()
        self.stage.update()

    def choose_tool(self, tool: Tool) -> None:
        """What a drag on the stage does."""
        self.stage.tool = tool
        for name, part in self.tools.items():
            blocker = QSignalBlocker(part)
            part.setChecked(name is tool)
            blocker.unblock()
        self.stage.update()

    # --- hands --------------------------------------------------------------------------------------------------------
    def _moving(self, step: Any) -> None:
        if not self._in_move:
            self._in_move = True
            self.composer.begin_move()
        step()

    def _moved(self) -> None:
        if self._in_move:
            self._in_move = False
            self.composer.end_move()

    def _way_drawn(self, x_m: float, z_m: float) -> None:
        self.composer.add_way(x_m, z_m)
        self.lanes.choose(Kind.WAY, self._index(self.draft.waypoints))

    def _pin_placed(self, joint: int) -> None:
        self.composer.add_pin(joint)
        self.lanes.choose(Kind.PIN, len(self.draft.pins) - 1)

    def _index(self, items: list[Any]) -> int:
        return next((i for i, item in enumerate(items) if item.frame == self.composer.frame), len(items) - 1)

    def _add(self, kind: str, frame: int) -> None:
        composer = self.composer
        if kind == "prompt":
            self.lanes.choose(Kind.PROMPT, 0 if self.draft.is_blank else composer.add_block())
            self.editor.focus_first()
            return
        if self.draft.rig is None:
            return
        composer.seek(frame)
        if kind == "key":
            composer.add_key()
            self.lanes.choose(Kind.KEY, self._index(self.draft.keys))
        elif kind == "way":
            composer.add_way()
            self.lanes.choose(Kind.WAY, self._index(self.draft.waypoints))
        else:
            self._pin_placed(max(self.stage.joint, 0))

    def ask_clip_frame(self) -> None:
        """A pose of the clip at the frame that is looked at."""
        clip = self.draft.clip
        if clip is not None:
            text = say("new.key_frame", clip=self.draft.clip_name, last=len(clip) - 1)
            start = min(self.composer.frame, len(clip) - 1)
            frame, ok = QInputDialog.getInt(self, say("new.add_key"), text, start, 0, len(clip) - 1)
            if ok:
                self.composer.key_from_clip(frame)
                self.lanes.choose(Kind.KEY, self._index(self.draft.keys))

    def open_map(self) -> None:
        """How the joints are read, and mending it."""
        if self.composer.mending is not None:
            dialog = MapDialog(self.composer.mending, self.draft.character, self)
            dialog.finished.connect(lambda code: self.refresh())
            dialog.finished.connect(dialog.deleteLater)
            dialog.open()

    # --- files --------------------------------------------------------------------------------------------------------
    def ask_rig(self) -> None:
        """Choose a rig."""
        path = self._ask_file(say("new.open_rig"), rig_kinds())
        if path is not None:
            self.open_path(path)

    def ask_clip(self) -> None:
        """Choose a clip to take poses from."""
        path = self._ask_file(say("new.open_clip"), rig_kinds())
        if path is not None:
            self._try(lambda: self.composer.open_clip(path))

    def ask_open(self) -> None:
        """Choose a saved request."""
        path = self._ask_file(say("new.open"), say("new.files_job"))
        if path is not None:
            self.open_path(path)

    def ask_save(self) -> None:
        """Save the request."""
        name = f"{self.draft.character or 'job'}.kineograph.json"
        start = str(Path(self._settings.last_folder or Path.home()) / name)
        chosen, _ = QFileDialog.getSaveFileName(self, say("new.save"), start, say("new.files_job"))
        if chosen:
            self.save(Path(chosen))

    def go_on(self, kept: KeptDraft, *, afresh: bool = False) -> None:
        """Go on with what was being written when the panel ended; ``afresh``: with a blank draft, undo brings it."""
        self._kept = kept
        draft = kept.load()
        if draft is not None:
            self.take_draft(draft)
            if afresh:
                self.take_draft(Draft())

    def keep(self) -> None:
        """Keep what is being written for the next start."""
        self._keep_later.stop()
        if self._kept is not None:
            self._kept.keep(self.draft)

    def save(self, path: Path) -> bool:
        """Write the request; whether it worked."""
        self._settings.last_folder = str(path.parent)
        saved = self._try(lambda: self.draft.save(path))
        if saved:
            self.said.emit(say("said.saved", file=path))
        return saved

    def _ask_file(self, title: str, kinds: str) -> Path | None:
        chosen, _ = QFileDialog.getOpenFileName(self, title, self._settings.last_folder, kinds)
        if not chosen:
            return None
        self._settings.last_folder = str(Path(chosen).parent)
        return Path(chosen)

    def open_path(self, path: Path) -> bool:
        """A rig or a saved request; whether it could be read."""
        if path.suffix.lower() not in formats.EXTENSIONS:
            return self._try(lambda: self.take_draft(Draft.load(path)))
        return self._try(lambda: self.composer.open_rig(path)) and self._begin()

    def _try(self, do: Any) -> bool:
        try:
            do()
        except KineographError as e:
            self.last_sent = None
            self.failed.emit(e)
            return False
        return True

    def _begin(self) -> bool:
        """With a rig in a blank draft the first prompt is what comes next."""
        if self.draft.is_blank and self.draft.rig is not None:
            self.lanes.choose(Kind.PROMPT, 0)
            self.editor.focus_first()
        return True

    def use_demo(self) -> None:
        """The character that comes with Kineograph."""
        self.composer.use_demo()
        self._begin()

    def take_draft(self, draft: Draft) -> None:
        """Go on with another draft."""
        self.composer.take(draft)

    def send(self) -> None:
        """Send it."""
        fields = {"character": self.draft.character, "label": self.side.name.text().strip()}
        request = self.draft.request()
        self._settings.model = self.draft.model
        self.last_sent = (request, fields)
        self.sent.emit(self._desk.submit(request, fields))
