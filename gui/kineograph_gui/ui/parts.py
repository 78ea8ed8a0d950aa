# SPDX-License-Identifier: Apache-2.0
"""Small parts that many pages use."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QLayout, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget


def label(text: str = "", *, quiet: bool = False, heading: bool = False, wrap: bool = True) -> QLabel:
    """Text that can be selected and copied, never read as markup."""
    out = QLabel(text)
    out.setTextFormat(Qt.TextFormat.PlainText)
    out.setWordWrap(wrap)
    out.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    out.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    out.setProperty("quiet", quiet)
    out.setProperty("heading", heading)
    return out


def button(
    text: str, clicked: Callable[[], object] | None = None, *, primary: bool = False, flat: bool = False
) -> QPushButton:
    """A button that says what it does."""
    out = QPushButton(text.replace("&", "&&"))
    out.setAccessibleName(text)
    out.setProperty("primary", primary)
    out.setProperty("flat", flat)
    out.setAutoDefault(False)
    out.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
    if clicked is not None:
        out.clicked.connect(lambda: clicked())
    return out


def mark_primary(part: QPushButton, on: bool) -> None:
    """Make a button the one to press next, or one among others."""
    if part.property("primary") != on:
        part.setProperty("primary", on)
        part.style().unpolish(part)
        part.style().polish(part)


def toggle(text: str, *, on: bool = False, tip: str = "") -> QToolButton:
    """A button that stays down."""
    out = QToolButton()
    out.setText(text)
    out.setAccessibleName(text)
    out.setToolTip(tip)
    out.setCheckable(True)
    out.setChecked(on)
    return out


def card(*parts: QWidget) -> tuple[QFrame, QVBoxLayout]:
    """A framed area and its layout."""
    frame = QFrame()
    frame.setProperty("card", True)
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(12, 10, 12, 10)
    layout.setSpacing(6)
    for part in parts:
        layout.addWidget(part)
    return frame, layout


def empty(layout: QLayout) -> None:
    """Take everything out of a layout."""
    while (item := layout.takeAt(0)) is not None:
        inner = item.layout()
        if inner is not None:
            empty(inner)
            inner.deleteLater()
        widget = item.widget()
        if widget is not None:
            widget.hide()
            widget.setParent(None)
            widget.deleteLater()
