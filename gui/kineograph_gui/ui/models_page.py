# SPDX-License-Identifier: Apache-2.0
"""Models and machine: what is loaded where, what each model takes, load and unload, workers, memory, throughput."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from kineograph.wire.messages import JobState, ModelState
from kineograph_gui.model import rows
from kineograph_gui.model.desk import Desk
from kineograph_gui.model.machine import daemon_lines, model_lines
from kineograph_gui.model.words import say
from kineograph_gui.ui.parts import button, card, empty, label


class ModelsPage(QScrollArea):
    """Cards, one a model, and one for the machine; made anew only when what they say changes."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        inner = QWidget()
        self._models = QVBoxLayout()
        self._machine = QVBoxLayout()
        columns = QHBoxLayout(inner)
        columns.setContentsMargins(16, 12, 16, 12)
        columns.setSpacing(24)
        for title, part, stretch in (("models.title", self._models, 3), ("models.machine", self._machine, 2)):
            column = QVBoxLayout()
            column.addWidget(label(say(title), heading=True))
            column.addLayout(part)
            column.addStretch(1)
            columns.addLayout(column, stretch)
        self.setWidget(inner)
        self.setWidgetResizable(True)
        self._told: Any = None
        self._told_machine: list[str] = []
        for signal in (desk.link_changed, desk.models_changed):
            signal.connect(self.refresh)
        desk.stats_changed.connect(self.refresh_machine)
        self.refresh()

    def refresh(self) -> None:
        """All of it."""
        desk = self._desk
        specs = {i: (desk.spec_of(i), desk.state_of(i), self._error_of(i)) for i in desk.model_ids}
        told = (specs, desk.is_ready)
        if told != self._told:
            self._told = told
            empty(self._models)
            for model, (spec, state, error) in specs.items():
                self._models.addWidget(self._card(model, spec, state, error))
            if not specs:
                self._models.addWidget(label(say("models.none_here" if desk.is_ready else "models.none"), quiet=True))
            self._models.addWidget(label(say("models.more"), quiet=True))
        self.refresh_machine()

    def _error_of(self, model: str) -> Mapping[str, Any] | None:
        told = self._desk.model_states.get(model)
        return told.error if told is not None else None

    def _card(self, model: str, spec: Mapping[str, Any], state: str, error: Mapping[str, Any] | None) -> QWidget:
        frame, layout = card()
        head = QHBoxLayout()
        head.addWidget(label(model, heading=True, wrap=False))
        words = say(f"models.state_{state}")
        if self._desk.capabilities is not None and self._desk.capabilities.default_model == model:
            words += f", {say('models.default')}"
        head.addWidget(label(words, quiet=True, wrap=False))
        head.addStretch(1)
        load = button(say("models.load"), lambda: self._desk.load(model))
        unload = button(say("models.unload"), lambda: self._desk.unload(model))
        load.setEnabled(self._desk.is_ready and state != ModelState.READY)
        unload.setEnabled(self._desk.is_ready and state == ModelState.READY)
        head.addWidget(load)
        head.addWidget(unload)
        layout.addLayout(head)
        for line in model_lines(spec):
            layout.addWidget(label(line))
        if error:
            problem = rows.problem_of_error(error)
            layout.addWidget(label(f"{problem.title}. {problem.text}"))
        return frame

    def refresh_machine(self) -> None:
        """What comes every two seconds."""
        desk = self._desk
        finished = desk.jobs.count(JobState.SUCCEEDED, JobState.EXPIRED)
        lines = daemon_lines(desk.stats, finished) if desk.stats is not None else [say("models.none")]
        if lines == self._told_machine:
            return
        self._told_machine = lines
        empty(self._machine)
        frame, layout = card()
        for line in lines:
            layout.addWidget(label(line))
        self._machine.addWidget(frame)
