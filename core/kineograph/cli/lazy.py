# SPDX-License-Identifier: Apache-2.0
"""A group that knows its commands by name and one line of help, and imports the one that is called.

The listing, the version, a wrong word and the completion of a command's name need no command's module; with all of
them, ``--help`` took ten times as long as its libraries.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from kineograph.cli.words import Usage, Wrong, retold


class Place(NamedTuple):
    """Where a command lives (``module:name`` beside this one, a function or a ``typer.Typer``), and its short help."""

    where: str
    line: str


class LazyGroup(TyperGroup):
    """A group whose commands are imported when one is called."""

    places: Mapping[str, Place]

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, place in self.places.items():
            self.add_command(TyperCommand(name, help=place.line, rich_markup_mode="rich"))
        _in_plain_words(self)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that is called. A wrong command line is told in plain words."""
        try:
            return super().invoke(ctx)
        except Wrong as wrong:
            raise retold(wrong) from None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that ``args`` begin with, imported. Raises the usual error for a word that is none."""
        try:
            name, announced, rest = super().resolve_command(ctx, args)
        except Usage as wrong:
            home = next((name for name, place in self.places.items() if args[0] in _words_of(place)), None)
            if home is None:
                raise
            said = f"No such command '{args[0]}'. Did you mean 'kineograph {home} {args[0]}'?"
            raise Usage(said, cast(Any, wrong.ctx)) from None
        return name, announced if name is None or announced is None else load(name, self.places[name]), rest


def _words_of(place: Place) -> list[str]:
    """A group's own commands, as its line of help names them."""
    _, colon, listed = place.line.partition(": ")
    return [word.strip(" .") for word in listed.split(",")] if colon and place.where.endswith(":app") else []


def load(name: str, place: Place) -> Any:
    """The command itself."""
    module_name, _, attribute = place.where.partition(":")
    module = import_module(f"{__package__}.{module_name}")
    found = getattr(module, attribute)
    if isinstance(found, typer.Typer):
        group = get_group(found)
        group.name = name
        return _in_plain_words(group)
    alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
    alone.command(name, context_settings=getattr(module, "CONTEXT", None))(found)
    return _in_plain_words(get_command(alone))


_KINDS = {"str": "TEXT", "int": "N", "float": "NUMBER", "bool": "", "Path": "PATH"}


def _in_plain_words(command: Any) -> Any:
    """The command, whose help says what an option takes and not how Python calls it (``<list[str]>``, ``<bool>``).

    Of newer versions of typer, whose parameters tell their type by ``display_type``; older ones use words already.
    """
    all_of_them = command.get_params

    def get_params(ctx: Any) -> Any:
        found = all_of_them(ctx)
        for parameter in found:
            _say_kind(parameter)
        return found

    command.get_params = get_params
    for inner in getattr(command, "commands", {}).values():
        _in_plain_words(inner)
    return command


def _say_kind(parameter: Any) -> None:
    kind = getattr(parameter, "type_descriptor", None)
    if kind is None or not hasattr(parameter, "display_type"):
        return
    if kind.is_choice:
        word: str | None = "|".join(str(getattr(c, "value", c)) for c in kind.choices)
    else:
        bare = kind.ranged_type_name if kind.is_ranged else parameter.bare_type()
        word = "PATH" if kind.is_path else _KINDS.get(bare.removeprefix("list[").removesuffix("]"))
    if parameter.param_type_name == "argument":
        word = ""  # its name says it
    if word is not None:
        parameter.display_type = lambda ctx: word
