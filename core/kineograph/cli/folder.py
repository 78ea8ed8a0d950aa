# SPDX-License-Identifier: Apache-2.0
"""Which files a command works on, what their results are called, and which of them are done already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kineograph.errors import ErrorCode, SceneError
from kineograph.formats import EXTENSIONS, WRITTEN

DONE = ".kineograph.done.jsonl"


@dataclass(frozen=True)
class Item:
    """A file and where its result goes."""

    source: Path
    out: Path


def sources(given: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Files with their place below what was named: folders are searched, hidden files and parts are not taken.

    Raises ``file_unreadable`` for a name that is not there.
    """
    out: list[tuple[Path, Path]] = []
    for path in given:
        if path.is_dir():
            found = (p for p in sorted(path.rglob("*")) if p.suffix.lower() in EXTENSIONS and p.is_file())
            out += [(p, p.relative_to(path)) for p in found if not _hidden(p.relative_to(path))]
        elif path.exists():
            out.append((path, Path(path.name)))
        else:
            raise SceneError(
                ErrorCode.FILE_UNREADABLE,
                f"'{path}' does not exist",
                {"file": str(path), "reason": "does not exist"},
            )
    return list(dict.fromkeys(out))


def items(found: Iterable[tuple[Path, Path]], out: Path, suffix: str) -> list[Item]:
    """Results below ``out``. Sources of one name and different extensions keep theirs in the result's name."""
    made: list[Item] = []
    taken: set[Path] = set()
    for source, place in found:
        target = (out / place).with_suffix(suffix)
        if target in taken:
            target = target.with_name(f"{place.stem}_{place.suffix[1:].lower()}{suffix}")
        number = 2
        while target in taken:
            target = target.with_name(f"{place.stem}_{number}{suffix}")
            number += 1
        taken.add(target)
        made.append(Item(source, target))
    return made


def suffix_for(target: Path, wanted: str | None) -> str:
    """The results' extension: as wanted, else the target's where it can be written, else .glb. Raises ValueError."""
    if wanted:
        suffix = "." + wanted.lower().lstrip(".")
        if suffix not in WRITTEN:
            raise ValueError(f"'{wanted}' cannot be written; these can: {', '.join(s[1:] for s in WRITTEN)}")
        return suffix
    own = target.suffix.lower()
    return own if own in WRITTEN and own != ".vrma" else ".glb"


class Done:
    """What a folder's results were made of: one line a file, appended when its result is in place."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / DONE
        self._keys: dict[str, str] = {}
        with suppress(OSError, ValueError, KeyError, TypeError):
            for line in self._path.read_text("utf-8").splitlines():
                told = json.loads(line)
                self._keys[told["out"]] = told["key"]

    def has(self, item: Item, key: str) -> bool:
        """Whether this result is there, made of this very file with these settings."""
        return self._keys.get(str(item.out)) == key and item.out.exists()

    def add(self, item: Item, key: str) -> None:
        """Remember a result."""
        self._keys[str(item.out)] = key
        with suppress(OSError), open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"out": str(item.out), "key": key}) + "\n")


def key_of(source: Path, settings: Mapping[str, Any]) -> str:
    """A fingerprint of the file's content and of everything that decides its result."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    digest.update(fingerprint(source).encode())
    return digest.hexdigest()


def fingerprint(path: Path) -> str:
    """SHA-256 of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hidden(place: Path) -> bool:
    return any(part.startswith((".", "~$")) for part in place.parts)
