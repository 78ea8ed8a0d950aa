# SPDX-License-Identifier: Apache-2.0
"""``kineograph rig``: understand a rig, keep what is known about it in a profile, and find what is wrong with it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from kineograph.cli.options import JsonOption
from kineograph.cli.output import Exit, page, print_json, reports_errors, say, tell

if TYPE_CHECKING:
    from kineograph.rigs.doctor import Finding

app = typer.Typer(no_args_is_help=True, help="Check, write and compare rig profiles; find what is wrong with a rig.")

FileArgument = Annotated[Path, typer.Argument(help="A rig (GLB, BVH, ...) or a profile (TOML).")]
UNTESTED = "by nobody yet: check it against your rig"
MARK = {"fine": "[green]ok[/]  ", "warning": "[yellow]look[/]", "problem": "[red]fix[/] "}


@app.command()
@reports_errors
def check(
    file: FileArgument,
    rig: Annotated[Path | None, typer.Option("--rig", help="Check the profile against this rig's joints.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Is a profile sound, and does it fit a rig? For a rig: which joint plays which role, how sure, and why.

    Examples: [bold]kineograph rig check hero.toml --rig hero.glb[/]; [bold]kineograph rig check hero.glb[/].
    """
    from rich.table import Table

    from kineograph.cli.rig_files import is_profile, rig_of
    from kineograph.rigs import profiles

    if is_profile(file):
        profile = profiles.read(file)
        found = profiles.check(profile, None if rig is None else rig_of(rig).skeleton.names)
        if as_json:
            print_json({"profile": profile.name, "findings": [asdict(f) for f in found]})
        else:
            for f in found:
                tell(f"{'[red]fix[/] ' if f.is_error else '[yellow]look[/]'} {escape(f.where)}: {escape(f.text)}")
            if not found:
                tell(f"[green]ok[/]   '{escape(profile.name)}' is sound{'' if rig is None else ' and fits the rig'}.")
        if any(f.is_error for f in found):
            raise typer.Exit(Exit.REFUSED)
        return
    asset = rig_of(file)
    own = profiles.profile_of(asset.skeleton.names, asset.skeleton.parents.tolist(), [file.parent])
    found_map = profiles.read_rig(
        asset.skeleton.names, asset.skeleton.parents.tolist(), asset.skeleton.rest_positions_m, [file.parent]
    )
    rows = [asdict(m) | {"role": str(m.role)} for m in sorted(found_map.matches.values(), key=lambda m: m.joint)]
    missing = [str(r) for r in found_map.missing()]
    if as_json:
        signature = profiles.signature(asset.skeleton.names, asset.skeleton.parents.tolist())
        named = {
            "profile": None if own is None else own.name,
            "tested": own.tested if own else "",
            "convention": found_map.convention_label,
        }
        print_json({"signature": signature, **named, "roles": rows, "missing": missing,
                    "confidence": found_map.confidence})  # fmt: skip
    else:
        table = Table("joint", "role", "sure", "because", box=None, header_style="bold")
        for row in rows:
            table.add_row(escape(row["name"]), row["role"].replace("_", " "), f"{row['confidence']:.0%}", row["reason"])
        page.print(table)
        if own is None:
            tell("Profile: none; written with [bold]kineograph rig profile[/]")
        else:
            tell(f"Profile: {escape(own.name)}. Tested: {escape(own.tested) or UNTESTED}")
        if missing:
            tell(f"[red]Missing:[/] {', '.join(m.replace('_', ' ') for m in missing)}")
    if missing:
        raise typer.Exit(Exit.REFUSED)


@app.command()
@reports_errors
def profile(
    file: Annotated[Path | None, typer.Argument(help="A rig or a profile; left out: list what there is.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write it here instead of printing it.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="The profile's name; default: the file's.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write what is known about a rig as a profile, ready to be edited; it is found by the rig itself afterwards.

    Without FILE: the profiles that come with Kineograph and your own, and what each was tested with.

    Examples: [bold]kineograph rig profile hero.glb --out hero.toml[/]; keep it beside the rig, in the folder
    that KINEOGRAPH_RIGS names, or in the data folder under [bold]profiles[/].
    """
    from kineograph.cli.rig_files import is_profile, profile_for, rig_of
    from kineograph.formats.failure import unwritable
    from kineograph.rigs import profiles

    if file is None:
        _list(as_json)
        return
    made = profiles.read(file) if is_profile(file) else profile_for(rig_of(file), file, name)
    text = profiles.dumps(made)
    if out is not None:
        try:
            profiles.write(made, out)
        except OSError as e:
            raise unwritable(out, e) from e
        say(f"[green]wrote[/] {escape(str(out))}: {len(made.roles)} roles. Tested: {escape(made.tested) or UNTESTED}")
    if as_json:
        told = {"name": made.name, "tested": made.tested, "file": None if out is None else str(out), "toml": text}
        print_json(told)
    elif out is None:
        typer.echo(text, nl=False)


def _list(as_json: bool) -> None:
    """The ready-made profiles and the user's own, with what they were tested with."""
    from rich.table import Table

    from kineograph.rigs import profiles

    every = [*(("own", p) for p in profiles.own_profiles()), *(("ready-made", p) for p in profiles.built_in())]
    if as_json:
        rows = [{"name": p.name, "from": place, "tested": p.tested, "notes": p.notes} for place, p in every]
        print_json({"profiles": rows})
        return
    table = Table("profile", "from", "tested", box=None, header_style="bold")
    for place, p in every:
        table.add_row(escape(p.name), place, escape(p.tested) if p.tested else f"[yellow]{UNTESTED}[/]")
    page.print(table)


@app.command()
@reports_errors
def diff(
    one: FileArgument,
    other: Annotated[Path, typer.Argument(help="Another rig or profile.")],
    as_json: JsonOption = False,
) -> None:
    """How two profiles differ; a rig counts as the profile it has or would get.

    Example: [bold]kineograph rig diff hero.toml hero_v2.glb[/]. Exit code 1 when they differ.
    """
    from kineograph.cli.rig_files import is_profile, profile_for, rig_of
    from kineograph.rigs import profiles

    a, b = (profiles.read(p) if is_profile(p) else profile_for(rig_of(p), p, None) for p in (one, other))
    lines = profiles.diff(a, b)
    if as_json:
        print_json({"same": not lines, "differences": lines})
    else:
        for line in lines:
            typer.echo(line)
        if not lines:
            say("They say the same.")
    if lines:
        raise typer.Exit(Exit.FAILED)


@app.command()
@reports_errors
def doctor(file: FileArgument, as_json: JsonOption = False) -> None:
    """What is wrong with a rig: roots, circles, names, roles, unit, axes, size, limbs, rest pose; each with its fix.

    Example: [bold]kineograph rig doctor hero.glb[/]. Exit code 3 when something keeps motion off the rig.
    """
    from kineograph.cli.rig_files import examine
    from kineograph.rigs.doctor import Level, worst

    findings = examine(file)
    if as_json:
        print_json({"file": str(file), "level": str(worst(findings)), "findings": [_plain(f) for f in findings]})
    else:
        for f in findings:
            tell(f"{MARK[f.level]} {f.what:10} {escape(f.found)}")
            if f.fix:
                tell(f"       [cyan]-[/] {escape(f.fix)}")
    if worst(findings) is Level.PROBLEM:
        raise typer.Exit(Exit.REFUSED)


def _plain(f: Finding) -> dict[str, Any]:
    return asdict(f) | {"level": str(f.level), "joints": list(f.joints)}
