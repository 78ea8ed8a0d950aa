# SPDX-License-Identifier: Apache-2.0
"""The fields of what is selected on the timeline: a prompt, a key, a waypoint or a pin."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from kineograph_gui.model.composer import MOST_FRAMES, Composer
from kineograph_gui.model.pins import Pin
from kineograph_gui.model.words import say
from kineograph_gui.ui.flow import FlowLayout
from kineograph_gui.ui.lanes import Kind
from kineograph_gui.ui.parts import button, label

NARROW_PX = 880
ROWS_PX = {2: 68, 3: 100}
_ORDER = (Kind.PROMPT, Kind.KEY, Kind.WAY, Kind.PIN)


class ItemEditor(QStackedWidget):
    """Follows a selection; writes through the composer."""

    def __init__(self, composer: Composer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._composer = composer
        self._chosen: tuple[Kind, int] | None = None
        self._filling = False
        self.prompt = QComboBox()
        self.prompt.setEditable(True)
        self.prompt.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.prompt.setAccessibleName(say("new.prompts"))
        self.prompt.setMinimumWidth(160)
        edit = self.prompt.lineEdit()
        assert edit is not None
        edit.setPlaceholderText(say("new.prompt_hint"))
        self.length = _whole("new.frames", least=1)
        self.frames = {kind: _whole("new.at") for kind in (Kind.KEY, Kind.WAY, Kind.PIN)}
        self.key_text = label(quiet=True, wrap=False)
        self.way = [_metres(axis) for axis in "xz"]
        self.faces = QCheckBox(say("new.faces"))
        self.facing = _degrees("new.faces")
        self.joint = QComboBox()
        self.joint.setAccessibleName(say("new.bone"))
        self.joint.setMinimumWidth(120)
        self.pin = [_metres(axis) for axis in "xyz"]
        self.until = _whole("new.until")
        self.until.setToolTip(say("new.until_tip"))
        self.directed = QCheckBox(say("new.direction"))
        self.directed.setMinimumHeight(28)  # as high as what stands beside it
        self.directed.setToolTip(say("new.direction_tip"))
        self.angles = [_degrees(f"new.{name}") for name in ("turn", "lean", "nod")]
        self.moves = label(quiet=True, wrap=False)
        nothing = label(say("lanes.none"), quiet=True)
        nothing.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        nothing.setContentsMargins(0, 6, 0, 0)
        self.addWidget(nothing)
        self._add_page(
            Kind.PROMPT, [self.prompt, label(say("new.frames"), wrap=False), self.length], stretch=self.prompt
        )
        self._add_page(Kind.KEY, [self.frames[Kind.KEY], self.key_text])
        self._add_page(Kind.WAY, [self.frames[Kind.WAY], *_named("xz", self.way), self.faces, self.facing])
        until = label(say("new.until"), quiet=True, wrap=False)
        frames = [self.frames[Kind.PIN], until, self.until]
        for axis, part in zip("xyz", self.pin, strict=True):
            part.setPrefix(f"{axis} ")
            part.setFixedWidth(104)
        self._add_page(Kind.PIN, [*frames, self.joint], below=[*self.pin, self.directed, *self.angles, self.moves])
        self.setFixedHeight(ROWS_PX[2])
        self._wire()

    def _add_page(
        self, kind: Kind, parts: list[QWidget], stretch: QWidget | None = None, below: list[QWidget] | None = None
    ) -> None:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        row, second = QHBoxLayout(), FlowLayout()
        column.addLayout(row)
        column.addLayout(second)
        column.addStretch(1)
        for part in below or ():
            second.addWidget(part)
        row.addWidget(label(say(f"new.kind_{kind}"), heading=True, wrap=False))
        for part in parts:
            row.addWidget(part, 1 if part is stretch else 0)
        if stretch is None:
            row.addStretch(1)
        row.addWidget(button(say("new.remove"), self._remove))
        self.addWidget(page)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """As high as its largest page needs at this width, whatever is chosen: nothing moves with the selection."""
        super().resizeEvent(event)
        self.setFixedHeight(ROWS_PX[3 if event.size().width() < NARROW_PX else 2])

    def _wire(self) -> None:
        self.prompt.currentTextChanged.connect(lambda text: self._put("prompt", text))
        self.length.valueChanged.connect(lambda n: self._put("frames", n))
        for spin in self.frames.values():
            spin.valueChanged.connect(self._move)
        for axis, part in zip(("x_m", "z_m"), self.way, strict=True):
            part.valueChanged.connect(lambda v, a=axis: self._put_way(**{a: v}))
        self.faces.toggled.connect(self._face)
        self.facing.valueChanged.connect(lambda v: self._put_way(heading_rad=float(np.deg2rad(v))))
        self.joint.currentTextChanged.connect(lambda name: self._put_pin(joint=name))
        for part in self.pin:
            part.valueChanged.connect(lambda v: self._put_pin(position_m=[p.value() for p in self.pin]))
        self.until.valueChanged.connect(lambda v: self._put_pin(last=v))
        self.directed.toggled.connect(lambda on: self._put_pin(directed=on))
        for part in self.angles:
            part.valueChanged.connect(lambda v: self._put_pin(angles_deg=tuple(p.value() for p in self.angles)))

    # --- from the draft -----------------------------------------------------------------------------------------------
    def show_item(self, chosen: tuple[Kind, int] | None) -> None:
        """Another selection, or the same with other values."""
        self._chosen = chosen
        self._filling = True
        try:
            self.setCurrentIndex(0 if chosen is None else 1 + _ORDER.index(chosen[0]))
            if chosen is not None:
                self._fill(*chosen)
        finally:
            self._filling = False

    def _fill(self, kind: Kind, index: int) -> None:
        draft = self._composer.draft
        match kind:
            case Kind.PROMPT:
                block = draft.blocks[index]
                self._fill_prompt(block.prompt)
                _quietly(self.length, block.frames)
            case Kind.KEY:
                _quietly(self.frames[kind], draft.keys[index].frame)
                self.key_text.setText(draft.keys[index].said)
            case Kind.WAY:
                way = draft.waypoints[index]
                _quietly(self.frames[kind], way.frame)
                _quietly(self.way[0], way.x_m)
                _quietly(self.way[1], way.z_m)
                self.faces.setChecked(way.heading_rad is not None)
                self.facing.setEnabled(way.heading_rad is not None)
                _quietly(self.facing, float(np.rad2deg(way.heading_rad or 0.0)))
            case _:
                pin = draft.pins[index]
                _quietly(self.frames[kind], pin.frame)
                names = list(draft.rig.names) if draft.rig is not None else []
                if [self.joint.itemText(i) for i in range(self.joint.count())] != names:
                    self.joint.clear()
                    self.joint.addItems(names)
                self.joint.setCurrentText(pin.joint)
                for part, value in zip(self.pin, pin.position_m, strict=True):
                    _quietly(part, value)
                self._fill_more(pin)

    def _fill_more(self, pin: Pin) -> None:
        """A pin's end and direction; one that moves says through how many points."""
        _quietly(self.until, pin.last)
        self.until.setEnabled(not pin.way)
        self.moves.setText(say("new.moves", count=len(pin.points)) if pin.way else "")
        angles = self._composer.angles_of(pin)
        self.directed.setChecked(angles is not None)
        for part, value in zip(self.angles, angles or (0.0, 0.0, 0.0), strict=True):
            part.setEnabled(angles is not None)
            _quietly(part, value)

    def _fill_prompt(self, prompt: str) -> None:
        phrases = self._composer.phrases
        if [self.prompt.itemText(i) for i in range(self.prompt.count())] != phrases:
            self.prompt.clear()
            self.prompt.addItems(phrases)
        if self.prompt.currentText() != prompt:
            self.prompt.setEditText(prompt)

    # --- to the draft -------------------------------------------------------------------------------------------------
    def _put(self, field: str, value: object) -> None:
        if self._chosen is not None and not self._filling:
            index = self._chosen[1]
            if field == "prompt":
                self._composer.set_block(index, prompt=str(value))
            elif isinstance(value, int):
                self._composer.set_block(index, frames=value)

    def _move(self, frame: int) -> None:
        if self._chosen is not None and not self._filling:
            self._composer.move(str(self._chosen[0]), self._chosen[1], frame)

    def _put_way(self, **changes: float | None) -> None:
        if self._chosen is not None and not self._filling:
            self._composer.set_way(self._chosen[1], **changes)

    def _face(self, on: bool) -> None:
        self._put_way(heading_rad=float(np.deg2rad(self.facing.value())) if on else None)

    def _put_pin(self, **changes: object) -> None:
        if self._chosen is not None and not self._filling:
            self._composer.set_pin(self._chosen[1], **changes)

    def _remove(self) -> None:
        if self._chosen is not None:
            self._composer.remove(str(self._chosen[0]), self._chosen[1])

    def focus_first(self) -> None:
        """The field that is edited most."""
        if self._chosen is None:
            return
        kind = self._chosen[0]
        first: QWidget = self.prompt if kind is Kind.PROMPT else self.frames[kind]
        first.setFocus()
        edit = self.prompt.lineEdit()
        if kind is Kind.PROMPT and edit is not None:
            edit.selectAll()


