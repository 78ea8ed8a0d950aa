# SPDX-License-Identifier: Apache-2.0
"""``python -m kineograph_daemon run|start|stop|status|settings``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kineograph.errors import KineographError
from kineograph_daemon import settings as table

if TYPE_CHECKING:
    from kineograph_daemon.server.host import Host


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status: 0 done, 1 failed, 2 a wrong setting or flag, 3 no daemon runs."""
    args = _parser().parse_args(argv)
    command: str = args.command
    try:
        if command in ("run", "start"):
            flags = {row.name: value for row in table.TABLE if (value := getattr(args, row.name)) is not None}
            settings = table.load(flags)
    except (KineographError, OSError) as e:
        print(e.message if isinstance(e, KineographError) else e, file=sys.stderr)
        return 2 if isinstance(e, KineographError) else 1
    if command == "settings":
        return _settings(args)
    # Imported late: a wrong flag or --help should not wait for sockets and databases.
    from kineograph_daemon import app

    try:
        match command:
            case "run":
                return app.run(settings, _host(args))
            case "start":
                print(f"{app.start(flags=_as_flags(flags)).endpoint}")
            case "stop":
                print("stopped" if app.stop() else "no daemon runs")
            case _:
                return _status(app.status())
    except (KineographError, OSError) as e:
        print(e.message if isinstance(e, KineographError) else e, file=sys.stderr)
        return 1
    return 0


def _settings(args: argparse.Namespace) -> int:
    from kineograph_daemon import settings_file

    changes: dict[str, Any] = dict.fromkeys(args.unset)
    for item in args.set:
        name, _, value = item.partition("=")
        changes[name.strip()] = value
    try:
        if changes:
            settings_file.change(changes)
        print(json.dumps(settings_file.describe(), indent=1))
    except KineographError as e:
        print(e.message, file=sys.stderr)
        return 2
    except OSError as e:
        print(e, file=sys.stderr)
        return 1
    return 0


def _host(args: argparse.Namespace) -> Host | None:
    from kineograph_daemon.server.host import Host

    return None if args.end_with is None else Host(args.end_with, args.end_with_client)


def _status(status: dict[str, Any] | None) -> int:
    print(json.dumps(status, indent=1) if status else "no daemon runs")
    return 0 if status else 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kineograph_daemon", description="Generates motion on this computer.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("run", "be the daemon, in the foreground"), ("start", "start the daemon if none runs")):
        command = commands.add_parser(name, help=text)
        for row in table.TABLE:
            _add_flag(command, row)
        if name == "run":
            command.add_argument(
                "--end-with", type=int, metavar="PID", help="end when this process has, once nobody else has jobs"
            )
            command.add_argument(
                "--end-with-client", default="", metavar="NAME", help="that process's name as a client of the daemon"
            )
    form = commands.add_parser("settings", help="show the settings as JSON, or change the settings file")
    form.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="write a value; repeatable")
    form.add_argument("--unset", action="append", default=[], metavar="NAME", help="back to the default; repeatable")
    commands.add_parser("stop", help="stop the daemon; waiting jobs go on after the next start")
    commands.add_parser("status", help="say where the daemon listens, as JSON")
    return parser


def _add_flag(command: argparse.ArgumentParser, row: table.Setting) -> None:
    meaning = f"{row.help} Default: {row.default}".replace("`", "'").replace("%", "%%")
    if row.type is tuple:
        command.add_argument(row.flag, dest=row.name, action="append", default=None, help=meaning)
    elif row.name in ("tcp", "http"):
        command.add_argument(row.flag, dest=row.name, nargs="?", const="127.0.0.1", default=None, help=meaning)
    elif row.type is bool:
        command.add_argument(row.flag, dest=row.name, nargs="?", const="true", default=None, help=meaning)
    else:
        command.add_argument(row.flag, dest=row.name, default=None, metavar=row.unit or "TEXT", help=meaning)


def _as_flags(values: dict[str, Any]) -> list[str]:
    out: list[str] = []
    for name, value in values.items():
        flag = table.BY_NAME[name].flag
        for one in value if isinstance(value, list) else [value]:
            out += [flag, str(one)]
    return out


if __name__ == "__main__":
    sys.exit(main())
