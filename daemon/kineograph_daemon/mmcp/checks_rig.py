# SPDX-License-Identifier: Apache-2.0
"""The skeleton against the model's, and names against the skeleton."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from motionmcp.backbone import ModelSpec
from motionmcp.schemas import Skeleton

from kineograph.errors import ErrorCode, KineographError
from kineograph.rigs import suggest
from kineograph_daemon.mmcp.faults import Path, fault

Takers: TypeAlias = Callable[[Callable[[ModelSpec], bool]], list[str]]
"""Finds the hosted models that have a trait."""


def no_takers(_has: Callable[[ModelSpec], bool]) -> list[str]:
    """No other model to turn to."""
    return []


def skeleton(sent: Skeleton, spec: ModelSpec, path: Path, takers: Takers = no_takers) -> None:
    """A model that cannot retarget takes its own joint names in its own order; rest offsets and parents are free."""
    if spec.supports_retargeting:
        return
    want = [joint.name for joint in spec.canonical_skeleton.joints]
    got = [joint.name for joint in sent.joints]
    if got == want:
        return
    known, sent_names = set(want), set(got)
    missing = [name for name in want if name not in sent_names]
    extra = [name for name in got if name not in known]
    raise fault(
        ErrorCode.RETARGETING_UNSUPPORTED,
        f"model {spec.id!r} moves only its own skeleton: {len(missing)} of its joints are missing, {len(extra)} are "
        f"not its own" + ("" if missing or extra else ", the order differs"),
        path,
        got=len(got),
        allowed=want,
        suggestions=takers(lambda other: other.supports_retargeting),
        model=spec.id,
        missing=missing,
        extra=extra,
        order_differs=not missing and not extra,
    )


def carried(sent: Skeleton, spec: ModelSpec, any_rig: Callable[[], Sequence[str]]) -> None:
    """A rig that the daemon carries a model's motion to needs the limbs that the model moves."""
    # Imported here: a start must not wait for what only a request needs.
    from kineograph_daemon.pipeline import bridge

    why = bridge.misfit(sent, spec.canonical_skeleton)
    if why is not None:
        raise bridge.refusal(why, spec.id, sent, sorted(any_rig()))


def unknown_joint(name: str, names: frozenset[str], path: Path, where: str = "the skeleton") -> KineographError:
    """``unknown_joint`` with what it may have meant."""
    return fault(
        ErrorCode.UNKNOWN_JOINT,
        f"joint {name!r} is not in {where}",
        path,
        official={"skeleton_joints": sorted(names)},
        got=name,
        allowed=sorted(names),
        suggestions=[found.name for found in suggest(name, sorted(names))],
        joint=name,
    )
