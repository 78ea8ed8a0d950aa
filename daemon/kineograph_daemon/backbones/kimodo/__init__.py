# SPDX-License-Identifier: Apache-2.0
"""NVIDIA Kimodo as a model of this daemon, through its own package where that is installed.

Nothing of it ships here: the package, its weights and its text encoder are the user's own. Text comes from phrase packs
(``phrases``) or an encoder (``encoders``); ``package`` is the only file that touches the package.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kineograph_daemon.backbones.kimodo.backbone import KimodoBackbone


def models() -> list[KimodoBackbone]:
    """The model, or nothing where neither ``kimodo`` nor ``torch`` is installed."""
    if any(importlib.util.find_spec(name) is None for name in ("kimodo", "torch")):
        return []
    from kineograph_daemon.backbones.kimodo.backbone import KimodoBackbone
    from kineograph_daemon.backbones.kimodo.package import Package

    return [KimodoBackbone(Package())]
