# SPDX-License-Identifier: Apache-2.0
"""A report that can be shown to anybody: what failed and how the request is built, without names or paths.

Bone, object, prompt and file names become placeholders that stay the same within a report (``bone-03``); numbers stay.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kineograph.fixes import timeline
from kineograph.fixes.catalogue import row_of
from kineograph.fixes.resolve import as_error

_SAFE_WORDS = re.compile(r"[a-z_]{1,40}")
_PATHS = re.compile(r"(?:[A-Za-z]:)?(?:[\\/][\w .\-+@~]+)+|~[\\/][\w .\-\\/]+")
_MAIL = re.compile(r"\S+@\S+")
_QUOTED = re.compile(r"'[^']{1,200}'|\"[^\"]{1,200}\"")
_MOST_ITEMS = 24
_VOCABULARY = frozenset(
    {"text", "unconditioned", "pose", "motion_reference", "video_reference"}
    | {"root_path", "effector_target", "pose_keyframe", "ground_height", "rest", "generate"}
)
_PLAIN_KEYS = frozenset(
    {"type", "fill_mode", "code", "stage", "device", "state", "param", "option", "what", "ref", "resource"}
)
_PATH_KEYS = frozenset({"path", "loc", "errors", "type"})


def report(
    error: Any,
    request: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
    names: Iterable[str] = (),
) -> str:
    """The text of a report: code, message, details and the request's outline, scrubbed.

    ``names``: what else the caller knows to be a name (bones, objects, the file, the user), wherever it may turn up.
    """
    known = as_error(error)
    scrub = _Scrubber(request or {}, [*names, *_texts(known.details)])
    lines = [
        "Kineograph report",
        *(f"{name}: {scrub.path_free(str(value))}" for name, value in sorted((versions or {}).items())),
        f"code: {known.code}",
        f"title: {row_of(known.code).title}",
        f"request id: {known.request_id or '-'}",
        f"message: {scrub.sentence(known.message)}",
        "details: " + json.dumps(scrub.tree(known.details), ensure_ascii=False, sort_keys=True),
    ]
    if request:
        lines += ["request:", *(f"  {line}" for line in _outline(request, scrub))]
    return "\n".join(lines) + "\n"


def _texts(value: Any, key: str = "", depth: int = 6) -> Iterator[str]:
    """The names in an error's details, which messages tell without quotes too."""
    if isinstance(value, str):
        if key not in _PLAIN_KEYS and key not in _PATH_KEYS and key != "msg":
            yield value
    elif depth and isinstance(value, Mapping):
        for name, item in value.items():
            if not _SAFE_WORDS.fullmatch(str(name)):
                yield str(name)
            yield from _texts(item, str(name), depth - 1)
    elif depth and isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item, key, depth - 1)


def _outline(request: Mapping[str, Any], scrub: _Scrubber) -> list[str]:
    joints = timeline.joints(request)
    roots = sum(j.get("parent") is None for j in joints)
    out = [
        f"protocol {scrub.path_free(str(request.get('protocol_version')))}, {timeline.total_frames(request)} frames",
        f"skeleton: {len(joints)} joints, {roots} with no parent",
    ]
    for i, segment in timeline.items(request, "segments")[:_MOST_ITEMS]:
        out.append(f"segment {i}: {scrub.word(segment.get('type'))}, {timeline.segment_frames(segment)} frames")
    for i, constraint, frames in list(timeline.constraint_frames(request))[:_MOST_ITEMS]:
        span = f", frames {min(frames)} to {max(frames)} ({len(frames)})" if frames else ""
        on = f", on {scrub.name(constraint['joint'])}" if isinstance(constraint.get("joint"), str) else ""
        out.append(f"constraint {i}: {scrub.word(constraint.get('type'))}{on}{span}")
    options = request.get("options")
    if isinstance(options, Mapping):
        out.append("options: " + json.dumps(scrub.tree(options), ensure_ascii=False, sort_keys=True))
    return out


class _Scrubber:
    """Replaces names by placeholders, the same name by the same one."""

    def __init__(self, request: Mapping[str, Any], names: Iterable[str] = ()) -> None:
        self._seen: dict[str, str] = {}
        for joint in timeline.joint_names(request):
            self._seen.setdefault(joint, f"bone-{len(self._seen) + 1:02d}")
        for segment in timeline.items(request, "segments"):
            if isinstance(prompt := segment[1].get("prompt"), str) and prompt:
                self.name(prompt)
        for known in names:
            if known not in _VOCABULARY:
                self.name(known)

    def name(self, text: str) -> str:
        """The placeholder of a name."""
        return self._seen.setdefault(text, f"name-{len(self._seen) + 1:02d}")

    def word(self, value: Any) -> str:
        """A word of the protocol as it is, anything else as a placeholder."""
        return value if isinstance(value, str) and value in _VOCABULARY else self.name(str(value))

    def path_free(self, text: str) -> str:
        """Text without paths and addresses."""
        return _PATHS.sub("<path>", _MAIL.sub("<address>", text))

    def sentence(self, text: str) -> str:
        """A sentence with quoted and known names replaced."""
        text = _QUOTED.sub(lambda m: m.group(0)[0] + self.name(m.group(0)[1:-1]) + m.group(0)[-1], text)
        # In one pass: a placeholder is not to be taken for a name.
        known = sorted((name for name in self._seen if len(name) > 2), key=len, reverse=True)
        if known:
            every = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, known))})(?!\w)")
            text = every.sub(lambda m: self._seen[m.group(0)], text)
        return self.path_free(text)

    def tree(self, value: Any, key: str = "", depth: int = 6) -> Any:
        """Details or options: numbers and words of the protocol stay, texts become placeholders."""
        import numpy as np  # what a code means is told without it

        if isinstance(value, Mapping):
            if depth == 0:
                return f"{len(value)} entries"
            pairs = list(value.items())[:_MOST_ITEMS]
            return {self._key(str(k)): self.tree(v, str(k), depth - 1) for k, v in pairs}
        if isinstance(value, np.ndarray):
            return f"array {list(value.shape)}"
        if isinstance(value, (list, tuple)):
            if depth == 0 or len(value) > _MOST_ITEMS:
                return f"{len(value)} entries"
            return [self.tree(v, key, depth - 1) for v in value]
        if isinstance(value, str):
            return self._text(value, key)
        if isinstance(value, float) and not math.isfinite(value):
            return repr(value)
        return value if isinstance(value, (bool, int, float)) or value is None else type(value).__name__

    def _key(self, key: str) -> str:
        return self._seen[key] if key in self._seen else key if _SAFE_WORDS.fullmatch(key) else self.name(key)

    def _text(self, text: str, key: str) -> str:
        if key in _PATH_KEYS and _SAFE_WORDS.fullmatch(text) and text not in self._seen:
            return text
        if (key in _PLAIN_KEYS or text in _VOCABULARY) and _SAFE_WORDS.fullmatch(text):
            return text
        if key == "msg":
            return self.sentence(text)
        if key == "ref" and re.fullmatch(r"[0-9a-f]{4,32}", text):
            return text
        return self.name(text)
