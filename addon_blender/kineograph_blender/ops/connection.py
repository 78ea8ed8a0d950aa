# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding, starting and leaving the daemon."""

from typing import Any

import bpy

from .. import session
from ..link import connect
from .base import FINISHED, Outcome, told


class KINEOGRAPH_OT_connect(bpy.types.Operator):
    """Look for Kineograph on this computer, and stay connected"""

    bl_idname = "kineograph.connect"
    bl_label = "Connect"

    def execute(self, context: Any) -> Outcome:
        """Returns at once; the panel tells how it goes."""
        return told(self, connect, context)


class KINEOGRAPH_OT_disconnect(bpy.types.Operator):
    """Leave Kineograph. Jobs go on there, takes stay here"""

    bl_idname = "kineograph.disconnect"
    bl_label = "Disconnect"

    def execute(self, context: Any) -> Outcome:
        """Close the connection."""
        session.current().disconnect()
        return FINISHED


class KINEOGRAPH_OT_start_daemon(bpy.types.Operator):
    """Start Kineograph on this computer. It goes on when Blender ends, unless the preferences say otherwise"""

    bl_idname = "kineograph.start_daemon"
    bl_label = "Start Kineograph"

    def execute(self, context: Any) -> Outcome:
        """Spawn it detached and return at once; the panel tells how it goes."""
        return told(self, lambda: connect(start=True), context)


CLASSES = (KINEOGRAPH_OT_connect, KINEOGRAPH_OT_disconnect, KINEOGRAPH_OT_start_daemon)
