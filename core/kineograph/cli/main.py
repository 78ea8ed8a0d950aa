# SPDX-License-Identifier: Apache-2.0
"""The ``kineograph`` command. Each group of commands has its own module; this one names them and imports none."""

from __future__ import annotations

import sys
from types import MappingProxyType
from typing import Annotated

import typer

from kineograph import __version__
from kineograph.cli.lazy import LazyGroup, Place
from kineograph.cli.words import Wrong

EPILOG = """
Exit codes: 0 done, 1 the model or daemon failed, 2 wrong command line, 3 request refused, 4 no daemon, \
5 job unknown or in conflict, 6 cancelled, 7 file trouble, 8 try later, 9 not allowed.
"""


class Commands(LazyGroup):
    """Every command: where it lives, and the line that the listing shows of it."""

    places = MappingProxyType(
        {
            "generate": Place("generate:generate", "Generate motion on your own character."),
            "retarget": Place(
                "retarget:retarget",
                "Carry motion onto another rig: proportions, rest pose, travel and feet are seen to.",
            ),
            "watch": Place(
                "watch:watch",
                "Watch a folder: each new motion file is carried onto your rigs, once, and every failure says why.",
            ),
            "convert": Place(
                "convert:convert",
                "Write a motion file in another format. Meshes are kept between formats that can: glTF to glTF or FBX, "
                "FBX to FBX.",
            ),
            "info": Place(
                "info:info",
                "Joints, the roles that were understood, takes, frame rate, unit, up axis and size of a file.",
            ),
            "replay": Place(
                "jobs:replay",
                "Run a finished job again: the same request, the same seed, so the same motion (or another seed).",
            ),
            "errors": Place("errors:errors", "What every error means and what to do about it."),
            "doctor": Place(
                "doctor:doctor",
                "Look at the installation, the folders and the daemon, and say what to do about what is wrong.",
            ),
            "demo": Place(
                "demo:demo",
                "Generate a short motion on the character that comes with Kineograph, and write it in every form.",
            ),
            "gui": Place("gui:gui", "Open the desktop panel. --help tells its options."),
            "daemon": Place("daemon:app", "The daemon: start, stop, status, run, drain."),
            "jobs": Place("jobs:app", "The queue: list, show, wait, cancel, retry, replay."),
            "models": Place("models:app", "Models: list, load, install, encode for them."),
            "rig": Place("rig:app", "Check, write and compare rig profiles; find what is wrong with a rig."),
        }
    )


app = typer.Typer(
    name="kineograph",
    cls=Commands,
    help="Motion for your own character, on your own machine.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kineograph {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Motion for your own character, on your own machine."""


def run() -> None:
    """Entry point of the ``kineograph`` script. With ``--json`` a wrong command line is told as JSON, too."""
    if "--json" not in sys.argv:
        app()
    try:
        code = app(standalone_mode=False)
    except Wrong as e:
        from kineograph.cli.output import show_usage

        show_usage(e.format_message())
        code = e.exit_code
    sys.exit(code or 0)
