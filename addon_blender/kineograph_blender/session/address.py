# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a daemon may be: on this computer, or beyond it with the user's leave."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import bpy

from kineograph.errors import ErrorCode, error


def check_address(address: str | None) -> None:
    """Beyond this computer only with the user's leave (``bpy.app.online_access``). Raises ``connection_failed``."""
    if address is None or address.startswith("ipc://") or bpy.app.online_access:
        return
    host = urlsplit(address).hostname or ""
    try:
        is_local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        raise error(
            ErrorCode.CONNECTION_FAILED,
            f"Blender is set to stay offline, and {host!r} is another computer",
            {"where": {"setting": "online_access"}, "got": address, "endpoint": address},
        )
