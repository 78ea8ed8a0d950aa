# SPDX-License-Identifier: Apache-2.0
"""``python -m kineograph_daemon.backbones.environments install|check|list|remove``: behind ``kineograph models``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from kineograph.client.discovery import find_daemon
from kineograph.errors import KineographError
from kineograph_daemon.backbones.environments import make, ready, recipes
from kineograph_daemon.backbones.environments.recipes import Recipe


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status: 0 done, 1 failed or something is missing, 2 wrong, 6 not wanted or interrupted."""
    args = _parser().parse_args(argv)
    try:
        match args.command:
            case "install":
                return _install(args)
            case "check":
                return _check(args)
            case "python":
                made = ready.read(recipes.load(args.name).name)
                print(sys.executable if made is None else made.python)
            case "remove":
                print("removed" if make.remove(recipes.load(args.name).name) else "it was not installed")
            case _:
                _list(args.json)
    except KineographError as e:
        print(e.message, file=sys.stderr)
        return 2 if str(e.code) == "invalid_parameters" else 1
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on from here", file=sys.stderr)
        return 6
    return 0


def _install(args: argparse.Namespace) -> int:
    recipe = recipes.load(args.name)
    for line in described(recipe, weights=not args.no_weights):
        print(line, file=sys.stderr if args.json else sys.stdout)
    if not args.repair and not make.missing(recipe.name) and _is_current(recipe):
        print("it is installed and works")
        return 0
    make.refuse(recipe, repair=args.repair)
    if not args.yes and not _agreed():
        print("nothing was changed", file=sys.stderr)
        return 6
    made = make.install(recipe, _Telling(args.json), weights=not args.no_weights, repair=args.repair)
    print(json.dumps({"installed": made.name, "python": made.python}) if args.json else f"{recipe.title} is ready.")
    if find_daemon() is not None:
        print("The daemon that runs hosts it in a moment.", file=sys.stderr)
    return 0


def described(recipe: Recipe, *, weights: bool = True) -> list[str]:
    """Title, size and licences, as they are shown before anything is asked."""
    size = f"{recipe.size_gb:g} GB" + (
        f" and {recipe.weights_gb:g} GB of weights" if weights and recipe.weights else ""
    )
    terms = [f"  {licence.what}: {licence.name}, {licence.url}" for licence in recipe.licences]
    return [f"{recipe.title}: {recipe.about}", f"Takes {size} in {ready.folder() / recipe.name}.", *terms]


def _agreed() -> bool:
    if not sys.stdin.isatty():
        print("this asks for a yes; add --yes to agree without being asked", file=sys.stderr)
        return False
    return input("Install, and agree to these licences? [y/N] ").strip().lower() in ("y", "yes")


def _is_current(recipe: Recipe) -> bool:
    made = ready.read(recipe.name)
    return made is not None and made.recipe_sha256 == recipe.sha256


def _check(args: argparse.Namespace) -> int:
    recipe = recipes.load(args.name)
    lacking = make.missing(recipe.name)
    if args.json:
        print(json.dumps({"name": recipe.name, "works": not lacking, "missing": lacking}))
    else:
        print(f"{recipe.title}: {lacking}; kineograph models install {recipe.name}" if lacking else "it works")
    return 1 if lacking else 0


def _list(as_json: bool) -> None:
    rows = [
        {"name": n, "installed": ready.read(n) is not None, "title": recipes.load(n).title} for n in recipes.names()
    ]
    if as_json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(f"{row['name']}\t{'installed' if row['installed'] else 'not installed'}\t{row['title']}")


class _Telling:
    """Progress on the terminal, one line; or one JSON object a change."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._last = ""

    def __call__(self, fraction: float, words: str) -> None:
        told = f"{fraction:4.0%}  {words}"
        if told == self._last:
            return
        self._last = told
        print(
            json.dumps({"fraction": fraction, "stage": words}) if self._as_json else told, file=sys.stderr, flush=True
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kineograph models", description="Models in environments of their own.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("install", "make or repair it"),
        ("check", "say what is missing"),
        ("remove", "take it away"),
        ("python", "its Python"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("name")
        command.add_argument("--json", action="store_true")
        if name == "install":
            command.add_argument("--yes", action="store_true", help="agree to the licences without being asked")
            command.add_argument("--repair", action="store_true", help="make it again from the start")
            command.add_argument("--no-weights", action="store_true", help="leave the weights out")
    commands.add_parser("list", help="every recipe").add_argument("--json", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main())
