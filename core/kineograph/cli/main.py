# SPDX-License-Identifier: Apache-2.0
"""The ``kineograph`` command. Each group of commands has its own module; this one puts them together."""

from __future__ import annotations

from typing import Annotated

import typer

from kineograph import __version__
from kineograph.cli import (
    convert,
    daemon,
    demo,
    doctor,
    errors,
    generate,
    gui,
    info,
    jobs,
    models,
    retarget,
    rig,
    watch,
)

EPILOG = """
Exit codes: 0 done, 1 the model or daemon failed, 2 wrong command line, 3 request refused, 4 no daemon,
5 job unknown or in conflict, 6 cancelled, 7 file trouble, 8 try later, 9 not allowed.
"""

app = typer.Typer(
    name="kineograph",
    help="Motion for your own character, on your own machine.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(daemon.app, name="daemon")
app.add_typer(jobs.app, name="jobs")
app.add_typer(models.app, name="models")
app.add_typer(rig.app, name="rig")
app.command("generate")(generate.generate)
app.command("retarget")(retarget.retarget)
app.command("watch")(watch.watch)
app.command("convert")(convert.convert)
app.command("info")(info.info)
app.command("replay")(jobs.replay)
app.command("errors")(errors.errors)
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)
app.command("gui", context_settings=gui.CONTEXT)(gui.gui)


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
    """Entry point of the ``kineograph`` script."""
    app()
