# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators: every button, and every button is one of these."""

from __future__ import annotations

from . import blocks, character, connection, drawing, generate, marks

CLASSES = (
    *connection.CLASSES,
    *character.CLASSES,
    *generate.CLASSES,
    *blocks.CLASSES,
    *marks.CLASSES,
    *drawing.CLASSES,
)
