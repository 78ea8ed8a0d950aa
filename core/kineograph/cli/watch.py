# SPDX-License-Identifier: Apache-2.0
"""``kineograph watch``: whole folders onto rigs, as they come; the watcher is a process, its table is here."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import signal
import subprocess
import sys
import tomllib
from collections import deque
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from kineograph.cli.options import ConnectOption, JsonOption, finite
from kineograph.cli.output import console, print_json, reports_errors, say, show_problem
from kineograph.errors import ErrorCode, SceneError, from_envelope
from kineograph.extras import install_line

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

MODULE = "kineograph_daemon.watch"
_SHOWN = 14
_COLORS = {"done": "green", "failed": "red", "needs_map": "yellow", "working": "cyan", "duplicate": "dim"}


class Mode(StrEnum):
    """How the folder is looked at."""

    LOCAL = "local"
    NETWORK = "network"


@reports_errors
def watch(
    source: Annotated[Path | None, typer.Argument(metavar="IN", help="The folder to watch.")] = None,
    to: Annotated[list[Path] | None, typer.Option("--to", help="The rig motion goes onto; may be repeated.")] = None,
    rule: Annotated[
        list[str] | None, typer.Option(metavar="GLOB=PROFILE", help="Files that fit get this rig profile.")
    ] = None,
    rules: Annotated[Path | None, typer.Option(help="All of it in a TOML file.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where results go.")] = None,
    once: Annotated[bool, typer.Option("--once", help="End when every file there has its outcome.")] = False,
    state: Annotated[Path | None, typer.Option(help="The ledger; default: by IN and OUT, in your data folder.")] = None,
    mode: Annotated[Mode, typer.Option(help="network: for drives that send no events.")] = Mode.LOCAL,
    format_: Annotated[str | None, typer.Option("--format", help="glb, fbx, bvh, ...; default: as the rig.")] = None,
    take: Annotated[str | None, typer.Option(help="Which take of each file; default: the longest.")] = None,
    root: Annotated[str | None, typer.Option(help="What carries the travel: hips, root, object.")] = None,
    feet: Annotated[bool, typer.Option("--feet/--no-feet", help="Hold feet where they stand.")] = True,
    fps: Annotated[
        float | None, typer.Option(min=0.1, callback=finite, help="Frame rate; default: each file's own.")
    ] = None,
    mirror: Annotated[bool, typer.Option("--mirror", help="Swap left and right.")] = False,
    pause: Annotated[bool, typer.Option("--pause", help="Tell the running watcher to begin nothing new.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Tell it to go on.")] = False,
    drain: Annotated[bool, typer.Option("--drain", help="Tell it to finish what is at work and end.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Files at work at once.")] = 4,
    as_json: JsonOption = False,
    address: ConnectOption = None,
    start: Annotated[bool, typer.Option("--start/--no-start", help="Start the daemon when none is running.")] = True,
) -> None:
    """Watch a folder: each new motion file is carried onto your rigs, once, and every failure says why.

    Examples:

    [bold]kineograph watch mocap/ --to hero.glb --out done/[/]

    [bold]kineograph watch mocap/ --to hero.glb --out done/ --rule '*_anna.bvh=anna.toml' --once[/]

    [bold]kineograph watch --rules studio.toml[/]
    """
    if importlib.util.find_spec("kineograph_daemon") is None:
        raise typer.BadParameter(f"What watches is not installed: {install_line('daemon')}")
    told = _from_file(rules) if rules is not None else {}
    options = {"root": root, "feet": None if feet else False, "fps_hz": fps, "mirror": mirror or None}
    given = {
        "in": None if source is None else str(source.absolute()), "out": None if out is None else str(out.absolute()),
        "to": [str(path.absolute()) for path in to] if to else None,
        "state": None if state is None else str(state.absolute()), "format": format_, "take": take,
    }  # fmt: skip
    told |= {key: value for key, value in given.items() if value is not None}
    told["options"] = {**told.get("options", {}), **{k: v for k, v in options.items() if v is not None}}
    told["rule"] = [*(_rule(text) for text in rule or ()), *told.get("rule", [])]
    told |= {"network": mode is Mode.NETWORK or bool(told.get("network")), "once": once, "address": address,
             "start": start, "most": jobs}  # fmt: skip
    word = "pause" if pause else "run" if resume else "drain" if drain else None
    needed = [("IN", "in"), ("--out", "out"), *([] if word or told["rule"] else [("--to", "to")])]
    missing = [name for name, key in needed if not told.get(key)]
    if missing:
        raise typer.BadParameter(f"Needed: {' and '.join(missing)}, here or in --rules.")
    if word is not None:
        told["tell"] = word
    _follow(told, as_json)


def _from_file(path: Path) -> dict[str, Any]:
    """A TOML file's values, its paths made absolute from its own folder."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        reason = getattr(e, "strerror", None) or str(e)
        said = f"'{path}' cannot be read: {reason}"
        raise SceneError(ErrorCode.FILE_UNREADABLE, said, {"file": str(path), "reason": reason}) from e
    base = path.absolute().parent

    def whole(value: Any) -> Any:
        if isinstance(value, list):
            return [whole(item) for item in value]
        return str(base / Path(value).expanduser()) if isinstance(value, str) and value else value

    for key in ("in", "out", "state", "to"):
        if key in told:
            told[key] = whole(told[key])
    for entry in told.get("rule", []) if isinstance(told.get("rule", []), list) else []:
        for key in ("profile", "to"):
            if isinstance(entry, dict) and key in entry:
                entry[key] = whole(entry[key])
    return told


