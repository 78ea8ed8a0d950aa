# SPDX-License-Identifier: Apache-2.0
"""``kineograph retarget``: files and folders onto a rig, on all cores, without a daemon."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from kineograph import __version__
from kineograph.cli.options import JsonOption, finite
from kineograph.cli.output import Exit, console, exit_code, print_json, reports_errors, say, show_problem
from kineograph.errors import KineographError
from kineograph.extras import install_line

if TYPE_CHECKING:
    from rich.progress import Progress

    from kineograph.cli.folder import Done, Item


class Root(StrEnum):
    """Where the travel goes."""

    HIPS = "hips"
    ROOT = "root"
    OBJECT = "object"


class Switch(StrEnum):
    """On or off."""

    ON = "on"
    OFF = "off"


@reports_errors
def retarget(
    source: Annotated[list[Path], typer.Argument(metavar="SRC", help="Motion files, or folders of them.")],
    to: Annotated[Path, typer.Option("--to", help="The rig everything goes onto: any motion or character file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="A folder; for one file, the file itself.")],
    maps: Annotated[
        list[Path] | None, typer.Option("--map", help="A rig profile (TOML) for the source or the target.")
    ] = None,
    root: Annotated[Root, typer.Option(help="What carries the travel; object: one above the rig.")] = Root.HIPS,
    feet: Annotated[Switch, typer.Option(help="Hold feet where they stand.")] = Switch.ON,
    hands: Annotated[Switch, typer.Option(help="Hold hands where they rest too.")] = Switch.OFF,
    fps: Annotated[
        float | None, typer.Option(min=0.1, callback=finite, help="Frame rate; default: each file's own.")
    ] = None,
    mirror: Annotated[bool, typer.Option("--mirror", help="Swap left and right.")] = False,
    take: Annotated[str | None, typer.Option(help="Which take of each file; default: the longest.")] = None,
    format_: Annotated[str | None, typer.Option("--format", help="glb, gltf, vrm, vrma, fbx, bvh, usd...")] = None,
    report: Annotated[bool, typer.Option("--report", help="A JSON report beside each result.")] = False,
    sheet: Annotated[bool, typer.Option("--sheet", help="A picture beside each result: source and result.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Also what is done already.")] = False,
    processes: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Processes; default: all cores.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Carry motion onto another rig: proportions, rest pose, travel and feet are seen to.

    Examples:

    [bold]kineograph retarget walk.bvh --to hero.glb --out walk_hero.glb --sheet[/]

    [bold]kineograph retarget mocap/ --to hero.fbx --out done/ --report[/]
    """
    from kineograph.cli.folder import Done, Item, fingerprint, items, sources, suffix_for

    _check_installed()
    try:
        suffix = out.suffix.lower() if _is_one_file(source, out) else suffix_for(to, format_)
    except ValueError as e:
        raise typer.BadParameter(str(e), param_hint="--format") from None
    _check_target(to, maps or ())
    options: dict[str, Any] = {
        "root": str(root), "feet": feet is Switch.ON, "hands": hands is Switch.ON, "mirror": mirror, "fps_hz": fps,
    }  # fmt: skip
    one = _is_one_file(source, out)
    work = [Item(source[0], out)] if one else items(sources(source), out, suffix)
    done = None if one else Done(out)
    settings = {
        "options": options, "take": take, "to": fingerprint(to), "version": __version__,
        "maps": [fingerprint(m) for m in maps or ()], "report": report, "sheet": sheet,
    }  # fmt: skip
    jobs = [_job(item, to, maps or (), take, options, report, sheet) for item in work]
    cores = processes or os.cpu_count() or 1
    result = _run(work, jobs, settings, done, again, cores, as_json)
    _tell(result, as_json)


def _is_one_file(source: Sequence[Path], out: Path) -> bool:
    from kineograph import formats

    return len(source) == 1 and not source[0].is_dir() and out.suffix.lower() in formats.WRITTEN and not out.is_dir()


