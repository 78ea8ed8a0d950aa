# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators: every button, and every button is one of these."""

from __future__ import annotations

from . import character, connection, generate

CLASSES = (*connection.CLASSES, *character.CLASSES, *generate.CLASSES)
