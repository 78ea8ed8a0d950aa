# SPDX-License-Identifier: GPL-3.0-or-later
"""How errors and references name things of the scene, as the catalogue of fixes reads them."""

from __future__ import annotations

from typing import Any

from kineograph.errors import ErrorCode, KineographError, error


def ref(kind: str, name: str, character: str, **more: Any) -> dict[str, Any]:
    """A reference of ours: what of the scene a part of a request stands for. The daemon hands it back in ``where``."""
    return {"kind": kind, "object": name, "character": character, **more}


def where(kind: str, name: str, character: str, **more: Any) -> dict[str, Any]:
    """The ``where`` of an error found before anything was sent."""
    return {"path": [], "ref": ref(kind, name, character, **more)}


def blocked(armature: str, blocker: str, message: str, **details: Any) -> KineographError:
    """``apply_blocked`` that names the blocker; ``bones`` where bones are meant."""
    at = where("character", armature, armature)
    return error(ErrorCode.APPLY_BLOCKED, message, {"where": at, "blocker": blocker, **details})
