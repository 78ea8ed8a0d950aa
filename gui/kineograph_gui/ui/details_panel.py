# SPDX-License-Identifier: Apache-2.0
"""What the selected row is about: its problem, its request, its result, its origin."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from kineograph.wire.messages import JobState
from kineograph_gui.model import details, rows
from kineograph_gui.model.details import Line
from kineograph_gui.model.focus import Focus
from kineograph_gui.model.joblog import log_lines
from kineograph_gui.model.repair import Repair
from kineograph_gui.model.words import say
from kineograph_gui.ui.look import color
from kineograph_gui.ui.parts import empty, label
from kineograph_gui.ui.problem_card import ProblemCard
from kineograph_gui.ui.strip import Strip

_TONES = {"good": "good", "off": "off", "quiet": "quiet", "": "text"}


class DetailsPanel(QScrollArea):
    """Follows a ``Focus``."""

    def __init__(self, focus: Focus, repair: Repair, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._focus = focus
        self._repair = repair
        self._title = label(heading=True)
        font = self._title.font()
        font.setPointSizeF(font.pointSizeF() * 1.2)
        self._title.setFont(font)
        self._state = label(quiet=True)
        self.card = ProblemCard(repair)
        self.strip = Strip()
        self._sections = {name: _Section(say(f"details.{name}")) for name in ("request", "result", "origin", "log")}
        self._lay_out()
        focus.changed.connect(self._job_changed)
        focus.request_changed.connect(self._request_changed)
        focus.take_changed.connect(self._result_changed)
        self._shown: tuple[str, JobState | None, bool] = ("", None, False)
        self.refresh()

    def _lay_out(self) -> None:
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(2, 2, 8, 2)
        layout.setSpacing(8)
        layout.addWidget(self._title)
        layout.addWidget(self._state)
        layout.addWidget(self.card)
        layout.addWidget(self.strip)
        for section in self._sections.values():
            layout.addWidget(section)
        layout.addStretch(1)
        self.setWidget(inner)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(240)

    def refresh(self) -> None:
        """Show everything anew."""
        self._job_changed()
        self._request_changed()
        self._result_changed()

    def _job_changed(self) -> None:
        status = self._focus.status
        self._state.setVisible(status is not None)
        self._title.setText(rows.name_of(status) if status else say("details.none"))
        for section in self._sections.values():
            section.setVisible(status is not None)
        if status is not None:
            words = [rows.state_words(status), status.character, status.model, rows.ago(status.created_s)]
            self._state.setText(" \u00b7 ".join(w for w in words if w))
            self.card.client = status.client
        shown = (self._focus.job, status.state if status else None, self._focus.sent is not None)
        if shown != self._shown:
            self._shown = shown
            self._repair.show_job()
            self._result_changed()

    def _request_changed(self) -> None:
        focus = self._focus
        lines = details.request_lines(focus.request, focus.refs)
        self.strip.show_request(focus.request)
        self._sections["request"].show_lines(lines or [Line(say("details.loading"), "quiet")])
        self._job_changed()

    def _result_changed(self) -> None:
        focus, status = self._focus, self._focus.status
        if status is None:
            return
        take = focus.take
        provenance = take.result.provenance if take is not None and take.result is not None else None
        if take is not None and take.result is not None:
            lines = details.report_lines(take.result.report, focus.refs)
        elif status.state is JobState.EXPIRED:
            lines = [Line(say("details.result_gone"), "quiet")]
        else:
            lines = [Line(say("details.no_result"), "quiet")]
        self._sections["result"].show_lines(lines)
        self._sections["origin"].show_lines(details.origin_lines(status, provenance))
        log = log_lines(status.job) if not self._remote() else []
        self._sections["log"].show_lines(log)
        self._sections["log"].setVisible(bool(log))

    def _remote(self) -> bool:
        """Whether the daemon's log is on another computer."""
        return self._focus.address.startswith("tcp://")


def _any_width() -> QSizePolicy:
    """For lines that never ask for more width than there is: one long word would crop all the others."""
    policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    policy.setHeightForWidth(True)
    return policy


class _Section(QWidget):
    """A heading and lines."""

    def __init__(self, title: str) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(label(title, heading=True))
        self._lines = QVBoxLayout()
        self._lines.setSpacing(2)
        layout.addLayout(self._lines)
        self._now: list[Line] = []

    def show_lines(self, lines: Sequence[Line]) -> None:
        """Other lines."""
        if list(lines) == self._now:
            return
        self._now = list(lines)
        empty(self._lines)
        for line in lines:
            part = label(line.text)
            part.setSizePolicy(_any_width())
            part.setToolTip(line.tip)
            if line.tone:
                part.setStyleSheet(f"color: {color(_TONES[line.tone]).name()}")
            self._lines.addWidget(part)
