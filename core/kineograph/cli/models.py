# SPDX-License-Identifier: Apache-2.0
"""``kineograph models``: what can be asked of whom."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from kineograph.cli.options import ConnectOption, JsonOption, StartOption, connect, whole_model
from kineograph.cli.output import page, print_json, reports_errors, say

if TYPE_CHECKING:
    from kineograph.wire.messages import ModelReply

app = typer.Typer(help="Models: list, load, install, encode for them.", no_args_is_help=True)
_FORWARD = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
_ENVIRONMENTS = "kineograph_daemon.backbones.environments"


@app.command("list")
@reports_errors
def list_models(as_json: JsonOption = False, address: ConnectOption = None, start: StartOption = True) -> None:
    """The models of this daemon, what each understands and its limits.

    Example: [bold]kineograph models list --json[/]
    """
    from rich.table import Table

    from kineograph.wire.messages import to_body

    with connect(address, start=start) as client:
        caps = client.capabilities()
    if as_json:
        print_json(to_body(caps))
        return
    specs = {m["id"]: m for m in caps.mmcp["models"]}
    table = Table("model", "state", "text", "takes", "longest", "samples", box=None, header_style="bold")
    for name, extra in caps.models.items():
        spec = specs.get(name, {})
        limits = spec.get("limits", {})
        mark = " (default)" if name == caps.default_model else ""
        table.add_row(
            f"{name}{mark}",
            str(extra.get("state", "")),
            str(extra.get("text", "")),
            ", ".join(_words(c) for c in spec.get("supported_constraints", ())),
            f"{limits['max_duration_seconds']:g} s" if limits else "",
            str(limits.get("max_num_samples", "")),
        )
    page.print(table)


@app.command("load")
@reports_errors
def load(
    model: Annotated[str, typer.Argument(help="The model's id; 'kineograph-' may be left out.")],
    as_json: JsonOption = False,
    address: ConnectOption = None,
    start: StartOption = True,
) -> None:
    """Load a model now, so that its first job starts at once.

    Example: [bold]kineograph models load kineograph-starter[/]
    """
    with connect(address, start=start) as client:
        _state(client.load(whole_model(model, client.hello.models)), as_json)


@app.command("unload")
@reports_errors
def unload(
    model: Annotated[str, typer.Argument(help="The model's id; 'kineograph-' may be left out.")],
    as_json: JsonOption = False,
    address: ConnectOption = None,
) -> None:
    """Free a model's memory; it loads again when it is next used.

    Example: [bold]kineograph models unload kineograph-starter[/]
    """
    with connect(address) as client:
        _state(client.unload(whole_model(model, client.hello.models)), as_json)


@app.command("install", context_settings=_FORWARD)
def install(ctx: typer.Context) -> None:
    """Make or repair a model's own environment: shows licences and size, asks, and goes on where it was interrupted."""
    _forward(_ENVIRONMENTS, "install", *ctx.args)


@app.command("check", context_settings=_FORWARD)
def check(ctx: typer.Context) -> None:
    """Say what a model's own environment lacks."""
    _forward(_ENVIRONMENTS, "check", *ctx.args)


@app.command("remove", context_settings=_FORWARD)
def remove(ctx: typer.Context) -> None:
    """Take a model's own environment away; its weights and phrases stay."""
    _forward(_ENVIRONMENTS, "remove", *ctx.args)


@app.command("recipes", context_settings=_FORWARD)
def recipes(ctx: typer.Context) -> None:
    """The models that can be installed."""
    _forward(_ENVIRONMENTS, "list", *ctx.args)


@app.command("encode", context_settings=_FORWARD)
def encode(ctx: typer.Context) -> None:
    """Prepare phrases for a model that reads them from packs: FILE has one a line, or is a pack to take over."""
    python = subprocess.run(
        [sys.executable, "-m", _ENVIRONMENTS, "python", "kimodo"], capture_output=True, text=True, check=False
    )
    _forward("kineograph_daemon.backbones.kimodo.encode", *ctx.args, python=python.stdout.strip() or sys.executable)


@app.command("token", context_settings=_FORWARD)
def token(ctx: typer.Context) -> None:
    """Keep, remove or look for a remote model's token in the system's keyring: set URL, remove URL, check URL."""
    _forward("kineograph_daemon.backbones.remote", *ctx.args)


def _forward(module: str, *arguments: str, python: str = sys.executable) -> None:
    """The daemon's own program does it: this command needs none of its libraries."""
    raise typer.Exit(subprocess.call([python, "-m", module, *arguments]))


@app.command("card")
@reports_errors
def card(
    model: Annotated[str, typer.Argument(help="The model's id; 'kineograph-' may be left out.")],
    as_json: JsonOption = False,
) -> None:
    """A model's card: what it was trained on and under which terms, what was measured, what it cannot do.

    Example: [bold]kineograph models card starter[/]
    """
    from kineograph.cli import cards

    text = cards.read(model)
    if text is None:
        have = ", ".join(cards.names()) or "none"
        raise typer.BadParameter(f"'{model}' has no card here. Models with one: {have}.")
    if as_json:
        print_json({"model": model, "card": text})
        return
    # Not through rich: a card is Markdown, to be read, piped or saved as it is.
    typer.echo(text)


def _state(reply: ModelReply, as_json: bool) -> None:
    from kineograph.wire.messages import to_body

    if as_json:
        print_json(to_body(reply))
    else:
        say(f"{escape(reply.model)}: {reply.state}")


def _words(constraint: str) -> str:
    known = {"pose_keyframe": "keys", "root_path": "paths", "effector_target": "pins", "ground_height": "ground"}
    return known.get(constraint, constraint)
