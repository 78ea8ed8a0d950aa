# SPDX-License-Identifier: Apache-2.0
"""The HIERARCHY section: joints, offsets and channels, read without recursion so that depth costs nothing."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from kineograph.formats.failure import incomplete, unreadable

MAX_JOINTS = 4096
_CHANNEL = re.compile(r"([xyz])(position|rotation)", re.IGNORECASE)


@dataclass
class Node:
    """One joint or End Site. ``channels`` are pairs such as ("X", "rotation"), in the file's order."""

    name: str
    parent: int
    line: int
    is_end: bool = False
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    channels: list[tuple[str, str]] = field(default_factory=list)

    @property
    def order(self) -> str:
        """Rotation axes in the order of their channels, such as "ZYX"."""
        return "".join(axis for axis, kind in self.channels if kind == "rotation")


def parse(path: Path, text: str) -> list[Node]:
    """All nodes, parents first, End Sites among them. Errors name the file and the line."""
    return _Parser(path, text).run()


class _Parser:
    """A cursor over tokens; a stack of open braces instead of recursion."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.tokens: list[tuple[str, int]] = [
            (token, number)
            for number, line in enumerate(text.split("\n"), 1)
            for token in line.replace("{", " { ").replace("}", " } ").split()
        ]
        self.at = 0
        self.nodes: list[Node] = []
        self.names: dict[str, int] = {}
        self.open: list[int] = []

    def run(self) -> list[Node]:
        first, line = self._next("HIERARCHY")
        if first.upper() != "HIERARCHY":
            raise unreadable(self.path, f"is no BVH file: it begins with {first[:40]!r}", line=line)
        while self.at < len(self.tokens):
            self._statement()
        if self.open:
            node = self.nodes[self.open[-1]]
            raise incomplete(
                self.path, f"ends inside {node.name!r}, which opened in line {node.line}", line=self._last_line()
            )
        if not self.nodes:
            raise incomplete(self.path, "has no ROOT joint", line=self._last_line())
        return self.nodes

    def _statement(self) -> None:
        token, line = self._next("a joint")
        match token.upper():
            case "ROOT" | "JOINT" as word:
                self._joint(word, line)
            case "END":
                self._end_site(line)
            case "OFFSET":
                x, y, z = (self._number("OFFSET") for _ in range(3))
                self._current("OFFSET", line).offset = (x, y, z)
            case "CHANNELS":
                self._channels(line)
            case "}":
                if not self.open:
                    raise unreadable(self.path, "a '}' closes nothing", line=line)
                self.open.pop()
            case _:
                raise unreadable(self.path, f"{token[:40]!r} is no word of a BVH hierarchy", line=line, got=token[:40])

    def _joint(self, word: str, line: int) -> None:
        name = self._until_brace(f"the name of a {word}")
        if not name:
            raise unreadable(self.path, f"a {word} has no name", line=line)
        if word == "ROOT" and self.nodes:
            roots = [self.nodes[0].name, name]
            raise unreadable(
                self.path,
                f"there are several roots ({roots[0]!r} in line {self.nodes[0].line}, {name!r}); one is needed",
                line=line,
                got=roots,
                allowed=1,
            )
        if (word == "JOINT") != bool(self.open):
            where = "outside a ROOT" if word == "JOINT" else "inside another joint"
            raise unreadable(self.path, f"{word} {name!r} stands {where}", line=line)
        if name in self.names:
            raise unreadable(
                self.path, f"a second joint is called {name!r} (the first is in line {self.names[name]})", line=line
            )
        self.names[name] = line
        self._push(Node(name, self._parent(line), line))

    def _end_site(self, line: int) -> None:
        rest = self._until_brace("an End Site")
        parent = self._parent(line)
        if parent < 0 or not rest.upper().startswith("SITE"):
            raise unreadable(self.path, "an End Site is malformed or stands outside a joint", line=line)
        self._push(Node(f"{self.nodes[parent].name}_end", parent, line, is_end=True))

    def _channels(self, line: int) -> None:
        node = self._current("CHANNELS", line)
        token, _ = self._next("a number of channels")
        if not token.isdecimal() or len(token) > 12 or int(token) > 6:  # isdigit takes "³", which is no number
            raise unreadable(self.path, f"a joint has 0 to 6 channels, not {token[:40]!r}", line=line, got=token[:40])
        for _ in range(int(token)):
            word, at = self._next("a channel's name")
            match = _CHANNEL.fullmatch(word)
            if match is None:
                raise unreadable(self.path, f"{word[:40]!r} is no channel", line=at, got=word[:40])
            channel = (match[1].upper(), match[2].lower())
            if channel in node.channels and channel[1] == "position":
                raise unreadable(self.path, f"{word!r} stands twice in one joint", line=at)
            node.channels.append(channel)
        if len(node.order) > 3:
            raise unreadable(self.path, f"joint {node.name!r} has more than three rotations", line=line)

    def _push(self, node: Node) -> None:
        if len(self.nodes) >= MAX_JOINTS:
            raise unreadable(self.path, f"has more than {MAX_JOINTS} joints", line=node.line, allowed=MAX_JOINTS)
        self.open.append(len(self.nodes))
        self.nodes.append(node)

    def _parent(self, line: int) -> int:
        if self.open and self.nodes[self.open[-1]].is_end:
            raise unreadable(self.path, "a joint stands inside an End Site", line=line)
        return self.open[-1] if self.open else -1

    def _current(self, word: str, line: int) -> Node:
        if not self.open:
            raise unreadable(self.path, f"{word} stands outside a joint", line=line)
        return self.nodes[self.open[-1]]

    def _until_brace(self, what: str) -> str:
        parts: list[str] = []
        while (token := self._next(what)[0]) != "{":
            parts.append(token)
            if token == "}" or len(parts) > 64:
                raise unreadable(self.path, f"{what} is not followed by '{{'", line=self._last_line())
        return " ".join(parts)

    def _number(self, what: str) -> float:
        token, line = self._next(f"a number of {what}")
        try:
            value = float(token)
        except ValueError:
            raise unreadable(self.path, f"{token[:40]!r} is no number", line=line, got=token[:40]) from None
        if not math.isfinite(value):
            raise unreadable(self.path, f"{token[:40]!r} is not a finite number", line=line, got=token[:40])
        return value

    def _next(self, expected: str) -> tuple[str, int]:
        if self.at >= len(self.tokens):
            raise incomplete(self.path, f"ends where {expected} should stand", line=self._last_line())
        self.at += 1
        return self.tokens[self.at - 1]

    def _last_line(self) -> int:
        return self.tokens[min(self.at, len(self.tokens)) - 1][1] if self.tokens else 1
