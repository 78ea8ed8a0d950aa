# SPDX-License-Identifier: GPL-3.0-or-later
"""The first line: is a daemon there, and if not, why and what to press."""

from collections import Counter
from typing import Any

import bpy

from .. import session
from ..session import Phase
from .base import Panel, grey, order_of
from .problems import to_show

ICONS = {
    Phase.OFF: "RADIOBUT_OFF",
    Phase.LOOKING: "VIEWZOOM",
    Phase.STARTING: "TIME",
    Phase.CONNECTING: "TIME",
    Phase.READY: "RADIOBUT_ON",
    Phase.LOST: "UNLINKED",
}


class KINEOGRAPH_PT_connection(Panel, bpy.types.Panel):
    """Whether Kineograph runs, in one line while it does; and how many problems wait further down."""

    bl_label = "Kineograph"
    bl_order = order_of("connection")
    bl_options = {"HIDE_HEADER"}

    def draw(self, context: Any) -> None:
        """The connection in a word; where there is none, why, and the buttons."""
        standing = session.current().standing
        row = self.layout.row(align=True)
        text, icon = in_short(context)  # in the name's stead: both have no room
        row.label(text=text or "Kineograph", icon=icon)
        state = row.row(align=True)
        state.alignment = "RIGHT"
        state.label(text=standing.text, icon=ICONS[standing.phase])
        if standing.is_ready:
            state.operator("kineograph.disconnect", text="", icon="UNLINKED", emboss=False)
        if standing.why:
            grey(self.layout, standing.why)
        row = self.layout.row(align=True)
        if standing.can_start:
            row.operator("kineograph.start_daemon", icon="PLAY")
        if standing.can_connect:
            row.operator("kineograph.connect", text="Look again" if standing.why else "Connect", icon="LINKED")


def in_short(context: Any) -> tuple[str, str]:
    """What waits further down, the gravest alone, and its icon: waiting is no problem, and a note is none either."""
    troubles = session.current().troubles
    grave = Counter(str(troubles.problem(t).severity) for t in to_show(context))
    for what, icon, count in (
        ("problem", "ERROR", grave["problem"] + grave["warning"]),
        ("note", "INFO", grave["note"]),
    ):
        if count:
            return f"{count} {what}" + ("s" if count > 1 else ""), icon
    return ("Waiting", "TIME") if grave["waiting"] else ("", "NONE")


CLASSES = (KINEOGRAPH_PT_connection,)
