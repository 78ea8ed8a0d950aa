# SPDX-License-Identifier: Apache-2.0
"""Colours and shapes, light and dark by the system. A colour never stands without a word."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTemporaryDir
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QStyleFactory

from kineograph.fixes import Severity
from kineograph.wire.messages import JobState


@dataclass(frozen=True)
class Look:
    """One set of colours."""

    window: str
    base: str
    raised: str
    line: str
    text: str
    quiet: str
    accent: str
    on_accent: str
    good: str
    off: str
    problem: str
    problem_ground: str
    stage: str
    grid: str
    samples: tuple[str, ...]


LIGHT = Look(
    window="#f3f4f6", base="#ffffff", raised="#ffffff", line="#d5d9df", text="#1c2128", quiet="#667080",
    accent="#1f6f8b", on_accent="#ffffff", good="#2d7d46", off="#a15c00", problem="#b3261e", problem_ground="#fdf1f0",
    stage="#e6e9ed", grid="#c9ced6", samples=("#1f4e79", "#8a4b08", "#2d6a3e", "#6b3fa0"),
)  # fmt: skip
DARK = Look(
    window="#1d2025", base="#16191d", raised="#262a31", line="#363c46", text="#e4e7eb", quiet="#949eac",
    accent="#5fb3cf", on_accent="#0d1418", good="#6cc48a", off="#e0a458", problem="#ef8279", problem_ground="#33211f",
    stage="#14171b", grid="#2b3038", samples=("#8fc7ea", "#e8b06a", "#8fd3a3", "#c3a1ee"),
)  # fmt: skip


class Theme(StrEnum):
    """Who decides between light and dark."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class _Choice:
    theme = Theme.SYSTEM


def is_dark() -> bool:
    """Whether it is to be dark: as the user says, else as the system says."""
    if _Choice.theme is not Theme.SYSTEM:
        return _Choice.theme is Theme.DARK
    return QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark


def look() -> Look:
    """The colours of now."""
    return DARK if is_dark() else LIGHT


def color(name: str, alpha: int = 255) -> QColor:
    """A colour of the look by its name."""
    out = QColor(getattr(look(), name))
    out.setAlpha(alpha)
    return out


def state_color(state: JobState) -> QColor:
    """Waiting is calm, cancelled is grey, only a problem is red."""
    match state:
        case JobState.FAILED:
            return color("problem")
        case JobState.RUNNING:
            return color("accent")
        case JobState.SUCCEEDED:
            return color("good")
        case JobState.CANCELLED | JobState.EXPIRED | JobState.CANCELLING:
            return color("quiet")
        case _:
            return color("text")


def severity_color(severity: Severity) -> str:
    """The strip of a problem card."""
    now = look()
    return {
        Severity.PROBLEM: now.problem,
        Severity.WARNING: now.off,
        Severity.WAITING: now.accent,
        Severity.NOTE: now.accent,
        Severity.QUIET: now.line,
    }[severity]


_SHAPES = {"tick": "M2.5 6.5 L5 9 L9.5 3.5", "down": "M3 4.5 L6 7.5 L9 4.5", "up": "M3 7.5 L6 4.5 L9 7.5"}
"""What style sheets have no word for, as strokes on a square of 12: they take pictures from files alone."""


class Dresser(QObject):
    """Dresses the application, and again when the system changes."""

    def __init__(self, app: QApplication, theme: Theme = Theme.SYSTEM) -> None:
        super().__init__(app)
        self._app = app
        self._pictures = QTemporaryDir()
        _Choice.theme = theme
        app.setStyle(QStyleFactory.create("Fusion"))
        app.styleHints().colorSchemeChanged.connect(self.dress)
        self.dress()

    def choose(self, theme: Theme) -> None:
        """Light, dark, or as the system says."""
        _Choice.theme = theme
        self.dress()

    def dress(self) -> None:
        """Palette and style sheet of now."""
        self._app.setPalette(_palette(look()))
        self._app.setStyleSheet(_sheet(look()) + _controls(look(), self._draw(look())))

    def _draw(self, now: Look) -> dict[str, str]:
        """The shapes in the look's colours: name to path. Each look has files of its own: Qt keeps what it has read."""
        drawn = {}
        for name, strokes in _SHAPES.items():
            stroke = now.on_accent if name == "tick" else now.quiet
            path = Path(self._pictures.path(), f"{name}{stroke.replace('#', '-')}.svg")
            with suppress(OSError):
                path.write_text(
                    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 12 12" width="12" height="12"><path '
                    f'd="{strokes}" fill="none" stroke="{stroke}" stroke-width="1.8" stroke-linecap="round"/></svg>'
                )
            drawn[name] = path.as_posix()
        return drawn


