# SPDX-License-Identifier: Apache-2.0
"""Recipes: one TOML file a model, ours beside this module, anybody's in ``config_dir()/recipes``."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kineograph import paths
from kineograph.errors import ErrorCode, RequestError

_OURS = Path(__file__).with_name("recipes")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_MODULE = re.compile(r"[A-Za-z_][\w.]*(:[A-Za-z_][\w.]*)?")


@dataclass(frozen=True)
class Licence:
    """Under which terms something comes."""

    what: str
    name: str
    url: str


@dataclass(frozen=True)
class Recipe:
    """How a model's environment is made.

    ``packages``: steps of requirements, one pip call each; ``environment``: variables that their builds are given.
    ``inherits``: the daemon's own packages are seen from inside, behind the model's, and none is installed again.
    """

    name: str
    title: str
    about: str
    backbones: tuple[str, ...]
    packages: tuple[tuple[str, ...], ...]
    licences: tuple[Licence, ...]
    size_gb: float
    python: str = ""
    tools: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    weights_gb: float = 0.0
    inherits: bool = False
    environment: tuple[tuple[str, str], ...] = ()
    sha256: str = ""


def names() -> list[str]:
    """Every recipe there is."""
    places = (_OURS, paths.config_dir() / "recipes")
    return sorted({f.stem for place in places if place.is_dir() for f in place.glob("*.toml")})


def load(name: str) -> Recipe:
    """A recipe; the user's own goes before ours. Raises ``invalid_parameters`` for one that is not or is wrong."""
    for place in (paths.config_dir() / "recipes", _OURS):
        file = place / f"{name}.toml"
        if _NAME.fullmatch(name) and file.is_file():
            return _read(name, file)
    details = {"where": {"path": ["name"]}, "got": name, "allowed": names()}
    raise RequestError(
        ErrorCode.INVALID_PARAMETERS, f"there is no recipe {name!r}; there are: {', '.join(names())}", details
    )


def _read(name: str, file: Path) -> Recipe:
    data = file.read_bytes()
    try:
        raw = tomllib.loads(data.decode("utf-8"))
        return Recipe(
            name=name,
            title=_text(raw, "title"),
            about=_text(raw, "about"),
            backbones=_modules(raw, "backbones"),
            packages=tuple(_texts({"packages": step}, "packages") for step in raw.get("packages", [])),
            licences=tuple(Licence(_text(r, "what"), _text(r, "name"), _text(r, "url")) for r in raw["licences"]),
            size_gb=float(raw["size_gb"]),
            python=str(raw.get("python", "")),
            tools=_texts(raw, "tools"),
            weights=_modules(raw, "weights") if "weights" in raw else (),
            weights_gb=float(raw.get("weights_gb", 0.0)),
            inherits=bool(raw.get("inherits", False)),
            environment=_variables(raw.get("environment", {})),
            sha256=hashlib.sha256(data).hexdigest(),
        )
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as e:
        reason = f"{type(e).__name__}: {e}"
        details = {"path": str(file), "got": file.name, "reason": reason}
        raise RequestError(
            ErrorCode.INVALID_PARAMETERS, f"the recipe {file} cannot be used: {reason}", details
        ) from None


def _text(raw: Mapping[str, Any], key: str) -> str:
    value = raw[key]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} must be a text")
    return value


def _texts(raw: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = raw.get(key, [])
    # A requirement that begins with a dash would be an option of the installer.
    if not isinstance(value, list) or not all(isinstance(v, str) and v and not v.startswith("-") for v in value):
        raise ValueError(f"{key} must be a list of texts")
    return tuple(value)


def _variables(raw: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(raw, dict) or not all(_VARIABLE.fullmatch(k) and isinstance(v, str) for k, v in raw.items()):
        raise ValueError("environment must be a table of texts")
    return tuple(raw.items())


def _modules(raw: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = _texts(raw, key)
    if not found or not all(_MODULE.fullmatch(v) for v in found):
        raise ValueError(f"{key} must name modules")
    return found
