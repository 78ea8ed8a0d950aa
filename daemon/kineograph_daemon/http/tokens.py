# SPDX-License-Identifier: Apache-2.0
"""Tokens of the door: ``python -m kineograph_daemon.http.tokens add NAME [--role submit] | list | remove NAME``.

``config_dir()/http_tokens.json`` keeps a name, a role and a SHA-256 for each; the token itself is shown once, when it
is made. A token has 256 random bits, so a plain hash is as good as a slow one. A changed file counts from the next
request on.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kineograph import files, paths
from kineograph.files import WatchedJson
from kineograph.wire.messages import Role

_PREFIX = "kg_"
_NAME = re.compile(r"[A-Za-z0-9._@-]{1,60}")


@dataclass(frozen=True)
class Token:
    """One entry."""

    name: str
    role: Role
    sha256: str


class TokenBook:
    """The tokens that are known now."""

    def __init__(self, file: Path | None = None) -> None:
        none: dict[str, Token] = {}
        self._known = WatchedJson(file or paths.config_dir() / "http_tokens.json", _read, none)

    def find(self, token: str) -> Token | None:
        """Whose token this is. Looked up by hash, so that timing tells nothing about the tokens there are."""
        return self._known.value.get(_hash(token))

    def all(self) -> list[Token]:
        """Every entry."""
        return list(self._known.value.values())

    def add(self, name: str, role: Role) -> str:
        """A new token for a name; one that the name had before is void. Raises ValueError for a name that is none."""
        if not _NAME.fullmatch(name):
            raise ValueError("a name is made of letters, digits and . _ @ -")
        token = _PREFIX + secrets.token_urlsafe(32)
        self._write([*(t for t in self.all() if t.name != name), Token(name, role, _hash(token))])
        return token

    def remove(self, name: str) -> bool:
        """Void a name's token; False when it has none."""
        before = self.all()
        kept = [t for t in before if t.name != name]
        self._write(kept)
        return len(kept) < len(before)

    def _write(self, tokens: Sequence[Token]) -> None:
        raw = {"tokens": [{**asdict(t), "role": str(t.role)} for t in tokens]}
        files.write_json(self._known.path, raw, private=True)


def _read(raw: Mapping[str, Any]) -> dict[str, Token]:
    tokens = [Token(str(t["name"]), Role(t["role"]), str(t["sha256"])) for t in raw["tokens"]]
    return {token.sha256: token for token in tokens}


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="kineograph_daemon.http.tokens", description="Tokens of the HTTP door.")
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", help="make a token; it is shown this once")
    add.add_argument("name")
    add.add_argument("--role", choices=[str(r) for r in Role], default=str(Role.SUBMIT))
    commands.add_parser("remove", help="void a token").add_argument("name")
    commands.add_parser("list", help="names and roles")
    args = parser.parse_args(argv)
    book = TokenBook()
    match args.command:
        case "add":
            try:
                print(book.add(args.name, Role(args.role)))
            except ValueError as e:
                print(e, file=sys.stderr)
                return 2
        case "remove":
            if not book.remove(args.name):
                print(f"no token is named {args.name}", file=sys.stderr)
                return 1
        case _:
            for token in book.all():
                print(f"{token.name}\t{token.role}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
