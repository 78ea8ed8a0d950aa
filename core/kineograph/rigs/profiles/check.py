# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a profile, by itself and against a rig; and how two of them differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from kineograph.rigs.book import bare
from kineograph.rigs.profiles.model import Profile
from kineograph.rigs.roles import REQUIRED
from kineograph.rigs.suggest import suggest


@dataclass(frozen=True)
class Finding:
    """One thing to look at. ``is_error`` must be mended before the profile can be used; ``names`` may be meant."""

    where: str
    text: str
    is_error: bool = True
    names: tuple[str, ...] = ()


def check(profile: Profile, names: Sequence[str] | None = None, controls: Sequence[str] | None = None) -> list[Finding]:
    """Findings about a profile; with ``names`` against a rig's joints, with ``controls`` against its control bones."""
    found = list(_by_itself(profile))
    if names is not None:
        found += _against(names, [(f"roles.{r}", n) for r, n in profile.roles.items()])
        found += _against(names, [(f"chains.{r}", n) for r, chain in profile.chains.items() for n in chain])
        found += _against(names, [(f"aliases.{a}", n) for a, n in profile.aliases.items()])
    if controls is not None:
        found += _against(controls, list(_controls(profile)))
    return found


def _by_itself(profile: Profile) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for role, name in profile.roles.items():
        if name in seen:
            yield Finding(f"roles.{role}", f"'{name}' plays {seen[name]} already")
        seen[name] = str(role)
        other = profile.roles.get(role.mirror)
        if other == name and role.mirror is not role:
            yield Finding(f"roles.{role}", f"left and right are both '{name}'")
    if not (profile.match.hash or profile.match.has):
        yield Finding("match", "nothing says which rigs it is for: it is used only where it is named", False)
    missing = [str(r) for r in REQUIRED if r not in profile.roles]
    if profile.roles and missing:
        yield Finding("roles", f"left to be read from names: {', '.join(missing[:6])}", False)
    for name, limb in profile.limbs.items():
        if limb.switch and not limb.master:
            yield Finding(f"limbs.{name}", f"which bone has the property '{limb.switch}'?")
        if limb.ik and len(limb.fk) not in (0, 3):
            yield Finding(f"limbs.{name}.fk", "a limb with IK has three FK controls: top, hinge and end")
    if profile.root_policy == "root" and not profile.root_bone:
        yield Finding("root.bone", "the policy 'root' needs the bone that carries the travel", False)
    if profile.up.strip("-") == profile.front.strip("-"):
        yield Finding("axes", "up and front lie on the same axis")


def _controls(profile: Profile) -> Iterator[tuple[str, str]]:
    yield from ((f"controls.{r}", n) for r, n in profile.controls.items())
    yield from ((f"tree.{n}", n) for n in profile.tree)
    yield from ((f"places.{n}", place) for n, place in profile.places.items())
    yield from ((f"hold.{n}", n) for n in profile.hold)
    for name, limb in profile.limbs.items():
        yield from ((f"limbs.{name}.fk", n) for n in limb.fk)
        for part in ("ik", "pole", "master"):
            if getattr(limb, part):
                yield f"limbs.{name}.{part}", getattr(limb, part)


def _against(names: Sequence[str], wanted: Sequence[tuple[str, str]]) -> Iterator[Finding]:
    have = set(names) | {bare(n) for n in names}
    for where, name in wanted:
        if name not in have and bare(name) not in have:
            near = tuple(s.name for s in suggest(name, names))
            said = f"the rig has no '{name}'" + (f"; perhaps '{near[0]}'" if near else "")
            yield Finding(where, said, names=near)


def diff(a: Profile, b: Profile) -> list[str]:
    """Lines ``key: one -> other`` for all that differs, in the order of the model."""
    lines = []
    for field in fields(Profile):
        lines += _differences(field.name, _plain(getattr(a, field.name)), _plain(getattr(b, field.name)))
    return lines


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return value


def _differences(key: str, a: Any, b: Any) -> list[str]:
    if a == b:
        return []
    if isinstance(a, dict) and isinstance(b, dict):
        both = dict.fromkeys([*a, *b])
        return [line for k in both for line in _differences(f"{key}.{k}", a.get(k), b.get(k))]
    return [f"{key}: {_said(a)} -> {_said(b)}"]


def _said(value: Any) -> str:
    return "nothing" if value in (None, "", ()) else str(value)
