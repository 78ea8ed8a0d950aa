# SPDX-License-Identifier: Apache-2.0
"""What a backbone may say and do beyond MMCP. Everything here is optional: any ``motionmcp.Backbone`` plugs in.

A backbone of another project keeps its base class; what it lacks is filled from the defaults below by ``extras_of``.
A request is read, never written to: the skeleton in it is the same object for all requests of one character.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

from motionmcp.backbone import Backbone, MotionResult
from motionmcp.schemas import GenerateRequest

TextSupport = Literal["ignored", "weak", "full"]
T = TypeVar("T")

CANCEL_POLL_S = 0.02
"""How often a waiting ``async`` backbone is asked whether it should stop."""


class Hooks(Protocol):
    """What a running job gives its backbone: a place for progress and the question whether to stop."""

    def progress(self, fraction: float, step: int = 0, steps: int = 0, stage: str = "") -> None:
        """Tell how far the job is: ``fraction`` 0 to 1, ``step`` of ``steps``, and a word for the stage."""

    def should_stop(self) -> bool:
        """Whether to give up: ask once a model step, and raise ``pipeline.Stopped`` when true."""


MOST_PHRASES = 500
"""So many are told: a list to choose from, not a pack."""


@dataclass
class ToldResult(MotionResult):
    """A result that tells what of its request turned out to change nothing while it was made: paths and reasons as in
    ``KineographBackbone.ignored_fields``, and added to them."""

    ignored_fields: Mapping[str, str] = field(default_factory=dict)


class KineographBackbone(Backbone):
    """A backbone that tells more about itself. ``generate_with_hooks`` is preferred over ``generate`` when present."""

    label: str = ""
    """Name for people; empty means the model's id."""
    text_support: TextSupport = "full"
    """``ignored``: prompts change nothing, and clients say so before sending."""
    phrases: Sequence[str] = ()
    """Prompts that it is known to understand, the commonest first: clients offer them. Where text support is ``full``
    no others are taken; where it is ``weak`` a prompt may say more around one."""
    words: Sequence[str] = ()
    """Single words that it acts on: a prompt with one of them is understood, whatever else it says."""
    any_skeleton: bool = False
    """Works on the request's own skeleton; no retargeting needed."""
    any_fps: bool = False
    """Works at the request's own frame rate; no resampling needed."""
    stand_in: Backbone | None = None
    """Who moves the rigs that this model cannot: their owners get its motion, with a note, and not an error."""
    is_repeatable: bool = False
    """Makes the same motion of the same request and seed, at once: a report may try whether a field changes it."""
    version: str = ""
    weights_hash: str = ""
    """Hash of the weights, or of nothing when there are none: part of every result's provenance."""
    about: str = ""
    """One or two sentences for people: what it is good at, and what it ignores."""

    def ignored_fields(self, request: GenerateRequest) -> Mapping[str, str]:
        """Fields of this request that change nothing, by path (``options.seed``, ``segments.prompt``,
        ``segments[2].prompt``), with the reason: the report lists them as ignored."""
        return {}

    def changed_fields(self, request: GenerateRequest) -> Mapping[str, str]:
        """Options and segments (``options.diffusion_steps``, ``segments[2]``) that the model takes otherwise than they
        were asked, with how: listed as changed."""
        return {}

    def generate_with_hooks(self, request: GenerateRequest, hooks: Hooks) -> MotionResult | Awaitable[MotionResult]:
        """As ``generate``, with progress and stop. The default has neither."""
        return self.generate(request)


def has_hooks(backbone: Backbone) -> bool:
    """Whether the backbone brings its own ``generate_with_hooks``."""
    own = getattr(type(backbone), "generate_with_hooks", None)
    return own is not None and own is not KineographBackbone.generate_with_hooks


def has_batch(backbone: Backbone) -> bool:
    """Whether the backbone can run several requests in one pass."""
    return type(backbone).generate_batch is not Backbone.generate_batch


def identity_of(backbone: Backbone) -> dict[str, str]:
    """Which model, and which weights: what provenance says of a backbone."""
    return {"version": _text(backbone, "version"), "weights_hash": _text(backbone, "weights_hash")}


def _text(backbone: Backbone, name: str) -> str:
    return str(getattr(backbone, name, "") or "")


def _texts(backbone: Backbone, name: str) -> list[str]:
    return [str(text) for text in list(getattr(backbone, name, None) or ())[:MOST_PHRASES]]


def extras_of(backbone: Backbone) -> dict[str, Any]:
    """What capabilities say about a model beyond MMCP, with defaults for a backbone that says nothing."""
    support = _text(backbone, "text_support")
    return {
        "label": _text(backbone, "label"),
        "text": support if support in ("ignored", "weak", "full") else "full",
        "phrases": _texts(backbone, "phrases"),
        "words": _texts(backbone, "words"),
        "any_skeleton": bool(getattr(backbone, "any_skeleton", False)),
        "any_fps": bool(getattr(backbone, "any_fps", False)),
        **identity_of(backbone),
        "about": _text(backbone, "about"),
        "batch": has_batch(backbone),
        "hooks": has_hooks(backbone),
    }


def settle(answer: T | Awaitable[T], should_stop: Callable[[], bool] | None = None) -> T:
    """The value of what a ``def`` or ``async def`` method returned.

    An awaitable runs to its end in an event loop of its own; when ``should_stop`` turns true it is cancelled and
    ``asyncio.CancelledError`` leaves this function.
    """
    if isinstance(answer, Awaitable):
        settled: T = asyncio.run(_await(answer, should_stop))
        return settled
    return answer


async def _await(answer: Awaitable[T], should_stop: Callable[[], bool] | None) -> T:
    task = asyncio.ensure_future(answer)
    if should_stop is None:
        return await task
    while not task.done():
        await asyncio.wait({task}, timeout=CANCEL_POLL_S)
        if should_stop():
            task.cancel()
    return await task
