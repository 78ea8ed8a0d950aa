# SPDX-License-Identifier: Apache-2.0
"""``kineograph daemon``: start, stop, status, run, drain.

The daemon is another process, perhaps in another environment, and is only ever spoken to: its own program does the
work, so that this command needs none of its libraries.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Annotated

import typer
from rich.markup import escape

from kineograph.cli.options import ConnectOption, JsonOption, connect
from kineograph.cli.output import print_json, reports_errors, say, tell

app = typer.Typer(help="The daemon: start, stop, status, run, drain.", no_args_is_help=True)
_FORWARD = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command("start", context_settings=_FORWARD)
@reports_errors
def start(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Start the daemon in the background, or adopt the one that runs. Its options: kineograph daemon run --help.

    Examples: [bold]kineograph daemon start[/], [bold]kineograph daemon start --json[/]
    """
    from kineograph.client import discovery
    from kineograph.wire.messages import to_body

    running = discovery.find_daemon()
    if running is not None and ctx.args:
        told = escape(" ".join(ctx.args))
        say(f"[yellow]note[/]  {told} has no effect: a daemon runs already. Before: [bold]kineograph daemon stop[/]")
    found = running or discovery.start_daemon(extra_args=tuple(ctx.args))
    with connect(found.endpoint) as client:
        stats = client.stats()
    if as_json:
        print_json({"adopted": running is not None, "endpoint": found.endpoint, **to_body(stats)})
    else:
        say(f"{'Already running' if running else 'Started'}: process {stats.pid}, {found.endpoint}")


@app.command("stop")
@reports_errors
def stop(as_json: JsonOption = False, address: ConnectOption = None) -> None:
    """Stop the daemon. Waiting jobs stay and go on after the next start.

    Example: [bold]kineograph daemon stop[/]
    """
    from kineograph.client import discovery

    if address is None and discovery.find_daemon() is None:
        if as_json:
            print_json({"stopped": False})
        else:
            say("No daemon is running.")
        return
    with connect(address) as client:
        client.stop_daemon()
    if as_json:
        print_json({"stopped": True})
    else:
        say("Stopped.")


@app.command("status")
@reports_errors
def status(as_json: JsonOption = False, address: ConnectOption = None) -> None:
    """What the daemon is doing.

    Example: [bold]kineograph daemon status --json[/]
    """
    from kineograph.wire.messages import to_body

    with connect(address) as client:
        stats = client.stats()
    if as_json:
        print_json(to_body(stats))
        return
    jobs = ", ".join(f"{n} {state}" for state, n in stats.jobs.items() if n) or "no jobs"
    tell(
        f"Kineograph {stats.version}, process {stats.pid}, up {stats.uptime_s:.0f} s, "
        f"{stats.memory_bytes / 2**20:.0f} MB: {jobs}"
    )
    if stats.draining:
        tell("[yellow]Draining: no new jobs start.[/]")


@app.command("run", context_settings={**_FORWARD, "help_option_names": []})
def run(ctx: typer.Context) -> None:
    """Run the daemon in this terminal until Ctrl+C."""
    words = [sys.executable, "-m", "kineograph_daemon", "run", *ctx.args]
    if sys.platform != "win32":  # in this process's place: a signal to the command is one to the daemon
        os.execv(sys.executable, words)
    raise typer.Exit(subprocess.call(words))


@app.command("drain")
@reports_errors
def drain(
    on: Annotated[bool, typer.Option("--on/--off", help="Stop starting jobs, or go on.")] = True,
    as_json: JsonOption = False,
    address: ConnectOption = None,
) -> None:
    """Let running jobs end and start no others, or go on.

    Examples: [bold]kineograph daemon drain[/], [bold]kineograph daemon drain --off[/]
    """
    with connect(address) as client:
        client.drain(on)
    if as_json:
        print_json({"draining": on})
    else:
        say("Draining: no new jobs start." if on else "Jobs start again.")
