# SPDX-License-Identifier: Apache-2.0
"""``kineograph generate``: a rig and a direction in, a motion out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kineograph.cli.options import ConnectOption, JsonOption, StartOption, connect, finite, seed_in_range, whole_model
from kineograph.cli.output import reports_errors


@reports_errors
def generate(
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Where the motion goes: .glb, .bvh, or .json for the report. Without it: jobs wait."
        ),
    ] = None,
    rig: Annotated[Path | None, typer.Option(help="Your character: glTF, VRM, BVH, FBX or USD.")] = None,
    prompt: Annotated[
        list[str] | None, typer.Option("--prompt", "-p", help="What happens; several follow one another.")
    ] = None,
    seconds: Annotated[
        list[float] | None,
        typer.Option(
            "--seconds",
            "-s",
            min=0.01,
            callback=finite,
            help="How long (4 if not said); once for all, or once a prompt.",
        ),
    ] = None,
    constraints: Annotated[
        Path | None, typer.Option(help="JSON list of MMCP constraints: paths, pins, keys, ground.")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(help="Pose keys: a JSON list, or a .bvh/.glb clip of the same rig.")
    ] = None,
    key_frame: Annotated[
        list[int] | None,
        typer.Option(help="With a clip as --keys: which of its frames (else first and last); each is met at its time."),
    ] = None,
    samples: Annotated[int, typer.Option("--samples", "-n", min=1, help="How many different takes.")] = 1,
    seed: Annotated[
        int | None, typer.Option(callback=seed_in_range, help="The same seed gives the same motion.")
    ] = None,
    fps: Annotated[
        float | None, typer.Option(min=0.1, callback=finite, help="Frame rate; default: the rig file's, else 30.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="An id of kineograph models list; 'kineograph-' may be left out."),
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="A seamless cycle.")] = False,
    option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Any other MMCP option, as JSON.")
    ] = None,
    request: Annotated[
        Path | None,
        typer.Option(help="A saved request (.kineograph.json) instead of rig, prompts, lengths, rate and constraints."),
    ] = None,
    save_request: Annotated[Path | None, typer.Option(help="Also save the request, to be run or edited later.")] = None,
    report: Annotated[Path | None, typer.Option(help="Also write the report as JSON.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Also draw a contact sheet (.png).")] = None,
    batch: Annotated[bool, typer.Option("--batch", help="Give way to interactive work.")] = False,
    timeout: Annotated[
        float | None, typer.Option(min=0.001, callback=finite, help="Deadline of the job in seconds.")
    ] = None,
    as_json: JsonOption = False,
    address: ConnectOption = None,
    start: StartOption = True,
) -> None:
    """Generate motion on your own character.

    Examples:

    [bold]kineograph generate --rig hero.glb --prompt "walks" --seconds 4 --out walk.glb[/]

    [bold]kineograph generate --rig hero.bvh --keys poses.bvh --key-frame 0 --key-frame 60 --out between.bvh[/]

    [bold]kineograph generate --request scene.kineograph.json --samples 4 --out takes.glb --sheet takes.png[/]
    """
    from kineograph.cli import generating, results
    from kineograph.cli import request as requests
    from kineograph.wire.messages import Priority

    ask = requests.Ask(
        rig=rig,
        prompts=prompt or (),
        seconds=seconds or (),
        constraints=constraints,
        keys=keys,
        key_frames=key_frame or (),
        samples=samples,
        seed=seed,
        fps_hz=fps,
        model=model,
        loop=loop,
        options=option or (),
        request=request,
    )
    files = generating.Files(out, report, sheet, save_request)
    files.check()
    built = requests.build(ask)
    with connect(address, start=start) as client:
        caps = client.capabilities()
        built.request["model"] = whole_model(built.request.get("model") or caps.default_model or "", [*caps.models])
        if not as_json:
            generating.advised(built.request, caps)
        if save_request is not None:
            results.write_json(save_request, built.saved())
        priority = Priority.BATCH if batch else Priority.INTERACTIVE
        result = generating.run(built, client, as_json=as_json, priority=priority, deadline_s=timeout, address=address)
    generating.tell(result, generating.write(result, built, files), as_json)
