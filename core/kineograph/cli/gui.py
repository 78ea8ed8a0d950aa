# SPDX-License-Identifier: Apache-2.0
"""``kineograph gui``: the desktop panel, which is a part of its own."""

from __future__ import annotations

import importlib
import importlib.util

import typer

from kineograph.cli.output import Exit, say
from kineograph.extras import install_line

CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def gui(ctx: typer.Context) -> None:
    """Open the desktop panel. --help tells its options."""
    if any(importlib.util.find_spec(part) is None for part in ("kineograph_gui", "PySide6")):
        say(f"The panel is not installed. Install it with: {install_line('gui')}")
        raise typer.Exit(Exit.FAILED)
    try:
        # By name: the core knows no panel, it only starts one that is there.
        app = importlib.import_module("kineograph_gui.app")
    except ImportError as e:
        say(f"The panel cannot open: {e}. On Debian and Ubuntu: sudo apt-get install libegl1 libxkbcommon0 libdbus-1-3")
        raise typer.Exit(Exit.FAILED) from None
    raise typer.Exit(app.main(ctx.args))
