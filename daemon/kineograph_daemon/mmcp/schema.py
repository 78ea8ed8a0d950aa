# SPDX-License-Identifier: Apache-2.0
"""From a payload to a typed request: MMCP's schema, and the rulings that go with it.

The schema is the official one, with its lax coercion. Where its answer would hide what is wrong, another code
stands: topology and an empty skeleton are ``invalid_skeleton``, a value out of range in ``options`` is
``invalid_options``, a negative frame is left to the frame check, and every number must be finite.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from motionmcp.schemas import GenerateRequest, Options, Skeleton
from pydantic import ValidationError

from kineograph.errors import ErrorCode, KineographError
from kineograph_daemon.mmcp import clips, finite, topology
from kineograph_daemon.mmcp.faults import fault, plain
from kineograph_daemon.mmcp.known import KNOWN

Record = dict[str, Any]

_MOST_RECORDS = 100
_STAND_IN = Skeleton.model_validate(
    {"joints": [{"name": "root", "rest_translation": (0.0, 0.0, 0.0), "rest_rotation": (0.0, 0.0, 0.0, 1.0)}]}
)
"""What the schema reads in place of a skeleton that it has read before."""
_RANGE_FAULTS = frozenset(
    {
        "greater_than",
        "greater_than_equal",
        "less_than",
        "less_than_equal",
        "finite_number",
        "too_long",
        "too_short",
        "value_error",
    }
)
_DEEPEST = 32  # no part of a request is nested as deep
_MOST_LISTED = 4 * 2**20
"""Numbers that stand in arrays in place of lists: many places may refer to one array, and each makes lists of it."""
_LIMIT_KEYS = ("ge", "gt", "le", "lt", "min_length", "max_length", "expected", "pattern", "expected_tags")


def parse(payload: Any) -> GenerateRequest:
    """The request in ``payload``; arrays may stand wherever lists may, and a typed skeleton that passed before.

    Raises ``schema_validation``, ``invalid_skeleton`` or ``invalid_options``. A pose key's negative frame passes
    here: the frame check names it in its turn, with the request's length.
    """
    light, found = clips.detach(payload)
    faults = [record for clip in found for record in clip.faults]
    sent = light.get("skeleton") if isinstance(light, dict) else None
    known = sent if isinstance(sent, Skeleton) else None
    if known is not None:
        light = {**light, "skeleton": _STAND_IN}
    try:
        request = GenerateRequest.model_validate(light)
    except ValidationError as exc:
        request = _read_again(light, exc, faults)
    if faults:
        raise _refuse(faults, payload)
    if known is not None:
        request.skeleton = known
    clips.attach(request, found)
    faults = finite.faults(request, skeleton=known is None)
    if faults:
        raise _refuse(faults, payload)
    if known is None:
        KNOWN.remember(sent, request.skeleton)
    return request


def _read_again(light: Any, exc: ValidationError, clip_faults: list[Record]) -> GenerateRequest:
    """A second reading where the first failed only over a negative frame or an array's own element type."""
    records = [*exc.errors(include_url=False), *clip_faults]
    retry: Any = light
    negative = {record["loc"][1]: record["input"] for record in records if _is_negative_frame(record)}
    if negative and len(negative) == len(records):
        items = [{**c, "frame": 0} if i in negative else c for i, c in enumerate(light["constraints"])]
        retry = {**light, "constraints": items}
    elif (unpacked := _Lists().of(light)) is not light:
        retry, negative = unpacked, {}
    else:
        raise _refuse(records, light)
    try:
        request = GenerateRequest.model_validate(retry)
    except ValidationError as again:
        raise _refuse([*again.errors(include_url=False), *clip_faults], light) from None
    for index, frame in negative.items():
        key: Any = request.constraints[index]
        key.frame = int(frame)
    return request


def _is_negative_frame(record: Mapping[str, Any]) -> bool:
    loc = record["loc"]
    return (
        record["type"] == "greater_than_equal"
        and loc[0] == "constraints"
        and tuple(loc[2:]) == ("pose_keyframe", "frame")
    )


class _Lists:
    """Makes lists of the arrays of one request. Raises ``payload_too_large`` where they hold too much for that."""

    def __init__(self) -> None:
        self._left = _MOST_LISTED

    def of(self, value: Any, depth: int = 0) -> Any:
        """``value`` with its arrays as lists; the very same object when there is none that a request may have."""
        if isinstance(value, np.ndarray):
            return self._listed(value)
        if depth > _DEEPEST:
            return value
        if isinstance(value, dict):
            out = {key: self.of(item, depth + 1) for key, item in value.items()}
            return out if any(out[key] is not item for key, item in value.items()) else value
        if isinstance(value, (list, tuple)):
            items = [self.of(item, depth + 1) for item in value]
            return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
        return value

    def _listed(self, value: np.ndarray[Any, Any]) -> Any:
        # One without numbers still makes a list for each entry of the dimensions before its 0.
        self._left -= value.size or math.prod(itertools.takewhile(bool, value.shape))
        if self._left < 0:
            raise fault(
                ErrorCode.PAYLOAD_TOO_LARGE,
                f"the request's arrays stand for more than {_MOST_LISTED:,} numbers in lists; "
                "only a clip's rotations and root_positions may be as large",
                [],
                got=f"an array of shape {list(value.shape)}, and those before it",
                allowed=_MOST_LISTED,
            )
        return value.tolist()


def _refuse(records: Sequence[Mapping[str, Any]], payload: Any) -> KineographError:
    """The refusal that these schema records amount to: topology first, then the rest of the schema, then options."""
    official = [_official(record) for record in records[:_MOST_RECORDS]]
    shape = [i for i, record in enumerate(records[:_MOST_RECORDS]) if topology.is_fault(record)]
    if shape:
        return topology.refusal([official[i] for i in shape], payload)
    if all(
        record["loc"][:1] and record["loc"][0] == "options" and record["type"] in _RANGE_FAULTS for record in records
    ):
        code, what = ErrorCode.INVALID_OPTIONS, "out of range"
    else:
        code, what = ErrorCode.SCHEMA_VALIDATION, "malformed"
    first = records[0]
    path = place(first["loc"])
    name = ".".join(map(str, path)) or "the request"
    return fault(
        code,
        f"{name} is {what}: {first['msg']}",
        path,
        official={"errors": official},
        got=first.get("input"),
        allowed=_known_beside(path) if first["type"] == "extra_forbidden" else _allowed(first),
        faults=len(records) if len(records) > 1 else None,
    )


def _known_beside(path: Sequence[str | int]) -> list[str]:
    """The names that may stand where an unknown one stands, for the places that people write by hand."""
    if len(path) == 1:
        return list(GenerateRequest.model_fields)
    return list(Options.model_fields) if len(path) == 2 and path[0] == "options" else []


def place(loc: Sequence[str | int]) -> list[str | int]:
    """The path into the payload that a schema location means: without the name of the union's branch."""
    if len(loc) > 2 and loc[0] in ("segments", "constraints"):
        return [*loc[:2], *loc[3:]]
    return list(loc)


def _official(record: Mapping[str, Any]) -> Record:
    out: Record = {"type": record["type"], "loc": list(record["loc"]), "msg": record["msg"]}
    if record.get("ctx"):
        out["ctx"] = {
            key: str(value) if isinstance(value, Exception) else plain(value) for key, value in record["ctx"].items()
        }
    return out


def _allowed(record: Mapping[str, Any]) -> Any:
    limits = {key: value for key, value in (record.get("ctx") or {}).items() if key in _LIMIT_KEYS}
    return {key: plain(value) for key, value in limits.items()} or record["msg"]
