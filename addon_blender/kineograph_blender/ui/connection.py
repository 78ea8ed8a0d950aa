# SPDX-License-Identifier: GPL-3.0-or-later
"""The first line: is a daemon there, and if not, why and what to press."""

from typing import Any

import bpy

from .. import session
from ..session import Phase
from .base import Panel, grey, order_of

ICONS = {
    Phase.OFF: "RADIOBUT_OFF",
    Phase.LOOKING: "VIEWZOOM",
    Phase.STARTING: "TIME",
    Phase.CONNECTING: "TIME",
    Phase.READY: "RADIOBUT_ON",
    Phase.LOST: "UNLINKED",
}


class KINEOGRAPH_PT_connection(Panel, bpy.types.Panel):
    """Whether Kineograph runs on this computer."""

    bl_label = "Kineograph"
    bl_order = order_of("connection")

    def draw_header_preset(self, context: Any) -> None:
        """The connection in a word, beside the title."""
        standing = session.current().standing
        self.layout.label(text=standing.text, icon=ICONS[standing.phase])

    def draw(self, context: Any) -> None:
        """Why there is none, and the buttons."""
        standing = session.current().standing
        if standing.why:
            grey(self.layout, standing.why)
        row = self.layout.row(align=True)
        if standing.can_start:
            row.operator("kineograph.start_daemon", icon="PLAY")
        if standing.can_connect:
            row.operator("kineograph.connect", icon="LINKED")
        elif standing.is_ready:
            row.operator("kineograph.disconnect", icon="UNLINKED")


CLASSES = (KINEOGRAPH_PT_connection,)