def _palette(now: Look) -> QPalette:
    out = QPalette()
    role = QPalette.ColorRole
    for which, value in (
        (role.Window, now.window), (role.Base, now.base), (role.AlternateBase, now.window), (role.Button, now.raised),
        (role.WindowText, now.text), (role.Text, now.text), (role.ButtonText, now.text), (role.ToolTipText, now.text),
        (role.ToolTipBase, now.raised), (role.Highlight, now.accent), (role.HighlightedText, now.on_accent),
        (role.PlaceholderText, now.quiet), (role.Link, now.accent), (role.Mid, now.line), (role.BrightText, now.text),
    ):  # fmt: skip
        out.setColor(which, QColor(value))
    for which in (role.WindowText, role.Text, role.ButtonText):
        out.setColor(QPalette.ColorGroup.Disabled, which, QColor(now.quiet))
    return out


def _controls(now: Look, pictures: Mapping[str, str]) -> str:
    """Boxes that are ticked, chosen from and counted in: the platform's own lines are lost on a dark ground."""
    return f"""
    QCheckBox::indicator, QRadioButton::indicator {{
        width: 13px; height: 13px; border: 1px solid {now.quiet}; border-radius: 3px; background: {now.base};
    }}
    QRadioButton::indicator {{ border-radius: 7px; }}
    QCheckBox::indicator:checked {{
        border-color: {now.accent}; background: {now.accent}; image: url("{pictures["tick"]}");
    }}
    QRadioButton::indicator:checked {{ border: 4px solid {now.accent}; width: 7px; height: 7px; }}
    QCheckBox::indicator:disabled, QRadioButton::indicator:disabled {{ border-color: {now.line}; }}
    QCheckBox::indicator:focus, QRadioButton::indicator:focus {{ border-color: {now.accent}; }}
    QComboBox, QSpinBox, QDoubleSpinBox {{
        border: 1px solid {now.line}; border-radius: 4px; padding: 2px 4px; background: {now.base}; min-height: 20px;
    }}
    QComboBox:focus, QSpinBox:focus, QDoubleSpinBox:focus {{ border-color: {now.accent}; }}
    QComboBox:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled {{ color: {now.quiet}; background: transparent; }}
    QComboBox::drop-down {{ border: 0; width: 20px; }}
    QComboBox::down-arrow, QSpinBox::down-arrow, QDoubleSpinBox::down-arrow {{ image: url("{pictures["down"]}"); }}
    QSpinBox::up-arrow, QDoubleSpinBox::up-arrow {{ image: url("{pictures["up"]}"); }}
    QComboBox::down-arrow {{ width: 12px; height: 12px; }}
    QSpinBox::up-button, QDoubleSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::down-button {{
        subcontrol-origin: border; width: 17px; border: 0; background: transparent;
    }}
    QSpinBox::up-button, QDoubleSpinBox::up-button {{ subcontrol-position: top right; }}
    QSpinBox::down-button, QDoubleSpinBox::down-button {{ subcontrol-position: bottom right; }}
    QSpinBox::up-arrow, QSpinBox::down-arrow, QDoubleSpinBox::up-arrow, QDoubleSpinBox::down-arrow {{
        width: 10px; height: 10px;
    }}
    """