def _check_installed() -> None:
    if importlib.util.find_spec("kineograph_daemon") is None:
        raise typer.BadParameter(f"What retargets is not installed: {install_line('daemon')}")


def _check_target(to: Path, maps: Sequence[Path]) -> None:
    """The target and the profiles are read once here, so that what is wrong with them is said once."""
    from kineograph import formats
    from kineograph.formats.rig_map import map_of
    from kineograph.rigs import profiles

    asset = formats.load(to)
    told = [profiles.read(path) for path in maps]
    if not told:
        map_of(asset)


def _job(
    item: Item, to: Path, maps: Sequence[Path], take: str | None, options: Mapping[str, Any], report: bool, sheet: bool
) -> dict[str, Any]:
    beside = item.out.with_name(item.out.name + ".report.json")
    picture = item.out.with_name(item.out.name + ".png")
    return {
        "source": str(item.source), "target": str(to), "out": str(item.out), "maps": [str(m) for m in maps],
        "take": take, "options": dict(options), "report": str(beside) if report else "",
        "sheet": str(picture) if sheet else "",
    }  # fmt: skip


def _run(
    work: Sequence[Item],
    jobs: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    done: Done | None,
    again: bool,
    cores: int,
    quiet: bool,
) -> dict[str, Any]:
    """Everything that is not done yet; the outcome of each file."""
    from kineograph.cli import pool
    from kineograph.cli.folder import key_of

    began = time.perf_counter()
    rows: list[dict[str, Any]] = [{"source": str(i.source), "out": str(i.out)} for i in work]
    keys: dict[int, str] = {}
    left: list[int] = []
    for n, item in enumerate(work):
        if done is not None:
            try:
                keys[n] = key_of(item.source, settings)
            except OSError:
                keys[n] = ""  # whoever reads the file says what is wrong with it
            if not again and keys[n] and done.has(item, keys[n]):
                rows[n]["skipped"] = True
                continue
        left.append(n)
    errors: list[KineographError] = []
    with _bar(quiet) as bar, closing(pool.work([jobs[n] for n in left], cores)) as outcomes:
        task = bar.add_task("retargeting", total=len(left))
        for index, outcome in outcomes:
            n = left[index]
            if isinstance(outcome, KineographError):
                errors.append(outcome)
                rows[n]["error"] = outcome.to_envelope()["error"]
                if not quiet:
                    console.print(f"[red]failed[/] {escape(str(work[n].source))}")
                    show_problem(outcome)
            else:
                rows[n] |= outcome
                if done is not None and keys.get(n):
                    done.add(work[n], keys[n])
            bar.update(task, advance=1, description=escape(work[n].source.name)[:40])
    return {"files": rows, "seconds": time.perf_counter() - began, "errors": errors}


def _bar(quiet: bool) -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description:40}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), console=console, transient=True, disable=quiet or not console.is_terminal,
    )  # fmt: skip


def _tell(result: dict[str, Any], as_json: bool) -> None:
    rows, errors = result["files"], result.pop("errors")
    frames = sum(row.get("frames", 0) for row in rows)
    counts = {
        "done": sum("frames" in row for row in rows), "skipped": sum("skipped" in row for row in rows),
        "failed": len(errors), "frames": frames, "frames_per_s": frames / max(result["seconds"], 1e-9),
    }  # fmt: skip
    if as_json:
        print_json({**result, **counts})
    else:
        for row in rows if len(rows) <= 8 else ():
            for path in row.get("files", ()):
                say(f"[green]wrote[/] {escape(path)}")
            for note in row.get("notes", ()):
                say(f"[yellow]note[/]  {escape(note)}")
        skipped = f", {counts['skipped']} were done before" if counts["skipped"] else ""
        failed = f", [red]{counts['failed']} failed[/]" if errors else ""
        say(f"{counts['done']} files, {frames} frames in {result['seconds']:.1f} s{skipped}{failed}")
    if errors:
        raise typer.Exit(exit_code(errors[0]))
    if not rows:
        if not as_json:
            say("No motion file was found.")
        raise typer.Exit(Exit.FILE)
