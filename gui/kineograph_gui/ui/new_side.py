# SPDX-License-Identifier: Apache-2.0
"""The left of the new-job page: the rig and how it is read, the model, samples and seed, the notes."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from kineograph.advise import Note
from kineograph.fixes import Fix, Target
from kineograph_gui.model.composer import Composer
from kineograph_gui.model.desk import Desk
from kineograph_gui.model.settings import PanelSettings
from kineograph_gui.model.words import say
from kineograph_gui.ui.flow import FlowLayout
from kineograph_gui.ui.parts import button, card, empty, label, mark_primary

NO_SEED = -1


class NewSide(QScrollArea):
    """Follows a composer."""

    asked_rig = Signal()
    asked_map = Signal()
    asked_clip = Signal()
    asked_demo = Signal()

    def __init__(self, desk: Desk, composer: Composer, settings: PanelSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._composer = composer
        self._settings = settings
        self._shown_notes: list[str] | None = None
        self.rig_words = label(say("new.no_rig"))
        self.rig_unsure = label(quiet=True)
        self.demo = button(say("new.demo_rig"), self.asked_demo.emit)
        self.map = button(say("map.open"), self.asked_map.emit)
        self.clip = button(say("new.open_clip"), self.asked_clip.emit)
        self.model = QComboBox()
        self.model.setAccessibleName(say("new.model"))
        self.model_words = label(quiet=True)
        self.samples = QSpinBox()
        self.samples.setRange(1, 10_000)
        self.samples.setAccessibleName(say("new.samples"))
        self.seed = QSpinBox()
        self.seed.setRange(NO_SEED, 2**31 - 1)
        self.seed.setSpecialValueText(say("new.seed_free"))
        self.seed.setValue(NO_SEED)
        self.seed.setAccessibleName(say("new.seed"))
        for box in (self.samples, self.seed):
            box.setMinimumWidth(72)  # not as wide as their longest number: they share a line of a narrow column
        self.name = QLineEdit()
        self.name.setAccessibleName(say("new.name"))
        self.name.setPlaceholderText(say("new.name_hint"))
        self.notes = QVBoxLayout()
        self._lay_out()
        self.model.currentTextChanged.connect(lambda text: composer.set(model=text))
        self.samples.valueChanged.connect(lambda n: composer.set(samples=n))
        self.seed.valueChanged.connect(lambda n: composer.set(seed=None if n == NO_SEED else n))

    def _lay_out(self) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(10)
        rig, rig_layout = card(label(say("new.rig"), heading=True), self.rig_words, self.rig_unsure)
        flow = FlowLayout()
        self.open = button(say("new.open_rig"), self.asked_rig.emit, primary=True)
        for part in (self.open, self.demo, self.map, self.clip):
            flow.addWidget(part)
        rig_layout.addLayout(flow)
        how, how_layout = card()
        form = QFormLayout()
        form.addRow(say("new.model"), self.model)
        form.addRow("", self.model_words)
        both = QHBoxLayout()
        both.addWidget(self.samples)
        both.addWidget(label(say("new.seed"), wrap=False))
        both.addWidget(self.seed)
        both.addStretch(1)
        form.addRow(say("new.samples"), both)
        form.addRow(say("new.name"), self.name)
        how_layout.addLayout(form)
        notes, notes_layout = card(label(say("new.notes"), heading=True))
        notes_layout.addLayout(self.notes)
        for frame in (rig, how, notes):
            column.addWidget(frame)
        column.addStretch(1)
        self.setWidget(inner)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(336)

    def refresh(self) -> None:
        """The rig's words, the models, the numbers."""
        draft, mending = self._composer.draft, self._composer.mending
        if draft.rig is None or mending is None:
            self.rig_words.setText(say("new.no_rig"))
        else:
            facts = {"name": draft.character, "joints": len(draft.rig), "roles": len(mending.map.matches)}
            words = [say("new.rig_line", **facts)]
            if draft.clip is not None and draft.clip_name == draft.character:
                words.append(say("new.rig_clip", frames=len(draft.clip)))
            self.rig_words.setText("\n".join(words))
        self.rig_unsure.setText(self._unsure())
        self.rig_unsure.setVisible(bool(self.rig_unsure.text()))
        mark_primary(self.open, draft.rig is None)
        self.map.setEnabled(draft.rig is not None)
        self.clip.setEnabled(draft.rig is not None)
        self._fill_models()
        seed = NO_SEED if draft.seed is None else draft.seed
        for part, value in ((self.samples, draft.samples), (self.seed, seed)):
            blocker = QSignalBlocker(part)
            part.setValue(min(max(value, part.minimum()), part.maximum()))  # what does not fit is kept, not shown
            blocker.unblock()

    def _unsure(self) -> str:
        mending = self._composer.mending
        if mending is None:
            return ""
        if mending.missing:
            return say("new.rig_missing", roles=", ".join(mending.missing))
        guessed = sum(1 for line in mending.lines if line.joint and line.tone)
        return say("new.rig_unsure", count=guessed) if guessed else ""

    def _fill_models(self) -> None:
        ids = self._desk.model_ids
        wanted = self._composer.draft.model or self._settings.model
        blocker = QSignalBlocker(self.model)
        if [self.model.itemText(i) for i in range(self.model.count())] != ids:
            self.model.clear()
            self.model.addItems(ids)
        if wanted in ids:
            self.model.setCurrentText(wanted)
        blocker.unblock()
        chosen = self.model.currentText()
        if chosen and self._composer.draft.model != chosen and (wanted not in ids):
            self._composer.draft.model = chosen
        elif wanted in ids:
            self._composer.draft.model = wanted
        text = f"models.text_{self._desk.spec_of(chosen).get('text')}"
        self.model_words.setText(say(text) if chosen and text in _TEXTS else "")
        self.model_words.setVisible(bool(self.model_words.text()))

    def show_notes(self, notes: Sequence[Note]) -> None:
        """What to know before it is sent."""
        told = [note.text for note in notes]
        if told == self._shown_notes:
            return
        self._shown_notes = told
        empty(self.notes)
        if not notes:
            self.notes.addWidget(label(say("new.no_notes"), quiet=True))
        for note in notes:
            self.notes.addWidget(label(note.text))
            row = FlowLayout()
            for fix in note.fixes:
                if fix.patch["target"] == Target.REQUEST:
                    row.addWidget(self._fix(fix))
            if row.count():
                self.notes.addLayout(row)

    def _fix(self, fix: Fix) -> QWidget:
        return button(fix.label, lambda: self._composer.apply_note(fix))


_TEXTS = ("models.text_ignored", "models.text_weak", "models.text_full")