def _sheet(now: Look) -> str:
    return f"""
    QToolTip {{ border: 1px solid {now.line}; padding: 4px; background: {now.raised}; color: {now.text}; }}
    QPushButton, QToolButton {{
        border: 1px solid {now.line}; border-radius: 4px; padding: 4px 10px; background: {now.raised};
    }}
    QPushButton:hover, QToolButton:hover {{ border-color: {now.accent}; }}
    QPushButton:focus, QToolButton:focus {{ border-color: {now.accent}; }}
    QPushButton:disabled, QToolButton:disabled {{ color: {now.quiet}; background: transparent; }}
    QPushButton[primary="true"] {{
        background: {now.accent}; color: {now.on_accent}; border-color: {now.accent}; font-weight: 600;
    }}
    QPushButton[primary="true"]:disabled {{ background: transparent; color: {now.quiet}; border-color: {now.line}; }}
    QPushButton[flat="true"], QToolButton[flat="true"] {{
        border: 1px solid transparent; background: transparent; color: {now.quiet}; padding: 3px 6px;
    }}
    QPushButton[flat="true"]:hover, QToolButton[flat="true"]:hover {{ color: {now.text}; }}
    QPushButton[flat="true"]:focus, QToolButton[flat="true"]:focus {{ border-color: {now.accent}; }}
    QToolButton[page="true"] {{ border: 1px solid transparent; background: transparent; padding: 5px 12px; }}
    QToolButton[page="true"]:hover {{ background: {now.raised}; }}
    QToolButton[page="true"]:focus {{ border-color: {now.accent}; }}
    QToolButton[page="true"]:checked {{ background: {now.raised}; border-color: {now.line}; font-weight: 600; }}
    QToolButton:checked {{ border-color: {now.accent}; color: {now.accent}; }}
    QLineEdit, QPlainTextEdit {{
        border: 1px solid {now.line}; border-radius: 4px; padding: 3px 6px; background: {now.base}; min-height: 20px;
    }}
    QLineEdit:focus, QPlainTextEdit:focus {{ border-color: {now.accent}; }}
    QComboBox QLineEdit, QSpinBox QLineEdit, QDoubleSpinBox QLineEdit {{
        border: 0; background: transparent; padding: 0 4px; min-height: 0;
    }}
    QTableView::item {{ padding: 0 5px; }}
    QTreeView::item {{ padding: 3px 5px; }}
    QTableView, QTreeView, QListView {{ border: 1px solid {now.line}; background: {now.base}; outline: 0; }}
    QHeaderView {{ background: {now.window}; }}
    QHeaderView::section {{
        background: {now.window}; border: 0; border-bottom: 1px solid {now.line}; padding: 4px 8px; color: {now.quiet};
    }}
    QScrollBar {{ border: 0; background: transparent; }}
    QScrollBar:vertical {{ width: 11px; }}
    QScrollBar:horizontal {{ height: 11px; }}
    QScrollBar::handle {{ background: {now.line}; border-radius: 4px; margin: 1px; }}
    QScrollBar::handle:vertical {{ min-height: 28px; }}
    QScrollBar::handle:horizontal {{ min-width: 28px; }}
    QScrollBar::handle:hover {{ background: {now.quiet}; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    QScrollArea {{ border: 0; background: transparent; }}
    QSplitter::handle {{ background: {now.window}; }}
    QFrame[card="true"] {{ background: {now.raised}; border: 1px solid {now.line}; border-radius: 6px; }}
    QLabel[quiet="true"] {{ color: {now.quiet}; }}
    QLabel[heading="true"] {{ font-weight: 600; }}
    QMenu {{ background: {now.raised}; border: 1px solid {now.line}; padding: 4px; }}
    QMenu::item {{ padding: 5px 24px 5px 12px; border-radius: 3px; }}
    QMenu::item:selected {{ background: {now.accent}; color: {now.on_accent}; }}
    QMenu::item:disabled {{ color: {now.quiet}; background: transparent; }}
    QMenu::separator {{ height: 1px; background: {now.line}; margin: 4px 8px; }}
    """
