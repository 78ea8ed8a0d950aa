# SPDX-License-Identifier: Apache-2.0
"""Profiles as TOML. Reading checks every key, so that a slip of the pen is named and not passed over."""

from __future__ import annotations

import errno
import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kineograph import files
from kineograph.errors import ErrorCode, SceneError
from kineograph.rigs.profiles.model import AXES, LIMBS, REST_POSES, ROOT_POLICIES, VERSION, Limb, Match, Profile
from kineograph.rigs.roles import Role
from kineograph.rigs.spelling import likeness

MAX_BYTES = 1 << 20


def read(path: str | Path) -> Profile:
    """A profile from a file. Raises ``file_unreadable`` naming the file and the key."""
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _wrong(str(path), "", "is too large for a profile")
        text = path.read_text(encoding="utf-8-sig")  # editors of Windows begin a file with a mark
    except UnicodeDecodeError as e:
        raise _wrong(str(path), "", "is no text in UTF-8") from e
    except OSError as e:
        raise _wrong(str(path), "", f"cannot be read: {e.strerror or e}") from e
    return loads(text, str(path))


def loads(text: str, where: str = "profile") -> Profile:
    """A profile from TOML text."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise _wrong(where, "", f"is no TOML: {e}") from e
    return _Reader(where, data).profile()


def write(profile: Profile, path: str | Path) -> None:
    """Write a profile, whole or not at all. Raises OSError."""
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(path.parent))
    files.write_text(path, dumps(profile))


def dumps(profile: Profile) -> str:
    """TOML text that ``loads`` gives back as the same profile, in an order that reads well."""
    p = profile
    head: dict[str, Any] = {"kineograph_profile": VERSION, "name": p.name, "tested": p.tested, "notes": p.notes}
    parts: list[tuple[str, Mapping[str, Any]]] = [
        ("match", {"hash": p.match.hash, "has": list(p.match.has), "lacks": list(p.match.lacks)}),
        ("axes", {"bone": p.bone_axis, "up": p.up, "front": p.front}),
        ("rest", {"pose": p.rest}),
        ("root", {"policy": p.root_policy, "bone": p.root_bone}),
        ("roles", {str(r): name for r, name in p.roles.items()}),
        ("chains", {str(r): list(names) for r, names in p.chains.items()}),
        ("controls", {str(r): name for r, name in p.controls.items()}),
    ]
    for limb, c in p.limbs.items():
        fields = {"fk": list(c.fk), "ik": c.ik, "pole": c.pole, "master": c.master, "switch": c.switch}
        parts.append((f"limbs.{limb}", {**fields, "fk_value": c.fk_value}))
    parts.append(("limits_deg", {joint: [list(pair) for pair in pairs] for joint, pairs in p.limits_deg.items()}))
    parts.append(("aliases", dict(p.aliases)))
    # The root of a tree has an empty text above it, which says something.
    parts += [("tree", dict(p.tree)), ("places", dict(p.places))]
    parts += [(f"hold.{_key(bone)}", dict(values)) for bone, values in p.hold.items()]
    lines = [f"{key} = {_toml(value)}" for key, value in head.items() if value != ""]
    for table, values in parts:
        kept = {k: v for k, v in values.items() if v not in ("", []) or table == "tree"}
        if kept:
            lines += ["", f"[{table}]", *(f"{_key(k)} = {_toml(v)}" for k, v in kept.items())]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    plain = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if plain else _toml(name)


def _toml(value: Any) -> str:
    # JSON's strings, numbers and arrays are TOML's too, but for the DEL character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


class _Reader:
    """Takes a document apart, key by key."""

    def __init__(self, where: str, data: Mapping[str, Any]) -> None:
        self.where, self.data = where, data

    def profile(self) -> Profile:
        """The whole profile."""
        top = ("kineograph_profile", "name", "tested", "notes", "match", "axes", "rest", "root", "roles", "chains",
               "controls", "limbs", "limits_deg", "aliases", "tree", "places", "hold")  # fmt: skip
        self.known("", self.data, top)
        if self.data.get("kineograph_profile") != VERSION:
            self.fail("kineograph_profile", f"must be {VERSION}", self.data.get("kineograph_profile"))
        match = self.table("match", ("hash", "has", "lacks"))
        axes, root = self.table("axes", ("bone", "up", "front")), self.table("root", ("policy", "bone"))
        roles, chains, controls = (self.by_role(k) for k in ("roles", "chains", "controls"))
        name = self.text("name", self.data.get("name"))
        if not name.strip():
            self.fail("name", "a profile needs a name", name)
        return Profile(
            name=name,
            match=Match(
                self.text("match.hash", match.get("hash", "")),
                self.texts("match.has", match.get("has", [])),
                self.texts("match.lacks", match.get("lacks", [])),
            ),
            roles={r: self.text(f"roles.{r}", v) for r, v in roles.items()},
            chains={r: self.texts(f"chains.{r}", v) for r, v in chains.items()},
            bone_axis=self.one_of("axes.bone", axes.get("bone", "y"), AXES),
            up=self.one_of("axes.up", axes.get("up", "y"), AXES),
            front=self.one_of("axes.front", axes.get("front", "z"), AXES),
            rest=self.one_of("rest.pose", self.table("rest", ("pose",)).get("pose", "t"), REST_POSES),
            root_policy=self.one_of("root.policy", root.get("policy", "hips"), ROOT_POLICIES),
            root_bone=self.text("root.bone", root.get("bone", "")),
            controls={r: self.text(f"controls.{r}", v) for r, v in controls.items()},
            limbs={k: self.limb(k, v) for k, v in self.table("limbs", LIMBS).items()},
            limits_deg={k: self.limits(k, v) for k, v in self.table("limits_deg", None).items()},
            aliases={k: self.text(f"aliases.{k}", v) for k, v in self.table("aliases", None).items()},
            tree=self.tree(),
            places={k: self.text(f"places.{k}", v) for k, v in self.table("places", None).items()},
            hold={k: self.values(f"hold.{k}", v) for k, v in self.table("hold", None).items()},
            tested=self.text("tested", self.data.get("tested", "")),
            notes=self.text("notes", self.data.get("notes", "")),
        )

    def fail(self, key: str, what: str, got: Any = None, allowed: Any = None) -> None:
        """Raise the error of a key."""
        raise _wrong(self.where, key, what, got, allowed)

    def known(self, path: str, table: Mapping[str, Any], keys: tuple[str, ...]) -> None:
        """Refuse keys that nobody reads, with the nearest one that somebody does."""
        for key in table:
            if key not in keys:
                near = max(keys, key=lambda k: likeness(key, k))
                self.fail(f"{path}{key}", f"is no key here; is '{near}' meant?", key, list(keys))

    def table(self, key: str, keys: tuple[str, ...] | None) -> Mapping[str, Any]:
        """A table, empty when left out."""
        value = self.data.get(key, {})
        if not isinstance(value, dict):
            self.fail(key, "must be a table", value)
        if keys is not None:
            self.known(f"{key}.", value, keys)
        return dict(value)

    def by_role(self, key: str) -> dict[Role, Any]:
        """A table whose keys are roles."""
        table = self.table(key, tuple(str(r) for r in Role))
        return {Role(k): v for k, v in table.items()}

    def text(self, key: str, value: Any) -> str:
        """A string."""
        if not isinstance(value, str):
            self.fail(key, "must be a text", value)
        return str(value)

    def texts(self, key: str, value: Any) -> tuple[str, ...]:
        """A list of strings."""
        if not isinstance(value, list):
            self.fail(key, "must be a list of texts", value)
        return tuple(self.text(key, v) for v in value)

    def one_of(self, key: str, value: Any, allowed: tuple[str, ...]) -> str:
        """A string out of a closed set."""
        if value not in allowed:
            self.fail(key, f"must be one of {', '.join(allowed)}", value, list(allowed))
        return str(value)

    def limb(self, name: str, value: Any) -> Limb:
        """A limb's controls."""
        if not isinstance(value, dict):
            self.fail(f"limbs.{name}", "must be a table", value)
        path = f"limbs.{name}."
        self.known(path, value, ("fk", "ik", "pole", "master", "switch", "fk_value"))
        text: Callable[[str], str] = lambda k: self.text(path + k, value.get(k, ""))  # noqa: E731
        return Limb(
            self.texts(path + "fk", value.get("fk", [])), text("ik"), text("pole"), text("master"), text("switch"),
            self.number(path + "fk_value", value.get("fk_value", 1.0)),
        )  # fmt: skip

    def tree(self) -> dict[str, str]:
        """Controls and the control above each; one stands above all others."""
        found = {k: self.text(f"tree.{k}", v) for k, v in self.table("tree", None).items()}
        roots = [name for name, up in found.items() if not up]
        if found and len(roots) != 1:
            self.fail("tree", "must have one root, which has nothing above it", len(roots))
        for name, up in found.items():
            seen = {name}
            while up:
                if up in seen or up not in found:
                    self.fail(f"tree.{name}", f"hangs on '{up}', which leads to no root", up)
                seen.add(up)
                up = found[up]
        return found

    def values(self, key: str, value: Any) -> dict[str, float]:
        """Numbers by name."""
        if not isinstance(value, dict):
            self.fail(key, "must be a table", value)
        return {k: self.number(f"{key}.{k}", v) for k, v in value.items()}

    def limits(self, joint: str, value: Any) -> tuple[tuple[float, float], ...]:
        """Three pairs of degrees, the lesser first."""
        key = f"limits_deg.{joint}"
        if not isinstance(value, list) or len(value) != 3 or any(not isinstance(v, list) or len(v) != 2 for v in value):
            self.fail(key, "must be three pairs of degrees, for x, y and z", value)
        pairs = tuple((self.number(key, low), self.number(key, high)) for low, high in value)
        if any(low > high for low, high in pairs):
            self.fail(key, "the lesser angle comes first", value)
        return pairs

    def number(self, key: str, value: Any) -> float:
        """A finite number."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e6 or value != value:
            self.fail(key, "must be a number", value)
        return float(value)


def _wrong(where: str, key: str, what: str, got: Any = None, allowed: Any = None) -> SceneError:
    details: dict[str, Any] = {"file": where, "key": key, "got": None if got is None else str(got)[:200]}
    if allowed is not None:
        details["allowed"] = allowed
    details["reason"] = (f"{key} " if key else "") + what.removeprefix("cannot be read: ")
    place = f", {key}:" if key else ""
    return SceneError(ErrorCode.FILE_UNREADABLE, f"'{Path(where).name}'{place} {what}", details)
