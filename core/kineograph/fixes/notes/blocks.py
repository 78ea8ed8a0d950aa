# SPDX-License-Identifier: Apache-2.0
"""Notes on prompts and time."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kineograph.errors import NoteCode
from kineograph.fixes import timeline, wording
from kineograph.fixes.notes.base import Finding, Scene

DEFAULT_TRANSITION_FRAMES = 5
_CLOSE = 0.8
_SAME_STEM = 0.6
_EMPTY_WORDS = frozenset(
    {"a", "an", "the", "person", "man", "woman", "someone", "character", "figure", "is", "and", "he", "she", "they"}
)


def too_long_for_model(scene: Scene) -> Iterator[Finding]:
    """Longer than the model takes, or than it is good at."""
    length_s = scene.total / scene.fps_hz
    most_s = scene.limit("max_duration_seconds")
    good_s = scene.model.get("recommended_max_duration_seconds")
    limit = most_s if most_s is not None and length_s > most_s + 1e-9 else None
    if limit is None:
        if not isinstance(good_s, (int, float)) or isinstance(good_s, bool) or not 0 < good_s < length_s - 1e-9:
            return
        limit = float(good_s)
    found = Finding(NoteCode.TOO_LONG_FOR_MODEL).put("model", scene.model_name)
    found.put("length", length_s, wording.seconds(length_s)).put("limit", limit, wording.seconds(limit))
    if limit == most_s:
        found.put("over_limit", True)
    frames = int(limit * scene.fps_hz + 1e-9)
    yield found.put("limit_seconds", limit).put("limit_frames", frames if frames > 0 else None)


def fps_differs(scene: Scene) -> Iterator[Finding]:
    """The request counts frames at another rate than the model."""
    model_hz = scene.model_fps_hz
    if model_hz is None or scene.model.get("any_fps") is True or math.isclose(scene.fps_hz, model_hz, rel_tol=1e-4):
        return
    found = Finding(NoteCode.FPS_DIFFERS, ("timing", "fps")).put("model", scene.model_name)
    yield found.put("fps", round(scene.fps_hz, 3)).put("model_fps", round(model_hz, 3))


def block_shorter_than_transition(scene: Scene) -> Iterator[Finding]:
    """A prompt between others that ends before its blend does."""
    segments = timeline.items(scene.request, "segments")
    options = scene.request.get("options")
    blend = options.get("transition_frames") if isinstance(options, Mapping) else None
    blend = blend if isinstance(blend, int) and not isinstance(blend, bool) else DEFAULT_TRANSITION_FRAMES
    if len(segments) < 2:
        return
    for i, segment in segments:
        frames = timeline.segment_frames(segment)
        if segment.get("type") == "pose" or not 0 < frames < blend:
            continue
        found = Finding(NoteCode.BLOCK_SHORTER_THAN_TRANSITION, ("segments", i))
        found.put("frames", frames, wording.count(frames, "frame"))
        found.put("transition", blend, wording.number(blend))
        found.put("transition_path", ["options", "transition_frames"]).put("short_transition", frames)
        yield found


def key_outside_blocks(scene: Scene) -> Iterator[Finding]:
    """Keys before the first or after the last prompt: one note that names at most six frames and counts the rest."""
    if scene.total <= 0:
        return
    outside: list[int] = []
    paths: list[tuple[Any, ...]] = []
    for i, _, frames in timeline.constraint_frames(scene.request):
        bad = [f for f in frames if not 0 <= f < scene.total]
        if bad:
            paths.append(("constraints", i))
        outside += bad
    if not paths:
        return
    found = Finding(NoteCode.KEY_OUTSIDE_BLOCKS, paths[0])
    named = sorted(set(outside))
    found.put("count_outside", len(outside), wording.count(len(outside), "key lies", "keys lie"))
    found.put("frames", named, wording.names(named)).put("total_frames", scene.total)
    found.put("first", 0).put("last", scene.total - 1)
    if max(outside) >= scene.total:
        found.put("last_needed_frame", max(outside)).put("last_needed", max(outside))
    if len(paths) == 1:
        nearest = 0 if max(outside) < 0 else scene.total - 1
        found.put("only_one", True).put("frame_path", list(paths[0]))
        found.put("nearest_frame", nearest).put("nearest_frame_index", nearest)
    yield found


def text_not_understood(scene: Scene) -> Iterator[Finding]:
    """Prompts that a model ignores, or that are not among the phrases it knows."""
    prompts = [
        (i, s["prompt"])
        for i, s in timeline.items(scene.request, "segments")
        if s.get("type") in ("text", "pose") and isinstance(s.get("prompt"), str) and s["prompt"].strip()
    ]
    support, phrases = _support(scene.model)
    words = _words(scene.model)
    for i, prompt in prompts:
        found = Finding(NoteCode.TEXT_NOT_UNDERSTOOD, ("segments", i)).put("model", scene.model_name)
        found.put("prompt", prompt, wording.short(prompt))
        if support == "ignored":
            yield found.put("ignored", True)
            return  # true of every prompt: saying it once is enough
        elif phrases and not _known(prompt, phrases, words, loosely=support == "weak"):
            best = _nearest(prompt, phrases)
            if best:
                found.put("nearest", best).put("nearest_prompt", best).put("prompt_segment", i)
            yield found.put("phrases", phrases, wording.names(phrases))
        elif support == "weak" and not phrases:
            yield found
            return


def _support(model: Mapping[str, Any]) -> tuple[str, list[str]]:
    text = model.get("text", model.get("text_support"))
    phrases = model.get("phrases")
    if isinstance(text, Mapping):
        phrases = text.get("phrases", phrases)
        text = text.get("support")
    known = [p for p in phrases if isinstance(p, str) and p] if isinstance(phrases, (list, tuple)) else []
    return (text if isinstance(text, str) else "full"), known


def _words(model: Mapping[str, Any]) -> frozenset[str]:
    words = model.get("words")
    return frozenset(w for w in words if isinstance(w, str)) if isinstance(words, (list, tuple)) else frozenset()


def _nearest(prompt: str, phrases: list[str]) -> str:
    """A phrase that says nearly the same, or has a word of the prompt's, misspelt or bent; empty where none does."""
    mine = _plain(prompt)
    close = difflib.get_close_matches(mine, [_plain(p) for p in phrases], 1, _CLOSE)
    if close:
        return next(p for p in phrases if _plain(p) == close[0])
    shared = [(max(_alike(a, b) for a in mine.split() for b in _plain(p).split()), p) for p in phrases]
    score, best = max(shared, key=lambda found: found[0])
    return best if score else ""


def _alike(one: str, other: str) -> float:
    """How alike two words are where they are one word, misspelt or bent, else 0."""
    score = difflib.SequenceMatcher(None, one, other).ratio()
    return score if score >= _CLOSE or (one[:3] == other[:3] and score >= _SAME_STEM) else 0.0


def _plain(prompt: str) -> str:
    words = [w for w in re.findall(r"\w+", prompt.lower()) if w not in _EMPTY_WORDS]
    return " ".join(words) or prompt.strip().lower()


def _known(prompt: str, phrases: list[str], words: frozenset[str], *, loosely: bool) -> bool:
    """Whether a prompt has one of the words, or says what one of the phrases says: nearly the same words, or
    ``loosely`` these among others."""
    mine = _plain(prompt)
    if not words.isdisjoint(re.findall(r"[a-z]+", prompt.lower())):
        return True
    for phrase in phrases:
        theirs = _plain(phrase)
        if loosely and set(theirs.split()) <= set(mine.split()):
            return True
        if mine == theirs or difflib.SequenceMatcher(None, mine, theirs).ratio() >= _CLOSE + 0.1:
            return True
    return False
