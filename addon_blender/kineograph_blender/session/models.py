# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon's models as the panels tell them: plain data out of the capabilities, no bpy, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kineograph.wire.messages import CapabilitiesReply

_MOST_PHRASES = 9
_TEXT_WORDS = {
    "ignored": "Text: ignored",
    "weak": "Text: a few words",
    "full": "Text: read in full",
}
_CONSTRAINT_WORDS = {
    "pose_keyframe": "keys",
    "root_path": "paths",
    "effector_target": "pins",
    "ground_height": "ground",
}

_EXTRA_WORDS = {"supports_loop": "loops", "supports_segment_seed": "a seed for each prompt"}


@dataclass(frozen=True)
class Dial:
    """One option of a model. ``kind``: number, integer, boolean, enum, string."""

    name: str
    kind: str
    title: str
    about: str
    default: Any
    least: float | None = None
    most: float | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Model:
    """One model: ``facts`` is its entry of MMCP's document, ``extras`` what MMCP has no word for."""

    id: str
    label: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    extras: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """ignored, weak or full; empty when nobody says."""
        return str(self.extras.get("text") or "")

    @property
    def most_samples(self) -> int:
        """How many samples one job may have."""
        return int(self._limits.get("max_num_samples") or 1)

    @property
    def most_seconds(self) -> float | None:
        """How long one job may be."""
        found = self._limits.get("max_duration_seconds")
        return None if found is None else float(found)

    @property
    def dials(self) -> tuple[Dial, ...]:
        """The model's own options."""
        found = self.facts.get("model_options") or []
        return tuple(_dial(d) for d in found if isinstance(d, Mapping) and d.get("name"))

    def takes(self, constraint: str) -> bool:
        """Whether the model follows this kind of constraint."""
        return constraint in (self.facts.get("supported_constraints") or ())

    def words(self) -> list[str]:
        """What it can do, a line each."""
        takes = [w for c, w in _CONSTRAINT_WORDS.items() if self.takes(c)]
        phrases = [str(p) for p in self.extras.get("phrases") or ()][:_MOST_PHRASES]
        told = f", such as {', '.join(phrases)}" if phrases and self.text == "weak" else ""
        lines = [_TEXT_WORDS.get(self.text, "Text: not known") + told]
        lines.append("Follows: " + (", ".join(takes) or "nothing but text"))
        if self.most_seconds is not None:
            lines.append(f"Up to {self.most_seconds:g} s, {self.most_samples} samples")
        extras = [w for f, w in _EXTRA_WORDS.items() if self.facts.get(f)]
        if extras:
            lines.append("Also: " + ", ".join(extras))
        if not self.extras.get("any_skeleton", True):
            lines.append("Your rig is fitted to its own skeleton and back")
        state = str(self.extras.get("state") or "")
        if state in ("loading", "failed"):
            lines.append({"loading": "Loading", "failed": "Could not be loaded"}[state])
        return lines

    @property
    def _limits(self) -> Mapping[str, Any]:
        return self.facts.get("limits") or {}


@dataclass(frozen=True)
class Models:
    """All models of a daemon. ``default`` is the one for a client without a wish."""

    every: tuple[Model, ...] = ()
    default: str = ""
    document: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, reply: CapabilitiesReply) -> Models:
        """From the daemon's answer; entries without an id are passed over."""
        found: Sequence[Any] = reply.mmcp.get("models") or []
        every = []
        for facts in found:
            name = facts.get("id") if isinstance(facts, Mapping) else None
            if name:
                extras = reply.models.get(name) or {}
                every.append(Model(str(name), str(extras.get("label") or name), facts, extras))
        default = reply.default_model or (every[0].id if every else "")
        return cls(tuple(every), default, reply.mmcp)

    @property
    def local(self) -> list[str]:
        """Ids of the models that run on the daemon's own computer."""
        return [m.id for m in self.every if m.extras.get("device") != "remote"]

    def get(self, wanted: str) -> Model | None:
        """The model of that id; the default one for an empty wish; None when it is not here."""
        name = wanted or self.default
        return next((m for m in self.every if m.id == name), None)


def _dial(entry: Mapping[str, Any]) -> Dial:
    return Dial(
        name=str(entry["name"]),
        kind=str(entry.get("type") or "number"),
        title=str(entry.get("title") or entry["name"]),
        about=str(entry.get("description") or ""),
        default=entry.get("default"),
        least=entry.get("minimum"),
        most=entry.get("maximum"),
        values=tuple(str(v) for v in entry.get("values") or ()),
    )
