# SPDX-License-Identifier: Apache-2.0
"""How ``docs/protocol.md`` writes types and defaults, and how its tables are read."""

from __future__ import annotations

import json
import re
import types
import typing
from dataclasses import MISSING, Field, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "protocol.md"
_PLAIN = {str: "text", int: "int", float: "float", bool: "bool", Any: "any"}


def type_name(hint: Any) -> str:
    """``list[ResultFormat]`` is ``list of `ResultFormat```, ``str | None`` is ``text or nil``."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        inner = [a for a in typing.get_args(hint) if a is not type(None)]
        return f"{type_name(inner[0])} or nil"
    if origin is list:
        return f"list of {type_name(typing.get_args(hint)[0])}"
    if origin is dict:
        return "map"
    return _PLAIN.get(hint) or f"[`{hint.__name__}`](#{hint.__name__.lower()})"


def default_text(field: Field[Any]) -> str:
    """``required``, or the default as JSON."""
    if field.default is MISSING and field.default_factory is MISSING:
        return "required"
    value = field.default if field.default_factory is MISSING else field.default_factory()
    if hasattr(value, "__dataclass_fields__"):
        return "its defaults"
    return f"`{json.dumps(value if value is not None else None)}`".replace("`null`", "nil")


@dataclass(frozen=True)
class Table:
    """One table of the document, under the heading it follows."""

    heading: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, name: str) -> list[str]:
        """The cells of one column, without code marks and links."""
        index = self.head.index(name)
        return [plain(row[index]) for row in self.rows]

    def pairs(self, key: str, value: str) -> dict[str, str]:
        """One column by another."""
        keys = self.column(key)
        assert len(set(keys)) == len(keys), f"{self.heading}: a row stands twice"
        return dict(zip(keys, self.column(value), strict=True))


def plain(cell: str) -> str:
    """A cell without code marks and links."""
    return re.sub(r"\[(.+?)\]\(#.*?\)", r"\1", cell).replace("`", "").replace("\\|", "|").strip()


def tables(text: str) -> list[Table]:
    """Every table of a Markdown text."""
    out: list[Table] = []
    heading, lines = "", iter([*text.splitlines(), ""])
    in_code = False
    for line in lines:
        if line.startswith("```"):
            in_code = not in_code
        elif not in_code and line.startswith("#"):
            heading = plain(line.lstrip("# "))
        elif not in_code and line.startswith("|"):
            head = _cells(line)
            assert set(next(lines)) <= set("| -"), f"{heading}: no rule under the head of a table"
            rows = []
            while (line := next(lines)).startswith("|"):
                rows.append(_cells(line))
                assert len(rows[-1]) == len(head), f"{heading}: a row has {len(rows[-1])} cells: {line}"
            out.append(Table(heading, head, tuple(rows)))
    return out


def code_blocks(text: str, language: str) -> list[str]:
    """The code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def values(kind: type[StrEnum]) -> list[str]:
    """An enumeration's values, in order."""
    return [str(x) for x in kind]


def _cells(line: str) -> tuple[str, ...]:
    return tuple(c.strip() for c in re.split(r"(?<!\\)\|", line.strip().strip("|")))
