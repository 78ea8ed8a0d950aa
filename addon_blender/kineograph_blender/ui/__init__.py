# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar: View3D > N > Kineograph, small panels in the order of work."""

from __future__ import annotations

from . import character, connection, direction, generate, prompts, shown

CLASSES = (
    *connection.CLASSES,
    *character.CLASSES,
    *direction.CLASSES,
    *prompts.CLASSES,
    *generate.CLASSES,
    *shown.CLASSES,
)
