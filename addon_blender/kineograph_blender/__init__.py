# SPDX-License-Identifier: GPL-3.0-or-later
"""Kineograph for Blender: registers what Blender has to know, and nothing else."""

from __future__ import annotations

import sys

# Blender reloads this file alone when an extension is switched off and on, or updated: what it imported before goes,
# from the list of modules and from this one, where ``from . import`` looks first.
for _name in [name for name in sys.modules if name.startswith(__name__ + ".")]:
    del sys.modules[_name]
    globals().pop(_name.removeprefix(__name__ + "."), None)


def register() -> None:
    """Called by Blender when the extension is enabled."""
    from . import requirements, unfit

    troubles = requirements.troubles()
    if troubles:
        unfit.register(troubles)
        return
    from . import registry

    registry.register()


def unregister() -> None:
    """Called by Blender when the extension is disabled, and at exit."""
    from . import unfit

    unfit.unregister()
    registry = sys.modules.get(f"{__name__}.registry")
    if registry is not None:
        registry.unregister()
