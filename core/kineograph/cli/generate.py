# SPDX-License-Identifier: Apache-2.0
"""``kineograph generate``: a rig and a direction in, a motion out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from kineograph.advise import advise
from kineograph.cli import request as requests
from kineograph.cli import results
from kineograph.cli.options import ConnectOption, JsonOption, StartOption, connect, finite
from kineograph.cli.output import Exit, exit_code, print_json, reports_errors, say, show_problem
from kineograph.cli.sheet import Marks, draw
from kineograph.client import Client, Result
from kineograph.errors import KineographError
from kineograph.motion.skeleton import Skeleton
from kineograph.wire.messages import CapabilitiesReply, Priority

_FORMATS = (".glb", ".gltf", ".bvh", ".json")


@reports_errors
def generate(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where the motion goes: .glb, .bvh, or .json for the report.")
    ] = None,
    rig: Annotated[Path | None, typer.Option(help="Your character: .glb, .gltf or .bvh.")] = None,
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
        int | None, typer.Option(min=-(2**63), max=2**64 - 1, help="The same seed gives the same motion.")
    ] = None,
    fps: Annotated[
        float | None, typer.Option(min=0.1, callback=finite, help="Frame rate; default: the rig file's, else 30.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="See: kineograph models list.")] = None,
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
        float | None, typer.Option(min=0.0, callback=finite, help="Deadline of the job in seconds.")
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
    _check_out(out)
    built = requests.build(ask)
    with connect(address, start=start) as client:
        caps = client.capabilities()
        built.request["model"] = built.request.get("model") or caps.default_model or ""
        _advise(built.request, caps, quiet=as_json)
        if save_request is not None:
            results.write_json(
                save_request,
                {"kineograph": 1, "character": built.character, "request": built.request, "refs": built.refs},
            )
        priority = Priority.BATCH if batch else Priority.INTERACTIVE
        result = _run(client, built, as_json, priority, timeout)
    files = write_files(result, built, out, report, sheet)
    _tell(result, files, as_json)


def _run(client: Client, built: requests.Built, as_json: bool, priority: Priority, deadline_s: float | None) -> Result:
    try:
        with results.progress(quiet=as_json) as update:
            return client.generate(
                built.request,
                on_progress=update,
                refs=built.refs,
                character=built.character,
                priority=priority,
                deadline_s=deadline_s,
            )
    except KineographError as e:
        show_problem(e, {"request": built.request, "refs": built.refs}, as_json=as_json)
        raise typer.Exit(exit_code(e)) from None


def write_files(
    result: Result, built: requests.Built, out: Path | None, report: Path | None, sheet: Path | None
) -> list[Path]:
    """Write what was asked for; returns the files."""
    files: list[Path] = []
    if out is not None:
        files += results.save(result, built.request, out, rig=built.rig)
    if report is not None:
        files.append(
            results.write_json(
                report, {"job": result.job.job, "report": result.report, "provenance": result.provenance}
            )
        )
    if sheet is not None:
        sheet.parent.mkdir(parents=True, exist_ok=True)
        clip = result.clip(0, Skeleton.from_mmcp(built.request["skeleton"]))
        draw(clip, Marks.of_request(built.request), sheet, title=f"{built.character}   {_prompts(built.request)}")
        files.append(sheet)
    return files


def _check_out(out: Path | None) -> None:
    if out is not None and out.suffix.lower() not in _FORMATS:
        say(f"'{escape(str(out))}': the motion can be written as {', '.join(_FORMATS)}.")
        raise typer.Exit(Exit.USAGE)


def _advise(request: dict[str, Any], caps: CapabilitiesReply, *, quiet: bool) -> None:
    spec = next((m for m in caps.mmcp["models"] if m["id"] == request["model"]), None)
    if spec is None or quiet:
        return
    for note in advise(request, {**spec, **caps.models.get(request["model"], {})}):
        say(f"[yellow]note[/]  {escape(note.text)}")


def _tell(result: Result, files: list[Path], as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "job": result.job.job,
                "files": [str(f) for f in files],
                "report": result.report,
                "provenance": result.provenance,
            }
        )
        return
    for path in files:
        say(f"[green]wrote[/] {escape(str(path))}")
    for line in summary(result.report):
        say(line)
    if not files:
        say(f"{result.job.job[:8]}: done. Fetch it with: kineograph jobs wait {result.job.job[:8]} --out FILE.glb")


def summary(report: dict[str, Any]) -> list[str]:
    """The report in a few lines: what was not applied, the worst miss, how the feet did."""
    lines: dict[str, None] = {}
    for group in ("segments", "constraints", "options"):
        for entry in report.get(group, ()):
            if entry.get("outcome") in ("ignored", "changed"):
                name = entry.get("ref") or entry.get("name") or entry.get("type") or group[:-1]
                told = f"{escape(str(name))}: {escape(str(entry.get('reason', '')))}"
                lines[f"[yellow]{entry['outcome']}[/]  {told}"] = None
    constraints = report.get("constraints", ())
    if constraints:
        worst_cm = max(float(c.get("worst_cm") or 0.0) for c in constraints)
        worst_deg = max(float(c.get("worst_deg") or 0.0) for c in constraints)
        lines[f"keys, paths and pins: worst miss {worst_cm:.2f} cm, {worst_deg:.2f} degrees"] = None
    for quality in report.get("quality", ())[:1]:
        slide, sunk = quality.get("slide_mean_cm_s"), quality.get("penetration_cm")
        if slide is not None and sunk is not None:
            lines[f"feet: slide {slide:.1f} cm/s while they stand, at most {sunk:.1f} cm into the ground"] = None
    return list(lines)


def _prompts(request: dict[str, Any]) -> str:
    return ", then ".join(str(s["prompt"]) for s in request.get("segments", ()) if s.get("prompt"))
