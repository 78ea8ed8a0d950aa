# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators: every button, and every button is one of these."""

from __future__ import annotations

from . import blocks, character, connection, drawing, generate, marks, model, problems, takes

_PARTS = (connection, character, model, generate, blocks, marks, drawing, takes, problems)
CLASSES = tuple(cls for part in _PARTS for cls in part.CLASSES)