def _rule(text: str) -> dict[str, str]:
    glob, equals, profile = text.partition("=")
    if not equals or not glob or not profile:
        raise typer.BadParameter(
            f"'{text}' is no rule: write GLOB=PROFILE, for example '*_anna.bvh=anna.toml'.", param_hint="--rule"
        )
    return {"glob": glob, "profile": str(Path(profile).absolute())}


def _follow(told: dict[str, Any], as_json: bool) -> None:
    """Run the watcher and show what it says; its exit code is ours."""
    process = subprocess.Popen(
        [sys.executable, "-m", MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,  # Ctrl-C comes here, and is passed on as what it means
    )
    assert process.stdin is not None
    assert process.stdout is not None
    last: dict[str, Any] = {}
    table = _Board(str(told["in"]), str(told["out"]))
    try:
        process.stdin.write(json.dumps(told) + "\n")
        process.stdin.close()
        with table.shown(quiet=as_json):
            last = _listen(process, table, quiet=as_json)
    finally:
        process.stdout.close()
        if process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10.0)
        if process.poll() is None:
            process.kill()
            process.wait()
    if last.get("t") == "error":
        show_problem(from_envelope(last), as_json=as_json)
    elif as_json:
        print_json({key: value for key, value in last.items() if key != "t"})
    elif last:
        said = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in last.get("counts", {}).items() if n)
        say(said or "No motion file was found.")
    if process.returncode:
        raise typer.Exit(process.returncode)


def _listen(process: subprocess.Popen[str], table: _Board, *, quiet: bool) -> dict[str, Any]:
    """Show what the watcher says until it ends; its last word. Ctrl-C drains it, a second one ends it at once."""
    last: dict[str, Any] = {}
    while True:
        try:
            for message in _messages(process.stdout):
                last = message if message["t"] in ("end", "told", "error") else last
                table.take(message, quiet=quiet)
            return last
        except KeyboardInterrupt:
            if not quiet:
                say("Finishing what is at work. Ctrl+C again leaves it for the next time.")
            if sys.platform != "win32":  # there the watcher has got it too
                process.send_signal(signal.SIGINT)


def _messages(lines: Any) -> Iterator[dict[str, Any]]:
    for line in lines:
        with contextlib.suppress(ValueError):
            message = json.loads(line)
            if isinstance(message, dict) and "t" in message:
                yield message


class _Board:
    """The table on the terminal; plain lines where there is none."""

    def __init__(self, source: str, out: str) -> None:
        self._title = f"{source}  >  {out}"
        self._recent: deque[dict[str, Any]] = deque(maxlen=_SHOWN)
        self._working: dict[str, dict[str, Any]] = {}
        self._status: dict[str, Any] = {}
        self._live: Live | None = None

    @contextlib.contextmanager
    def shown(self, *, quiet: bool) -> Iterator[None]:
        """While the watcher runs."""
        if quiet or not console.is_terminal:
            yield
            return
        from rich.live import Live

        with Live(self._draw(), console=console, refresh_per_second=4, transient=True) as live:
            self._live = live
            yield

    def take(self, message: dict[str, Any], *, quiet: bool) -> None:
        """Show one message."""
        match message["t"]:
            case "task":
                self._task(message, quiet)
            case "status":
                self._status = message
            case "away":
                self._status = {**self._status, "away": message["reason"]}
        if self._live is not None:
            self._live.update(self._draw())

    def _task(self, message: dict[str, Any], quiet: bool) -> None:
        name = message["source"]
        if message["state"] in ("working", "waiting"):
            self._working[name] = message
            return
        self._working.pop(name, None)
        self._recent.appendleft(message)
        if self._live is None and not quiet:
            color = _COLORS.get(message["state"], "white")
            tail = f"  {message['text']}" if message["text"] else f"  > {message['out']}"
            say(f"[{color}]{message['state'].replace('_', ' ')}[/] {escape(name)}{escape(tail)}")

    def _draw(self) -> Group:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        counts = self._status.get("counts", {})
        said = "   ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts.items() if n) or "waiting for files"
        flags = [word for word in ("paused", "draining") if self._status.get(word)]
        if not self._status.get("daemon", True):
            flags.append("no daemon answers")
        if self._status.get("away"):
            flags.append(f"folder away: {self._status['away']}")
        table = Table(box=None, header_style="bold", show_header=False, padding=(0, 1))
        rows = [m for m in self._working.values() if m["state"] == "working"][:4] + list(self._recent)
        for m in rows[:_SHOWN]:
            color = _COLORS.get(m["state"], "white")
            table.add_row(Text(m["state"].replace("_", " "), color), m["source"], m["text"] or m["out"])
        return Group(Text(self._title, "bold"), Text(said + ("   [" + ", ".join(flags) + "]" if flags else "")), table)
