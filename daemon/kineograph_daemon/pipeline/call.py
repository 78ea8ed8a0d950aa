# SPDX-License-Identifier: Apache-2.0
"""Calling a backbone: whatever foreign code does wrong becomes one clear error, and never a broken motion."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from motionmcp.backbone import Backbone, MotionResult
from motionmcp.errors import ProtocolError
from motionmcp.schemas import GenerateRequest
from numpy.typing import NDArray

from kineograph.errors import RETRYABLE_CODES, ErrorCode, InternalError, KineographError, error
from kineograph.motion import quat
from kineograph_daemon.backbones.base import KineographBackbone, has_hooks, settle
from kineograph_daemon.pipeline.types import JobHooks, Stopped
from kineograph_daemon.solve.goals import skeleton_of

_log = logging.getLogger(__name__)


class Checked(NamedTuple):
    """A model's answer whose numbers are finite; the least and the greatest squared length of its quaternions."""

    result: MotionResult
    least_square: float
    greatest_square: float


def generate(backbone: Backbone, request: GenerateRequest, hooks: JobHooks) -> Checked:
    """One checked result. Raises ``Stopped`` or a ``KineographError``."""
    if isinstance(backbone, KineographBackbone) and has_hooks(backbone):
        answer = guarded(lambda: settle(backbone.generate_with_hooks(request, hooks), hooks.should_stop))
    else:
        answer = guarded(lambda: settle(backbone.generate(request), hooks.should_stop))
    return checked(answer, request)


def generate_batch(
    backbone: Backbone, requests: Sequence[GenerateRequest], hooks: JobHooks
) -> list[Checked | KineographError]:
    """One checked result or error an item, in order, from the backbone's own batch pass."""
    answers = guarded(lambda: settle(backbone.generate_batch(list(requests)), hooks.should_stop))
    try:
        items: list[Any] = list(answers)
    except TypeError as e:
        raise _failed("generate_batch did not return a list", e) from e
    if len(items) != len(requests):
        raise _failed(f"generate_batch returned {len(items)} results for {len(requests)} requests")
    return [_item(item, request, hooks) for item, request in zip(items, requests, strict=True)]


def _item(item: Any, request: GenerateRequest, hooks: JobHooks) -> Checked | KineographError:
    try:
        if isinstance(item, BaseException):
            raise translated(item)
        return checked(guarded(lambda: settle(item, hooks.should_stop)), request)
    except KineographError as e:
        return e


def guarded(run: Callable[[], Any]) -> Any:
    """The value of ``run``; its exceptions translated."""
    try:
        return run()
    except (Stopped, KineographError, KeyboardInterrupt):
        raise
    except asyncio.CancelledError as e:
        raise Stopped from e
    except BaseException as e:  # foreign code may raise anything, sys.exit() included
        raise translated(e) from e


def translated(e: BaseException) -> KineographError:
    """A foreign exception as ours: MMCP errors keep their code, lack of memory is one, everything else is internal."""
    match e:
        case KineographError():
            return e
        case ProtocolError():
            wait = e.details.get("retry_after_s") if e.code in RETRYABLE_CODES and isinstance(e.details, dict) else None
            told_wait_s = float(wait) if isinstance(wait, (int, float)) else None
            return error(e.code, e.message, e.details, retry_after_s=told_wait_s)
        case MemoryError():
            return error(ErrorCode.RESOURCE_EXHAUSTED, "the model ran out of memory", {"reason": str(e)[:500]})
        case _ if type(e).__name__ == "OutOfMemoryError":
            return error(ErrorCode.RESOURCE_EXHAUSTED, "the model ran out of memory", {"reason": str(e)[:500]})
        case _:
            return _failed(f"{type(e).__name__}: {e}"[:500], e)


def checked(answer: Any, request: GenerateRequest) -> Checked:
    """The answer, if it is a motion of the asked length, samples and joints, with finite numbers and unit rotations."""
    if not isinstance(answer, MotionResult):
        raise _failed(f"generate must return a MotionResult, got {type(answer).__name__}")
    joints = skeleton_of(request.skeleton).names
    samples = request.options.num_samples if request.options else 1
    expected = (samples, request.total_frames, len(joints), 4)
    rotations, root = np.asarray(answer.rotations), np.asarray(answer.root_translations)
    if rotations.shape != expected:
        raise _failed(f"rotations must be {expected} (samples, frames, joints, 4), got {rotations.shape}")
    if root.shape != (*expected[:2], 3):
        raise _failed(f"root_translations must be {(*expected[:2], 3)}, got {root.shape}")
    if answer.joint_names is not None and tuple(answer.joint_names) != joints:
        raise _failed("joint_names differ from the request's skeleton")
    _check_finite(answer, expected)
    least, greatest = _squares(rotations)
    unknown = sorted(set(answer.foot_contacts) - set(joints)) if answer.foot_contacts else []
    if unknown:
        raise _failed(f"foot_contacts name joints that the skeleton lacks: {', '.join(unknown[:6])}")
    return Checked(answer, least, greatest)


def _check_finite(answer: MotionResult, expected: tuple[int, ...]) -> None:
    """Everything but the numbers of the rotations: ``_squares`` looks at those."""
    arrays = {"root_translations": answer.root_translations}
    if answer.translations is not None:
        arrays["translations"] = answer.translations
        if np.shape(answer.translations) != (*expected[:3], 3):
            raise _failed(f"translations must be {(*expected[:3], 3)}, got {np.shape(answer.translations)}")
    for name, array in arrays.items():
        if np.asarray(array).dtype.kind != "f" or not np.isfinite(array).all():
            raise _failed(f"{name} must be finite floating point numbers")


def _squares(rotations_xyzw: NDArray[Any]) -> tuple[float, float]:
    """The least and the greatest squared length: one pass over the motion says all that has to be known of it."""
    if rotations_xyzw.dtype.kind != "f":
        raise _failed("rotations must be finite floating point numbers")
    least, greatest = quat.squared_length_range(rotations_xyzw)
    if not math.isfinite(greatest) and not np.isfinite(rotations_xyzw).all():
        raise _failed("rotations must be finite floating point numbers")
    if least < 1e-6:
        raise _failed("rotations hold quaternions of length zero")
    return least, greatest


def _failed(message: str, cause: BaseException | None = None) -> InternalError:
    _log.error("the backbone failed: %s", message, exc_info=cause)
    return InternalError(ErrorCode.INTERNAL_ERROR, f"the model failed: {message}", {"reason": message})
