# SPDX-License-Identifier: Apache-2.0
"""What the watcher was told: folders, targets, and rules that say which file goes where. TOML, or a command line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from kineograph import __version__
from kineograph.errors import ErrorCode, RequestError
from kineograph.formats import EXTENSIONS, WRITTEN

_RULE_KEYS = ("glob", "profile", "to", "format", "options", "take")
_OWN = ("network", "once", "address", "start", "scan_s", "most", "patience_s")
_KEYS = ("in", "out", "to", "rule", "state", "network", "format", "options", "take")


@dataclass(frozen=True)
class WatchRule:
    """Files whose path or name fits ``glob`` go onto each of ``to``. ``profile`` says what their joints are."""

    glob: str = "*"
    profile: str = ""
    to: tuple[str, ...] = ()
    format: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    take: str | None = None

    def fits(self, path: str) -> bool:
        """Whether a path (relative, with ``/``) is meant; case does not count."""
        name, glob = path.rsplit("/", 1)[-1].casefold(), self.glob.casefold()
        return fnmatchcase(path.casefold(), glob) or ("/" not in glob and fnmatchcase(name, glob))


@dataclass(frozen=True)
class Config:
    """Everything that decides what a watcher does. Paths are absolute."""

    source: Path
    out: Path
    rules: tuple[WatchRule, ...]
    state: Path
    network: bool = False
    once: bool = False
    address: str | None = None
    start: bool = True
    scan_s: float = 0.0
    most: int = 4
    patience_s: float = 20.0

    @property
    def every_s(self) -> float:
        """Seconds between two scans."""
        return self.scan_s or (5.0 if self.network else 2.0)

    @property
    def quiet_s(self) -> float:
        """How long a file must stay as it is before it is touched."""
        return min(3.0, self.scan_s) if self.scan_s else 3.0 if self.network else 1.0

    def rule_for(self, path: str) -> int | None:
        """The first rule that is for a file."""
        return next((i for i, rule in enumerate(self.rules) if rule.fits(path)), None)


def from_map(told: Mapping[str, Any], base: Path, default_state: Path | None = None) -> Config:
    """A configuration from plain values; relative paths count from ``base``. Raises ``invalid_parameters``."""
    unknown = next((key for key in told if key not in (*_KEYS, *_OWN)), None)
    if unknown is not None:
        raise _wrong(unknown, "an unknown key", f"one of {', '.join(_KEYS)}")
    for key in ("in", "out"):
        if not isinstance(told.get(key), str) or not told[key]:
            raise _wrong(key, told.get(key), "a folder")
    general = WatchRule(
        to=tuple(_texts(told.get("to", []), "to")),
        format=_text(told.get("format", ""), "format"),
        options=_options(told.get("options", {}), "options"),
        take=told.get("take"),
    )
    listed = told.get("rule", [])
    if not isinstance(listed, list):
        raise _wrong("rule", listed, "a list of rules")
    rules = [_rule(r, f"rule[{i}]", general, base) for i, r in enumerate(listed)]
    if general.to and all(r.glob != "*" for r in rules):
        rules.append(_rule({}, "to", general, base))
    if not rules:
        raise _wrong("to", None, "a rig that motion goes onto, here or in a rule")
    source, out = (_path(told[key], base) for key in ("in", "out"))
    name = hashlib.sha256(f"{source}\n{out}".encode()).hexdigest()[:16]
    state = _path(told["state"], base) if told.get("state") else (default_state or out) / f"watch-{name}.sqlite"
    extra = {
        key: told[key] for key in ("network", "once", "address", "start", "scan_s", "most", "patience_s") if key in told
    }
    return Config(source, out, tuple(rules), state, **extra)


def settings_key(rule: WatchRule, target_digest: str, profile_digest: str) -> str:
    """What, beside a file's content, decides its result."""
    told = [dict(rule.options), rule.take, rule.format, target_digest, profile_digest, __version__]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def suffix_of(rule: WatchRule, target: str) -> str:
    """The extension of a rule's results."""
    if rule.format:
        return f".{rule.format}"
    own = Path(target).suffix.lower()
    return own if own in WRITTEN and own != ".vrma" else ".glb"


def _rule(told: Any, where: str, general: WatchRule, base: Path) -> WatchRule:
    if not isinstance(told, Mapping):
        raise _wrong(where, told, "a table")
    unknown = next((key for key in told if key not in _RULE_KEYS), None)
    if unknown is not None:
        raise _wrong(f"{where}.{unknown}", "an unknown key", f"one of {', '.join(_RULE_KEYS)}")
    to = tuple(_texts(told.get("to", general.to), f"{where}.to"))
    if not to:
        raise _wrong(f"{where}.to", None, "a rig that motion goes onto")
    kind = _text(told.get("format", general.format), f"{where}.format").lower().lstrip(".")
    if kind and f".{kind}" not in WRITTEN:
        raise _wrong(f"{where}.format", kind, f"one of {', '.join(s[1:] for s in WRITTEN)}")
    for target in to:
        if Path(target).suffix.lower() not in EXTENSIONS:
            raise _wrong(f"{where}.to", target, f"a file with one of {', '.join(EXTENSIONS)}")
    profile = _text(told.get("profile", ""), f"{where}.profile")
    return WatchRule(
        glob=_text(told.get("glob", "*"), f"{where}.glob") or "*",
        profile=str(_path(profile, base)) if profile else "",
        to=tuple(str(_path(t, base)) for t in to),
        format=kind,
        options={**general.options, **_options(told.get("options", {}), f"{where}.options")},
        take=told.get("take", general.take),
    )


def _texts(value: Any, where: str) -> Sequence[str]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, (list, tuple)) or not all(isinstance(v, str) and v for v in values):
        raise _wrong(where, value, "a file or a list of files")
    return values


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _wrong(where, value, "a text")
    return value


def _options(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(where, value, "a table of options")
    return {k: v for k, v in value.items() if v is not None}


def _path(text: str, base: Path) -> Path:
    path = Path(text).expanduser()
    return path if path.is_absolute() else (base / path).absolute()


def _wrong(where: str, got: Any, allowed: str) -> RequestError:
    shown = got if isinstance(got, (str, int, float)) or got is None else type(got).__name__
    details = {"where": {"path": [where]}, "got": shown, "allowed": allowed}
    return RequestError(ErrorCode.INVALID_PARAMETERS, f"{where} must be {allowed}, not {shown!r}", details)
