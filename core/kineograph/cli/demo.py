# SPDX-License-Identifier: Apache-2.0
"""``kineograph demo``: the whole line once, on a character of our own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from kineograph.cli.options import ConnectOption, JsonOption, connect, whole_model
from kineograph.cli.output import print_json, reports_errors, say


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
    from kineograph import demo as scene
    from kineograph.cli import generating
    from kineograph.cli.request import Built
    from kineograph.cli.results import write_json

    files = generating.Files(out / "demo.glb", out / "demo.json", out / "demo.png", out / "demo.kineograph.json")
    files.check()
    with connect(address, start=True) as client:
        caps = client.capabilities()
        chosen = whole_model(model or caps.default_model, caps.models)
        built = Built(scene.request(chosen), refs=scene.refs(), character="demo")
        result = generating.run(built, client, as_json=as_json, label="demo", address=address)
    written = generating.write(result, built, files)
    written += generating.write(result, built, generating.Files(out / "demo.bvh"))
    written.append(write_json(out / "demo.kineograph.json", built.saved()))
    if as_json:
        print_json({"job": result.job.job, "files": [str(f) for f in written], "report": result.report})
        return
    for path in written:
        say(f"[green]wrote[/] {escape(str(path))}")
    for line in generating.summary(result.report):
        say(line)
