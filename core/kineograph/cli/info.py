# SPDX-License-Identifier: Apache-2.0
"""``kineograph info``: what is in a motion file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from kineograph.cli.options import JsonOption
from kineograph.cli.output import page, print_json, reports_errors

if TYPE_CHECKING:
    from kineograph.formats.asset import Asset


@reports_errors
def info(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Any motion or character file.")],
    as_json: JsonOption = False,
) -> None:
    """Joints, the roles that were understood, takes, frame rate, unit, up axis and size of a file.

    Example: [bold]kineograph info hero.fbx[/]
    """
    from rich.table import Table

    from kineograph import formats

    told = describe(formats.load(file), file.stat().st_size)
    if as_json:
        print_json(told)
        return
    size = " x ".join(f"{s:.2f}" for s in told["size_m"])
    rig = told["rig"]
    page.print(f"[bold]{escape(file.name)}[/]  {told['format']}, {told['bytes'] / 1024:.0f} KB")
    page.print(f"unit    1 = {told['metres_per_unit']:g} m, {told['up']} up; rest pose {size} m")
    named = f", like {escape(rig['convention'])}" if rig["convention"] else ""
    page.print(f"joints  {len(told['joints'])}, {len(rig['roles'])} roles understood{named}")
    if rig["missing"]:
        page.print(f"[yellow]missing[/] {escape(', '.join(rig['missing']))}")
    table = Table("take", "frames", "fps", "seconds", box=None, header_style="bold")
    for clip in told["clips"]:
        table.add_row(escape(clip["name"]), str(clip["frames"]), f"{clip['fps_hz']:g}", f"{clip['seconds']:.2f}")
    page.print(table if told["clips"] else "no motion")
    for note in told["notes"]:
        page.print(f"[yellow]note[/]    {escape(note)}")


def describe(asset: Asset, size_bytes: int) -> dict[str, Any]:
    """The facts as plain values."""
    import numpy as np

    from kineograph.formats.rig_map import map_of

    skeleton = asset.skeleton
    rig = map_of(asset)
    longest = max((clip.duration_s for clip in asset.clips), default=None)
    return {
        "file": str(asset.source.path),
        "format": asset.source.format,
        "bytes": size_bytes,
        "metres_per_unit": asset.source.metres_per_unit,
        "up": asset.source.up,
        "size_m": np.ptp(skeleton.rest_positions_m, axis=0).round(4).tolist(),
        "height_m": round(skeleton.height_m, 4),
        "joints": list(skeleton.names),
        "rig": {
            "convention": rig.convention_label if rig.convention else "",
            "confidence": rig.confidence,
            "missing": [str(role) for role in rig.missing()],
            "roles": {
                str(role): {"joint": m.name, "confidence": round(m.confidence, 3), "reason": m.reason}
                for role, m in sorted(rig.matches.items())
            },
        },
        "clips": [
            {"name": c.name, "frames": len(c), "fps_hz": c.fps_hz, "seconds": c.duration_s, "is_default":
             c.duration_s == longest}
            for c in asset.clips
        ],
        "notes": list(asset.source.notes),
    }  # fmt: skip
