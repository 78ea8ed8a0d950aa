# SPDX-License-Identifier: Apache-2.0
"""A problem: the sentence first, its number in it, the buttons beside it; after a fix, what changed and send again."""

from __future__ import annotations

import json

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from kineograph.fixes import Fix, Problem
from kineograph_gui.model.repair import Repair
from kineograph_gui.model.words import say
from kineograph_gui.ui import look
from kineograph_gui.ui.flow import FlowLayout
from kineograph_gui.ui.parts import button, empty, label


class ProblemCard(QFrame):
    """Shows a ``Repair``; its buttons press it."""

    sent = Signal(str)

    def __init__(self, repair: Repair, client: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._repair = repair
        self.client = client
        self.setProperty("card", True)
        self.setObjectName("problem")
        self._title = label(heading=True)
        self._text = label()
        self._why = label(quiet=True)
        self._raw = label(quiet=True)
        self._countdown = label(quiet=True)
        self.send_again: QPushButton | None = None
        self._elsewhere = label(quiet=True)
        self._changes = label()
        self._difference = label(quiet=True)
        self._fixes = FlowLayout()
        self._after = FlowLayout()
        self._show_why = button(say("problem.why"), lambda: self._toggle(self._why), flat=True)
        self._show_raw = button(say("problem.details"), lambda: self._toggle(self._raw), flat=True)
        self._copy = button(say("do.copy_report"), lambda: repair.wants.emit("copy_report", {}), flat=True)
        self._lay_out()
        repair.changed.connect(self.refresh)
        self.refresh()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(0)
        head.addWidget(self._title, 1)
        for small in (self._show_why, self._show_raw, self._copy):
            head.addWidget(small)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 8, 10, 10)
        layout.setSpacing(6)
        layout.addLayout(head)
        layout.addWidget(self._text)
        layout.addWidget(self._countdown)
        layout.addLayout(self._fixes)
        layout.addWidget(self._elsewhere)
        layout.addWidget(self._changes)
        layout.addWidget(self._difference)
        layout.addLayout(self._after)
        layout.addWidget(self._why)
        layout.addWidget(self._raw)

    # --- what it says -------------------------------------------------------------------------------------------------
    @property
    def text(self) -> str:
        """The sentence."""
        return self._text.text()

    @property
    def why(self) -> str:
        """The cause."""
        return self._why.text()

    @property
    def raw(self) -> str:
        """Code, reference, details."""
        return self._raw.text()

    @property
    def elsewhere(self) -> str:
        """What the sending program can do."""
        return self._elsewhere.text()

    @property
    def changes(self) -> str:
        """What a fix changed, in words."""
        return self._changes.text()

    @property
    def difference(self) -> str:
        """What a fix changed, place by place."""
        return self._difference.text()

    @property
    def countdown(self) -> str:
        """When it runs again."""
        return self._countdown.text()

    def refresh(self) -> None:
        """Show what the repair says now."""
        repair, problem = self._repair, self._repair.problem
        self.setVisible(problem is not None)
        if problem is None:
            return
        strip = look.severity_color(problem.severity)
        self.setStyleSheet(f"#problem {{ border-left: 4px solid {strip}; }}")
        self._title.setText(problem.title)
        self._text.setText(problem.text)
        self.setAccessibleName(f"{problem.title}. {problem.text}")
        self._why.setText(problem.cause)
        self._raw.setText(_raw(problem))
        self._why.hide()
        self._raw.hide()
        self._put(self._countdown, _countdown(repair))
        self._fill_buttons()
        names = ", ".join(fix.label for fix in repair.elsewhere)
        client = self.client or say("col.client").lower()
        self._put(self._elsewhere, say("problem.elsewhere", client=client, labels=names) if names else "")
        self._put(self._changes, "\n".join(say("problem.changed", said=said) for said in repair.changes))
        self._put(self._difference, "\n".join(repair.difference))

    def _fill_buttons(self) -> None:
        empty(self._fixes)
        empty(self._after)
        pending = self._repair.request is not None
        for index, fix in enumerate(self._repair.buttons):
            self._fixes.addWidget(self._fix_button(fix, primary=index == 0 and not pending))
        if pending:
            self.send_again = button(say("problem.send"), self._send, primary=True)
            self._after.addWidget(self.send_again)
            self._after.addWidget(button(say("problem.undo"), self._repair.undo))
        if self._repair.countdown_s is not None:
            self._after.addWidget(button(say("problem.stop_retry"), self._repair.stop_countdown))

    def _fix_button(self, fix: Fix, *, primary: bool) -> QWidget:
        out = button(fix.label, lambda: self._repair.press(fix), primary=primary)
        out.setObjectName(f"fix.{fix.id}")
        return out

    def _send(self) -> None:
        job = self._repair.send()
        if job:
            self.sent.emit(job)

    def _toggle(self, part: QWidget) -> None:
        part.setVisible(part.isHidden())

    def _put(self, part: QWidget, text: str) -> None:
        part.setText(text)  # type: ignore[attr-defined]  # a label
        part.setVisible(bool(text))


def _countdown(repair: Repair) -> str:
    return "" if repair.countdown_s is None else say("problem.countdown", seconds=repair.countdown_s)


def _raw(problem: Problem) -> str:
    lines = [say("problem.code", code=problem.code)]
    if problem.request_id:
        lines.append(say("problem.ref", ref=problem.request_id))
    if problem.message:
        lines.append(problem.message)
    if problem.details:
        lines.append(json.dumps(dict(problem.details), ensure_ascii=False, default=str)[:1500])
    return "\n".join(lines)
