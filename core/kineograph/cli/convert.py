# SPDX-License-Identifier: Apache-2.0
"""``kineograph convert``: a motion file in another format, unit, axis or rate."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, cast

import typer
from rich.markup import escape

from kineograph.cli.options import JsonOption, finite
from kineograph.cli.output import print_json, reports_errors, say

METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254, "ft": 0.3048, "cmu": 0.0254 / 0.45}
_ONE_CLIP = (".bvh", ".vrma")
Axis = Literal["y", "z"]


class Unit(StrEnum):
    """Lengths in a file."""

    M = "m"
    CM = "cm"
    MM = "mm"
    IN = "in"
    FT = "ft"
    CMU = "cmu"


class Up(StrEnum):
    """Which axis points up."""

    Y = "y"
    Z = "z"


@reports_errors
def convert(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Any motion or character file.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The new file; its extension is its format.")],
    take: Annotated[str | None, typer.Option(help="Only this take; BVH and VRMA hold one, else the longest.")] = None,
    fps: Annotated[float | None, typer.Option(min=0.1, callback=finite, help="Another frame rate.")] = None,
    in_units: Annotated[Unit | None, typer.Option(help="The unit of SRC, where it does not say (BVH).")] = None,
    in_up: Annotated[Up | None, typer.Option(help="The up axis of SRC, where it does not say (BVH, AMASS).")] = None,
    units: Annotated[Unit, typer.Option(help="The unit of OUT, where that is open (BVH, USD).")] = Unit.M,
    up: Annotated[Up, typer.Option(help="The up axis of OUT, where that is open (BVH, USD).")] = Up.Y,
    figure: Annotated[bool, typer.Option("--figure", help="Put a simple figure on the bones.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a motion file in another format. Meshes are kept between formats that can: glTF to glTF or FBX, FBX to FBX.

    Examples: [bold]kineograph convert walk.fbx walk.glb[/],
    [bold]kineograph convert walk.glb walk.bvh --take run --units cm[/]
    """
    from kineograph import formats
    from kineograph.formats import mannequin

    if out.suffix.lower() not in formats.WRITTEN:
        raise typer.BadParameter(f"'{out}': a motion is written as {', '.join(formats.WRITTEN)}.", param_hint="OUT")
    asset = formats.load(
        source,
        metres_per_unit=None if in_units is None else METRES[in_units],
        up=None if in_up is None else cast(Axis, str(in_up)),
        fps_hz=fps,
    )
    if out.exists() and out.resolve() == source.resolve():
        raise typer.BadParameter(f"'{out}' is the source itself: name another file.", param_hint="OUT")
    clips = list(asset.clips)
    if take is not None or (out.suffix.lower() in _ONE_CLIP and len(clips) > 1):
        clips = [formats.choose(asset, take)]
    formats.save(
        out,
        asset.skeleton,
        clips,
        mannequin.build(asset.skeleton) if figure else None,
        character=None if figure else source,
        units_per_metre=1.0 / METRES[units],
        up=cast(Axis, str(up)),
    )
    left_out = [clip.name for clip in asset.clips if all(clip is not kept for kept in clips)]
    if as_json:
        told = [{"name": c.name, "frames": len(c), "fps_hz": c.fps_hz} for c in clips]
        print_json({"out": str(out), "clips": told, "left_out": left_out, "notes": list(asset.source.notes)})
        return
    for note in asset.source.notes:
        say(f"[yellow]note[/]  {escape(note)}")
    if left_out:
        say(f"[yellow]note[/]  Left out: {escape(', '.join(left_out))}")
    say(f"[green]wrote[/] {escape(str(out))}")