def _whole(name: str, least: int = 0) -> QSpinBox:
    out = QSpinBox()
    out.setRange(least, MOST_FRAMES)
    out.setAccessibleName(say(name))
    out.setKeyboardTracking(False)
    return out


def _metres(axis: str) -> QDoubleSpinBox:
    out = QDoubleSpinBox()
    out.setRange(-1000, 1000)
    out.setDecimals(2)
    out.setSingleStep(0.05)
    out.setSuffix(" m")
    out.setAccessibleName(axis)
    out.setKeyboardTracking(False)
    return out


def _degrees(name: str) -> QDoubleSpinBox:
    out = QDoubleSpinBox()
    out.setRange(-180, 180)
    out.setDecimals(1)
    out.setSingleStep(5)
    out.setFixedWidth(120 if name != "new.faces" else 90)
    out.setPrefix("" if name == "new.faces" else f"{say(name)} ")
    out.setSuffix(" °")
    out.setAccessibleName(say(name))
    out.setKeyboardTracking(False)
    return out


def _named(axes: str, parts: list[QDoubleSpinBox]) -> list[QWidget]:
    out: list[QWidget] = []
    for axis, part in zip(axes, parts, strict=True):
        name: QLabel = label(axis, quiet=True, wrap=False)
        out += [name, part]
    return out


def _quietly(part: QSpinBox | QDoubleSpinBox, value: float) -> None:
    blocker = QSignalBlocker(part)
    if isinstance(part, QSpinBox):
        part.setValue(int(value))
    else:
        part.setValue(value)
    blocker.unblock()
