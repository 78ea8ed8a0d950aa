# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that an earlier Blender did not live to send, as errors of the catalogue. Knows no bpy."""

from __future__ import annotations

import time

from kineograph.errors import ErrorCode, KineographError, error

from .sent import Unread

FRESH_S = 3600.0
"""So long a request that never left is what its user waits for, and goes by itself; an older one is asked about."""


def never_left(label: str, asked_s: float) -> KineographError:
    """About a request that was asked for and is on disk; ``asked_s``: when, in seconds of the clock."""
    details = {"never_left": True, "label": label, "ago_s": _ago_s(asked_s)}
    return error(ErrorCode.REQUEST_NOT_FOUND, f"{label!r} never left: Blender ended before", details)


def unread(told: Unread) -> KineographError:
    """About a click whose scene was not read to the end."""
    details = {"unread": True, "ago_s": _ago_s(told.created_s)}
    return error(ErrorCode.REQUEST_NOT_FOUND, "Blender ended while the scene was being read", details)


def _ago_s(then_s: float) -> float:
    return max(time.time() - then_s, 1.0)
