# SPDX-License-Identifier: Apache-2.0
"""``kineograph demo``: the whole line once, on a character of our own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from kineograph import demo as scene
from kineograph.cli.generate import summary, write_files
from kineograph.cli.options import ConnectOption, JsonOption, connect
from kineograph.cli.output import print_json, reports_errors, say
from kineograph.cli.request import Built
from kineograph.cli.results import progress, write_json


@reports_errors
def demo(
    out: Annotated[Path, typer.Option(help="The folder for demo.glb, demo.bvh, demo.json and demo.png.")] = Path(
        "demo"
    ),
    model: Annotated[str | None, typer.Option(help="Another model than the default one.")] = None,
    as_json: JsonOption = False,
    address: ConnectOption = None,
) -> None:
    """Generate a short motion on the character that comes with Kineograph, and write it in every form.

    Examples: [bold]kineograph demo[/], [bold]kineograph demo --out /tmp/demo --json[/]
    """
    with connect(address, start=True) as client:
        chosen = model or client.capabilities().default_model
        built = Built(scene.request(chosen), refs=scene.refs(), character="demo")
        with progress(quiet=as_json) as update:
            result = client.generate(built.request, on_progress=update, refs=built.refs, character="demo", label="demo")
    files = write_files(result, built, out / "demo.glb", out / "demo.json", out / "demo.png")
    files += write_files(result, built, out / "demo.bvh", None, None)
    files.append(
        write_json(
            out / "demo.kineograph.json",
            {"kineograph": 1, "character": "demo", "request": built.request, "refs": built.refs},
        )
    )
    if as_json:
        print_json({"job": result.job.job, "files": [str(f) for f in files], "report": result.report})
        return
    for path in files:
        say(f"[green]wrote[/] {escape(str(path))}")
    for line in summary(result.report):
        say(line)
